"""The theory of signal propagation against published and separately computed numbers."""

import subprocess
import sys

import numpy as np
import pytest

from simnn.propagation import theory


def root(x):
    return float(np.sqrt(x))


def printed(value, digits):
    """Match a number printed with that many decimals."""
    return pytest.approx(value, abs=0.51 * 10.0**-digits, rel=0)


# --- tanh -------------------------------------------------------------------------------------------------------

TANH_CRITICAL = [  # sigma_b^2, sigma_w^2, q*, kappa, xi_q, mu_2 / mu_1^2
    (1e-4, 1.08602629, 0.04570908, 302.800869, 11.8639, 1.011463),
    (1e-3, 1.18918959, 0.10729236, 69.752325, 5.5165, 1.044047),
    (0.01, 1.42420529, 0.27330091, 16.639288, 2.5752, 1.152540),
    (0.05, 1.76095464, 0.57004788, 6.171126, 1.5211, 1.342256),
    (0.1, 1.98607264, 0.80579918, 4.009579, 1.2162, 1.479012),
    (0.2, 2.28515247, 1.16449629, 2.587201, 0.9753, 1.667081),
    (0.3, 2.50512719, 1.46116945, 1.992691, 0.8588, 1.808380),
    (0.5, 2.84316746, 1.97103061, 1.424478, 0.7333, 2.028711),
    (1.0, 3.44321091, 3.03639639, 0.889737, 0.5952, 2.425778),
]


@pytest.mark.parametrize(("variance_b", "variance_w", "q_star", "kappa", "xi_q", "ratio"), TANH_CRITICAL)
def test_tanh_critical_points_are_the_table(variance_b, variance_w, q_star, kappa, xi_q, ratio):
    sigma_b = root(variance_b)
    sigma_w = theory.critical_sigma_w("tanh", sigma_b)
    q, c = theory.fixed_point("tanh", sigma_w, sigma_b)
    scales = theory.depth_scales("tanh", sigma_w, sigma_b)
    assert sigma_w**2 == printed(variance_w, 8)
    assert q == printed(q_star, 8)
    assert c == 1.0
    assert theory.correlation_decay("tanh", sigma_b) == printed(kappa, 6)
    assert scales.length == printed(xi_q, 4)
    assert scales.correlation == scales.gradient == np.inf
    assert theory.moment_ratio(q, "tanh") == printed(ratio, 6)


def test_tanh_without_bias_is_critical_at_exactly_one():
    assert theory.critical_sigma_w("tanh", 0.0) == 1.0
    assert theory.moment_ratio(0.0, "tanh") == 1.0
    q, c = theory.fixed_point("tanh", 1.0, 0.0)
    assert q == 0.0
    assert np.isnan(c)


TANH_PHASES = [  # sigma_w^2 at sigma_b^2 = 0.05; q*, chi_1, c*, xi_q, xi_c, xi_grad
    (1.0, 0.19359252, 0.75903165, 1.0, 1.7476, 3.6270, 3.6270),
    (1.25, 0.29205430, 0.86323959, 1.0, 1.8004, 6.7998, 6.7998),
    (1.5, 0.41803720, 0.93863627, 1.0, 1.6828, 15.7910, 15.7910),
    (1.7, 0.53307563, 0.98674081, 1.0, 1.5583, 74.9183, 74.9183),
    (1.8, 0.59413217, 1.00822314, 0.95041055, 1.4979, 125.7841, -122.1073),
    (2.0, 0.72176187, 1.04766600, 0.74408242, 1.3880, 25.2134, -21.4754),
    (2.5, 1.06395838, 1.13351570, 0.44680423, 1.1799, 11.7956, -7.9793),
    (3.0, 1.42800846, 1.20893442, 0.29931764, 1.0415, 9.0515, -5.2704),
    (4.0, 2.19549393, 1.34240241, 0.16506496, 0.8733, 6.9803, -3.3960),
]


@pytest.mark.parametrize(("variance_w", "q_star", "chi1", "c_star", "xi_q", "xi_c", "xi_grad"), TANH_PHASES)
def test_tanh_phases_are_the_table(variance_w, q_star, chi1, c_star, xi_q, xi_c, xi_grad):
    point = "tanh", root(variance_w), root(0.05)
    q, c = theory.fixed_point(*point)
    scales = theory.depth_scales(*point)
    assert q == printed(q_star, 8)
    assert theory.chi(*point) == printed(chi1, 8)
    assert c == printed(c_star, 8)
    assert (scales.length, scales.correlation, scales.gradient) == tuple(
        printed(value, 4) for value in (xi_q, xi_c, xi_grad)
    )
    assert theory.chi(*point, c=c) == pytest.approx(np.exp(-1.0 / scales.correlation), rel=1e-12)


