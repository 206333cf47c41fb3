"""Exact laws at finite width against published numbers, brute force, and networks that are drawn in full."""

import itertools

import numpy as np
import pytest
from scipy import special, stats

from simnn.propagation import finite_width
from tests.naive import network as naive


def printed(value, digits):
    """Match a number printed with that many decimals."""
    return pytest.approx(value, abs=0.51 * 10.0**-digits, rel=0)


# --- one layer, and the norm after many -----------------------------------------------------------------------

LOG_STEP = [  # n, E log X, Var log X of a ReLU layer that is alive
    (10, -0.30746101, 0.86673425),
    (20, -0.13718672, 0.31175808),
    (50, -0.05173878, 0.10816813),
    (100, -0.02542089, 0.05193999),
    (256, -0.00982866, 0.01981871),
    (1024, -0.00244531, 0.00490053),
]


@pytest.mark.parametrize(("width", "mean", "variance"), LOG_STEP)
def test_moments_of_a_log_step_are_the_table(width, mean, variance):
    assert finite_width.log_step_moments(width) == (printed(mean, 8), printed(variance, 8))


@pytest.mark.parametrize("width", [1000, 4000])
def test_moments_of_a_log_step_tend_to_five_over_n(width):
    mean, variance = finite_width.log_step_moments(width)
    # Relative corrections 4.0833 / 2.5 / n and 18.5 / 5 / n, then O(1 / n^2).
    assert mean == pytest.approx(-2.5 / width * (1.0 + 1.6333 / width), rel=20.0 / width**2)
    assert variance == pytest.approx(5.0 / width * (1.0 + 3.7 / width), rel=20.0 / width**2)


@pytest.mark.parametrize("width", [1, 2, 7, 50, 1024])
def test_moments_of_a_step_are_rational(width):
    n = width
    assert finite_width.norm_moment(1, [n]) == pytest.approx(1.0, rel=1e-13)
    assert finite_width.norm_moment(2, [n]) == pytest.approx(1.0 + 5.0 / n, rel=1e-13)
    # E K (K + 2) (K + 4) = n (n^2 + 15 n + 44) / 8 for K ~ Binomial(n, 1/2).
    assert finite_width.norm_moment(3, [n]) == pytest.approx((n * n + 15 * n + 44) / n**2, rel=1e-13)
    assert finite_width.norm_moment(1, [n], "linear") == pytest.approx(1.0, rel=1e-13)
    assert finite_width.norm_moment(2, [n], "linear") == pytest.approx(1.0 + 2.0 / n, rel=1e-13)


def test_moments_multiply_over_layers():
    assert finite_width.norm_moment(2, [50] * 20) == pytest.approx(1.1**20, rel=1e-12)
    assert finite_width.norm_moment(2, [50] * 20) == printed(6.73, 2)
    assert finite_width.norm_moment(2, [10, 20, 40]) == pytest.approx(1.5 * 1.25 * 1.125, rel=1e-13)
    mean, variance = finite_width.log_norm_moments([50] * 20)
    assert (mean, variance) == (printed(-1.0348, 4), printed(2.1634, 4))
    assert finite_width.log_normal_variance([10, 20, 40]) == pytest.approx(0.875)
    assert finite_width.log_normal_variance([10, 20, 40], "linear") == pytest.approx(0.35)


@pytest.mark.parametrize(
    ("width", "depth", "dead"),
    [(3, 10, 0.7369), (2, 5, 1.0 - 0.2373), (4, 20, 1.0 - 0.2751)],
)
def test_probability_of_a_dead_network(width, depth, dead):
    assert 1.0 - finite_width.alive_probability([width] * depth) == printed(dead, 4)
    assert finite_width.alive_probability([width] * depth, "linear") == 1.0


@pytest.mark.parametrize("width", [3, 10, 80])
def test_linear_layers_have_the_largest_lyapunov_exponent(width):
    mean, variance = finite_width.log_step_moments(width, "linear")
    assert 0.5 * mean == pytest.approx(0.5 * (special.psi(0.5 * width) + np.log(2.0 / width)), rel=1e-14)
    assert variance == pytest.approx(special.polygamma(1, 0.5 * width), rel=1e-14)
    if width == 10:
        assert 0.5 * mean == printed(-0.0517, 4)


