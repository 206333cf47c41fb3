"""The sampler: exact in law, independent of how it is run, robust on degenerate input."""

import json
import os
import signal
import subprocess
import sys
import time

import numba
import numpy as np
import pytest
from scipy import special, stats

from simnn import propagation, running
from simnn.device import targets
from simnn.propagation import basis, cpu, kernels, layers, observables
from tests.naive import network as naive

ONE = np.ones((1, 1))
STATISTICS = list(naive.statistics(ONE, [ONE], [np.ones(1)], ONE, "tanh", 1.0, 1.0))

# The suite makes about 200 comparisons of distributions: 5e-9 each keeps its false alarms below 1e-6.
FALSE_ALARM = 5e-9


def some(values, *first):
    """Values of a parameter; all but the first ones are for thorough runs."""
    return [value if value in first else pytest.param(value, marks=pytest.mark.thorough) for value in values]


def identical(a, b):
    for name in a.data_vars:
        np.testing.assert_array_equal(a[name].values, b[name].values, err_msg=name)


# --- exactness in law -------------------------------------------------------------------------------------------


def naive_sample(activation, trials, widths, sigma_w, sigma_b, inputs, seed, outputs=1):
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(trials):
        weights, biases = naive.random_network(rng, widths, inputs.shape[1], sigma_w, sigma_b)
        gradient = rng.standard_normal((widths[-1], outputs))
        rows.append(naive.statistics(inputs, weights, biases, gradient, activation, sigma_w, sigma_b))
    return {name: np.array([row[name] for row in rows]) for name in STATISTICS}


def scalars(values):
    """Scalar statistics that cover layers, inputs, pairs, and the coupling of forward and backward."""
    log_length, log_gradient = values["log_length"], values["log_gradient_norm"]
    with np.errstate(divide="ignore", invalid="ignore"):
        log_weight = np.log(values["weight_gradient_norm"])
        product, ratio = log_length[:, -1, 0] * log_gradient[:, 0, 0], log_length[:, -1, 0] - log_gradient[:, 0, 0]
    return {
        "length of the last layer": log_length[:, -1, 0],
        "length of the other input": log_length[:, 1, 1],
        "correlation": values["correlation"][:, -1, 0, 1],
        "gradient of the first layer": log_gradient[:, 0, 0],
        "gradient of the last layer": log_gradient[:, -1, 1],
        "gradient correlation": values["gradient_correlation"][:, 0, 0, 1],
        "weight gradient": log_weight[:, 1, 0],
        "ntk": values["ntk"][:, 0, 0],
        "ntk off the diagonal": values["ntk"][:, 0, 1],
        "forward times backward": product,
        "forward minus backward": ratio,
        "alignment": values["gradient_alignment"][:, 0, 1],
        "dead": values["dead_fraction"][:, -1],
    }


def smallest_p(ours, theirs):
    return smallest_p_of(scalars(ours), scalars(theirs))


def smallest_p_of(a, b):
    # A linear network has gradients that differ by rounding only, which is no part of the law.
    a, b = ({name: np.round(row[np.isfinite(row)], 5) for name, row in rows.items()} for rows in (a, b))
    finite = {name: (a[name], b[name]) for name in a}
    return min((stats.ks_2samp(*pair).pvalue, name) for name, pair in finite.items())


INPUTS = np.random.default_rng(0).standard_normal((3, 7))
WIDTHS = (16,) * 4


def ours(activation, method, sigma_w, sigma_b, trials, **more):
    dataset = propagation.simulate(
        activation=activation, sigma_w=sigma_w, sigma_b=sigma_b, widths=WIDTHS, inputs=INPUTS, trials=trials, seed=3,
        method=method, keep_trials=True, **more,
    )  # fmt: skip
    return {name: dataset[name].values for name in STATISTICS}


# 4000 networks on each side: a Kolmogorov-Smirnov distance of 0.10 is missed with p < 1e-3; a bias of 2 % in
# sigma_w moves the logarithms of the gradient and of the length by about that and is planted below.
@pytest.mark.parametrize("activation", some(naive.ACTIVATIONS, "tanh", "relu", "gelu"))
def test_conditional_sampler_has_the_law_of_the_naive_network(activation):
    sigma_w, sigma_b = (1.3, 0.4) if activation != "sigmoid" else (4.0, 0.4)
    theirs = naive_sample(activation, 4000, WIDTHS, sigma_w=sigma_w, sigma_b=sigma_b, inputs=INPUTS, seed=1)
    p, name = smallest_p(ours(activation, "conditional", sigma_w, sigma_b, 4000), theirs)
    assert p > FALSE_ALARM, name