@pytest.mark.parametrize(
    ("sigma_w", "q_star", "chi1", "c_star"),
    [
        (1.3, 0.60704679, 0.93980743, 1.0),
        (2.5, 4.07912388, 1.58522477, 0.12210375),
        (4.0, 12.60414950, 2.36726104, 0.02969592),
    ],
)
def test_fixed_points_of_poole_et_al(sigma_w, q_star, chi1, c_star):
    assert theory.fixed_point("tanh", sigma_w, 0.3) == (printed(q_star, 8), printed(c_star, 8))
    assert theory.chi("tanh", sigma_w, 0.3) == printed(chi1, 8)


def test_odd_chaotic_networks_without_bias_decorrelate_fully():
    assert theory.fixed_point("tanh", 1.5, 0.0) == (printed(0.79335404, 8), 0.0)
    assert theory.chi("tanh", 1.5, 0.0) == printed(1.13932322, 8)


def test_critical_points_quoted_in_the_literature():
    # Pennington et al. and Xiao et al.; then q* = 1/64 and q* = 1.
    sigma_b = root(2.010521338846e-5)
    assert theory.critical_sigma_w("tanh", sigma_b) ** 2 == pytest.approx(1.05, rel=1e-12)
    assert theory.fixed_point("tanh", root(1.05), sigma_b)[0] == printed(0.0259209, 7)
    assert theory.critical_sigma_w("tanh", root(4.6513e-6)) ** 2 == printed(1.03055751, 6)
    assert theory.fixed_point("tanh", root(1.03055751), root(4.6513e-6))[0] == pytest.approx(1 / 64, rel=1e-5)
    assert theory.critical_sigma_w("tanh", root(0.15096463)) ** 2 == printed(2.15330265, 7)
    assert theory.fixed_point("tanh", root(2.15330265), root(0.15096463))[0] == pytest.approx(1.0, rel=2e-8)


def test_tanh_correlations_freeze_at_the_bias_free_critical_point():
    path = theory.propagate(3001, "tanh", 1.0, 0.0, input_length=1.0, input_correlation=0.5)
    # Index l counts the layers after the one with q = 1, c = 0.5.
    layers = np.array([100, 1000, 3000])
    assert (1.0 - path.decorrelation[layers]).tolist() == [printed(c, 6) for c in (0.441110, 0.440573, 0.440534)]
    assert (2.0 * layers * path.length[layers])[:2].tolist() == [printed(x, 5) for x in (1.01380, 1.00233)]


def test_tanh_correlations_converge_as_one_over_depth():
    sigma_b = root(0.05)
    sigma_w = theory.critical_sigma_w("tanh", sigma_b)
    q, _ = theory.fixed_point("tanh", sigma_w, sigma_b)
    e = 0.5
    scaled = {}
    for layer in range(1, 3001):
        e = theory.decorrelation_map(e, q, "tanh", sigma_w, sigma_b)
        scaled[layer] = layer * e
    assert scaled[100] == printed(5.91, 2)
    assert scaled[1000] == printed(6.195, 3)
    assert scaled[3000] == printed(6.188, 3)


def test_tanh_with_gain_five_thirds_is_chaotic():
    assert theory.fixed_point("tanh", 5 / 3, 0.0)[0] == printed(1.17848049, 8)
    assert theory.chi("tanh", 5 / 3, 0.0) == printed(1.20983132, 8)


