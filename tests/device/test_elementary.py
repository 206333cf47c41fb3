"""Elementary functions over their whole domain: accuracy in ulp, special values, parity of the targets."""

import mpmath
import numpy as np
import pytest

from simnn.device import elementary, targets

# Largest error in units in the last place, (float32, float64): the table of the module's docstring.
ULP = {"log": (1, 1), "exp": (2, 2), "expm1": (4, 4), "tanh": (2, 2), "erf": (3, 3)}
REALS = [np.float32, np.float64]

REFERENCES = {
    "log": mpmath.log,
    "exp": mpmath.exp,
    "expm1": mpmath.expm1,
    "tanh": mpmath.tanh,
    "erf": mpmath.erf,
    "normal_cdf": mpmath.ncdf,
    "normal_pdf": mpmath.npdf,
}
FAST = {"log": np.log, "exp": np.exp, "expm1": np.expm1, "tanh": np.tanh}


def over(function, target):
    """Loop over an array, compiled for the target."""

    @target.routine
    def loop(x, y):
        for i in range(x.shape[0]):
            y[i] = function(x[i])

    def apply(x):
        y = np.empty_like(x)
        loop(x, y)
        return y

    return apply


def apply(name, real, x):
    return over(getattr(elementary.bind(targets.cpu(real)), name), targets.cpu(real))(x)


