"""Each study from simulation to figure at a small size: claims hold, and fail when the theory is wrong."""

import importlib
import json
import math

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from simnn import plotting, propagation
from simnn.studies import Claim, parameters, straight_line

SMALL = {
    "phase_diagram": {
        "activation": "tanh", "width": 400, "depth": 20, "sigma_w": list(np.linspace(1.0, 2.2, 9)),
        "sigma_b": [0.2, 0.6], "trials": 30, "seed": 1,
    },
    "depth_profiles": {
        "activation": ["tanh", "relu"], "sigma_w": [1.0, 2.5], "sigma_b": 0.3, "width": 400, "depth": 8,
        "correlation": 0.5, "input_length": 1.0, "trials": 60, "seed": 2,
    },
    "depth_scales": {
        "activation": "tanh", "sigma_w": [1.0, 1.5811388301], "sigma_b": [0.2236067977], "width": 600, "depth": 20,
        "trials": 20, "seed": 3,
    },
    "init_schemes": {
        "activation": ["relu", "sigmoid"], "sigma_w": [0.5773502692, 1.0, 1.4142135624], "sigma_b": 0.0, "width": 400,
        "depth": 16, "input_length": 1.0, "trials": 60, "seed": 4,
    },
    "relu_bias": {
        "law": ["gaussian", "uniform", "laplace", "rademacher", "spike"], "bias": list(np.linspace(-3.0, 3.0, 61)),
        "trials": 20_000, "seed": 5,
    },
    "circle_kernel": {
        "activation": ["linear", "relu", "erf"], "depth": [1, 2], "points": 32, "sigma_w": 1.4142135624, "width": 64,
        "trials": 60, "dtype": "float64", "seed": 6,
    },
    "dead_relus": {
        "activation": ["relu", "leaky_relu(0.1)"], "width": [2, 4], "depth": 8, "trials": 2000, "seed": 5,
    },
    "linear_stacks": {"width": [10, 40], "depth": [1, 2, 4], "trials": 60, "seed": 6},
    "finite_width": {
        "activation": "relu", "sigma_w": 1.4142135624, "sigma_b": 0.0, "width": [10, 100], "depth": [5, 10],
        "trials": 1000, "seed": 5,
    },
    "ntk_fluctuations": {
        "activation": ["relu", "tanh"], "sigma_b": 0.2236067977, "correlation": 0.3, "width": [32, 64],
        "depth": [1, 4, 8], "trials": 2000, "seed": 6,
    },
    "joint_norms": {
        "activation": "relu", "sigma_w": 1.4142135624, "sigma_b": 0.0, "width": [20, 100], "depth": [5, 10],
        "trials": 2000, "seed": 7,
    },
    "cover_curves": {
        "dimension": [5, 20], "load": [1.0, 1.5, 2.0, 2.5, 3.0], "bias": [False, True], "trials": 500, "seed": 7,
    },
    "stopping_times": {"ensemble": ["gaussian", "rademacher"], "dimension": [3, 20], "trials": 1000, "seed": 8},
    "gardner_margins": {"dimension": [20, 40, 80], "load": [0.5, 1.0], "trials": 100, "seed": 9},
    "label_coding": {
        "dimension": [15, 30, 60], "coding_level": [0.1, 0.5], "bias": [False, True], "constrained": [0.0, 1.0],
        "trials": 100, "seed": 12,
    },
    "sign_constraints": {
        "ensemble": ["gaussian", "rademacher"], "dimension": [12, 40], "constrained": [0.0, 0.5, 1.0],
        "load": [0.5, 0.75, 1.0, 1.25, 1.5, 2.0], "margin_dimension": [20, 40, 80], "margin_load": [0.25, 0.5],
        "margin_trials": 60, "trials": 300, "seed": 13,
    },
    "threshold_functions": {"dimension": [1, 2, 3], "trials": 2, "seed": 14},
    "weight_sharing": {
        "channels": [2, 4], "positions": [1, 4], "load": [1.0, 1.5, 2.0, 2.5], "trials": 150, "seed": 15,
    },
    "hebbian_storage": {
        "dimension": [500, 1000], "load": [0.2, 0.5, 1.0, 2.0], "recall_load": [0.1, 0.12, 0.15, 0.17, 0.19, 0.21],
        "starts": 8, "steps": 100, "trials": 20, "seed": 16,
    },
    "manifold_capacity": {
        "dimension": [12, 20, 32], "extent": [1, 3], "radius": [0.0, 0.5, 1.0], "sampled_extent": [2, 10],
        "points": [1, 2, 20, 100], "projection": [21, 25, 29], "draws": 1000, "projections": 100, "trials": 80,
        "seed": 17,
    },
    "expansion_codes": {
        "dimension": 40, "claws": 4, "inputs": [0, 8, 20], "ensemble": ["winners", "threshold"],
        "activity": [0.05, 0.2, 0.5], "bias": [False, True], "load": [0.5, 1.0, 1.5, 2.0, 2.5, 3.0], "trials": 40,
        "seed": 17,
    },
    "solver_panel": {
        "correlation": 0.999999, "activity": 0.1, "inputs": 10, "claws": 7, "dimension": [10, 20],
        "law": ["gaussian", "correlated", "winners"], "load": [1.0, 2.0, 3.0], "solver": ["newton", "nearest", "auto"],
        "trials": 300, "seed": 18,
    },
    "hash_retrieval": {
        "vectors": 500, "dimension": 60, "clusters": 10, "narrowest": 0.3, "widest": 2.0, "queries": 50,
        "neighbors": 10, "share": 0.1, "winners": [4, 30], "trials": 32, "seed": 17,
    },
    "claw_numbers": {
        "glomeruli": 50, "kenyon_cells": 1000, "pairs": 300, "circuit": ["binary cells none", "cortical cells none"],
        "coding_level": [0.1], "claws": [3, 7, 12], "odors": [50, 100, 200], "trials": 20, "seed": 17,
    },
    "decorrelation": {
        "claws": [7, 0], "sparsening": ["cell", "winners"], "coding_level": [0.05, 0.5],
        "input_correlation": [0.0, 0.5, 0.9], "noise": [0.003, 0.01, 0.1], "glomeruli": 50, "kenyon_cells": 300,
        "odors": 150, "trials": 24, "seed": 17,
    },
    "expansion_readout": {
        "sparsening": ["cell", "winners"], "kenyon_cells": [250, 2000], "noise": [0.1, 0.3],
        "coding_level": [0.005, 0.01, 0.02, 0.05, 0.1, 0.3], "glomeruli": 50, "claws": 7, "odors": 200, "trials": 12,
        "seed": 18,
    },
    "kenyon_capacity": {
        "code": ["gaussian 30 winners", "gaussian 10 winners", "gaussian 30 cell"], "kenyon_cells": 40, "claws": 7,
        "coding_level": [0.2], "load": [1.0, 1.75, 2.0, 2.25], "margin_load": [0.5, 1.0], "labelings": 4,
        "trials": 30, "seed": 18,
    },
    "connectome_nulls": {
        "weights": ["binary", "synapses"], "inhibition": ["none", "balanced"], "coding_level": [0.05, 0.1],
        "threshold": 5, "kenyon_cells": 300, "glomeruli": 40, "claws": 4.0, "fan_out_spread": 0.5, "trials": 8,
        "seed": 17,
    },
    "receptor_codes": {
        "kenyon_cells": 500, "claws": 7, "coding_level": 0.05, "input_gain": 10.63, "trials": 8, "seed": 18,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def compared():
    """Datasets with theory, made once for each study."""
    made = {}

    def make(name):
        if name not in made:
            study = importlib.import_module(f"simnn.studies.{name}")
            simulate = getattr(study, "simulate", importlib.import_module(f"simnn.{study.MODEL}").simulate)
            dataset = simulate(**SMALL[name])
            dataset.attrs["parameters"] = json.dumps(SMALL[name])
            made[name] = (study, study.compare(dataset))
        return made[name]

    return make


@pytest.mark.parametrize("name", SMALL)
def test_claims_hold_at_a_small_size(compared, name):
    study, dataset = compared(name)
    rows = study.claims(dataset)
    assert rows
    for row in rows:
        assert row.verdict.startswith("holds"), row
        assert math.isfinite(row.stderr)


@pytest.mark.parametrize("name", SMALL)
def test_claims_fail_when_the_theory_is_off(compared, name):
    study, dataset = compared(name)
    wrong = {variable: dataset[variable] * 1.3 for variable in dataset.data_vars if str(variable).endswith("_theory")}
    if name == "init_schemes":  # a rate: errors have to grow with depth
        wrong = {variable: values * 1.1**dataset.layer for variable, values in wrong.items()}
    assert any(row.verdict == "fails" for row in study.claims(dataset.assign(wrong)))


@pytest.mark.parametrize("name", SMALL)
def test_figures_draw_theory_as_lines_and_simulation_as_points(compared, name):
    study, dataset = compared(name)
    figure = study.figure(dataset)
    lines = [line for ax in figure.axes for line in ax.get_lines()]
    assert any(line.get_linestyle() == "-" and len(line.get_xdata()) > 1 for line in lines)
    assert any(container.has_yerr for ax in figure.axes for container in ax.containers)
    assert any(ax.get_xlabel() for ax in figure.axes)
    assert any(ax.get_ylabel() for ax in figure.axes)
    plt.close(figure)


@pytest.mark.parametrize("name", SMALL)
def test_captions_name_their_trials_and_claims(name):
    caption = importlib.import_module(f"simnn.studies.{name}").CAPTION
    assert "{trials}" in caption
    assert "Claims:" in caption


def test_every_variable_of_a_gathered_dataset_says_what_it_is(compared):
    for name in SMALL:
        for variable, values in compared(name)[1].data_vars.items():
            assert values.attrs.get("units") == "1", (name, variable)
            assert values.attrs.get("long_name"), (name, variable)


def test_figures_are_the_same_bytes_twice(compared, tmp_path):
    study, dataset = compared("init_schemes")
    for name in ("a", "b"):
        figure = study.figure(dataset)
        plotting.save(figure, tmp_path / name)
        plt.close(figure)
    for suffix in (".png", ".pdf"):
        assert (tmp_path / "a").with_suffix(suffix).read_bytes() == (tmp_path / "b").with_suffix(suffix).read_bytes()


def test_a_straight_line_is_weighted_and_knows_its_errors():
    x, stderr = np.array([0.1, 0.2, 0.4]), np.array([0.1, 0.2, 0.1])
    np.testing.assert_allclose(straight_line(x, 3.0 - 2.0 * x, stderr)[::2], (3.0, -2.0))
    fit, covariance = np.polyfit(x, [1.0, 3.0, 2.0], 1, w=1.0 / stderr, cov="unscaled")
    expected = fit[1], covariance[1, 1] ** 0.5, fit[0]
    np.testing.assert_allclose(straight_line(x, np.array([1.0, 3.0, 2.0]), stderr), expected)


@pytest.mark.parametrize(
    ("measured", "stderr", "tolerance", "verdict"),
    [
        (1.0, 0.0, 0.0, "holds"),
        (1.39, 0.1, 0.0, "holds"),
        (1.41, 0.1, 0.0, "fails"),
        (1.41, 0.1, 0.05, "holds"),
        (float("nan"), 0.1, 1.0, "fails"),
        (1.0, float("nan"), 1.0, "fails"),
        (float("inf"), 0.1, 1.0, "fails"),
    ],
)
def test_a_claim_holds_within_four_standard_errors_and_its_tolerance(measured, stderr, tolerance, verdict):
    row = Claim.test("X", "x", prediction=1.0, measured=measured, stderr=stderr, tolerance=tolerance)
    assert row.verdict == verdict


def test_a_corrected_claim_says_so():
    row = Claim.test("X", "x", prediction=1.0, measured=1.0, stderr=0.1, correction="only on Sundays")
    assert row.verdict == "holds with correction"
    assert "only on Sundays" in row.statement


def worst(prediction, measured, stderr=0.1, tolerance=0.0):
    rows = [xr.DataArray(values, dims="depth", coords={"depth": [1, 2, 3]}) for values in (prediction, measured)]
    return Claim.worst(
        "X", "x", prediction=rows[0], measured=rows[1], stderr=xr.full_like(rows[0], stderr), tolerance=tolerance
    )


def test_the_worst_of_many_comparisons_makes_the_row():
    (row,) = worst([1.0, 1.0, 1.0], [1.1, 0.7, 1.2])
    assert (row.measured, row.verdict) == (0.7, "holds")
    assert row.statement == "x; worst of 3, depth = 2"
    (row,) = worst([1.0, 1.0, 1.0], [1.1, 1.2, 1.5])
    assert (row.measured, row.verdict) == (1.5, "fails")


def test_points_without_a_prediction_do_not_count_and_lost_measurements_fail():
    (row,) = worst([1.0, math.nan, 1.0], [1.1, 9.0, 1.2])
    assert (row.measured, row.verdict) == (1.2, "holds")
    (row,) = worst([1.0, 1.0, 1.0], [1.1, math.nan, 1.5])
    assert row.verdict == "fails"
    assert math.isnan(row.measured)
    assert worst([math.nan] * 3, [1.0] * 3) == []


def test_exact_agreement_without_an_error_holds():
    (row,) = worst([0.0, 0.0, 0.0], [0.0, 0.0, 0.0], stderr=0.0)
    assert row.verdict == "holds"
    (row,) = worst([0.0, 0.0, 0.0], [0.0, 1e-300, 0.0], stderr=0.0)
    assert (row.measured, row.verdict) == (1e-300, "fails")


def test_parameters_are_read_back():
    ds = propagation.simulate(sigma_w=[1.0, 2.0], width=10, depth=2, trials=2)
    assert parameters(ds)["sigma_w"] == [1.0, 2.0]
    assert parameters(ds)["width"] == 10