NETWORKS = [[1], [1] * 6, [2, 3], [10] * 4, [20, 50, 100], [50] * 20, [1000] * 3, [10] * 200]


@pytest.mark.parametrize("activation", ["relu", "linear"])
@pytest.mark.parametrize("widths", NETWORKS, ids=lambda widths: f"{widths[0]}x{len(widths)}")
def test_density_has_the_moments_of_the_log_norm(widths, activation):
    mean, variance = finite_width.log_norm_moments(widths, activation)
    x = np.linspace(mean - 60.0 * np.sqrt(variance), mean + 20.0 * np.sqrt(variance), 6001)
    density = finite_width.log_norm_density(x, widths, activation)
    assert np.trapezoid(density, x) == pytest.approx(1.0, abs=1e-9)
    assert np.trapezoid(density * x, x) == pytest.approx(mean, abs=1e-7)
    assert np.trapezoid(density * (x - mean) ** 2, x) == pytest.approx(variance, rel=1e-6)
    # Moments of the norm itself, where the density decays fast enough to be integrated.
    alive = finite_width.alive_probability(widths, activation)
    if variance < 2.0:
        second = alive * np.trapezoid(density * np.exp(2.0 * x), x)
        assert second == pytest.approx(finite_width.norm_moment(2, widths, activation), rel=1e-6)


@pytest.mark.parametrize("width", [1, 2, 10, 100])
def test_density_of_one_layer_is_the_mixture_of_chi_squares(width):
    x = np.linspace(-6.0, 3.0, 50)
    k = np.arange(1, width + 1)
    weights = special.comb(width, k) / (2.0**width - 1.0)
    y = np.exp(x)[:, None] * width / 2.0
    expected = np.sum(weights * y * stats.chi2.pdf(y, k), axis=1)
    np.testing.assert_allclose(finite_width.log_norm_density(x, [width]), expected, atol=1e-11)
    cdf = np.sum(weights * stats.chi2.cdf(y, k), axis=1)
    np.testing.assert_allclose(finite_width.log_norm_cdf(x, [width]), cdf, atol=1e-11)


def test_density_of_two_linear_layers_of_one_unit_is_a_bessel_function():
    # The product of two standard normal variables has the density K_0(|h|) / pi (Zavatone-Veth & Pehlevan).
    h = np.geomspace(0.05, 6.0, 30)
    expected = special.k0(h) / np.pi * h  # per unit of ln h^2, both signs
    np.testing.assert_allclose(
        finite_width.log_norm_density(np.log(h**2), [1, 1], "linear"), expected, rtol=1e-9, atol=1e-12
    )


def test_quantiles_invert_the_distribution():
    widths = [10] * 30
    for p in (1e-6, 0.25, 0.5, 0.999):
        x = finite_width.log_norm_quantile(p, widths)
        assert finite_width.log_norm_cdf(x, widths) == pytest.approx(p, abs=1e-10)
    # Wide and deep: the median is exp(-5 L / 2 n).
    assert finite_width.log_norm_quantile(0.5, [2000] * 400) == pytest.approx(-0.5, abs=0.003)


def test_far_from_its_mass_the_density_is_zero():
    assert finite_width.log_norm_density([-1e4, 1e4], [20] * 5).tolist() == [0.0, 0.0]
    assert finite_width.log_norm_cdf([-1e4, 1e4], [20] * 5).tolist() == [0.0, pytest.approx(1.0, abs=1e-12)]