@pytest.mark.parametrize("dtype", some(["float32", "float64"], "float32"))
def test_dense_sampler_has_the_law_of_the_naive_network(dtype):
    theirs = naive_sample("tanh", 4000, WIDTHS, sigma_w=1.3, sigma_b=0.4, inputs=INPUTS, seed=2)
    p, name = smallest_p(ours("tanh", "dense", 1.3, 0.4, 4000, dtype=dtype), theirs)
    assert p > FALSE_ALARM, name


UNEQUAL, OUTPUTS = (16, 5, 12), 2


def several_outputs(values):
    """Scalar statistics of K = 3 inputs and two outputs."""
    with np.errstate(divide="ignore"):
        log_weight = np.log(values["weight_gradient_norm"])
    return {
        "gradient of the second output": values["log_gradient_norm"][:, 0, 2, 1],
        "gradients of two outputs": values["gradient_correlation"][:, 0, 0, 0, 0, 1],
        "gradients of two inputs and outputs": values["gradient_correlation"][:, 1, 0, 2, 1, 0],
        "alignment": values["gradient_alignment"][:, 1, 1, 1],
        "weight gradient": log_weight[:, 2, 0, 1],
        "kernel": values["ntk"][:, 0, 2, 1, 1],
        "kernel between outputs": values["ntk"][:, 0, 1, 0, 1],
        "length": values["log_length"][:, 2, 0],
        "correlation": values["correlation"][:, 2, 0, 1],
    }


@pytest.mark.parametrize("method", some(["conditional", "dense"], "conditional"))
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_unequal_widths_and_several_outputs_have_the_law_of_the_naive_network(activation, method):
    theirs = naive_sample(activation, 4000, UNEQUAL, 1.3, 0.4, INPUTS, seed=8, outputs=OUTPUTS)
    dataset = propagation.simulate(
        activation=activation, sigma_w=1.3, sigma_b=0.4, widths=UNEQUAL, outputs=OUTPUTS, inputs=INPUTS, trials=4000,
        seed=5, method=method, keep_trials=True,
    )  # fmt: skip
    assert dataset.ntk.dims == ("trial", "input", "other_input", "output", "other_output")
    ours = several_outputs({name: dataset[name].values for name in STATISTICS})
    p, name = smallest_p_of(ours, several_outputs(theirs))
    assert p > FALSE_ALARM, name


def test_the_first_of_several_outputs_is_the_only_one_of_one():
    # Output gradients are independent, and a network does not know how many are asked for.
    common = {"widths": UNEQUAL, "inputs": INPUTS[:1], "trials": 5, "keep_trials": True, "dtype": "float64"}
    one, two = propagation.simulate(**common), propagation.simulate(**common, outputs=2)
    np.testing.assert_array_equal(one.length, two.length)
    np.testing.assert_allclose(one.gradient_norm[:, -1], two.gradient_norm[:, -1, :, 0], rtol=1e-12)


def test_a_planted_bias_of_two_percent_in_sigma_w_is_caught():
    a = ours("linear", "conditional", 1.0, 0.0, 20_000)
    b = ours("linear", "conditional", 1.02, 0.0, 20_000)
    p, _ = smallest_p(a, b)
    assert p < FALSE_ALARM


def test_planted_independence_of_forward_and_backward_is_caught():
    # The joint law matters: shuffling one against the other must be seen (their correlation is about 0.4).
    a = ours("relu", "conditional", np.sqrt(2.0), 0.0, 20_000)
    shuffled = {name: values.copy() for name, values in a.items()}
    shuffled["log_gradient_norm"] = np.roll(a["log_gradient_norm"], 1, axis=0)
    assert smallest_p(a, shuffled)[0] < FALSE_ALARM


