"""How linear, and how sparse, is one ReLU as its bias grows: ``E max(x + b, 0)`` and ``P(x > -b)`` for symmetric x.

For any symmetric law of the input, ``dE/db = P(x > -b)``, so that with a density p that is smooth at 0

    E max(x + b, 0) = E|x|/2 + b/2 + p(0) b^2/2 + p''(0) b^4/24 + ...

The first two terms are the tangent; the rest is the excess. An atom at 0 turns the excess into a kink
``P(x = 0) |b|/2``, a cusp of the density (Laplace) adds ``p'(0+) |b|^3/6``, and where no input is near 0 (Rademacher)
the tangent is exact. Inputs have variance 1, and biases are in units of their standard deviation.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simnn import studies
from simnn.studies import Claim

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

MODEL = "propagation"
TITLE = "Mean output and sparsity of one ReLU"
CAPTION = (
    "One ReLU whose input x is symmetric with variance 1, against its bias b. (a) Mean output; dashed: the tangent "
    "E|x|/2 + b/2 of the Gaussian. (b) Excess over the tangent: quadratic with coefficient p(0)/2 where x has a "
    "density p, a kink where x = 0 has positive probability (spike: half of all inputs), none at all for Rademacher "
    "inputs. Shaded: where the tangent is good to 1 % and 5 % for Gaussian inputs, on either side. (c) Fraction of "
    "inputs that activate the unit. Lines: closed forms. Points: means over {trials} inputs; standard errors are "
    "smaller than the symbols. Claims: SIG8, A3-01, A0-13."
)

Array = NDArray[np.float64]

ATOM = 0.5
"""Probability of x = 0 under the law ``spike``."""

_SLAB = 1.0 / np.sqrt(1.0 - ATOM)
_HALF_WIDTH = np.sqrt(3.0)
_DECAY = np.sqrt(0.5)


@dataclass(frozen=True)
class Law:
    """A symmetric law of variance 1, with closed forms for a ReLU.

    Attributes
    ----------
    draw : callable
        ``draw(generator, size)``: independent samples of x.
    mean : callable
        ``mean(b)``: E max(x + b, 0).
    active_fraction : callable
        ``active_fraction(b)``: P(x > -b).
    density : float
        p(0), of the continuous part.
    atom : float
        P(x = 0).
    """

    draw: Callable[[np.random.Generator, int], Array]
    mean: Callable[[Array], Array]
    active_fraction: Callable[[Array], Array]
    density: float
    atom: float = 0.0


def _relu(x: Array) -> Array:
    return np.maximum(x, 0.0)


def _normal_density(b: Array) -> Array:
    return np.asarray(np.exp(-0.5 * b**2) / np.sqrt(2.0 * np.pi), np.float64)


def _normal_cdf(b: Array) -> Array:
    from scipy.special import ndtr

    return np.asarray(ndtr(b), np.float64)


def _normal_mean(b: Array) -> Array:
    return _normal_density(b) + b * _normal_cdf(b)


def _spike(generator: np.random.Generator, size: int) -> Array:
    return np.where(generator.random(size) < ATOM, 0.0, _SLAB * generator.standard_normal(size))


LAWS = {
    "gaussian": Law(
        draw=lambda generator, size: generator.standard_normal(size),
        mean=_normal_mean,
        active_fraction=_normal_cdf,
        density=1.0 / np.sqrt(2.0 * np.pi),
    ),
    "uniform": Law(
        draw=lambda generator, size: generator.uniform(-_HALF_WIDTH, _HALF_WIDTH, size),
        mean=lambda b: (
            np.clip(b + _HALF_WIDTH, 0.0, 2.0 * _HALF_WIDTH) ** 2 / (4.0 * _HALF_WIDTH) + _relu(b - _HALF_WIDTH)
        ),
        active_fraction=lambda b: np.clip(0.5 + 0.5 * b / _HALF_WIDTH, 0.0, 1.0),
        density=0.5 / _HALF_WIDTH,
    ),
    "laplace": Law(
        draw=lambda generator, size: generator.laplace(0.0, _DECAY, size),
        mean=lambda b: _relu(b) + 0.5 * _DECAY * np.exp(-np.abs(b) / _DECAY),
        active_fraction=lambda b: (b > 0.0) - 0.5 * np.sign(b) * np.exp(-np.abs(b) / _DECAY) + 0.5 * (b == 0.0),
        density=0.5 / _DECAY,
    ),
    "rademacher": Law(
        draw=lambda generator, size: generator.choice([-1.0, 1.0], size),
        mean=lambda b: 0.5 * (_relu(b + 1.0) + _relu(b - 1.0)),
        active_fraction=lambda b: 0.5 * (b > -1.0) + 0.5 * (b > 1.0),
        density=0.0,
    ),
    "spike": Law(
        draw=_spike,
        mean=lambda b: ATOM * _relu(b) + (1.0 - ATOM) * _SLAB * _normal_mean(b / _SLAB),
        active_fraction=lambda b: ATOM * (b > 0.0) + (1.0 - ATOM) * _normal_cdf(b / _SLAB),
        density=(1.0 - ATOM) / (np.sqrt(2.0 * np.pi) * _SLAB),
        atom=ATOM,
    ),
}
"""Laws of the input by name; ``spike`` is 0 with probability `ATOM`, else Gaussian."""

_LONG_NAMES = {
    "mean": "mean output E max(x + b, 0)",
    "active_fraction": "fraction of inputs with x > -b",
    "excess": "mean output minus its tangent E|x|/2 + b/2",
}


def excess(law: str, bias: Array) -> Array:
    """Closed form of the mean output minus its tangent at zero bias.

    Parameters
    ----------
    law : str
        One of `LAWS`.
    bias : array
        In units of the standard deviation of the input.

    Returns
    -------
    array
        ``E max(x + b, 0) - E|x|/2 - b/2``.
    """
    mean = LAWS[law].mean
    return mean(bias) - mean(np.zeros_like(bias)) - 0.5 * bias


def linear_window(level: float, side: int) -> float:
    """Bias up to which the mean output stays close to its tangent, for Gaussian inputs.

    Parameters
    ----------
    level : float
        Excess over the tangent, relative to the tangent, such as 0.01.
    side : {-1, 1}
        Negative or positive biases. The error is larger on the negative side, where the mean output is smaller: it
        decides how far a window of both signs reaches.

    Returns
    -------
    float
        The magnitude of the bias.
    """
    from scipy.optimize import brentq

    def beyond(bias: float) -> float:
        point = np.asarray(side * bias)
        above = excess("gaussian", point)
        return float(above - level * (_normal_mean(point) - above))

    return float(brentq(beyond, 0.0, 1.0, xtol=1e-14))


def validate(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Check parameters as `simulate` takes them.

    Parameters
    ----------
    parameters : mapping
        ``law`` and ``bias`` (sequences), ``trials``, ``seed``, ``backend``.

    Returns
    -------
    dict
        The same with biases as floats.

    Raises
    ------
    ValueError
        One line that names the parameter, its value and what is allowed.
    """
    checked = studies.check(MODEL, parameters, axes={"law": 10, "bias": None})
    for law in checked["law"]:
        studies.require(law in LAWS, "law", law, f"one of {', '.join(LAWS)}")
    for bias in checked["bias"]:
        number = isinstance(bias, int | float) and not isinstance(bias, bool) and np.isfinite(bias)
        studies.require(number, "bias", bias, "a number")
    return {**checked, "bias": [float(bias) for bias in checked["bias"]]}


