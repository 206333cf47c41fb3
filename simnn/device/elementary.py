"""Elementary functions without branches, so that loops over them vectorise, on every target.

Library functions are scalar calls inside compiled loops (10 to 40 times slower). These are polynomials in the working
precision, evaluated by Horner's rule, with selects for special cases. They hold on the whole line: NaN stays NaN,
infinities have their limits, subnormals are right.

==============  ===========================  ===========================  ==================================
function        largest error, float32       largest error, float64       domain
==============  ===========================  ===========================  ==================================
log             1 ulp                        1 ulp                        all; NaN below 0
log_unit        1 ulp                        1 ulp                        positive normal numbers only
exp             2 ulp                        2 ulp                        all; gradual underflow
expm1           4 ulp                        4 ulp                        x <= 0
tanh            2 ulp                        2 ulp                        all
tanh_slope      tanh and its derivative:     5 ulp                        all; 4e-37, 1e-307 is the least slope
                5 ulp
erf             3 ulp                        3 ulp                        all
normal_cdf      2e-7 absolute, and relative  4e-16 absolute, and          all
                (15 + 2 x^2) ulp for x < 0   relative (15 + 2 x^2) ulp     (x > -11 in float64)
normal_pdf      (3 + x^2) ulp                (3 + x^2) ulp                all
sincos          2e-7 absolute                3e-16 absolute               abs(x) <= 8192, 2^20; NaN beyond
sincos_turn     2e-7 absolute                3e-16 absolute               all words
==============  ===========================  ===========================  ==================================

Coefficients: Moshier's Cephes library (log, exp, tanh, erf; sine and cosine in single precision) and fdlibm (sine and
cosine in double precision).
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from simnn.device.targets import Target

_LOG: dict[bool, tuple[list[float], list[float]]] = {
    True: (
        [
            7.0376836292e-2,
            -1.1514610310e-1,
            1.1676998740e-1,
            -1.2420140846e-1,
            1.4249322787e-1,
            -1.6668057665e-1,
        ]
        + [2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1],
        [1.0],
    ),
    False: (
        [
            1.01875663804580931796e-4,
            4.97494994976747001425e-1,
            4.70579119878881725854,
            1.44989225341610930846e1,
        ]
        + [1.79368678507819816313e1, 7.70838733755885391666],
        [
            1.0,
            1.12873587189167450590e1,
            4.52279145837532221105e1,
            8.29875266912776603211e1,
            7.11544750618563894466e1,
        ]
        + [2.31251620126765340583e1],
    ),
}
_EXP: dict[bool, Any] = {
    True: [
        1.9875691500e-4,
        1.3981999507e-3,
        8.3334519073e-3,
        4.1665795894e-2,
        1.6666665459e-1,
        5.0000001201e-1,
    ],
    False: (
        [1.26177193074810590878e-4, 3.02994407707441961300e-2, 9.99999999999999999910e-1],
        [3.00198505138664455042e-6, 2.52448340349684104192e-3, 2.27265548208155028766e-1, 2.0],
    ),
}
_TANH: dict[bool, tuple[list[float], list[float]]] = {
    True: (
        [-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1],
        [1.0],
    ),
    False: (
        [-9.64399179425052238628e-1, -9.92877231001918586564e1, -1.61468768441708447952e3],
        [1.0, 1.12811678491632931402e2, 2.23548839060100448583e3, 4.84406305325125486048e3],
    ),
}
_ERF: dict[bool, tuple[list[float], list[float]]] = {
    True: (
        [7.853861353153693e-5, -8.010193625184903e-4, 5.188327685732524e-3, -2.685381193529856e-2]
        + [1.128358514861418e-1, -3.761262582423300e-1, 1.128379165726710],
        [1.0],
    ),
    False: (
        [9.60497373987051638749, 9.00260197203842689217e1, 2.23200534594684319226e3, 7.00332514112805075473e3]
        + [5.55923013010394962768e4],
        [1.0, 3.35617141647503099647e1, 5.21357949780152679795e2, 4.59432382970980127987e3]
        + [2.26290000613890934246e4, 4.92673942608635921086e4],
    ),
}
# erfc(x) exp(x^2) beyond 1: in 1/x^2, below and above 2 (single); rational in x (double).
_ERFC_NEAR = [2.326819970068386e-2, -1.387039388740657e-1, 3.687424674597105e-1, -5.824733027278666e-1] + [
    6.210004621745983e-1, -4.944515323274145e-1, 3.404879937665872e-1, -2.741127028184656e-1, 5.638259427386472e-1,
]  # fmt: skip
_ERFC_FAR = [-1.047766399936249e1, 1.297719955372516e1, -7.495518717768503, 2.921019019210786] + [
    -1.015265279202700, 4.218463358204948e-1, -2.820767439740514e-1, 5.641895067754075e-1,
]  # fmt: skip
_ERFC = (
    [2.46196981473530512524e-10, 5.64189564831068821977e-1, 7.46321056442269912687, 4.86371970985681366614e1]
    + [1.96520832956077098242e2, 5.26445194995477358631e2, 9.34528527171957607540e2, 1.02755188689515710272e3]
    + [5.57535335369399327526e2],
    [
        1.0,
        1.32281951154744992508e1,
        8.67072140885989742329e1,
        3.54937778887819891062e2,
        9.75708501743205489753e2,
    ]
    + [
        1.82390916687909736289e3,
        2.24633760818710981792e3,
        1.65666309194161350182e3,
        5.57535340817727675546e2,
    ],
)
_SIN = {
    True: [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1],
    False: [1.58969099521155010221e-10, -2.50507602534068634195e-8, 2.75573137070700676789e-6]
    + [-1.98412698298579493134e-4, 8.33333333332248946124e-3, -1.66666666666666324348e-1],
}
_COS = {
    True: [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2],
    False: [-1.13596475577881948265e-11, 2.08757232129817482790e-9, -2.75573143513906633035e-7]
    + [2.48015872894767294178e-5, -1.38888888888741095749e-3, 4.16666666666666019037e-2],
}
# pi/2 in three parts with trailing zeros: a multiple of the first two is exact.
_HALF_PI = {
    True: (1.5703125, 4.837512969970703125e-4, 7.54978995489188216e-8),
    False: (1.57079632673412561417, 6.07710050630396597660e-11, 2.02226624879595063154e-21),
}
_SINCOS_LIMIT = {True: 8192.0, False: 1048576.0}


class Elementary(NamedTuple):
    """Elementary functions of one target (see `bind`)."""

    log: Callable[..., Any]
    log_unit: Callable[..., Any]
    exp: Callable[..., Any]
    expm1: Callable[..., Any]
    tanh: Callable[..., Any]
    tanh_slope: Callable[..., Any]
    erf: Callable[..., Any]
    normal_cdf: Callable[..., Any]
    normal_pdf: Callable[..., Any]
    sincos: Callable[..., Any]
    sincos_turn: Callable[..., Any]


def polynomial(target: Target, coefficients: list[float]) -> Callable[..., Any]:
    """Device function that evaluates a polynomial by Horner's rule.

    Parameters
    ----------
    target : Target
        Where it runs.
    coefficients : list of float
        Highest power first.

    Returns
    -------
    callable
        Of one real.
    """
    c = tuple(target.real(value) for value in coefficients)

    @target.device
    def evaluate(x):
        # A constant tuple: the compiler unrolls the loop.
        value = c[0]
        for k in range(1, len(c)):
            value = value * x + c[k]
        return value

    return evaluate


@functools.cache
def bind(target: Target) -> Elementary:
    """Bind the functions for a target.

    Parameters
    ----------
    target : Target
        Where the functions run.

    Returns
    -------
    Elementary
        Functions of one real, but ``tanh_slope(x) -> (tanh x, 1 - tanh^2 x)``, ``sincos(x) -> (sin x, cos x)`` and
        ``sincos_turn(high, low)``: sine and cosine of
        the angle ``2 pi (high - 2^29 + 1/2) / 2^32`` of a random 32-bit word (float32, which ignores ``low``), or of
        52 bits of two words (float64).
    """
    log, log_unit = _bind_log(target)
    exp, exp_bounded = _bind_exp(target)
    tanh, tanh_slope, expm1 = _bind_tanh(target, exp_bounded)
    erf, normal_cdf, normal_pdf = _bind_erf(target, exp)
    sincos, sincos_turn = _bind_sincos(target)
    return Elementary(log, log_unit, exp, expm1, tanh, tanh_slope, erf, normal_cdf, normal_pdf, sincos, sincos_turn)


def _bind_log(target: Target) -> tuple[Callable[..., Any], Callable[..., Any]]:
    real, integer, to_bits, from_bits = target.real, target.integer, target.to_bits, target.from_bits
    numerator, denominator = (polynomial(target, c) for c in _LOG[target.single])
    offset, mask, shift = (
        (integer(0x3F3504F3), integer(0x007FFFFF), integer(23))
        if target.single
        else (integer(0x3FE6A09E667F3BCD), integer(0x000FFFFFFFFFFFFF), integer(52))
    )
    low, high = real(2.121944400546905827679e-4), real(0.693359375)
    one, half, zero = real(1.0), real(0.5), real(0.0)
    tiny, lift, lift_log = real(np.finfo(real).tiny), real(2.0**60), real(60.0)
    nan, infinity = real(np.nan), real(np.inf)

    @target.device
    def parts(x):
        i = integer(to_bits(x) - offset)
        z = from_bits(integer(integer(i & mask) + offset)) - one
        return z, real(np.int32(integer(i >> shift)))

    @target.device
    def assemble(z, e):
        square = z * z
        tail = z * square * (numerator(z) / denominator(z)) - low * e - half * square
        return (z + tail) + high * e

    @target.device
    def log_unit(x):
        z, e = parts(x)
        return assemble(z, e)

    @target.device
    def log(x):
        small = x < tiny
        z, e = parts(x * lift if small else x)
        value = assemble(z, e - lift_log if small else e)
        value = x if x == infinity else value
        value = -infinity if x == zero else value
        return value if x >= zero else nan

    return log, log_unit


def _bind_exp(target: Target) -> tuple[Callable[..., Any], Callable[..., Any]]:
    real, integer, from_bits = target.real, target.integer, target.from_bits
    one, half, two = real(1.0), real(0.5), real(2.0)
    log2_e = real(1.44269504088896341)
    bias, shift = (integer(127), integer(23)) if target.single else (integer(1023), integer(52))
    lowest, highest = (real(-104.0), real(89.0)) if target.single else (real(-746.0), real(710.0))
    zero, floor = real(0.0), target.operations.floor

    if target.single:
        ln2_high, ln2_low = real(0.693359375), real(-2.12194440e-4)
        series = polynomial(target, _EXP[True])

        @target.device
        def fraction(r):
            return (r * r * series(r) + r) + one

    else:
        ln2_high, ln2_low = real(6.93145751953125e-1), real(1.42860682030941723212e-6)
        numerator, denominator = (polynomial(target, c) for c in _EXP[False])

        @target.device
        def fraction(r):
            square = r * r
            p = r * numerator(square)
            return one + two * p / (denominator(square) - p)

    @target.device
    def power_of_two(n):
        return from_bits(integer(integer(integer(np.int32(n)) + bias) << shift))

    @target.device
    def exp_bounded(x):
        n = floor(x * log2_e + half)
        return fraction((x - n * ln2_high) - n * ln2_low) * power_of_two(n)

    @target.device
    def exp(x):
        y = x if x == x else zero
        y = min(max(y, lowest), highest)
        n = floor(y * log2_e + half)
        # Two factors: their product may underflow gradually or overflow, each alone does not.
        first = floor(n * half)
        value = fraction((y - n * ln2_high) - n * ln2_low) * power_of_two(first) * power_of_two(n - first)
        return value if x == x else x

    return exp, exp_bounded


def _bind_tanh(target: Target, exp_bounded: Callable[..., Any]) -> tuple[Callable[..., Any], ...]:
    real = target.real
    numerator, denominator = (polynomial(target, c) for c in _TANH[target.single])
    one, two, half = real(1.0), real(2.0), real(0.5)
    copysign = target.operations.copysign
    # Beyond, the exponential would overflow; tanh is 1 long before.
    limit, switch = real(43.0 if target.single else 354.0), real(0.625)

    @target.device
    def tanh_slope(x):
        a = min(abs(x), limit)
        square = a * a
        below = a + a * square * (numerator(square) / denominator(square))
        complement = two / (exp_bounded(a + a) + one)
        value = copysign(below if a < switch else one - complement, x)
        # 1 - tanh^2 would be zero from 9 (single) or 19 (double) on.
        slope = one - below * below if a < switch else complement * (two - complement)
        return (value if x == x else x), (slope if x == x else x)

    @target.device
    def tanh(x):
        return tanh_slope(x)[0]

    @target.device
    def expm1(x):
        t = tanh(half * x)
        return two * t / (one - t)

    return tanh, tanh_slope, expm1


def _bind_erf(
    target: Target, exp: Callable[..., Any]
) -> tuple[Callable[..., Any], Callable[..., Any], Callable[..., Any]]:
    real = target.real
    numerator, denominator = (polynomial(target, c) for c in _ERF[target.single])
    one, two, half = real(1.0), real(2.0), real(0.5)
    root_half, root_two_pi = real(np.sqrt(0.5)), real(1.0 / np.sqrt(2.0 * np.pi))
    copysign = target.operations.copysign

    if target.single:
        near, far = polynomial(target, _ERFC_NEAR), polynomial(target, _ERFC_FAR)

        @target.device
        def scaled_complement(a):
            inverse = one / a
            square = inverse * inverse
            return inverse * (near(square) if a < two else far(square))

    else:
        above, below, limit = polynomial(target, _ERFC[0]), polynomial(target, _ERFC[1]), real(8.0)

        @target.device
        def scaled_complement(a):
            b = min(a, limit)
            return above(b) / below(b)

    @target.device
    def inner(x):
        """``erf`` for ``abs(x) < 1``."""
        b = min(max(x, -one), one)
        square = b * b
        return b * (numerator(square) / denominator(square))

    @target.device
    def outer(a):
        """``erfc`` for ``a >= 1``."""
        b = max(a, one)
        return exp(-(b * b)) * scaled_complement(b)

    @target.device
    def erf(x):
        a = abs(x)
        value = inner(x) if a < one else copysign(one - outer(a), x)
        return value if x == x else x

    @target.device
    def normal_cdf(x):
        y = x * root_half
        a = abs(y)
        tail = half * outer(a)
        value = half + half * inner(y) if a < one else (tail if x < half else one - tail)
        return value if x == x else x

    @target.device
    def normal_pdf(x):
        return root_two_pi * exp(-half * (x * x))

    return erf, normal_cdf, normal_pdf


def _bind_sincos(target: Target) -> tuple[Callable[..., Any], Callable[..., Any]]:
    real, word = target.real, target.word
    sine_series, cosine_series = (
        polynomial(target, _SIN[target.single]),
        polynomial(target, _COS[target.single]),
    )
    one, half, zero, nan = real(1.0), real(0.5), real(0.0), real(np.nan)
    part_1, part_2, part_3 = (real(part) for part in _HALF_PI[target.single])
    limit, two_over_pi = real(_SINCOS_LIMIT[target.single]), real(2.0 / np.pi)
    i0, i1, i2 = np.int32(0), np.int32(1), np.int32(2)
    thirty, twelve, remainder = word(30), word(12), word(0x3FFFFFFF)
    eighth = np.int32(2**29)
    turn, low_bit, floor = real(2.0 * np.pi / 2.0**32), real(2.0**-20), target.operations.floor

    @target.device
    def quadrant(t, q):
        """Sine and cosine of ``q pi/2 + t``, ``abs(t) <= pi/4``."""
        square = t * t
        s = t + t * square * sine_series(square)
        c = one - half * square + square * square * cosine_series(square)
        odd = np.int32(q & i1) != i0
        sine, cosine = (c if odd else s), (s if odd else c)
        sine = -sine if np.int32(q & i2) != i0 else sine
        cosine = -cosine if np.int32(np.int32(q + i1) & i2) != i0 else cosine
        return sine, cosine

    @target.device
    def sincos(x):
        inside = abs(x) <= limit
        y = x if inside else zero
        n = floor(y * two_over_pi + half)
        t = ((y - n * part_1) - n * part_2) - n * part_3
        sine, cosine = quadrant(t, np.int32(n))
        return (sine if inside else nan), (cosine if inside else nan)

    if target.single:

        @target.device
        def sincos_turn(high, _low):
            r = np.int32(np.int32(high & remainder) - eighth)
            return quadrant((real(r) + half) * turn, np.int32(high >> thirty))

    else:

        @target.device
        def sincos_turn(high, low):
            r = np.int32(np.int32(high & remainder) - eighth)
            fraction = (real(np.int32(low >> twelve)) + half) * low_bit
            return quadrant((real(r) + fraction) * turn, np.int32(high >> thirty))

    return sincos, sincos_turn
