"""Born-dead ReLUs: the published table, and every prediction is tested by some claim."""

import json

import numpy as np
import pytest

from simnn.studies import dead_relus

SMALL = {"activation": ["relu", "leaky_relu(0.1)"], "width": [2, 4], "depth": 4, "trials": 1500, "seed": 12}


# The table holds simulations of unknown size, printed to four digits. 5 standard errors of 3000 networks are 0.02 to
# 0.05; the lower bounds, but for two layers, and the upper bounds are not within one or two of these errors.
@pytest.mark.parametrize(
    ("width", "fractions"), [(2, {2: 0.1563, 3: 0.3396, 5: 0.6215, 10: 0.9098}), (4, {30: 0.8166})]
)
def test_networks_with_scalar_inputs_die_as_often_as_published(width, fractions):
    samples = dead_relus._narrow("relu", width, {"depth": max(fractions), "trials": 3000, "seed": 1})
    dead = samples["dead_network"][1].mean(axis=0)
    for layer, published in fractions.items():
        assert dead[layer - 1] == pytest.approx(published, abs=5.0 * np.sqrt(published * (1.0 - published) / 3000))


@pytest.fixture(scope="module")
def compared():
    dataset = dead_relus.simulate(**SMALL)
    return dead_relus.compare(dataset.assign_attrs(parameters=json.dumps(SMALL)))


@pytest.mark.parametrize(
    ("name", "factor"),
    [
        ("dead_input", 1.3), ("dead_network_lower", 1.3), ("dead_network_upper", 0.5), ("length_growth", 1.1),
        ("dead_unit", 1.3), ("dead_fraction", 1.3),
    ],
)  # fmt: skip
def test_claims_fail_when_one_prediction_is_off(compared, name, factor):
    wrong = compared.assign({f"{name}_theory": factor * compared[f"{name}_theory"]})
    assert any(row.verdict == "fails" for row in dead_relus.claims(wrong))


def test_claims_fail_when_a_leaky_relu_dies(compared):
    rows = dead_relus.claims(compared.assign(dead_input=compared.dead_input + 0.01))
    assert any(row.verdict == "fails" and "leaky" in row.statement for row in rows)


def test_claims_that_too_few_trials_could_not_test_are_not_made(compared):
    few = compared.assign_attrs(parameters=json.dumps(SMALL | {"trials": 10}))
    assert not any("input dies" in row.statement for row in dead_relus.claims(few))


def test_other_activations_are_refused():
    with pytest.raises(ValueError, match=r"^activation: 'tanh' "):
        dead_relus.simulate(activation=["tanh"], width=[2], depth=2, trials=2, seed=0)