def simulate(
    *, law: Sequence[str], bias: Sequence[float], trials: int, seed: int = 0, backend: str = "auto"
) -> "xr.Dataset":
    """Draw inputs of one ReLU and average its output.

    Parameters
    ----------
    law : sequence of str
        Names in `LAWS`.
    bias : sequence of float
        Biases in units of the standard deviation of the input.
    trials : int
        Independent inputs for each law and bias.
    seed : int
        Key of all random numbers; each law and bias has a stream of its own.
    backend : str
        Accepted for the pipeline's sake: NumPy draws the inputs.

    Returns
    -------
    xarray.Dataset
        ``mean``, ``active_fraction`` and ``excess`` (law, bias), with standard errors over inputs. The excess is that
        of the pairs (x, -x), in which the tangent cancels: all inputs with |x| > |b| contribute exactly zero.
    """
    import xarray as xr

    points = {name: np.empty((len(law), len(bias))) for stem in _LONG_NAMES for name in (stem, f"{stem}_stderr")}
    for i, one_law in enumerate(law):
        for j, one_bias in enumerate(bias):
            x = LAWS[one_law].draw(_generator(seed, one_law, one_bias), trials)
            samples = {
                "mean": _relu(x + one_bias),
                "active_fraction": (x > -one_bias).astype(np.float64),
                "excess": 0.5 * _relu(abs(one_bias) - np.abs(x)),
            }
            for stem, values in samples.items():
                points[stem][i, j] = values.mean()
                points[f"{stem}_stderr"][i, j] = values.std(ddof=1) / np.sqrt(trials)
    dataset = xr.Dataset(
        {
            name: (
                ("law", "bias"),
                values,
                {"long_name": _LONG_NAMES.get(name, f"standard error of {name.removesuffix('_stderr')}"), "units": "1"},
            )
            for name, values in points.items()
        },
        {"law": list(law), "bias": list(bias)},
        {
            "parameters": json.dumps({"law": list(law), "bias": list(bias), "trials": trials, "seed": seed}),
            "trials": trials,
        },
    )
    dataset.law.attrs = {"long_name": "law of the input", "units": "1"}
    dataset.bias.attrs = {"long_name": "bias over the standard deviation of the input", "units": "1"}
    return dataset


