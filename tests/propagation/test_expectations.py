"""Gaussian expectations against brute force in extended precision, and closed forms against quadrature."""

import math

import mpmath
import numpy as np
import pytest

from simnn.propagation.expectations import Expectations, expectations, shape

ALL = ["linear", "relu", "leaky_relu(0.2)", "tanh", "erf", "sigmoid", "hard_tanh", "gelu", "silu", "selu", "sin"]
LENGTHS = [1e-8, 1.0, 1e4]

# The activations once more, on mpmath numbers, with the points where they bend.
SCALE, ALPHA = mpmath.mpf("1.0507009873554804934193349852946"), mpmath.mpf("1.6732632423543772848170429916717")
DIRECT = {
    "linear": (lambda u: u, lambda u: mpmath.mpf(1)),
    "relu": (lambda u: max(u, 0), lambda u: mpmath.mpf(u > 0)),
    "leaky_relu(0.2)": (lambda u: u if u > 0 else 0.2 * u, lambda u: mpmath.mpf(1 if u > 0 else 0.2)),
    "tanh": (mpmath.tanh, lambda u: mpmath.sech(u) ** 2),
    "erf": (mpmath.erf, lambda u: 2 / mpmath.sqrt(mpmath.pi) * mpmath.exp(-(u**2))),
    "sigmoid": (lambda u: 1 / (1 + mpmath.exp(-u)), lambda u: mpmath.sech(u / 2) ** 2 / 4),
    "hard_tanh": (lambda u: min(max(u, -1), 1), lambda u: mpmath.mpf(abs(u) < 1)),
    "gelu": (lambda u: u * mpmath.ncdf(u), lambda u: mpmath.ncdf(u) + u * mpmath.npdf(u)),
    "silu": (
        lambda u: u / (1 + mpmath.exp(-u)),
        lambda u: 1 / (1 + mpmath.exp(-u)) + u * mpmath.sech(u / 2) ** 2 / 4,
    ),
    "selu": (
        lambda u: SCALE * (u if u > 0 else ALPHA * mpmath.expm1(u)),
        lambda u: SCALE * (mpmath.mpf(1) if u > 0 else ALPHA * mpmath.exp(u)),
    ),
    "sin": (mpmath.sin, mpmath.cos),
}


def brute_mean(f, q):
    """E[f(u)] by adaptive quadrature in extended precision, cut at every scale."""
    sigma = mpmath.sqrt(mpmath.mpf(q))
    cuts = sorted({min(x / sigma, 12) for x in (1, 2, 4, 8, 16, 32, 64)} | {mpmath.mpf(x) for x in (1, 2, 4, 8, 12)})
    points = [-x for x in reversed(cuts)] + [mpmath.mpf(0)] + cuts
    return float(mpmath.quad(lambda z: f(sigma * z) * mpmath.npdf(z), points, maxdegree=5))


def dense_pair_mean(f, q1, q2, c):
    """E[f(u1, u2)] by the trapezoidal rule on a plain grid of (z1, z2), u2 = sqrt(q2) (c z1 + sqrt(1 - c^2) z2).

    For smooth f it converges faster than any power of the step.
    """
    z = np.linspace(-9.0, 9.0, 501)
    weights = (z[1] - z[0]) * np.exp(-0.5 * z**2) / math.sqrt(2.0 * math.pi)
    u1, u2 = math.sqrt(q1) * z[:, None], math.sqrt(q2) * (c * z[:, None] + math.sqrt(1.0 - c**2) * z)
    return float(weights @ f(u1, u2) @ weights)


# --- one Gaussian -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("activation", ALL)
def test_activations_and_slopes_are_those_written_out(activation):
    value, slope = DIRECT[activation]
    u = np.array([-40.0, -5.0, -1.5, -0.3, -1e-9, 1e-9, 0.2, 0.9, 3.0, 40.0])
    np.testing.assert_allclose(
        shape(activation).value(u), [float(value(mpmath.mpf(x))) for x in u], rtol=1e-14, atol=1e-15
    )
    np.testing.assert_allclose(
        shape(activation).slope(u), [float(slope(mpmath.mpf(x))) for x in u], rtol=1e-13, atol=1e-15
    )