@pytest.mark.parametrize(
    ("width", "mean", "variance"),
    [(10, -0.30746101, 0.86673425), (20, -0.13718672, 0.31175808), (100, -0.02542089, 0.05193999)],
)
@pytest.mark.parametrize("statistic", ["length", "gradient_norm"])
def test_log_norms_of_critical_relu_networks_have_the_exact_moments(statistic, width, mean, variance):
    # Steps of the log norm are independent over layers, each with these moments given that the layer is alive.
    ds = propagation.simulate(
        activation="relu", sigma_w=np.sqrt(2.0), width=width, depth=21, trials=4000, seed=5, keep_trials=True,
        dtype="float64",
    )  # fmt: skip
    norm = ds.activation_length if statistic == "length" else ds.gradient_norm
    with np.errstate(divide="ignore", invalid="ignore"):
        # Lengths multiply up the layers, gradients down.
        steps = np.diff(np.log(norm.values[:, :, 0]), axis=1) * (1.0 if statistic == "length" else -1.0)
    steps = steps[np.isfinite(steps)]
    n = len(steps)
    kurtosis = np.mean((steps - steps.mean()) ** 4) / steps.var() ** 2
    assert abs(steps.mean() - mean) < 6.0 * np.sqrt(variance / n)
    assert abs(steps.var() - variance) < 6.0 * variance * np.sqrt((kurtosis - 1.0) / n)


def test_mean_tangent_kernel_of_relu_networks_is_exact_at_every_width():
    # E Theta = sigma_w^2 (L + 1) |x|^2 / n_0.
    ds = propagation.simulate(activation="relu", sigma_w=np.sqrt(2.0), width=40, depth=6, trials=40_000, seed=2)
    assert abs(ds.ntk.item() - 14.0) < 6.0 * ds.ntk_stderr.item()
    assert ds.ntk_stderr.item() < 0.1


def test_a_dead_layer_is_as_frequent_as_it_must_be():
    # One input, bias-free, 10 layers of 3 units: 1 - (1 - 2^-3)^10 = 0.7369.
    ds = propagation.simulate(
        activation="relu", sigma_w=1.0, width=3, depth=10, trials=20_000, seed=1, keep_trials=True
    )
    dead = np.mean(ds.activation_length.values[:, -1, 0] == 0.0)
    assert abs(dead - 0.7369) < 6.0 * np.sqrt(0.7369 * 0.2631 / 20_000)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_input_that_dies_beside_a_living_one_stays_dead(dtype):
    # Two scalar inputs +-1, two layers of two units: both dead with probability 5/32. A difference from the living
    # input that is not cut leaves rounding where there should be nothing, and the dead come back.
    ds = propagation.simulate(
        activation="relu", sigma_w=1.5, width=2, depth=2, inputs=[[1.0], [-1.0]], trials=40_000, keep_trials=True,
        dtype=dtype, seed=1,
    )  # fmt: skip
    dead = np.mean(np.all(ds.activation_length[:, -1] == 0.0, axis=1))
    assert abs(dead - 5.0 / 32.0) < 6.0 * np.sqrt(5.0 / 32.0 * 27.0 / 32.0 / 40_000)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_each_of_many_inputs_dies_as_often_as_one(dtype):
    # One input, layers of three units, no biases: dead after four layers with probability 1 - (1 - 1/8)^4.
    # They start close, as differences from each other: edges have to be cut where one of them dies.
    x = 1.0 + 0.4 * np.random.default_rng(3).standard_normal((6, 3))
    ds = propagation.simulate(
        activation="relu", sigma_w=1.4, width=3, depth=4, inputs=x, trials=20_000, keep_trials=True, dtype=dtype, seed=4
    )
    dead, exact = np.mean(ds.activation_length[:, -1] == 0.0, axis=0), 1.0 - (7.0 / 8.0) ** 4
    assert np.all(np.abs(dead - exact) < 6.0 * np.sqrt(exact * (1.0 - exact) / 20_000))