# --- other activations --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("activation", "variance_b", "variance_w", "q_star"),
    [
        ("erf", 0.0, 0.78539816, 0.0),
        ("erf", 0.05, 1.37583901, 0.51717684),
        ("erf", 0.1, 1.55211786, 0.72635923),
        ("hard_tanh", 0.05, 1.16554469, 0.46386397),
        ("hard_tanh", 0.1, 1.26340593, 0.63215546),
        ("relu", 0.0, 2.0, 1.0),
        ("leaky_relu(0.01)", 0.0, 1.99980002, 1.0),
        ("leaky_relu(0.2)", 0.0, 1.92307692, 1.0),
        ("linear", 0.0, 1.0, 1.0),
    ],
)
def test_critical_points_of_other_activations(activation, variance_b, variance_w, q_star):
    sigma_w = theory.critical_sigma_w(activation, root(variance_b))
    assert sigma_w**2 == printed(variance_w, 8)
    assert theory.fixed_point(activation, sigma_w, root(variance_b))[0] == printed(q_star, 8)
    assert theory.chi(activation, sigma_w, root(variance_b)) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(
    ("activation", "variance_b"),
    [(name, b) for name in ("tanh", "erf", "sigmoid", "hard_tanh", "sin") for b in (0.0, 1e-16, 1e-8, 0.3, 9.0)]
    + [("gelu", 0.2), ("gelu", 1.0), ("silu", 0.6), ("silu", 4.0), ("selu", 0.0), ("selu", 0.5)]
    + [(name, b**2) for name in ("tanh", "sin", "gelu", "silu", "selu") for b in (300.0, 1e3, 1e5)],
)
def test_chi_is_one_on_the_critical_line(activation, variance_b):
    sigma_w = theory.critical_sigma_w(activation, root(variance_b))
    assert theory.chi(activation, sigma_w, root(variance_b)) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("activation", ["gelu", "silu"])
def test_activations_without_a_stable_critical_length_say_so(activation):
    with pytest.raises(ValueError, match="no critical sigma_w"):
        theory.critical_sigma_w(activation, 0.1)


@pytest.mark.parametrize(("activation", "limit"), [("gelu", 1.0), ("silu", 1.0), ("selu", 1.0507009873554805)])
def test_under_large_biases_an_activation_is_critical_where_its_far_side_is(activation, limit):
    found = [theory.critical_sigma_w(activation, sigma_b) for sigma_b in (100.0, 300.0, 1e3, 1e4, 1e5)]
    assert sorted(found) == found
    assert found[-1] == pytest.approx(root(2.0) / limit, rel=1e-10)


def test_a_critical_point_that_is_not_reached_does_not_count():
    # GELU has a stable critical length of 3.56 at these biases, but from q = 1 a network comes to rest before it.
    for variance_b in (0.17294, 0.17297, 0.17299):
        with pytest.raises(ValueError, match="reached from q = 1"):
            theory.critical_sigma_w("gelu", root(variance_b))
    sigma_w, sigma_b = 1.4081969738666575, root(0.17299)
    before = np.linspace(3.0, 3.5, 200)
    assert np.any(theory.length_map(before, "gelu", sigma_w, sigma_b) < before)
    assert theory.fixed_point("gelu", sigma_w, sigma_b)[0] < 3.3
    assert theory.critical_sigma_w("gelu", root(0.1731)) == pytest.approx(1.408175, abs=1e-5)


@pytest.mark.parametrize(("variance_w", "chi"), [(1, 0.0557), (4, 0.1716), (16, 0.3989), (64, 0.7948)])
def test_sigmoid_gradients_vanish_at_usual_weight_scales(variance_w, chi):
    assert theory.chi("sigmoid", root(variance_w), 0.0) == printed(chi, 4)


def test_sigmoid_gradients_survive_at_a_weight_variance_of_103():
    assert theory.critical_sigma_w("sigmoid", 0.0) ** 2 == printed(103.0, 1)


def test_centred_sigmoid_is_tanh_with_a_sixteenth_of_the_weight_variance():
    # sigmoid'(u) = sech^2(u / 2) / 4: equal gains at a quarter of the length.
    q = 3.0
    chi = theory.chi("tanh", 1.0 / 4.0, 0.0, q=q / 4.0)
    assert theory.chi("sigmoid", 1.0, 0.0, q=q) == pytest.approx(chi, rel=1e-13)


@pytest.mark.parametrize(("variance_w", "factor"), [(2.0, 1.0), (1.0, 1 / 2), (1 / 3, 1 / 6)])
def test_relu_factors_of_common_initialisations(variance_w, factor):
    path = theory.propagate(10, "relu", root(variance_w), 0.0)
    np.testing.assert_allclose(path.length[1:] / path.length[:-1], factor, rtol=1e-14)
    np.testing.assert_allclose(path.gradient_norm[:-1] / path.gradient_norm[1:], factor, rtol=1e-14)
    assert path.gradient_norm[-1] == 0.5