@pytest.mark.parametrize("activation", ALL)
def test_curvature_is_the_derivative_of_the_slope(activation):
    u = np.array([-3.0, -0.7, 0.3, 1.2, 2.5])
    step = 1e-5
    derivative = (shape(activation).slope(u + step) - shape(activation).slope(u - step)) / (2.0 * step)
    np.testing.assert_allclose(shape(activation).curvature(u), derivative, atol=1e-9)


@pytest.mark.parametrize("q", LENGTHS)
@pytest.mark.parametrize("activation", [name for name in ALL if name != "sin"])
def test_mean_square_and_gain_are_brute_force(activation, q):
    value, slope = DIRECT[activation]
    mean = expectations(activation)
    with mpmath.workdps(20):
        assert float(mean.mean_square(np.array(q))) == pytest.approx(brute_mean(lambda u: value(u) ** 2, q), rel=1e-12)
        assert float(mean.gain(np.array(q))) == pytest.approx(brute_mean(lambda u: slope(u) ** 2, q), rel=1e-12)


@pytest.mark.parametrize("q", [1e-8, 1.0, 20.0])
def test_mean_square_and_gain_of_the_sine_are_brute_force(q):
    mean = expectations("sin")
    with mpmath.workdps(20):
        square = float(mpmath.quad(lambda z: mpmath.sin(math.sqrt(q) * z) ** 2 * mpmath.npdf(z), range(-12, 13)))
    assert float(mean.mean_square(np.array(q))) == pytest.approx(square, rel=1e-12)
    assert float(mean.gain(np.array(q))) == pytest.approx(1.0 - square, rel=1e-12)
    assert float(mean.mean_square(np.array(1e4))) == 0.5


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "gelu", "silu", "erf"])
@pytest.mark.parametrize("q", [1e-8, 1.0, 1e6])
def test_moments_of_slope_and_curvature_are_brute_force(activation, q):
    slope, mean = DIRECT[activation][1], expectations(activation)
    with mpmath.workdps(30):
        fourth = brute_mean(lambda u: slope(u) ** 4, q)
    assert float(mean.gain_moment(np.array(q), 2)) == pytest.approx(fourth, rel=1e-12)
    quadrature = Expectations(shape(activation)).curvature_square(np.array(q))
    curvature = brute_mean(lambda u: mpmath.mpf(float(shape(activation).curvature(np.array(float(u))))) ** 2, q)
    assert float(quadrature) == pytest.approx(curvature, rel=1e-11)


@pytest.mark.parametrize("activation", ALL)
@pytest.mark.parametrize("q", [0.01, 1.0, 30.0])
def test_bending_is_what_the_gain_leaves_of_the_slope_of_the_mean_square(activation, q):
    mean = expectations(activation)
    step = 1e-4 * q
    at = mean.mean_square(np.array([q - 2 * step, q - step, q + step, q + 2 * step]))
    derivative = (at[0] - 8.0 * at[1] + 8.0 * at[2] - at[3]) / (12.0 * step)
    assert float(mean.gain(np.array(q)) + mean.bending(np.array(q))) == pytest.approx(derivative, rel=1e-9)


@pytest.mark.parametrize(
    ("activation", "q", "weight", "bias"),
    [("gelu", (3.0 + math.sqrt(17.0)) / 2.0, 1.983058, 0.172922), ("silu", 14.320174, 1.988005, 0.555143)],
)
def test_half_stable_points_have_no_bending(activation, q, weight, bias):
    mean, at = expectations(activation), np.array(q)
    assert float(mean.bending(at)) == pytest.approx(0.0, abs=1e-14 if activation == "gelu" else 1e-8)
    variance_w = 1.0 / float(mean.gain(at))
    assert variance_w == pytest.approx(weight, abs=5.1e-7)
    assert q - variance_w * float(mean.mean_square(at)) == pytest.approx(bias, abs=5.1e-7)