def assert_near(measured, stderr, theory, width):
    """Six standard errors, and deviations of order depth / width, 3 % of the value at most here."""
    measured, stderr = np.asarray(measured), np.asarray(stderr)
    np.testing.assert_array_less(np.abs(measured - theory), 6.0 * stderr + 20.0 / width * np.abs(theory) + 1e-12)
    assert np.all(stderr < 0.02 * np.abs(theory) + 1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_wide_networks_follow_mean_field_theory(dtype):
    theory = propagation.theory.propagate(12, "tanh", 2.5, 0.3, input_length=1.0, input_correlation=0.6)
    ds = propagation.simulate(
        activation="tanh", sigma_w=2.5, sigma_b=0.3, width=1000, depth=12, trials=400, correlation=0.6, dtype=dtype
    ).isel(input=0)
    assert_near(ds.length, ds.length_stderr, theory.length, 1000)
    assert_near(ds.gradient_norm, ds.gradient_norm_stderr, theory.gradient_norm, 1000)
    overlap = ds.isel(other_input=1)
    assert_near(1.0 - overlap.correlation, overlap.correlation_stderr, theory.decorrelation, 1000)


def test_tangent_kernel_of_wide_networks_is_the_recursion():
    gram = np.array([[1.0, 0.3], [0.3, 1.0]])
    ds = propagation.simulate(
        activation="erf", sigma_w=1.4, sigma_b=0.2, width=1000, depth=5, trials=600, correlation=0.3
    )
    assert_near(ds.ntk, ds.ntk_stderr, propagation.theory.tangent_kernel(5, "erf", 1.4, 0.2, gram), 1000)


def test_a_planted_error_of_two_percent_in_the_theory_is_caught():
    gram = np.array([[1.0, 0.3], [0.3, 1.0]])
    ds = propagation.simulate(
        activation="erf", sigma_w=1.4, sigma_b=0.2, width=1000, depth=5, trials=600, correlation=0.3
    )
    with pytest.raises(AssertionError):
        assert_near(ds.ntk, ds.ntk_stderr, propagation.theory.tangent_kernel(5, "erf", 1.4 * 1.02, 0.2, gram), 1000)


# --- the dense method on the user's own matrices ----------------------------------------------------------------


@pytest.mark.parametrize("activation", list(naive.ACTIVATIONS))
def test_given_weights_give_the_statistics_of_the_naive_network(activation):
    rng = np.random.default_rng(4)
    weights, biases = naive.random_network(rng, (12,) * 3, 7, 1.5, 0.0)
    ds = propagation.simulate(
        activation=activation, sigma_w=1.5, width=12, depth=3, inputs=INPUTS, method="dense", weights=weights,
        trials=2, dtype="float64", keep_trials=True,
    )  # fmt: skip
    # Forward statistics do not depend on the drawn output gradient.
    expected = naive.statistics(INPUTS, weights, biases, np.ones((12, 1)), activation, 1.5, 0.0)
    for name in ("length", "correlation", "activation_length", "dead_fraction"):
        np.testing.assert_allclose(ds[name][0], expected[name], rtol=1e-12, atol=1e-14, err_msg=name)
    # Backward, the map from output gradient to gradient_norm is fixed by the matrices: compare its average.
    ratio = ds.gradient_norm.values[0, 0] / ds.gradient_norm.values[0, -1]
    assert np.all(np.isfinite(ratio))


# --- independence of threads, slices, order -----------------------------------------------------------------------

SWEEP = {"activation": ["tanh", "relu"], "sigma_w": [1.0, 2.0], "sigma_b": 0.1, "width": [30, 600], "depth": 4}


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("slice_seconds", [0.0, 0.001, 10.0])
def test_bits_do_not_depend_on_threads_or_slices(monkeypatch, threads, slice_seconds):
    reference = propagation.simulate(**SWEEP, correlation=0.5, trials=7, seed=9)
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", threads)
    monkeypatch.setattr(running, "SLICE_SECONDS", slice_seconds)
    identical(reference, propagation.simulate(**SWEEP, correlation=0.5, trials=7, seed=9))


def test_bits_of_the_dense_method_do_not_depend_on_the_threads_of_blas():
    program = (
        "import hashlib, numpy as np; from simnn import propagation\n"
        "for inputs, dtype in ((1, 'float32'), (17, 'float64')):\n"
        "    fixed = {'method': 'dense', 'width': 1000, 'depth': 2, 'trials': 1, 'dtype': dtype}\n"
        "    ds = propagation.simulate(inputs=np.eye(inputs), **fixed)\n"
        "    print(hashlib.sha256(ds.length.values.tobytes() + ds.ntk.values.tobytes()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True,
            env=os.environ | {"OPENBLAS_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)},
        ).stdout
        for threads in (1, 2)
    }  # fmt: skip
    assert len(digests) == 1


def test_more_trials_leave_the_first_ones_as_they_are():
    few = propagation.simulate(**SWEEP, trials=3, seed=1, keep_trials=True)
    many = propagation.simulate(**SWEEP, trials=8, seed=1, keep_trials=True)
    identical(few, many.isel(trial=slice(3)))
    rest = propagation.simulate(**SWEEP, trials=5, first_trial=3, seed=1, keep_trials=True)
    identical(rest, many.isel(trial=slice(3, None)))


def test_a_point_of_a_sweep_is_the_same_alone():
    sweep = propagation.simulate(**SWEEP, trials=3, seed=1)
    alone = propagation.simulate(activation="relu", sigma_w=2.0, sigma_b=0.1, width=600, depth=4, trials=3, seed=1)
    identical(alone, sweep.sel(activation="relu", sigma_w=2.0, width=600))


def test_mean_and_standard_error_are_those_of_the_trials():
    kept = propagation.simulate(**SWEEP, trials=20, seed=1, keep_trials=True)
    mean = propagation.simulate(**SWEEP, trials=20, seed=1)
    for name in kept.data_vars:
        np.testing.assert_allclose(mean[name], kept[name].mean("trial"), rtol=1e-10, atol=1e-12, err_msg=name)
        stderr = kept[name].std("trial", ddof=1) / np.sqrt(20)
        np.testing.assert_allclose(mean[f"{name}_stderr"], stderr, rtol=1e-6, atol=1e-10, err_msg=name)


def test_different_seeds_give_different_networks():
    a, b = (propagation.simulate(width=50, depth=3, trials=2, seed=seed) for seed in (1, 2**33 + 1))
    assert not np.any(a.length == b.length)


@pytest.mark.thorough
@pytest.mark.parametrize("real", [np.float32, np.float64])
@pytest.mark.parametrize("activation", ["tanh", "gelu"])
def test_plain_python_and_compiled_samplers_are_the_same_bits(real, activation):
    form, tree = kernels.form(activation), basis.Basis.of_pair(1.0, 0.4)
    widths = (9, 5)
    networks = layers.Networks(
        np.array([form.code]), np.array([[form.line, form.far, form.near]]), np.array([1.5]), np.array([0.2]),
        np.array([widths]), np.array([2]), tree.gram[None], tree.parent[None], tree.order, tree.tree,
    )  # fmt: skip

    def run(target):
        grams = observables.empty(1, 2, 2, 2)
        key, cell, trial = np.array([7, 0], np.uint64), np.zeros(1, np.int64), np.array([3])
        cpu.bind(target)(networks, key, cell, trial, grams, *cpu.workspace(real, 2, 2, 2, np.zeros(1, np.int64)))
        return grams

    for plain, compiled in zip(run(targets.python(real)), run(targets.strict(real)), strict=True):
        np.testing.assert_array_equal(plain, compiled)


# --- inputs that are closer than rounding -------------------------------------------------------------------------


@pytest.mark.parametrize("activation", some(["tanh", "relu", "gelu"], "gelu"))
def test_close_inputs_have_the_law_of_dense_networks(activation):
    # Dense networks in float64 resolve distances of 1e-12 by subtraction; so must the sampler.
    common = {
        "activation": activation, "sigma_w": 1.3, "sigma_b": 0.2, "width": 20, "depth": 6, "trials": 4000,
        "correlation": 1.0 - 1e-12, "dtype": "float64", "keep_trials": True,
    }  # fmt: skip
    ours = propagation.simulate(**common, seed=1).decorrelation[..., 0, 1].values
    theirs = propagation.simulate(**common, seed=2, method="dense").decorrelation[..., 0, 1].values
    for layer in (0, 3, 5):
        assert stats.ks_2samp(np.log(ours[:, layer]), np.log(theirs[:, layer])).pvalue > FALSE_ALARM


@pytest.mark.parametrize(("dtype", "smallest", "rtol"), [("float32", 1e-25, 2e-5), ("float64", 1e-200, 1e-9)])
def test_distances_scale_however_small(dtype, smallest, rtol):
    # Close inputs see the same linear map, whatever their distance: 1 - c is proportional to that of the inputs.
    def profile(e):
        x = np.array([[1.0, 0.0], [1.0, np.sqrt(2.0 * e)]])
        ds = propagation.simulate(sigma_w=0.8, sigma_b=0.3, width=300, depth=30, inputs=x, trials=20, dtype=dtype)
        return ds.decorrelation[:, 0, 1].values / e

    np.testing.assert_allclose(profile(smallest), profile(1e-20), rtol=rtol)


def test_wide_networks_contract_close_inputs_as_the_map_does():
    theory = propagation.theory.propagate(30, "tanh", 1.0, 0.3, input_length=1.0, input_correlation=1.0 - 2.0**-40)
    ds = propagation.simulate(
        sigma_w=1.0, sigma_b=0.3, width=3000, depth=30, trials=60, correlation=1.0 - 2.0**-40, dtype="float64"
    )
    assert theory.decorrelation[-1] < 1e-16
    assert_near(ds.decorrelation[:, 0, 1], ds.decorrelation_stderr[:, 0, 1], theory.decorrelation, 3000)


@pytest.mark.parametrize("dtype", some(["float32", "float64"], "float32"))
@pytest.mark.parametrize("activation", ["erf", "tanh", "relu"])
def test_many_neighbouring_inputs_keep_the_tangent_kernel(activation, dtype):
    # The covariance of 64 points on a circle has full rank on paper and a rank of some 15 in a computer.
    angle = 2.0 * np.pi * np.arange(64) / 64.0
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    ds = propagation.simulate(
        activation=activation, sigma_w=1.4, sigma_b=0.1, width=256, depth=6, inputs=x, dtype=dtype, trials=20
    )
    limit = propagation.theory.tangent_kernel(6, activation, 1.4, 0.1, x @ x.T / 2.0)
    assert np.all(np.abs(ds.ntk - limit) < 6.0 * ds.ntk_stderr + 0.1 * limit.max())


# --- lengths beyond the range of floats ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("activation", "sigma_w", "rate"),
    [
        ("relu", 3.0, np.log(4.5)),
        ("relu", 0.1, np.log(0.005)),
        ("gelu", 3.0, np.log(4.5)),
        ("silu", 0.2, np.log(0.01)),
        ("selu", 3.0, np.log(4.5 * kernels.SELU_SCALE**2)),
        ("tanh", 0.2, np.log(0.04)),
    ],
)
def test_lengths_and_gradients_grow_at_their_rate_at_any_depth(activation, sigma_w, rate, dtype):
    # Typical rates are lower than those of means by half the variance of a step, 5 / (2 width) or less.
    ds = propagation.simulate(
        activation=activation, sigma_w=sigma_w, width=500, depth=700, trials=20, correlation=0.5, dtype=dtype, seed=2
    )
    window = slice(60, 640)
    for values in (ds.log_length.values, -ds.log_gradient_norm.values):
        steps = np.diff(values[window], axis=0)
        assert np.all(np.isfinite(steps))
        assert abs(steps.mean() - rate) < 0.01
    assert not np.any(np.isfinite(ds.length.values[-1]) & (ds.length.values[-1] > 0.0))


