"""Products of Gaussian matrices: closed forms against known numbers, each other, and brute force."""

import numpy as np
import pytest
from scipy import integrate, special

from simnn.propagation import linear_products


def test_fuss_catalan_numbers_are_the_published_ones():
    assert [linear_products.fuss_catalan(3, k) for k in (1, 2, 3)] == [1, 4, 22]
    assert [linear_products.fuss_catalan(1, k) for k in range(1, 7)] == [1, 2, 5, 14, 42, 132]  # Catalan numbers
    assert [linear_products.fuss_catalan(2, k) for k in range(1, 6)] == [1, 3, 12, 55, 273]
    assert linear_products.fuss_catalan(4, 2) == 4 + 1


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("depth", [1, 3, 8])
def test_moments_approach_the_fuss_catalan_numbers_as_one_over_width(order, depth):
    limit = linear_products.fuss_catalan(depth, order)
    shifts = [width * (linear_products.mean_moment(depth, order, width) - limit) for width in (10**4, 10**6)]
    # The shift times the width tends to a constant: a correction in 1/n, not in 1/n^2.
    assert shifts[0] == pytest.approx(shifts[1], rel=0.02)
    if order > 1:
        assert shifts[1] > 0.1


@pytest.mark.parametrize("width", [1, 5, 50, 200])
@pytest.mark.parametrize("depth", [1, 4])
def test_second_moments_obey_their_recursion(width, depth):
    square, mean_square = 1.0, 1.0
    for _ in range(depth):
        square, mean_square = (
            (1.0 + 1.0 / width) * square + mean_square,
            mean_square + 2.0 * square / width**2,
        )
    assert linear_products.mean_moment(depth, 2, width) == pytest.approx(square, rel=1e-14)
    assert linear_products.mean_moment(depth, 1, width) == pytest.approx(1.0, rel=1e-14)


def test_a_single_weight_has_the_moments_of_a_product_of_normals():
    for order in (1, 2, 3, 4):
        moment = special.factorial2(2 * order - 1)  # E g^(2k)
        assert linear_products.mean_moment(3, order, 1) == pytest.approx(moment**3, rel=1e-13)


# 100,000 products on 3 x 3 matrices: 5 standard errors are 0.5 to 5 %; the limits of infinite width are 44 % to
# 200 % off.
def test_moments_are_those_of_simulated_products():
    rng, trials, width = np.random.default_rng(0), 100_000, 3
    product = np.broadcast_to(np.eye(width), (trials, width, width))
    for _ in range(2):
        product = rng.standard_normal((trials, width, width)) @ product / np.sqrt(width)
    squares = np.linalg.svd(product, compute_uv=False) ** 2
    for order in (1, 2, 3):
        traces = np.mean(squares**order, axis=1)
        error = traces.std() / np.sqrt(trials)
        assert traces.mean() == pytest.approx(linear_products.mean_moment(2, order, width), abs=5.0 * error)


def test_edges_are_the_published_ones():
    assert linear_products.spectral_edge(1) == pytest.approx(4.0, rel=1e-14)
    assert linear_products.spectral_edge(4) == pytest.approx(12.207, abs=5.1e-4)
    assert linear_products.spectral_edge(3) == pytest.approx(9.481, abs=5.1e-4)  # L^L / (L - 1)^(L - 1), L = 4
    assert linear_products.spectral_edge(1000) == pytest.approx(np.e * 1000.5, rel=1e-6)


def test_one_matrix_has_the_quarter_circle_law():
    x = np.array([1e-9, 0.5, 1.0, 3.9, 3.99])
    assert linear_products.spectral_density(x, 1) == pytest.approx(np.sqrt(x * (4.0 - x)) / (2.0 * np.pi * x), rel=1e-9)
    angle = np.arcsin(np.sqrt(x) / 2.0)
    assert linear_products.spectral_cdf(x, 1) == pytest.approx((2.0 * angle + np.sin(2.0 * angle)) / np.pi, rel=1e-9)