# --- forward and backward together ------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["relu", "linear"])
@pytest.mark.parametrize("widths", [[50] * 20, [1, 2, 3], [30, 10, 60]], ids=["50x20", "narrow", "unequal"])
def test_sampled_norms_have_the_exact_law_in_both_directions(widths, activation):
    # 10,000 networks in 12 comparisons: a Kolmogorov-Smirnov distance of 0.04 is missed with p < 1e-6, and each
    # raises a false alarm with 1e-8.
    drawn = finite_width.sample_norms(widths, 10_000, 1, activation)
    alive = np.isfinite(drawn.log_ntk)
    expected = finite_width.alive_probability(widths, activation)
    assert abs(alive.mean() - expected) <= 6.0 * np.sqrt(expected * (1.0 - expected) / 10_000)
    assert np.array_equal(alive, np.isfinite(drawn.log_forward[:, -1]))
    for log_norm in (drawn.log_forward[alive, -1], drawn.log_backward[alive, 0]):
        p = stats.kstest(log_norm, lambda x: finite_width.log_norm_cdf(x, widths, activation)).pvalue
        assert p > 1e-8


def naive_norms(widths, trials, seed, activation):
    """Log norms in both directions and log kernel of networks with explicit weights and a scalar readout."""
    phi, slope = naive.ACTIVATIONS[activation]
    variance = 2.0 if activation == "relu" else 1.0
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(trials):
        h, z, matrices = [np.sqrt([0.5, 0.3, 0.2]) * np.sqrt(3.0)], [], []
        for width in widths:
            matrices.append(rng.normal(0.0, np.sqrt(variance / len(h[-1])), (width, len(h[-1]))))
            z.append(matrices[-1] @ h[-1])
            h.append(phi(z[-1]))
        gradient, deltas = rng.normal(0.0, np.sqrt(variance / widths[-1]), widths[-1]), []
        for matrix, preactivation in zip(matrices[::-1], z[::-1], strict=True):
            deltas.append(slope(preactivation) * gradient)
            gradient = matrix.T @ deltas[-1]
        below = [np.sum(a**2) * variance / len(a) for a in h]
        kernel = below[-1] + sum(np.sum(d**2) * a for d, a in zip(deltas[::-1], below[:-1], strict=True))
        rows.append([np.mean(h[-1] ** 2), np.sum(deltas[-1] ** 2), kernel])
    with np.errstate(divide="ignore"):
        return np.log(np.array(rows).T)


@pytest.mark.parametrize("activation", ["relu", "linear"])
def test_sampled_norms_have_the_joint_law_of_networks_with_weights(activation):
    # 4000 networks in 8 comparisons: a distance of 0.10 is missed with p < 1e-6, each raises a false alarm with 1e-8.
    widths = [12, 8, 12, 12, 16]
    drawn = finite_width.sample_norms(widths, 4000, 3, activation)
    ours = np.array([drawn.log_forward[:, -1], drawn.log_backward[:, 0], drawn.log_ntk])
    theirs = naive_norms(widths, 4000, 4, activation)
    ours, theirs = (rows[:, np.all(np.isfinite(rows), axis=0)] for rows in (ours, theirs))
    combinations = np.array([[1, 1, 0], [1, -1, 0], [0, 0, 1], [-1, 0, 1]])
    for a, b in zip(combinations @ ours, combinations @ theirs, strict=True):
        assert stats.ks_2samp(a, b).pvalue > 1e-8
    if activation == "relu":  # a planted error: forward and backward drawn separately
        ours[1] = np.roll(ours[1], 1)
        assert stats.ks_2samp(ours[0] - ours[1], theirs[0] - theirs[1]).pvalue < 1e-8


def test_forward_and_backward_norms_are_correlated():
    drawn = finite_width.sample_norms([50] * 20, 100_000, 2)
    correlation = np.corrcoef(drawn.log_forward[:, -1], drawn.log_backward[:, 0])[0, 1]
    assert correlation == pytest.approx(0.407, abs=6.0 * (1.0 - 0.407**2) / np.sqrt(100_000))


@pytest.mark.parametrize("width", [3, 200])
def test_one_layer_shares_its_active_units_only(width):
    # Given K the two norms are independent: their covariance is Var psi(K / 2), 1/5 of the variance at large width.
    drawn = finite_width.sample_norms([width], 200_000, 8)
    alive = np.isfinite(drawn.log_ntk)
    k = np.arange(1, width + 1)
    psi, weights = special.psi(k / 2.0), special.comb(width, k) / (2.0**width - 1.0)
    shared = np.sum(weights * (psi - np.sum(weights * psi)) ** 2)
    expected = shared / finite_width.log_step_moments(width)[1]
    correlation = np.corrcoef(drawn.log_forward[alive, 0], drawn.log_backward[alive, 0])[0, 1]
    assert correlation == pytest.approx(expected, abs=6.0 / np.sqrt(200_000))
    assert width == 3 or expected == pytest.approx(0.2, rel=0.03)