def test_exponents_change_no_bits():
    # The same network, its first layer brought to 2^100 and back: powers of two are exact.
    common = {"activation": "relu", "sigma_w": 1.4, "width": 40, "depth": 5, "trials": 4}
    small = propagation.simulate(**common, input_length=1.0)
    large = propagation.simulate(**common, input_length=2.0**200)
    np.testing.assert_array_equal(large.length, small.length * 2.0**200)
    np.testing.assert_array_equal(large.gradient_norm, small.gradient_norm)


def test_a_sine_of_arguments_beyond_its_domain_is_refused():
    with pytest.raises(ValueError, match="sigma_w"):
        propagation.simulate(activation="sin", sigma_w=3000.0, width=10, depth=2, trials=2)
    propagation.simulate(activation="sin", sigma_w=3000.0, width=10, depth=2, trials=2, dtype="float64")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_saturated_units_of_a_smooth_activation_are_not_dead(dtype):
    ds = propagation.simulate(activation="tanh", sigma_w=5.0, width=1000, depth=5, trials=5, dtype=dtype)
    assert np.all(ds.dead_fraction == 0.0)


# --- degenerate input -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_duplicate_inputs_stay_identical(dtype, activation):
    x = np.array([[1.0, 2.0], [1.0, 2.0], [-1.0, 0.5]])
    ds = propagation.simulate(
        activation=activation, sigma_w=1.4, sigma_b=0.1, width=50, depth=10, inputs=x, trials=20, dtype=dtype
    )
    np.testing.assert_allclose(ds.correlation[:, 0, 1], 1.0, atol=1e-5)
    np.testing.assert_allclose(ds.length[:, 0], ds.length[:, 1], rtol=1e-5)
    np.testing.assert_allclose(ds.gradient_norm[:, 0], ds.gradient_norm[:, 1], rtol=1e-4)
    assert np.all(np.isfinite(ds.ntk))