def _generator(seed: int, law: str, bias: float) -> np.random.Generator:
    """A stream for each point, whatever other points a job computes."""
    import hashlib

    digest = hashlib.sha256(f"{seed} {law} {float(bias)!r}".encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))


def compare(dataset: "xr.Dataset") -> "xr.Dataset":
    """Add closed forms.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `simulate`.

    Returns
    -------
    xarray.Dataset
        With ``mean_theory``, ``active_fraction_theory`` and ``excess_theory`` (law, bias).
    """
    bias, laws = dataset.bias.values, [str(law) for law in dataset.law.values]
    closed = {
        "mean": [LAWS[law].mean(bias) for law in laws],
        "active_fraction": [LAWS[law].active_fraction(bias) for law in laws],
        "excess": [excess(law, bias) for law in laws],
    }
    return dataset.assign(
        {
            f"{stem}_theory": (
                ("law", "bias"), np.array(rows), {"long_name": f"closed form: {_LONG_NAMES[stem]}", "units": "1"}
            )
            for stem, rows in closed.items()
        }
    )  # fmt: skip


# Where no input decides between two biases, theory and measurement differ by rounding only.
_ROUNDING = 1e-12
# Standard errors mean something where this many inputs are expected on the rarer side of the threshold.
_FEWEST = 100
# Biases below this enter the expansion of the excess; it stops after four powers, which costs its second coefficient
# up to two parts in a thousand (on the closed forms; Laplace is worst).
_FIT_BELOW = 0.75
_FIT_ERROR = 2e-3
_POWERS = (1, 2, 3, 4)
_WINDOWS = ((0.01, -1), (0.05, -1), (0.01, 1), (0.05, 1))


def expansion(curve: "xr.Dataset", atom: bool) -> tuple[Array, Array]:
    """Coefficients of the excess in powers of ``|b|``, fitted to the simulation.

    Parameters
    ----------
    curve : xarray.Dataset
        One law of a dataset from `simulate`.
    atom : bool
        Whether a linear term is fitted too; only an atom at 0 makes one.

    Returns
    -------
    tuple of arrays
        Coefficients of ``|b|, b^2, |b|^3, b^4``, and their standard errors.
    """
    near = curve.sel(bias=(np.abs(curve.bias) < _FIT_BELOW) & (curve.bias != 0.0))
    size = np.abs(near.bias.values)
    powers = np.array(_POWERS if atom else _POWERS[1:])
    # Inputs with |x| < |b| are as rare as |b|, and their excess is as small: the noise grows as |b|^(3/2).
    weight = size**-1.5
    solve = np.linalg.pinv(weight[:, None] * size[:, None] ** powers) * weight
    coefficients, errors = np.zeros(len(_POWERS)), np.zeros(len(_POWERS))
    coefficients[powers - 1] = solve @ near.excess.values
    errors[powers - 1] = np.sqrt(solve**2 @ near.excess_stderr.values**2)
    return coefficients, errors