@pytest.mark.parametrize("depth", [1, 2, 3, 8])
def test_density_is_the_slope_of_its_integral_and_has_the_fuss_catalan_moments(depth):
    edge = linear_products.spectral_edge(depth)
    x = np.array([0.01, 0.3, 1.0, 0.9 * edge])
    step = 1e-5 * x
    rise = linear_products.spectral_cdf(x + step, depth) - linear_products.spectral_cdf(x - step, depth)
    assert linear_products.spectral_density(x, depth) == pytest.approx(rise / (2.0 * step), rel=1e-6)
    for order in (1, 2, 3):
        # E x^k = x*^k - k int x^(k-1) F(x) dx, with smooth integrands only.
        integral, _ = integrate.quad(
            lambda x, k=order: x ** (k - 1) * linear_products.spectral_cdf(x, depth), 0.0, edge
        )
        moment = edge**order - order * integral
        assert moment == pytest.approx(linear_products.fuss_catalan(depth, order), rel=1e-5)


def test_the_spectrum_ends_where_it_should():
    assert linear_products.spectral_density(0.0, 2) == np.inf
    assert linear_products.spectral_cdf(0.0, 2) == 0.0
    assert linear_products.spectral_density([6.75, 7.0], 2).tolist() == [0.0, 0.0]
    assert linear_products.spectral_cdf([6.75, np.inf], 2).tolist() == [1.0, 1.0]
    # F ~ x^(1 / (L + 1)) near 0
    assert linear_products.spectral_cdf(1e-280, 1) / linear_products.spectral_cdf(1e-284, 1) == pytest.approx(100.0)


@pytest.mark.parametrize("depth", [1, 4])
def test_largest_singular_value_shrinks_with_the_density_at_the_edge(depth):
    edge = linear_products.spectral_edge(depth)
    a = np.pi * linear_products.spectral_density(edge * (1.0 - 1e-6), depth) / np.sqrt(edge * 1e-6)
    expected = edge - 1.2065335745820 * (500 * a) ** (-2.0 / 3.0)
    assert linear_products.mean_largest(depth, 500) == pytest.approx(expected, rel=1e-5)


def test_lyapunov_exponents_are_the_published_ones():
    assert linear_products.lyapunov_exponents(10)[0] == pytest.approx(-0.0517, abs=5.1e-5)
    exponents = linear_products.lyapunov_exponents(7)
    assert exponents.shape == (7,)
    assert np.all(np.diff(exponents) < 0.0)
    # One weight: E ln |g| = -(ln 2 + gamma) / 2.
    assert linear_products.lyapunov_exponents(1)[0] == pytest.approx(-0.5 * (np.log(2.0) + np.euler_gamma), rel=1e-14)


# The determinant of 20,000 matrices: the standard error of its mean logarithm is 0.01, an exponent of the wrong row
# or without its ln 2 would move it by 0.1 or more.
def test_the_sum_of_the_exponents_is_the_mean_logarithm_of_the_determinant():
    rng, width = np.random.default_rng(1), 6
    logs = np.linalg.slogdet(rng.standard_normal((20_000, width, width)) / np.sqrt(width))[1]
    total = linear_products.lyapunov_exponents(width).sum()
    assert logs.mean() == pytest.approx(total, abs=5.0 * logs.std() / np.sqrt(len(logs)))


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: linear_products.fuss_catalan(0, 2), "depth"),
        (lambda: linear_products.fuss_catalan(2, 1.5), "order"),
        (lambda: linear_products.mean_moment(2, 6, 10), "order"),
        (lambda: linear_products.mean_moment(2, 2, 0), "width"),
        (lambda: linear_products.spectral_edge(-1), "depth"),
        (lambda: linear_products.mean_largest(2, 0), "width"),
        (lambda: linear_products.spectral_density(-1.0, 2), "x"),
        (lambda: linear_products.spectral_density(1.0, 0), "depth"),
        (lambda: linear_products.spectral_cdf(np.nan, 2), "x"),
        (lambda: linear_products.lyapunov_exponents(0), "width"),
    ],
)
def test_bad_input_is_named(call, name):
    with pytest.raises(ValueError, match=rf"^{name}: "):
        call()