def test_opposite_inputs_stay_opposite_under_an_odd_activation():
    ds = propagation.simulate(activation="tanh", sigma_w=1.5, width=50, depth=10, correlation=-1.0, trials=20)
    np.testing.assert_allclose(ds.correlation[:, 0, 1], -1.0, atol=1e-5)


def test_a_zero_input_is_legal():
    ds = propagation.simulate(activation="relu", sigma_w=1.4, width=20, depth=3, inputs=np.zeros((1, 4)), trials=5)
    assert np.all(ds.length == 0.0)
    assert np.all(ds.dead_fraction == 1.0)
    assert np.all(np.isnan(ds.correlation))
    assert np.all(ds.gradient_norm == 0.0)


def test_lengths_of_inputs_that_narrow_layers_silence_are_never_negative():
    angle = 2.0 * np.pi * np.random.default_rng(0).permutation(32) / 32.0
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    ds = propagation.simulate(
        activation="relu", width=[1, 2, 3], depth=2, inputs=x, trials=200, keep_trials=True, dtype="float64"
    )
    assert np.all(ds.length >= 0.0)
    np.testing.assert_array_equal(np.isnan(ds.log_length), ds.length == 0.0)


@pytest.mark.parametrize("inputs", [1, 2, 17, 64])
@pytest.mark.parametrize("width", [1, 3, 65, 1025])
def test_any_number_of_inputs_at_any_width(inputs, width):
    x = np.random.default_rng(1).standard_normal((inputs, 70))
    ds = propagation.simulate(activation="tanh", sigma_w=1.5, sigma_b=0.1, width=width, depth=2, inputs=x, trials=2)
    for name in ds.data_vars:
        if not name.endswith("_stderr"):
            assert np.all(np.isfinite(ds[name])), name