def test_selu_keeps_mean_zero_and_variance_one():
    mean = expectations("selu")
    assert float(mean.mean_square(np.array(1.0))) == pytest.approx(1.0, abs=1e-13)
    assert float(mean.gain(np.array(1.0))) == pytest.approx(1.07157499, abs=5.1e-9)
    assert mean.distance(1.0, 1.0, 1.0) == pytest.approx(1.0, abs=1e-13)  # E[phi]^2 = 0


@pytest.mark.parametrize("activation", ["relu", "leaky_relu(0.2)", "linear", "erf", "sin"])
def test_closed_forms_of_one_gaussian_are_the_quadrature(activation):
    closed, quadrature = expectations(activation), Expectations(shape(activation))
    q = np.array([0.0, 1e-8, 0.3, 1.0, 4.0])
    for statistic in ("mean_square", "gain", "bending", "curvature_square"):
        found, expected = getattr(closed, statistic)(q), getattr(quadrature, statistic)(q)
        if activation in {"relu", "leaky_relu(0.2)"} and statistic == "curvature_square":
            continue  # a squared delta function, see below
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15, err_msg=statistic)
    np.testing.assert_allclose(closed.gain_moment(q, 3), quadrature.gain_moment(q, 3), rtol=1e-12)


@pytest.mark.parametrize("activation", ["relu", "hard_tanh", "selu"])
def test_kinks_have_infinite_curvature(activation):
    assert np.all(np.isinf(expectations(activation).curvature_square(np.array([0.1, 1.0]))))


# --- two Gaussians ------------------------------------------------------------------------------------------------

PAIRS = [(1.0, 1.0, 0.3), (1.0, 1.0, -0.8), (0.5, 3.0, 0.9), (2.0, 0.7, 0.0), (0.04, 1.5, -0.5)]


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "gelu", "silu", "sin", "erf"])
@pytest.mark.parametrize(("q1", "q2", "c"), PAIRS)
def test_smooth_pairs_are_a_plain_double_sum(activation, q1, q2, c):
    mean, phi = expectations(activation), shape(activation)
    d = 0.5 * (q1 + q2) - c * math.sqrt(q1 * q2)
    distance = 0.5 * dense_pair_mean(lambda u1, u2: (phi.value(u1) - phi.value(u2)) ** 2, q1, q2, c)
    slopes = dense_pair_mean(lambda u1, u2: phi.slope(u1) * phi.slope(u2), q1, q2, c)
    assert mean.distance(q1, q2, d) == pytest.approx(distance, rel=1e-11)
    assert mean.slope_product(q1, q2, d) == pytest.approx(slopes, rel=1e-11)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu(0.2)", "erf", "sin", "linear"])
@pytest.mark.parametrize(("q1", "q2", "c"), [*PAIRS, (1.0, 1.0, 1.0 - 1e-6), (2.0, 2.0, -0.999), (1e-8, 1e-8, 0.2)])
def test_closed_forms_of_pairs_are_the_quadrature(activation, q1, q2, c):
    closed, quadrature = expectations(activation), Expectations(shape(activation))
    d = 0.5 * (q1 + q2) - c * math.sqrt(q1 * q2)
    assert closed.distance(q1, q2, d) == pytest.approx(quadrature.distance(q1, q2, d), rel=1e-11)
    assert closed.slope_product(q1, q2, d) == pytest.approx(quadrature.slope_product(q1, q2, d), rel=1e-12)


def orthant(a, b, c):
    """P(z1 > a, z2 > b) for standard normals of correlation c."""
    from scipy.stats import multivariate_normal

    return multivariate_normal.cdf([-a, -b], mean=[0.0, 0.0], cov=[[1.0, c], [c, 1.0]], abseps=1e-14, releps=1e-14)


@pytest.mark.parametrize(("q1", "q2", "c"), [*PAIRS, (30.0, 30.0, 0.5), (1e4, 1e4, 0.99), (50.0, 0.2, 0.1)])
def test_hard_tanh_slopes_are_rectangle_probabilities(q1, q2, c):
    a, b = 1.0 / math.sqrt(q1), 1.0 / math.sqrt(q2)
    inside = orthant(-a, -b, c) - orthant(-a, b, c) - orthant(a, -b, c) + orthant(a, b, c)
    d = 0.5 * (q1 + q2) - c * math.sqrt(q1 * q2)
    assert expectations("hard_tanh").slope_product(q1, q2, d) == pytest.approx(inside, abs=1e-12)