# --- arc-cosine map -----------------------------------------------------------------------------------------------


def relu_decorrelations(depth, activation="relu", c=0.0):
    sigma_w = theory.critical_sigma_w(activation, 0.0)
    return theory.propagate(depth + 1, activation, sigma_w, 0.0, input_correlation=c).decorrelation


def test_arc_cosine_map_from_orthogonal_inputs():
    c = 1.0 - relu_decorrelations(100)
    assert c[[1, 2, 3]].tolist() == [printed(x, 12) for x in (0.318309886184, 0.493731090200, 0.604825720113)]
    assert c[10] == printed(0.871535516, 9)
    assert c[100] == printed(0.996423147, 9)


def test_relu_correlations_converge_as_one_over_depth_squared():
    e = relu_decorrelations(100_000)
    layers = np.array([1000, 10_000, 100_000])
    assert (layers**2.0 * e[layers]).tolist() == [printed(x, 3) for x in (43.130, 44.252, 44.394)]
    # The tail is a straight line in 1 / sqrt(e): Richardson extrapolation gives 9 pi^2 / 2.
    slope = (e[100_000] ** -0.5 - e[50_000] ** -0.5) / 50_000
    assert slope**-2 == pytest.approx(4.5 * np.pi**2, rel=1e-4)


@pytest.mark.parametrize(("slope", "constant"), [(0.1, 69.053), (0.2, 117.279)])
def test_leaky_relu_correlations_converge_more_slowly(slope, constant):
    assert ((1 + slope**2) / (1 - slope) ** 2) ** 2 * 4.5 * np.pi**2 == printed(constant, 3)
    e = relu_decorrelations(20_000, f"leaky_relu({slope})")
    assert ((e[20_000] ** -0.5 - e[10_000] ** -0.5) / 10_000) ** -2 == pytest.approx(constant, rel=1e-3)


# --- tangent kernel -------------------------------------------------------------------------------------------------


def test_tangent_kernel_of_critical_tanh_at_depth_30():
    theta = theory.tangent_kernel(30, "tanh", root(1.76095464), root(0.05), 1.0)
    assert theta.shape == (1, 1)
    # Quadrature of fixed order gives 16.32 (10 nodes), 18.1286 (25), 18.11616 (50), 18.116332 (100).
    assert theta.item() == printed(18.116332839, 9)


@pytest.mark.parametrize(
    ("depth", "ratio"), [(1, 0.471166), (10, 0.373487), (100, 0.277668), (1000, 0.253802), (10_000, 0.250469)]
)
def test_tangent_kernel_of_deep_relu_tends_to_a_quarter_off_the_diagonal(depth, ratio):
    theta = theory.tangent_kernel(depth, "relu", root(2.0), 0.0, [[1.0, 0.5], [0.5, 1.0]])
    assert theta[0, 1] / theta[0, 0] == printed(ratio, 6)
    assert theta[0, 0] == pytest.approx(2.0 * (depth + 1), rel=1e-11)


@pytest.mark.parametrize(("c", "ratios"), [(0.0, (0.31110, 0.3285)), (0.5, (0.33985, 0.33152))])
def test_tangent_kernel_of_deep_tanh_tends_to_a_third_off_the_diagonal(c, ratios):
    sigma_b = root(0.05)
    sigma_w = theory.critical_sigma_w("tanh", sigma_b)
    q, _ = theory.fixed_point("tanh", sigma_w, sigma_b)
    # Inputs whose first pre-activations have the fixed-point length and correlation c.
    gram = (q * np.array([[1.0, c], [c, 1.0]]) - sigma_b**2) / sigma_w**2
    found = []
    for depth in (100, 1000):
        theta = theory.tangent_kernel(depth, "tanh", sigma_w, sigma_b, gram)
        found.append(theta[0, 1] / theta[0, 0])
    assert found == [pytest.approx(ratio, abs=6e-6 if ratio != 0.3285 else 6e-5) for ratio in ratios]


def test_tangent_kernel_without_hidden_layers_is_the_affine_kernel():
    gram = np.array([[1.0, 0.2], [0.2, 3.0]])
    np.testing.assert_allclose(theory.tangent_kernel(0, "tanh", 1.5, 0.5, gram), 2.25 * gram + 0.25)