def test_deep_sigmoid_networks_do_not_underflow_in_single_precision():
    ds = propagation.simulate(activation="sigmoid", sigma_w=1.0, width=300, depth=100, trials=10, seed=1)
    rate = np.diff(np.log(ds.gradient_norm.values[10:90, 0])).mean()
    np.testing.assert_allclose(-rate, np.log(propagation.theory.chi("sigmoid", 1.0, 0.0)), atol=0.05)


def test_depths_of_a_sweep_are_padded_with_nan():
    ds = propagation.simulate(width=20, depth=[2, 5], trials=3)
    assert np.all(np.isnan(ds.length.sel(depth=2, layer=slice(3, None))))
    assert np.all(np.isfinite(ds.length.sel(depth=5)))
    alone = propagation.simulate(width=20, depth=2, trials=3)
    np.testing.assert_array_equal(ds.ntk.sel(depth=2), alone.ntk)


# --- the dataset ----------------------------------------------------------------------------------------------------


def test_dimensions_come_in_the_order_given():
    ds = propagation.simulate(width=[10, 20], sigma_b=[0.1], activation=["tanh"], sigma_w=(1.0, 2.0), depth=2, trials=2)
    assert ds.length.dims == ("width", "sigma_b", "activation", "sigma_w", "layer", "input")
    assert ds.correlation.dims[-3:] == ("layer", "input", "other_input")
    assert ds.ntk.dims[-2:] == ("input", "other_input")


def test_kept_trials_come_after_the_sweep():
    ds = propagation.simulate(sigma_w=[1.0, 2.0], correlation=[0.0, 0.5], width=10, depth=2, trials=4, keep_trials=True)
    assert ds.length.dims == ("sigma_w", "input_correlation", "trial", "layer", "input")
    assert list(ds.trial) == [0, 1, 2, 3]
    assert not any(name.endswith("_stderr") for name in ds.data_vars)


def test_every_variable_and_coordinate_says_what_it_is():
    ds = propagation.simulate(sigma_w=[1.0], width=10, depth=2, trials=2)
    for name in ds.variables:
        assert ds[name].attrs["units"] == "1"
        assert ds[name].attrs["long_name"]
    assert json.loads(ds.attrs["parameters"])["sigma_w"] == [1.0]
    assert set(STATISTICS) | {f"{name}_stderr" for name in STATISTICS} == set(ds.data_vars)


