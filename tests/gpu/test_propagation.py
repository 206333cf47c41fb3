"""The sampler on a GPU: the CPU's networks at real sizes, and the laws that these obey."""

import numpy as np
import pytest
import xarray as xr

from simnn import propagation
from tests.gpu import needs_gpu

pytestmark = needs_gpu

NETWORK = {"sigma_w": 1.5, "sigma_b": 0.1, "width": 1000, "depth": 50, "trials": 200, "seed": 3, "keep_trials": True}


@pytest.mark.parametrize(
    ("activation", "dtype", "rtol"),
    [("tanh", "float64", 1e-9), ("gelu", "float64", 1e-9), ("relu", "float64", 1e-9), ("tanh", "float32", 2e-3)],
)
def test_networks_are_those_of_the_cpu(activation, dtype, rtol):
    parameters = NETWORK | {"activation": activation, "dtype": dtype, "depth": 20}
    on_gpu, on_cpu = (propagation.simulate(**parameters, backend=backend) for backend in ("cuda", "cpu"))
    xr.testing.assert_allclose(on_gpu, on_cpu, rtol=rtol, atol=rtol)


def test_two_runs_are_the_same_bits():
    xr.testing.assert_identical(*(propagation.simulate(**NETWORK, correlation=0.5, backend="cuda") for _ in range(2)))


def test_lengths_of_linear_networks_have_the_law_of_products_of_chi_squares():
    # E log(chi^2_n / n) for each layer; 2,000 networks: false alarm 1e-8, a bias of 0.3 % of log_length is found.
    from scipy.special import digamma

    n, depth = 1000, 50
    ds = propagation.simulate(activation="linear", sigma_w=1.0, width=n, depth=depth, trials=2000, backend="cuda")
    expected = depth * (digamma(n / 2) - np.log(n / 2))
    score = (ds.log_length[-1, 0] - expected) / ds.log_length_stderr[-1, 0]
    assert abs(float(score)) < 5.7


def test_wide_networks_take_many_blocks():
    ds = propagation.simulate(width=10**6, depth=20, trials=2, sigma_w=1.33, sigma_b=0.22, backend="cuda")
    exact = propagation.theory.length_map(float(ds.activation_length[-2, 0]), "linear", 1.33, 0.22)
    assert float(ds.length[-1, 0]) == pytest.approx(float(exact), rel=0.01)