@pytest.mark.parametrize("activation", ["hard_tanh", "selu", "tanh", "gelu", "silu", "sigmoid"])
@pytest.mark.parametrize(("q1", "q2"), [(1.0, 1.0), (3.0, 0.4), (1e4, 1e4), (1e4, 3.0)])
def test_independent_inputs_factorise(activation, q1, q2):
    mean = expectations(activation)
    value, slope = shape(activation).value, shape(activation).slope
    one = [[float(mean.mean(f, np.array(q))) for q in (q1, q2)] for f in (value, slope)]
    squares = mean.mean_square(np.array([q1, q2]))
    d = 0.5 * (q1 + q2)
    assert mean.slope_product(q1, q2, d) == pytest.approx(one[1][0] * one[1][1], rel=1e-11)
    product = 0.5 * float(squares.sum()) - mean.distance(q1, q2, d)
    assert product == pytest.approx(one[0][0] * one[0][1], rel=1e-11, abs=1e-13 * float(squares.sum()))


@pytest.mark.parametrize("activation", ["tanh", "gelu", "silu", "selu", "hard_tanh"])
@pytest.mark.parametrize(("q1", "q2", "c"), [(1.0, 1.0, 0.4), (100.0, 100.0, 0.7), (2.0, 0.3, -0.4), (400.0, 5.0, 0.6)])
def test_slope_product_is_the_derivative_of_the_product(activation, q1, q2, c):
    # Price's theorem: dE[phi(u1) phi(u2)] / dk = E[phi'(u1) phi'(u2)], and the covariance k enters as -d.
    mean = expectations(activation)
    d = 0.5 * (q1 + q2) - c * math.sqrt(q1 * q2)
    step = 1e-3 * math.sqrt(q1 * q2)
    at = [mean.distance(q1, q2, d + k * step) for k in (-2, -1, 1, 2)]
    derivative = (at[0] - 8.0 * at[1] + 8.0 * at[2] - at[3]) / (12.0 * step)
    assert mean.slope_product(q1, q2, d) == pytest.approx(derivative, rel=1e-9)


@pytest.mark.parametrize("activation", ALL)
@pytest.mark.parametrize("q", [1e-8, 1.0, 1e4, 1e6])
def test_distances_of_close_inputs_are_the_gain_times_the_distance(activation, q):
    # Exact to O(q e) for bends and O(sqrt(q e)) for kinks: no digits are lost to cancellation.
    mean = expectations(activation)
    e = 1e-24 / max(q, 1.0)
    gain = float(mean.gain(np.array(q)))
    assert mean.distance(q, q, q * e) / (q * e) == pytest.approx(gain, rel=1e-10)
    assert mean.slope_product(q, q, q * e) == pytest.approx(gain, rel=1e-10)


@pytest.mark.parametrize("activation", ALL)
def test_vanished_inputs_are_legal(activation):
    mean = expectations(activation)
    at_zero = float(shape(activation).value(np.array(0.0)))
    square = float(mean.mean_square(np.array(2.0)))
    first = float(Expectations(shape(activation)).mean(shape(activation).value, np.array(2.0)))
    expected = 0.5 * (square - 2.0 * first * at_zero + at_zero**2)
    assert mean.distance(2.0, 0.0, 1.0) == pytest.approx(expected, rel=1e-12)
    assert mean.distance(0.0, 0.0, 0.0) == pytest.approx(0.0, abs=1e-15)


@pytest.mark.parametrize("activation", ["tanh", "relu", "hard_tanh", "erf"])
def test_opposite_inputs_give_the_mean_of_even_parts(activation):
    mean, phi = expectations(activation), shape(activation).value
    for q in (0.3, 2.0, 50.0):
        odd = float(Expectations(shape(activation)).mean(lambda u: 0.5 * (phi(u) - phi(-u)) ** 2, np.array(q)))
        assert mean.distance(q, q, 2.0 * q) == pytest.approx(odd, rel=1e-12)