def measured_window(curve: "xr.Dataset", level: float, side: int) -> tuple[float, float]:
    """Bias at which the measured mean leaves its tangent.

    Parameters
    ----------
    curve : xarray.Dataset
        One law of a dataset from `simulate`, without an atom at 0.
    level : float
        Excess over the tangent, relative to the tangent.
    side : {-1, 1}
        Negative or positive biases.

    Returns
    -------
    tuple of float
        Magnitude of the bias, and its standard error; NaN where the grid ends before.
    """
    curve = curve.sel(bias=np.sign(curve.bias) == side).sortby("bias", ascending=side > 0)
    curve = curve.sel(bias=(curve.excess > 0.0) & (curve.excess < curve["mean"]))
    size, tangent = np.abs(curve.bias.values), (curve["mean"] - curve.excess).values
    # The root of the relative excess is nearly proportional to the bias: a cubic through four points inverts it.
    root = np.sqrt(curve.excess.values / tangent)
    error = curve.excess_stderr.values / tangent / (2.0 * root)
    beyond = np.flatnonzero(root > np.sqrt(level))
    if len(size) < 4 or len(beyond) == 0:
        return np.nan, np.nan
    first = min(max(beyond[0] - 2, 0), len(size) - 4)
    near = slice(first, first + 4)
    inverse = np.polynomial.Polynomial.fit(root[near], size[near], 3)
    slope = abs(inverse.deriv()(np.sqrt(level)))
    return float(inverse(np.sqrt(level))), float(slope * np.mean(error[near]))


def claims(dataset: "xr.Dataset") -> list[Claim]:
    """Linear to second order in the bias, and sparse as far as the bias makes it.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `compare`.

    Returns
    -------
    list of Claim
    """
    rows = []
    trials = studies.parameters(dataset)["trials"]
    for law in map(str, dataset.law.values):
        active = LAWS[law].active_fraction(dataset.bias.values)
        rarer = trials * np.minimum(active, 1.0 - active)
        curve = dataset.sel(law=law, bias=(rarer >= _FEWEST) | (rarer == 0.0))
        rows += _worst("SIG8", f"mean output, {law} inputs", curve, "mean")
        if law == "gaussian":
            rows += [*_sparsity_claims(curve), *_window_claims(curve)]
        else:
            rows += _worst("SIG8", f"fraction of active inputs, {law} inputs", curve, "active_fraction")
        rows += _expansion_claims(law, curve)
    return rows


def _worst(claim: str, what: str, curve: "xr.Dataset", stem: str, correction: str | None = None) -> list[Claim]:
    """The bias at which theory and simulation differ most, relative to the difference that is allowed; none if none."""
    if curve.sizes["bias"] == 0:
        return []
    allowed = studies.STANDARD_ERRORS * curve[f"{stem}_stderr"] + _ROUNDING
    index = int((abs(curve[stem] - curve[f"{stem}_theory"]) / allowed).argmax("bias"))
    what = f"{what}; worst of {curve.sizes['bias']} biases, b = {curve.bias[index].item():.3g} sigma"
    return [_at(claim, what, curve.isel(bias=index), stem, correction)]


def _at(claim: str, statement: str, point: "xr.Dataset", stem: str, correction: str | None = None) -> Claim:
    return Claim.test(
        claim,
        statement,
        prediction=point[f"{stem}_theory"].item(),
        measured=point[stem].item(),
        stderr=point[f"{stem}_stderr"].item(),
        tolerance=_ROUNDING,
        correction=correction,
    )


