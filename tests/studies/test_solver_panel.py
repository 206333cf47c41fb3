"""The panel of solvers: published numbers of steps, parts that join, and claims that notice."""

import json

import numpy as np
import pytest
import xarray as xr

from simnn import capacity
from simnn.studies import solver_panel

SMALL = {
    "correlation": 0.999999, "activity": 0.1, "inputs": 10, "claws": 7, "dimension": [10, 20],
    "law": ["gaussian", "correlated", "winners"], "load": [1.0, 2.0, 3.0], "solver": ["newton", "nearest", "auto"],
    "trials": 200, "seed": 4,
}  # fmt: skip


@pytest.fixture(scope="module")
def whole():
    return solver_panel.simulate(**SMALL)


@pytest.fixture(scope="module")
def compared(whole):
    return solver_panel.compare(whole.assign_attrs(parameters=json.dumps(SMALL)))


def test_splitting_an_axis_into_jobs_changes_nothing(whole):
    parts = [solver_panel.simulate(**SMALL | {"law": [value]}) for value in SMALL["law"]]
    with xr.set_options(use_new_combine_kwarg_defaults=True):
        joined = xr.combine_by_coords(parts, combine_attrs="drop").sel(law=SMALL["law"])
    xr.testing.assert_identical(joined.drop_attrs(), whole.drop_attrs())


@pytest.mark.parametrize(("dimension", "published", "trials"), [(5, 2.0, 2000), (20, 4.3, 1000), (100, 9.1, 100)])
def test_finite_newton_takes_the_published_number_of_steps_at_the_transition(dimension, published, trials):
    ds = capacity.simulate(dimension=dimension, bias=True, solver="newton", trials=trials, seed=5)
    # Published numbers come without errors, of a few hundred sets at best.
    assert abs(ds.steps - published) < 6.0 * ds.steps_stderr * np.hypot(1.0, np.sqrt(trials / 100.0))
    # Half as many steps, or twice as many, would be noticed.
    assert abs(ds.steps - 2.0 * published) > 6.0 * ds.steps_stderr * np.hypot(1.0, np.sqrt(trials / 100.0))


@pytest.mark.parametrize("name", ["separable_fraction", "undecided_fraction", "steps", "separable_fraction_theory"])
def test_claims_fail_when_one_number_is_off(compared, name):
    assert all(row.verdict != "fails" for row in solver_panel.claims(compared))
    wrong = compared.assign({name: 0.6 * compared[name] + (0.01 if name == "undecided_fraction" else 0.0)})
    assert any(row.verdict == "fails" for row in solver_panel.claims(wrong))


def test_one_step_more_than_necessary_would_be_noticed(compared):
    # Of the sets that are not separable at P = 3 N, a tenth of the steps less would be too few.
    at = {"law": "gaussian", "solver": "nearest", "load": 3.0, "dimension": 20}
    steps = compared.steps.copy()
    steps.loc[at] = 0.85 * steps.loc[at]
    rows = solver_panel.claims(compared.assign(steps=steps))
    assert [row.verdict for row in rows if "N + 1 steps" in row.statement] == ["fails"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"law": ["gaussian", "sign"]}, r"^law: 'sign' is not allowed: should be gaussian, correlated, winners"),
        ({"law": ["winners"]}, r"^law: \['winners'\] is not allowed"),
        ({"correlation": 1.0}, r"^correlation: "),
        ({"correlation": [0.5]}, r"^correlation: \[0.5\] is not allowed: should be a single value"),
        ({"bias": True}, r"^bias: unknown, or set by the study"),
    ],
)
def test_what_the_study_is_not_made_for_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        solver_panel.validate(SMALL | given)


def test_parameters_pass():
    assert solver_panel.validate(SMALL) == SMALL
    with pytest.raises(ValueError, match=r"^correlation: None is not allowed: should be given"):
        solver_panel.validate({name: value for name, value in SMALL.items() if name != "correlation"})