# --- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"sigma_w": -1.0}, ("sigma_w", "-1.0", "greater than or equal to 0")),
        ({"sigma_w": [1.0, -2.0]}, ("sigma_w", "-2.0")),
        ({"sigma_b": float("nan")}, ("sigma_b", "nan", "finite")),
        ({"sigma_b": "much"}, ("sigma_b", "'much'", "number")),
        ({"sigma_w": True}, ("sigma_w", "True", "boolean")),
        ({"sigma_w": []}, ("sigma_w", "empty")),
        ({"sigma_w": [1.0, 1.0]}, ("sigma_w", "repeats")),
        ({"sigma_w": np.ones((2, 2))}, ("sigma_w", "(2, 2)", "1-D")),
        ({"sigma_w": [[1.0, 2.0], [3.0]]}, ("sigma_w", "[1.0, 2.0]", "number")),
        ({"width": 0}, ("width", "0", "greater than or equal to 1")),
        ({"width": 10.5}, ("width", "10.5", "integer")),
        ({"depth": 0}, ("depth", "0")),
        ({"trials": 0}, ("trials", "0")),
        ({"seed": -1}, ("seed", "-1")),
        ({"seed": 2**64}, ("seed", "18446744073709551615")),
        ({"correlation": 1.5}, ("correlation", "1.5")),
        ({"activation": "softmax"}, ("activation", "'softmax'", "relu")),
        ({"activation": "leaky_relu(x)"}, ("activation", "slope")),
        ({"activation": 3}, ("activation", "3")),
        ({"method": "magic"}, ("method", "'magic'", "conditional")),
        ({"dtype": "float16"}, ("dtype", "'float16'")),
        ({"backend": "tpu"}, ("backend", "'tpu'")),
        ({"weights": "cauchy"}, ("weights", "'cauchy'")),
        ({"inputs": np.ones((65, 3))}, ("inputs", "(65, 3)", "64")),
        ({"weights": None}, ("weights", "None", "'gaussian'")),
        ({"weights": [[[1.0, 2.0], [3.0]]], "method": "dense", "inputs": [[1.0, 2.0]]}, ("weights", "layer 1", "rows")),
        ({"inputs": np.ones(3)}, ("inputs", "(3,)")),
        ({"inputs": [[1, 2], [3]]}, ("inputs", "[[1, 2], [3]]", "(K, n_in)")),
        ({"inputs": "x"}, ("inputs", "'x'", "(K, n_in)")),
        ({"inputs": [["1", "2"]]}, ("inputs", "[['1', '2']]", "numbers")),
        ({"inputs": [[1.0, np.nan]]}, ("inputs", "nan", "[0, 1]")),
        ({"inputs": [[1.0, 2.0]], "correlation": 0.5}, ("correlation", "inputs")),
        ({"weights": [np.ones((3, 3))]}, ("weights", "dense")),
        ({"widths": [3, 4]}, ("width", "10", "widths")),
        ({"outputs": 0}, ("outputs", "0")),
        ({"outputs": 100, "inputs": np.ones((20, 3))}, ("outputs", "100", "1024")),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, dict) else "",
)
def test_bad_input_is_one_clear_line(parameters, words):
    with pytest.raises(ValueError, match=r"\S") as error:
        propagation.simulate(**({"width": 10, "depth": 2, "trials": 2} | parameters))
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_an_unknown_keyword_is_a_type_error():
    with pytest.raises(TypeError, match=r"^sigma: unknown parameter; allowed are activation, sigma_w, .*progress$"):
        propagation.simulate(sigma=1.0)


# --- a user at a terminal -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call", ["width=1000, depth=100, trials=10**6", "width=2 * 10**5, depth=30, trials=2, inputs=np.eye(64)"]
)
def test_ctrl_c_stops_a_long_call_promptly(call):
    program = (
        "import numpy as np; from simnn import propagation\n"
        "propagation.simulate(width=10, depth=2, trials=2); print('ready', flush=True)\n"
        f"propagation.simulate({call})"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ, text=True
    ) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            time.sleep(1.0)
            process.send_signal(signal.SIGINT)
            start = time.perf_counter()
            _, errors = process.communicate(timeout=20)
            assert time.perf_counter() - start < 3.0
        finally:
            process.kill()
    assert "KeyboardInterrupt" in errors
    assert process.returncode != 0


def test_relu_digamma_table_is_what_the_exact_law_gives():
    # The numbers pinned above, from E[ln(4/n) + psi(K/2)], K ~ Binomial(n, 1/2) given K >= 1.
    for n, mean in [(10, -0.30746101), (100, -0.02542089)]:
        k = np.arange(1, n + 1)
        p = special.comb(n, k) / (2.0**n - 1.0)
        np.testing.assert_allclose(np.sum(p * (np.log(4.0 / n) + special.psi(k / 2.0))), mean, atol=1e-8)