def test_one_generator_serves_several_calls():
    rng = np.random.default_rng(5)
    first, second = (finite_width.sample_norms([5, 5], 10, rng).log_ntk for _ in range(2))
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(finite_width.sample_norms([5, 5], 10, 5).log_ntk, first)


# --- the tangent kernel -------------------------------------------------------------------------------------


def test_limit_of_the_second_moment_of_the_kernel():
    values = finite_width.ntk_second_moment_limit([1 / 16, 1 / 8, 1 / 4])
    assert values.tolist() == [printed(1.26286, 5), printed(1.60748, 5), printed(2.65913, 5)]
    # exp(5 beta) is 31 % high at 1/4.
    assert np.exp(1.25) == printed(3.490, 3)
    assert np.exp(1.25) / values[2] == printed(1.31, 2)
    near = finite_width.ntk_second_moment_limit([0.0, 1e-9, 1e-5, 2e-5])
    np.testing.assert_allclose(near, 1.0 + (5.0 - 4.0 / 3.0) * np.array([0.0, 1e-9, 1e-5, 2e-5]), rtol=1e-8)


def test_second_moment_of_the_kernel_at_finite_width():
    # Monte Carlo of the reference: 1.2585 and 1.6000 at 512 units, 2.6278(13) at 256, 3.7 of its errors from the
    # exact 2.6230, whose fourth moment is 150 times the square of the second.
    assert finite_width.ntk_second_moment([512] * 32) == printed(1.2585, 4)
    assert finite_width.ntk_second_moment([512] * 64) == pytest.approx(1.6000, abs=2e-4)
    assert finite_width.ntk_second_moment([256] * 64) == pytest.approx(2.6278, rel=2e-3)
    for activation in ("relu", "linear"):
        exact = [finite_width.ntk_second_moment([n] * (n // 4), activation) for n in (256, 512)]
        limit = finite_width.ntk_second_moment_limit(0.25, activation)
        assert 2.0 * exact[1] - exact[0] == pytest.approx(limit, rel=2e-4)


def chi_square_nodes(freedom):
    """Gauss rule of a chi-square variable, exact for polynomials of degree 7."""
    if freedom == 0:
        return np.zeros(1), np.ones(1)
    x, w = special.roots_genlaguerre(4, 0.5 * freedom - 1.0)
    return 2.0 * x, w / w.sum()


@pytest.mark.parametrize("activation", ["relu", "linear"])
def test_layer_moments_are_those_of_two_layers_integrated_by_brute_force(activation):
    n1, n2 = widths = (2, 3)
    relu = activation == "relu"
    s1, s2 = (2.0 / n1, 2.0 / n2) if relu else (1.0 / n1, 1.0 / n2)
    moments = np.zeros((3, 3))
    for k1, k2 in itertools.product(range(1, n1 + 1), range(1, n2 + 1)):
        if not relu and (k1, k2) != widths:
            continue
        p = special.comb(n1, k1) * special.comb(n2, k2) / 2.0 ** (n1 + n2) if relu else 1.0
        nodes, weights = zip(*(chi_square_nodes(k) for k in (1, k1, k1 - 1, k2, k2 - 1)), strict=True)
        readout, c1, b1, c2, b2 = np.meshgrid(*nodes, indexing="ij")
        weight = p * np.einsum("a,b,c,d,e->abcde", *weights)
        d2 = s2 * readout + s2 * b2
        d1 = s1 * readout * s2 * c2 + s1 * b1 * d2
        parts = np.array([d1, s1 * c1 * d2, s1 * c1 * s2 * c2])
        moments += np.einsum("iabcde,jabcde,abcde->ij", parts, parts, weight)
    np.testing.assert_allclose(finite_width.ntk_layer_moments(widths, activation), moments, rtol=1e-12)


@pytest.mark.parametrize(("activation", "growth", "decay"), [("relu", 5.0, 6.0), ("linear", 2.0, 3.0)])
def test_layer_moments_tend_to_their_limit(activation, growth, decay):
    n, depth = 2000, 200
    moments = finite_width.ntk_layer_moments([n] * depth, activation)
    layers = np.arange(depth + 1)
    distance = np.abs(layers[:, None] - layers) / n
    limit = np.exp(growth * depth / n) * (1.0 + 2.0 * np.exp(-decay * distance)) / 3.0
    np.testing.assert_allclose(moments, limit, rtol=20.0 * depth / n**2)
    # One layer's contribution fluctuates like the norm itself, at every width.
    np.testing.assert_allclose(np.diag(moments), finite_width.norm_moment(2, [n] * depth, activation), rtol=1e-11)


def test_mean_of_the_kernel_is_exact():
    assert finite_width.ntk_mean(6) == 14.0
    assert finite_width.ntk_mean(3, "linear", input_length=2.0) == 8.0
    kernel = np.exp(finite_width.sample_norms([40] * 6, 100_000, 6).log_ntk)
    assert abs(kernel.mean() - 14.0) < 6.0 * kernel.std() / np.sqrt(100_000)
    ratio = (kernel / 14.0) ** 2
    expected = finite_width.ntk_second_moment([40] * 6)
    assert abs(ratio.mean() - expected) < 6.0 * ratio.std() / np.sqrt(100_000)


def test_two_layer_kernel():
    mean, variance = finite_width.two_layer_ntk_moments(0.3)
    # For weights and inputs of unit variance the kernel is half of this one.
    angle = np.arccos(0.3)
    assert 0.5 * mean == pytest.approx((0.6 * (np.pi - angle) + np.sin(angle)) / np.pi, rel=1e-14)
    assert 0.25 * variance == printed(2.4191, 4)
    assert finite_width.two_layer_ntk_moments(-1.0)[0] == pytest.approx(0.0, abs=1e-15)
    mean, variance = finite_width.two_layer_ntk_moments(1.0)
    assert mean == finite_width.ntk_mean(1)
    for width in (1, 7, 100):
        exact = 1.0 + variance / width / mean**2
        assert finite_width.ntk_second_moment([width]) == pytest.approx(exact, rel=1e-13)


# --- bad input ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: finite_width.log_norm_moments([]), "widths: must be integers >= 1"),
        (lambda: finite_width.log_norm_moments([10, 0]), "widths: must be integers >= 1"),
        (lambda: finite_width.log_norm_density(0.0, [2.5]), "widths: must be integers >= 1"),
        (lambda: finite_width.log_norm_density(np.nan, [2]), "x: must be finite"),
        (lambda: finite_width.log_step_moments(10, "tanh"), "activation: must be 'relu' or 'linear', not 'tanh'"),
        (lambda: finite_width.log_normal_variance([10], "tanh"), "activation: "),
        (lambda: finite_width.sample_norms([10], 5, activation="tanh"), "activation: "),
        (lambda: finite_width.sample_norms([10], 0), "trials: must be at least 1"),
        (lambda: finite_width.norm_moment(0, [10]), "order: must be a finite number > 0"),
        (lambda: finite_width.log_norm_quantile(1.0, [10]), "probability: must lie between"),
        (lambda: finite_width.ntk_mean(0), "depth: must be at least 1"),
        (lambda: finite_width.ntk_mean(1, input_length=-1.0), "input_length: must be a finite number >= 0"),
        (lambda: finite_width.ntk_second_moment_limit(-0.1), "aspect: must be >= 0"),
        (lambda: finite_width.two_layer_ntk_moments(1.1), "correlation: must lie between -1 and 1"),
    ],
)
def test_bad_input_is_one_clear_line(call, words):
    with pytest.raises(ValueError, match=words) as error:
        call()
    assert "\n" not in str(error.value)