def test_tangent_kernel_of_a_linear_network_is_depth_plus_one_times_the_gram_matrix():
    gram = np.array([[1.0, 0.2, 0.0], [0.2, 3.0, 0.0], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(theory.tangent_kernel(6, "linear", 1.0, 0.0, gram), 7.0 * gram, atol=1e-14)


@pytest.mark.parametrize("activation", ["tanh", "relu", "gelu", "hard_tanh"])
def test_tangent_kernel_has_the_derivative_of_the_kernel(activation):
    # Theta of one hidden layer is d Sigma / d (kernel below) times Theta^0, plus Sigma.
    gram = np.array([[1.0, 0.3], [0.3, 0.5]])
    sigma = 1.3**2 * gram + 0.2**2
    step = 1e-5
    moved = [theory.kernel_map(sigma + sign * step * (1.0 - np.eye(2)), activation, 1.3, 0.2) for sign in (1, -1)]
    derivative = (moved[0] - moved[1])[0, 1] / (2.0 * step)
    expected = derivative * sigma[0, 1] + theory.kernel_map(sigma, activation, 1.3, 0.2)[0, 1]
    theta = theory.tangent_kernel(1, activation, 1.3, 0.2, gram)
    assert theta[0, 1] == pytest.approx(expected, rel=1e-8)


# --- properties of the maps ---------------------------------------------------------------------------------------

ALL = ["linear", "relu", "leaky_relu(0.2)", "tanh", "erf", "sigmoid", "hard_tanh", "gelu", "silu", "selu", "sin"]


@pytest.mark.parametrize("activation", ALL)
def test_kernel_map_agrees_with_length_and_correlation_maps(activation):
    q, c = 1.7, -0.4
    kernel = theory.kernel_map(q * np.array([[1.0, c], [c, 1.0]]), activation, 1.4, 0.3)
    length = theory.length_map(q, activation, 1.4, 0.3)
    np.testing.assert_allclose(np.diag(kernel), length, rtol=1e-13)
    assert kernel[0, 1] / length == pytest.approx(theory.correlation_map(c, q, activation, 1.4, 0.3), abs=1e-13)


@pytest.mark.parametrize("activation", ALL)
def test_equal_inputs_stay_equal_and_correlations_stay_correlations(activation):
    c = theory.correlation_map(np.linspace(-1.0, 1.0, 21), 2.0, activation, 1.2, 0.1)
    assert c[-1] == 1.0
    assert np.all(np.abs(c) <= 1.0 + 1e-14)
    assert np.all(np.diff(c) > 0.0)


@pytest.mark.parametrize("activation", ALL)
@pytest.mark.parametrize("q", [1e-8, 1.0, 1e4])
def test_close_inputs_separate_by_chi_however_close(activation, q):
    e = np.array([1e-10, 1e-14, 1e-20]) / max(q, 1.0)
    growth = theory.decorrelation_map(e, q, activation, 1.3, 0.2) / e
    chi = theory.chi(activation, 1.3, 0.2, q=q) * q / theory.length_map(q, activation, 1.3, 0.2)
    # Kinks add a term of order sqrt(q e) to the ratio, bends one of order q e.
    np.testing.assert_allclose(growth, chi, rtol=3.0 * np.sqrt(max(q, 1.0) * e[0]))
    assert growth[2] == pytest.approx(chi, rel=1e-9)


@pytest.mark.parametrize("activation", ["tanh", "sigmoid", "erf", "silu", "sin"])
def test_ratio_of_decorrelations_is_exact_to_eleven_digits_for_smooth_activations(activation):
    q, e = 1.0, 1e-14
    growth = theory.decorrelation_map(e, q, activation, 1.3, 0.0) / e
    assert growth == pytest.approx(
        theory.chi(activation, 1.3, 0.0, q=q) / theory.length_map(q, activation, 1.3, 0.0), rel=1e-11
    )


@pytest.mark.parametrize("activation", ALL)
@pytest.mark.parametrize("sigma_b", [0.0, 0.3])
@pytest.mark.parametrize("sigma_w", [1.3, 3.0])
def test_fixed_points_are_where_iteration_ends(activation, sigma_b, sigma_w):
    q, c = theory.fixed_point(activation, sigma_w, sigma_b)
    path = theory.propagate(300, activation, sigma_w, sigma_b, input_correlation=0.3 if 0.0 < q < np.inf else None)
    if q == np.inf:
        assert path.length[-1] > 1e3
    else:
        assert path.length[-1] == pytest.approx(q, rel=1e-6, abs=1e-12)
    if 0.0 < q < np.inf:
        assert path.decorrelation[-1] == pytest.approx(1.0 - c, abs=1e-4)


@pytest.mark.parametrize(
    ("activation", "sigma_w", "sigma_b", "q", "c"),
    [
        ("sin", 1.0, 3.2e7, 1.024e15 + 0.5, 1.0),
        ("tanh", 1.0, 1e8, 1e16 + 1.0, 1.0),
        ("tanh", 3.2e7, 0.0, 1.024e15, 0.0),
        # Signs of two Gaussians: c is the fixed point of (2 asin(c) / pi + 1) / 2.
        ("erf", 1e20, 1e20, 2e40, 0.78983262837),
        ("tanh", 1e50, 1e50, 2e100, 0.78983262837),
        ("gelu", 1.0, 1e12, 2e24, 1.0),
        ("selu", 1.0, 1e12, 1e24 / (1.0 - 0.5 * 1.0507009873554805**2), 1.0),
    ],
)
def test_fixed_points_of_any_size_are_found(activation, sigma_w, sigma_b, q, c):
    found, overlap = theory.fixed_point(activation, sigma_w, sigma_b)
    assert found == pytest.approx(q, rel=1e-7)
    assert overlap == pytest.approx(c, abs=1e-9)
    assert theory.length_map(found, activation, sigma_w, sigma_b) == pytest.approx(found, rel=1e-11)


def test_fixed_points_depend_on_the_start_where_there_are_several():
    # The slope of GELU is 1/2 on average near 0 and 1/sqrt(2) in mean square far away.
    assert theory.fixed_point("gelu", 1.7, 0.0, q_start=0.01)[0] == 0.0
    assert theory.fixed_point("gelu", 1.7, 0.0, q_start=1.0)[0] == np.inf


def test_gradients_of_a_trajectory_are_products_of_its_gains():
    path = theory.propagate(5, "tanh", 1.7, 0.3)
    chi = [theory.chi("tanh", 1.7, 0.3, q=q) for q in path.length]
    np.testing.assert_allclose(path.chi, chi, rtol=1e-13)
    top = chi[-1] / 1.7**2
    np.testing.assert_allclose(path.gradient_norm, [np.prod(chi[l:-1]) * top for l in range(5)], rtol=1e-12)
    assert np.all(np.isnan(path.decorrelation))


@pytest.mark.parametrize("activation", ["relu", "gelu", "selu", "linear"])
def test_exploding_networks_end_at_infinity_without_a_warning(activation):
    path = theory.propagate(80, activation, 1000.0, 0.1, input_correlation=0.5)
    assert path.length[-1] == np.inf
    assert np.all(path.gradient_norm > 0.0)


def test_vanishing_networks_end_at_zero_without_a_warning():
    path = theory.propagate(900, "relu", 0.5, 0.0, input_correlation=0.5)
    assert path.length[-1] == 0.0
    assert np.isnan(path.decorrelation[-1])


@pytest.mark.parametrize(
    ("activation", "sigma_w", "sigma_b", "q", "c"),
    [
        ("relu", 1.0, 0.0, 0.0, 1.0),
        ("relu", 2.0, 0.3, np.inf, 1.0),
        ("relu", root(2.0), 0.3, np.inf, 1.0),
        ("gelu", 2.0, 0.3, np.inf, 1.0),
        ("linear", 0.5, 0.0, 0.0, np.nan),
        ("linear", 2.0, 0.3, np.inf, np.nan),
        ("linear", 1.0, 0.3, np.inf, 1.0),
        ("tanh", 0.5, 0.0, 0.0, np.nan),
        ("tanh", 0.0, 0.5, 0.25, 1.0),
    ],
)
def test_limits_of_networks_without_a_finite_length(activation, sigma_w, sigma_b, q, c):
    np.testing.assert_allclose(theory.fixed_point(activation, sigma_w, sigma_b), (q, c), rtol=1e-12)


def test_critical_relu_keeps_the_length_it_starts_with():
    assert theory.fixed_point("relu", root(2.0), 0.0) == (1.0, 1.0)
    assert theory.fixed_point("relu", root(2.0), 0.0, q_start=3.0) == (3.0, 1.0)


def test_chi_of_relu_is_half_the_weight_variance_at_any_length():
    for sigma_w, sigma_b in ((0.5, 0.0), (1.0, 0.3), (2.0, 0.3)):
        assert theory.chi("relu", sigma_w, sigma_b) == pytest.approx(0.5 * sigma_w**2, rel=1e-15)


# --- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: theory.length_map(1.0, "tanh", -1.0, 0.0), "sigma_w"),
        (lambda: theory.length_map(1.0, "tanh", 1.0, np.nan), "sigma_b"),
        (lambda: theory.length_map(-1.0, "tanh", 1.0, 0.0), "q"),
        (lambda: theory.length_map(1.0, "tanhh", 1.0, 0.0), "activation"),
        (lambda: theory.correlation_map(1.1, 1.0, "tanh", 1.0, 0.0), "c"),
        (lambda: theory.decorrelation_map(-0.1, 1.0, "tanh", 1.0, 0.0), "e"),
        (lambda: theory.decorrelation_map(0.1, 0.0, "tanh", 1.0, 0.0), "q"),
        (lambda: theory.chi("tanh", 1.0, 0.0, c=2.0), "c"),
        (lambda: theory.fixed_point("tanh", 1.0, 0.0, q_start=0.0), "q_start"),
        (lambda: theory.propagate(0, "tanh", 1.0, 0.0), "depth"),
        (lambda: theory.propagate(3, "tanh", 1.0, 0.0, input_length=-1.0), "input_length"),
        (lambda: theory.propagate(3, "tanh", 1.0, 0.0, input_correlation=2.0), "input_correlation"),
        (lambda: theory.kernel_map([[1.0, 2.0], [2.0, 1.0]], "tanh", 1.0, 0.0), "covariance"),
        (lambda: theory.tangent_kernel(3, "tanh", 1.0, 0.0, [1.0, 2.0]), "inputs_gram"),
        (lambda: theory.tangent_kernel(-1, "tanh", 1.0, 0.0, 1.0), "depth"),
        (lambda: theory.correlation_decay("relu", 0.0), "activation"),
        (lambda: theory.length_map(1.0, "tanh", "1", 0.0), "sigma_w"),
        (lambda: theory.length_map("1", "tanh", 1.0, 0.0), "q"),
        (lambda: theory.length_map([1.0, [2.0]], "tanh", 1.0, 0.0), "q"),
        (lambda: theory.fixed_point("tanh", [1.0, 2.0], 0.0), "sigma_w"),
        (lambda: theory.fixed_point("tanh", 1e60, 0.0), "sigma_w"),
        (lambda: theory.fixed_point("tanh", 1.0, 0.0, q_start="1"), "q_start"),
        (lambda: theory.chi("tanh", 1.0, None), "sigma_b"),
        (lambda: theory.chi("tanh", True, 0.0), "sigma_w"),
        (lambda: theory.chi("tanh", 1.0, 0.0, c="1"), "c"),
        (lambda: theory.depth_scales("tanh", "1", 0.0), "sigma_w"),
        (lambda: theory.critical_sigma_w("tanh", "0"), "sigma_b"),
        (lambda: theory.critical_sigma_w("tanh", 1e6), "sigma_b"),
        (lambda: theory.propagate(2.5, "tanh", 1.0, 0.0), "depth"),
        (lambda: theory.propagate(3, "tanh", 1.0, 0.0, input_correlation="1"), "input_correlation"),
        (lambda: theory.kernel_map([["1"]], "tanh", 1.0, 0.0), "covariance"),
        (lambda: theory.correlation_decay("tanh", 0.0), "sigma_b"),
    ],
)
def test_bad_input_is_named(call, name):
    with pytest.raises(ValueError, match=rf"^{name}: "):
        call()


def test_theory_imports_no_kernels():
    code = (
        "import sys, types, pathlib, simnn; package = types.ModuleType('simnn.propagation');"
        "package.__path__ = [str(pathlib.Path(simnn.__file__).parent / 'propagation')];"
        "sys.modules['simnn.propagation'] = package; import simnn.propagation.theory;"
        "bad = {'numba', 'scipy', 'simnn.device', 'simnn.propagation.kernels'} & set(sys.modules);"
        "sys.exit(str(bad) if bad else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
