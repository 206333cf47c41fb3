"""What the generic tests of studies do not see of the joint norms."""

import numpy as np
import pytest

from simnn import propagation
from simnn.studies import joint_norms

NETWORK = {"width": 30, "depth": 12, "trials": 50, "seed": 3, "keep_trials": True}


def errors(activation, variance, **more):
    networks = propagation.simulate(activation=activation, sigma_w=np.sqrt(variance), **NETWORK, **more)
    return joint_norms._alignment_error(networks.isel(input=0))


@pytest.mark.parametrize("method", ["conditional", "dense"])
@pytest.mark.parametrize(("activation", "variance"), joint_norms.HOMOGENEOUS.items())
def test_homogeneous_networks_have_one_alignment_to_rounding(activation, variance, method):
    double = errors(activation, variance, method=method, dtype="float64")
    assert np.all(double < 1e-13)
    assert double[-1] == 0.0
    assert np.all(errors(activation, variance, method=method, dtype="float32") < 1e-4)


def test_a_planted_activation_that_is_not_homogeneous_is_caught():
    assert errors("tanh", 1.76, dtype="float64").max() > 0.1


def test_biases_break_the_identity():
    assert errors("relu", 2.0, dtype="float64", sigma_b=0.3).max() > 0.01


def test_norms_of_dead_networks_are_left_out():
    dataset = joint_norms.simulate(
        activation="relu", sigma_w=np.sqrt(2.0), sigma_b=0.0, width=[3], depth=[2, 10], trials=400, seed=1
    )
    alive = np.isfinite(dataset.log_forward)
    assert np.array_equal(alive, np.isfinite(dataset.log_backward))
    expected = 1.0 - 0.7369
    assert abs(alive.sel(depth=10).mean().item() - expected) < 6.0 * np.sqrt(expected * (1.0 - expected) / 400)
    assert np.all(np.isfinite(dataset.alignment_error))