def bit_patterns(real, count):
    """Finite numbers spread evenly over all bit patterns: every exponent, both signs, subnormals."""
    if real is np.float32:
        x = (np.arange(count, dtype=np.uint64) * (2**32 // count) + 12345).astype(np.uint32).view(np.float32)
    else:
        x = (np.arange(count, dtype=np.uint64) * np.uint64(2**64 // count) + np.uint64(12345)).view(np.float64)
    return x[np.isfinite(x)]


def domain(name, x):
    return {"log": x[x > 0.0], "expm1": x[x <= 0.0]}.get(name, x)


def ulps(measured, exact, real):
    """Error in units in the last place of the rounded exact value; equal infinities and zeros count as none."""
    with np.errstate(over="ignore", invalid="ignore"):
        rounded = exact.astype(real)
        error = np.abs(measured.astype(exact.dtype) - exact) / np.spacing(np.abs(rounded)).astype(exact.dtype)
    return np.where(measured == rounded, np.minimum(np.nan_to_num(error), 0.5), error)


def exactly(name, x):
    with mpmath.workdps(60):
        return np.array([float(REFERENCES[name](mpmath.mpf(float(value)))) for value in x])


@pytest.mark.parametrize("name", FAST)
def test_float32_is_accurate_over_all_exponents(name):
    x = domain(name, bit_patterns(np.float32, 2**20))
    with np.errstate(over="ignore"):
        exact = FAST[name](x.astype(np.float64))
    assert ulps(apply(name, np.float32, x), exact, np.float32).max() <= ULP[name][0]


@pytest.mark.parametrize("name", FAST)
def test_float32_is_accurate_where_networks_live(name):
    x = domain(name, np.linspace(-12.0, 12.0, 2**20, dtype=np.float32))
    assert ulps(apply(name, np.float32, x), FAST[name](x.astype(np.float64)), np.float32).max() <= ULP[name][0]


@pytest.mark.parametrize("name", FAST)
def test_float64_is_accurate_over_all_exponents(name):
    # Extended precision has 11 bits more: its own rounding is below 0.001 ulp.
    x = domain(name, np.concatenate([bit_patterns(np.float64, 2**17), np.linspace(-25.0, 25.0, 2**17)]))
    with np.errstate(over="ignore", under="ignore"):
        exact = FAST[name](x.astype(np.longdouble))
        measured = apply(name, np.float64, x)
        normal = np.abs(exact) > np.finfo(np.float64).tiny
    assert ulps(measured, exact, np.float64)[normal].max() <= ULP[name][1]
    np.testing.assert_allclose(measured[~normal], exact[~normal].astype(np.float64), rtol=0, atol=1e-323)


@pytest.mark.parametrize("real", REALS)
def test_erf_is_accurate(real):
    x = np.concatenate([np.linspace(-6.5, 6.5, 3001), np.geomspace(1e-300 if real is np.float64 else 1e-37, 1.0, 300)])
    x = x.astype(real)
    # Exact values come as float64: their rounding adds half an ulp there.
    slack = 0.5 if real is np.float64 else 0.0
    assert ulps(apply("erf", real, x), exactly("erf", x), real).max() <= ULP["erf"][real is np.float64] + slack


@pytest.mark.parametrize(("real", "absolute", "lowest"), [(np.float32, 2e-7, -12.0), (np.float64, 4e-16, -11.0)])
def test_normal_distribution_is_accurate_into_its_lower_tail(real, absolute, lowest):
    x = np.linspace(lowest, 9.0, 1500).astype(real)
    cdf, exact = apply("normal_cdf", real, x), exactly("normal_cdf", x)
    np.testing.assert_allclose(cdf, exact, rtol=0, atol=absolute)
    normal = (x < 0.0) & (exact > np.finfo(real).tiny)
    assert np.all(ulps(cdf, exact, real)[normal] <= 15.0 + 2.0 * x[normal].astype(float) ** 2)
    pdf, exact = apply("normal_pdf", real, x), exactly("normal_pdf", x)
    normal = exact > np.finfo(real).tiny
    assert np.all(ulps(pdf, exact, real)[normal] <= 3.5 + x[normal].astype(float) ** 2)


@pytest.mark.parametrize(("real", "limit", "bound"), [(np.float32, 8192.0, 2e-7), (np.float64, 2.0**20, 3e-16)])
def test_sine_and_cosine_are_accurate_in_their_domain_and_nan_beyond(real, limit, bound):
    target = targets.cpu(real)
    sincos = elementary.bind(target).sincos
    sine, cosine = (over(target.device(pick), target) for pick in (lambda x: sincos(x)[0], lambda x: sincos(x)[1]))
    x = np.concatenate([np.linspace(-limit, limit, 2**17), np.linspace(-10.0, 10.0, 2**17)]).astype(real)
    wide = x.astype(np.float64 if real is np.float32 else np.longdouble)
    assert np.max(np.abs(sine(x) - np.sin(wide))) <= bound
    assert np.max(np.abs(cosine(x) - np.cos(wide))) <= bound
    beyond = np.array([limit * 1.01, -limit * 1.01, np.inf, -np.inf, np.nan], real)
    assert np.all(np.isnan(sine(beyond)))
    assert np.all(np.isnan(cosine(beyond)))


SPECIAL = {
    "log": [(0.0, -np.inf), (-0.0, -np.inf), (np.inf, np.inf), (-1.0, np.nan), (-np.inf, np.nan), (1.0, 0.0)],
    "exp": [(0.0, 1.0), (np.inf, np.inf), (-np.inf, 0.0), (1e30, np.inf), (-1e30, 0.0)],
    "expm1": [(0.0, 0.0), (-np.inf, -1.0), (-1e30, -1.0)],
    "tanh": [(0.0, 0.0), (np.inf, 1.0), (-np.inf, -1.0), (1e30, 1.0), (1e-37, 1e-37)],
    "erf": [(0.0, 0.0), (np.inf, 1.0), (-np.inf, -1.0), (1e30, 1.0)],
    "normal_cdf": [(0.0, 0.5), (np.inf, 1.0), (-np.inf, 0.0)],
    "normal_pdf": [(np.inf, 0.0), (-np.inf, 0.0), (1e15, 0.0)],
}


@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize("name", SPECIAL)
def test_special_values_are_right(name, real):
    x, expected = (np.array(column, real) for column in zip(*SPECIAL[name], strict=True))
    np.testing.assert_allclose(apply(name, real, x), expected, rtol=1e-6, atol=0)
    assert np.isnan(apply(name, real, np.array([np.nan], real))[0])


@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize("name", ["tanh", "erf"])
def test_odd_functions_keep_the_sign_of_zero(name, real):
    assert np.signbit(apply(name, real, np.array([-0.0], real)))[0]


@pytest.mark.parametrize("real", REALS)
def test_tanh_is_monotone_and_never_beyond_one(real):
    # Between neighbours the two branches may differ by rounding: steps down are at most one ulp, and only there.
    x = np.linspace(0.0, 25.0, 2**20).astype(real)
    y = apply("tanh", real, x)
    assert y.max() == 1.0
    assert np.all(np.diff(y) >= -np.spacing(y[1:]))


@pytest.mark.parametrize(("real", "end"), [(np.float32, 43.0), (np.float64, 350.0)])
def test_the_slope_of_tanh_is_accurate_into_its_tails(real, end):
    target = targets.cpu(real)
    function = elementary.bind(target).tanh_slope
    x = np.concatenate([np.linspace(-3.0, 3.0, 1500), np.linspace(-end, end, 1500)]).astype(real)
    slope = over(target.device(lambda x: function(x)[1]), target)(x)
    with mpmath.workdps(60):
        exact = np.array([float(mpmath.sech(mpmath.mpf(float(value))) ** 2) for value in x])
    assert ulps(slope, exact, real).max() <= 5.0
    np.testing.assert_array_equal(over(target.device(lambda x: function(x)[0]), target)(x), apply("tanh", real, x))


@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize("name", SPECIAL)
def test_plain_python_and_strict_compilation_give_the_same_bits(name, real):
    x = np.concatenate([np.linspace(-8.0, 8.0, 150), [value for value, _ in SPECIAL[name]], [1e-40, np.nan]]).astype(
        real
    )
    x = x[x >= 0.0] if name == "log" else x[x <= 0.0] if name == "expm1" else x
    plain = getattr(elementary.bind(targets.python(real)), name)
    with np.errstate(all="ignore"):
        expected = np.array([plain(value) for value in x], real)
    strict = over(getattr(elementary.bind(targets.strict(real)), name), targets.strict(real))(x)
    np.testing.assert_array_equal(strict.view(np.uint8), expected.view(np.uint8))


@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize("name", ULP)
def test_contraction_moves_values_by_rounding_only(name, real):
    x = domain(name, np.linspace(-8.0, 8.0, 2**16).astype(real))
    strict = over(getattr(elementary.bind(targets.strict(real)), name), targets.strict(real))(x)
    distance = np.abs(apply(name, real, x) - strict) / np.spacing(np.abs(strict))
    assert distance.max() <= 4.0


# Words of the generator and the normals that Box-Muller makes of them with u = (floor(w / 2^8) + 1/2) 2^-24 rounded.
ANCHORS32 = [
    ("0598de3a 98d2802e 270f8f9e eab709d3", [-2.7223146, 0.484608501, 0.504097879, -1.87243223]),
    ("c1984886 f78fe55c 4c6b0354 d3b0173b", [0.408608109, -0.625986636, -0.46276924, -1.48450744]),
    ("2dce73e5 1348e23f fcf8e0ec a287aadb", [1.76552081, -0.569597363, -0.153962031, -0.00957247615]),
]
ANCHORS64 = [
    ("0598de3a 98d2802e 270f8f9e eab709d3", [2.7236945031126467, 0.47679272166043407]),
    ("c1984886 f78fe55c 4c6b0354 d3b0173b", [0.3456066527710006, 0.6628542185409707]),
    ("2dce73e5 1348e23f fcf8e0ec a287aadb", [1.210760732950744, -1.4055473156242868]),
]


@pytest.mark.parametrize(("words", "expected"), ANCHORS32)
def test_box_muller_in_single_precision_gives_the_anchors(words, expected):
    functions = elementary.bind(targets.python(np.float32))
    w = [np.uint64(int(word, 16)) for word in words.split()]
    pairs = []
    for radius, angle in (w[:2], w[2:]):
        u = (np.float32(radius >> np.uint64(8)) + np.float32(0.5)) * np.float32(2.0**-24)
        r = np.sqrt(np.float32(-2.0) * functions.log_unit(u))
        sine, cosine = functions.sincos_turn(angle, angle)
        pairs += [r * cosine, r * sine]
    np.testing.assert_allclose(pairs, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("words", "expected"), ANCHORS64)
def test_box_muller_in_double_precision_gives_the_anchors(words, expected):
    from simnn.device import philox

    w = [np.uint64(int(word, 16)) for word in words.split()]
    np.testing.assert_allclose(philox.bind(targets.python(np.float64)).normal_pair(*w), expected, rtol=1e-14)


@pytest.mark.parametrize("position", [0, 4])
def test_a_planted_error_in_a_coefficient_is_caught(monkeypatch, position):
    coefficients = list(elementary._TANH[True][0])
    coefficients[position] *= 1.02
    monkeypatch.setitem(elementary._TANH, True, (coefficients, [1.0]))
    target = targets.strict(np.float32)
    wrong, _, _ = elementary._bind_tanh(target, elementary._bind_exp(target)[1])
    x = np.linspace(-0.6, 0.6, 2**16, dtype=np.float32)
    assert ulps(over(wrong, target)(x), np.tanh(x.astype(np.float64)), np.float32).max() > ULP["tanh"][0]