def _sparsity_claims(curve: "xr.Dataset") -> list[Claim]:
    correction = "half of all inputs are silenced at zero bias, more only under a negative bias"
    what = "a ReLU is sparse: fraction Phi(b/sigma) of active inputs, gaussian inputs"
    rows = _worst("A0-13", what, curve, "active_fraction", correction)
    if 0.0 in curve.bias:
        rows.append(_at("A0-13", f"{what}; at zero bias", curve.sel(bias=0.0), "active_fraction", correction))
    return rows


def _expansion_claims(law: str, curve: "xr.Dataset") -> list[Claim]:
    """Half the density at 0 is the coefficient of b^2; an atom makes a kink."""
    if np.count_nonzero(np.abs(curve.bias) < _FIT_BELOW) < 2 * len(_POWERS):
        return []
    density, atom = LAWS[law].density, LAWS[law].atom
    coefficients, errors = expansion(curve, atom > 0.0)
    if atom > 0.0:
        return [
            Claim.test(
                "A3-01",
                f"jump of the slope of the mean output at b = 0, {law} inputs",
                prediction=atom,
                measured=2.0 * coefficients[0],
                stderr=2.0 * errors[0],
                tolerance=_FIT_ERROR * atom,
                correction="approximately linear only if the input has no atom at 0: P(x = 0) is a kink",
            )
        ]
    return [
        Claim.test(
            "A3-01",
            f"mean output is E|x|/2 + b/2 + p(0) b^2/2 for small b, {law} inputs: p(0)/2",
            prediction=0.5 * density,
            measured=coefficients[1],
            stderr=errors[1],
            tolerance=_FIT_ERROR * 0.5 * density + _ROUNDING,
        )
    ]


def _window_claims(curve: "xr.Dataset") -> list[Claim]:
    rows = []
    for level, side in _WINDOWS:
        measured, stderr = measured_window(curve, level, side)
        if np.isfinite(measured):
            sign = "of either sign" if side < 0 else "of positive sign"
            rows.append(
                Claim.test(
                    "A3-01",
                    f"the tangent is good to {level:.0%} up to this b/sigma, biases {sign}, gaussian inputs",
                    prediction=linear_window(level, side),
                    measured=measured,
                    stderr=stderr,
                    tolerance=1e-4,
                )
            )
    return rows


def figure(dataset: "xr.Dataset") -> "Figure":
    """Mean output, its excess over the tangent, and the fraction of active inputs.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `compare`.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib.pyplot as plt

    from simnn import plotting

    panels = (
        ("mean", 1.5, 4, r"mean output $E\,\max(x+b,0)$"),
        ("excess", 1.0, 4, r"excess over $E|x|/2+b/2$"),
        ("active_fraction", np.inf, 6, r"active fraction $P(x>-b)$"),
    )
    with plotting.figure_style():
        fig, axes = plt.subplots(1, 3, figsize=(plotting.DOUBLE_COLUMN, 2.5))
        for ax, letter, (stem, reach, every, label) in zip(axes, "abc", panels, strict=True):
            data = dataset.sel(bias=np.abs(dataset.bias) <= reach + _ROUNDING)
            for color, law in zip(plotting.COLORS, dataset.law.values, strict=False):
                curve = data.sel(law=law)
                plotting.theory_and_simulation(
                    ax, curve.bias, curve[f"{stem}_theory"], curve[stem], curve[f"{stem}_stderr"], label=str(law),
                    color=color, every=every,
                )  # fmt: skip
            ax.set(xlabel=r"bias $b/\sigma$", ylabel=label)
            plotting.panel_label(ax, letter)
        left, middle, _ = axes
        ends = np.array([-1.0, 1.5])
        left.plot(ends, 1.0 / np.sqrt(2.0 * np.pi) + 0.5 * ends, "--", color="0.4", zorder=0)
        left.legend()
        for level, shade, place in ((0.05, "0.92", 0.27), (0.01, "0.82", 0.0)):
            middle.axvspan(-linear_window(level, -1), linear_window(level, 1), color=shade, lw=0.0, zorder=-1)
            middle.text(place, 0.94, f"{level:.0%}", ha="center", transform=middle.get_xaxis_transform(), fontsize=7)
    return fig
