"""Born dead: ReLUs that pass no signal at initialisation, and leaky ReLUs, which always do."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from simnn import studies
from simnn.studies import Claim

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Samples = dict[str, tuple[tuple[str, ...], Array]]

MODEL = "propagation"
TITLE = "Born-dead ReLUs and the leaky cure"
CAPTION = (
    "How often a signal is lost at initialisation; no biases but in (c). (a) Probability that one input has no active "
    "unit left, against depth, for ReLU networks of several widths; lines are exact. Leaky ReLUs never die (grey). "
    "(b) Probability that no scalar input has, so that the whole network is dead: between its bounds (bands, colours "
    "as in (a)), of which the lower is exact at two layers. Points of (a, b): {trials} networks. (c) Probability that "
    "one unit is dead on all of m Gaussian inputs, against its bias; lines are exact; {trials} units. (d) Fraction of "
    "the units of a layer that are dead on all of m inputs, orthogonal at first; lines are mean-field theory; 20 "
    "networks of width 2000. Points are means with standard errors. Claims: SIG7, A3-20."
)

_POINTS = (2, 8, 32)
_BIASES, _DIMENSION = np.linspace(-3.0, 1.0, 9), 20
_BIAS, _FEW = -2.0, 8  # where the claim about large negative biases is tested
_WIDE, _NETWORKS = 2000, 20
# Fractions have normal errors where so many dead, and so many alive, are expected.
_COUNTED = 50.0

_NAMES = {
    "activation": "activation function",
    "width": "units of a hidden layer",
    "layer": "hidden layer, from 1",
    "points": "number of inputs",
    "bias": "bias of a unit over the standard deviation of its pre-activations",
    "dead_input": "fraction of networks in which one input has no active unit",
    "dead_network": "fraction of networks in which neither of the inputs +1 and -1 has an active unit",
    "length_growth": "factor of the squared length of the activations per layer",
    "dead_unit": "fraction of units whose pre-activations are negative for all inputs",
    "dead_fraction": "fraction of the units of a wide layer whose pre-activations are negative for all inputs",
}


def slope(activation: str) -> float:
    """Slope a of a leaky ReLU for negative pre-activations; the critical weights are ``sigma_w^2 = 2 / (1 + a^2)``.

    Parameters
    ----------
    activation : str
        Such as ``"leaky_relu(0.1)"``.

    Returns
    -------
    float
        0 for ReLU, the only one whose units die.

    Raises
    ------
    ValueError
        If it is another activation.
    """
    from simnn.propagation.activations import parse

    parsed = parse(activation)
    if parsed.name not in ("relu", "leaky_relu"):
        raise ValueError(f"activation: {activation!r} is not allowed: should be 'relu' or 'leaky_relu(slope)'")
    return parsed.slope


def _critical(activation: str) -> float:
    return float(np.sqrt(2.0 / (1.0 + slope(activation) ** 2)))


def validate(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Check parameters as the study takes them.

    Parameters
    ----------
    parameters : mapping
        Of `simnn.propagation.simulate`, with ``activation`` and ``width`` as axes.

    Returns
    -------
    dict
        The same with values of their own type, and lists for axes.

    Raises
    ------
    ValueError
        One line that names the parameter, its value and what is allowed.
    """
    checked = studies.check(
        MODEL, parameters, axes={"activation": None, "width": 10}, needs=("depth",), may=("method", "first_trial")
    )
    for activation in checked["activation"]:
        slope(activation)
    return checked


def simulate(**parameters: Any) -> "xr.Dataset":
    """Narrow networks with scalar inputs, single units with a bias, and wide networks with many inputs.

    Parameters
    ----------
    **parameters
        Of `simnn.propagation.simulate`, with sequences for ``activation`` and ``width`` only. The weight scale is
        the critical one of each activation.

    Returns
    -------
    xarray.Dataset
        ``dead_input`` and ``dead_network`` (activation, width, layer), ``length_growth`` (activation, width), and,
        of ReLUs, ``dead_unit`` (points, bias) and ``dead_fraction`` (points, layer); each with ``<name>_stderr``.

    Raises
    ------
    ValueError
        If an activation is neither ReLU nor leaky ReLU.
    """
    import xarray as xr

    given = dict(parameters)
    activations, widths = (np.atleast_1d(given.pop(name)).tolist() for name in ("activation", "width"))
    cells = [
        xr.concat([studies.averages(_narrow(activation, width, given)) for width in widths], "width")
        for activation in activations
    ]
    units = studies.averages(_units(given["trials"], given.get("seed", 0)))
    layers = xr.concat([studies.averages(_wide(points, given)) for points in _POINTS], "points")
    dataset = xr.merge([xr.concat(cells, "activation"), units, layers]).assign_coords(
        activation=activations, width=widths, layer=np.arange(1, given["depth"] + 1), points=list(_POINTS), bias=_BIASES
    )
    studies.describe(dataset, _NAMES)
    dataset.attrs = {"parameters": json.dumps(parameters, sort_keys=True), "trials": given["trials"]}
    return dataset


def _propagate(activation: str, given: Mapping[str, Any], **more: Any) -> "xr.Dataset":
    """Critical networks without biases, trial by trial."""
    from simnn import propagation

    fixed = {"sigma_w": _critical(activation), "sigma_b": 0.0, "dtype": "float64", "keep_trials": True}
    return propagation.simulate(**{**given, **fixed, "activation": activation, **more}).transpose("trial", "layer", ...)


def _narrow(activation: str, width: int, given: Mapping[str, Any]) -> "Samples":
    """What becomes of the inputs +1 and -1; without biases they stand for all scalar inputs."""
    networks = _propagate(activation, given, width=width, inputs=[[1.0], [-1.0]])
    length = networks.activation_length.values
    dead = (length == 0.0).astype(np.float64)
    before = np.concatenate([np.ones_like(length[:, :1]), length[:, :-1]], axis=1)
    # A dead input neither grows nor shrinks; to count it as a factor of 1 leaves the mean factor at 1.
    factor = np.divide(length, before, out=np.ones_like(length), where=before > 0.0)
    return {
        "dead_input": (("layer",), dead[:, :, 0]),
        "dead_network": (("layer",), dead.min(axis=2)),
        "length_growth": ((), factor[:, :, 0].mean(axis=1)),
    }


def _units(trials: int, seed: int) -> "Samples":
    """One ReLU with Gaussian weights and its own Gaussian inputs in each trial."""
    rng = np.random.Generator(np.random.Philox(key=np.array([seed, 0], np.uint64)))
    highest = np.empty((trials, len(_POINTS)))
    for trial in range(trials):
        weights, inputs = np.split(rng.standard_normal((1 + max(_POINTS), _DIMENSION)), [1])
        running = np.maximum.accumulate(inputs @ weights[0] / np.sqrt(_DIMENSION))
        highest[trial] = running[np.array(_POINTS) - 1]
    dead = highest[:, :, None] + _BIASES <= 0.0
    return {"dead_unit": (("points", "bias"), dead.astype(np.float64))}


def _wide(points: int, given: Mapping[str, Any]) -> "Samples":
    """Units of wide layers that are dead on that many inputs, orthogonal at first."""
    networks = _propagate("relu", {**given, "trials": _NETWORKS}, width=_WIDE, inputs=np.sqrt(points) * np.eye(points))
    return {"dead_fraction": (("layer",), networks.dead_fraction.values)}


def compare(dataset: "xr.Dataset") -> "xr.Dataset":
    """Add the probabilities of death.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `simulate`.

    Returns
    -------
    xarray.Dataset
        With ``dead_input_theory``, ``dead_network_lower_theory`` and ``dead_network_upper_theory``
        (activation, width, layer), ``length_growth_theory`` (activation), ``dead_unit_theory`` (points, bias), all
        exact, and the mean-field ``dead_fraction_theory`` (points, layer).
    """
    from simnn.propagation import dead_units, theory

    activations, widths, points = (dataset[name].values.tolist() for name in ("activation", "width", "points"))
    depth = dataset.sizes["layer"]
    dying = np.array([slope(activation) == 0.0 for activation in activations])[:, None, None]
    bounds = np.array([[dead_units.network_death_bounds(n, l) for l in range(1, depth + 1)] for n in widths])
    overlap = 1.0 - theory.propagate(depth, "relu", np.sqrt(2.0), 0.0, input_correlation=0.0).decorrelation
    growth = [theory.chi(activation, _critical(activation), 0.0) for activation in activations]
    dims = ("activation", "width", "layer")
    return dataset.assign(
        dead_input_theory=(
            dims,
            dying * [dead_units.input_death([n] * depth) for n in widths],
            {"long_name": "probability that one input has no active unit", "units": "1"},
        ),
        dead_network_lower_theory=(
            dims,
            dying * bounds[..., 0],
            {"long_name": "lower bound of the probability that no scalar input has an active unit", "units": "1"},
        ),
        dead_network_upper_theory=(
            dims,
            dying * bounds[..., 1],
            {"long_name": "upper bound of the probability that no scalar input has an active unit", "units": "1"},
        ),
        length_growth_theory=(
            "activation",
            growth,
            {"long_name": "factor of the squared length per layer, sigma_w^2 (1 + slope^2) / 2", "units": "1"},
        ),
        dead_unit_theory=(
            ("points", "bias"),
            [dead_units.mean_unit_death(dataset.bias.values, m, _DIMENSION) for m in points],
            {"long_name": "probability that a unit is dead", "units": "1"},
        ),
        dead_fraction_theory=(
            ("points", "layer"),
            [dead_units.layer_death(overlap, m) for m in points],
            {"long_name": "mean-field fraction of dead units", "units": "1"},
        ),
    )


def _binomial(prediction: "xr.DataArray", count: int) -> "tuple[xr.DataArray, xr.DataArray]":
    """Predictions whose counts are large enough, and the standard error of a fraction under the prediction."""
    spread: xr.DataArray = (prediction * (1.0 - prediction) / count) ** 0.5
    return prediction.where(count * np.minimum(prediction, 1.0 - prediction) >= _COUNTED), spread


def claims(dataset: "xr.Dataset") -> list[Claim]:
    """ReLUs die with the probabilities of theory; leaky ReLUs do not, and are critical at sigma_w^2 = 2 / (1 + a^2).

    Parameters
    ----------
    dataset : xarray.Dataset
        From `compare`.

    Returns
    -------
    list of Claim
        Standard errors of fractions are the binomial ones of the prediction. The only finite-size term is that of the
        wide layers, whose overlaps scatter by 1 / sqrt(width): the fraction of units dead on m inputs is larger by
        order 1 / width. The tolerance is m / width, relatively; at widths of 100 and 400 the shift was about
        log2(m) / width at any depth.
    """
    trials = studies.parameters(dataset)["trials"]
    rows: list[Claim] = []
    for activation in dataset.activation.values.tolist():
        at = dataset.sel(activation=activation, drop=True)
        if slope(activation) == 0.0:
            rows += _death(at, trials)
        else:
            rows += Claim.worst(
                "A3-20", f"{activation} always passes a signal: fraction of inputs that die",
                prediction=at.dead_input_theory, measured=at.dead_input, stderr=at.dead_input_stderr,
            )  # fmt: skip
        rows += Claim.worst(
            "SIG7",
            f"{activation} with sigma_w^2 = 2 / (1 + a^2): factor of the squared length per layer",
            prediction=at.length_growth_theory.broadcast_like(at.length_growth),
            measured=at.length_growth,
            stderr=at.length_growth_stderr,
        )
    prediction, stderr = _binomial(dataset.dead_unit_theory, trials)
    rows += Claim.worst(
        "SIG7", "a unit with a bias is dead on m inputs with probability E Phi(-b/s)^m",
        prediction=prediction, measured=dataset.dead_unit, stderr=stderr,
    )  # fmt: skip
    biased = dataset.sel(points=_FEW, bias=_BIAS)
    rows.append(
        Claim.test(
            "A3-20",
            f"a bias of {_BIAS:g} standard deviations makes it highly probable that a unit is dead on {_FEW} inputs",
            prediction=biased.dead_unit_theory.item(),
            measured=biased.dead_unit.item(),
            stderr=_binomial(biased.dead_unit_theory, trials)[1].item(),
        )
    )
    expected = dataset.dead_fraction_theory
    rows += Claim.worst(
        "SIG7",
        "the fraction of units dead on m inputs grows towards 1/2 with depth, as overlaps do towards 1",
        prediction=_binomial(expected, _WIDE * _NETWORKS)[0],
        measured=dataset.dead_fraction,
        stderr=dataset.dead_fraction_stderr,
        tolerance=dataset.points / _WIDE * expected,
    )
    return rows


def _death(dataset: "xr.Dataset", trials: int) -> list[Claim]:
    """Rows about the death of narrow ReLU networks."""
    prediction, stderr = _binomial(dataset.dead_input_theory, trials)
    rows = Claim.worst(
        "SIG7", "an input dies with probability 1 - (1 - 2^-n)^l",
        prediction=prediction, measured=dataset.dead_input, stderr=stderr,
    )  # fmt: skip
    lower, upper = dataset.dead_network_lower_theory, dataset.dead_network_upper_theory
    prediction, stderr = _binomial((0.5 * (lower + upper)).where(lower.layer > 2), trials)
    rows += Claim.worst(
        "SIG7", "the network dies with a probability between its bounds; prediction: their middle",
        prediction=prediction, measured=dataset.dead_network, stderr=stderr, tolerance=0.5 * (upper - lower),
    )  # fmt: skip
    prediction, stderr = _binomial(lower.where(lower.layer <= 2), trials)
    rows += Claim.worst(
        "SIG7", "the lower bound is exact up to two layers",
        prediction=prediction, measured=dataset.dead_network, stderr=stderr,
    )  # fmt: skip
    return rows


def figure(dataset: "xr.Dataset") -> "Figure":
    """Death of inputs, networks, units with a bias and units of wide layers.

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
    from simnn.propagation import dead_units

    with plotting.figure_style():
        fig, axes = plt.subplots(2, 2, figsize=(plotting.DOUBLE_COLUMN, 4.6))
        (one, whole), (biased, layers) = axes
        activations = dataset.activation.values.tolist()
        for activation in activations:
            if slope(activation) == 0.0:
                _draw_death(one, whole, dataset.sel(activation=activation))
        leaky = [activation for activation in activations if slope(activation) != 0.0]
        if leaky:
            highest = dataset.sel(activation=leaky).max(["activation", "width"])
            plotting.theory_and_simulation(
                one, dataset.layer, highest.dead_input_theory, highest.dead_input, highest.dead_input_stderr,
                label="leaky", color="0.5", every=2,
            )  # fmt: skip
        fine = np.linspace(float(dataset.bias.min()), float(dataset.bias.max()), 60)
        for color, marker, points in zip(plotting.COLORS, "osD", dataset.points.values.tolist(), strict=False):
            curve = dataset.sel(points=points)
            biased.plot(fine, dead_units.mean_unit_death(fine, points, _DIMENSION), color=color)
            biased.errorbar(
                dataset.bias, curve.dead_unit, yerr=curve.dead_unit_stderr, fmt=marker, color=color,
                label=f"$m = {points}$",
            )  # fmt: skip
            plotting.theory_and_simulation(
                layers, dataset.layer, curve.dead_fraction_theory, curve.dead_fraction, curve.dead_fraction_stderr,
                label=f"$m = {points}$", color=color, every=2,
            )  # fmt: skip
        layers.axhline(0.5, color="0.6", lw=0.6, zorder=0)
        one.set(xlabel="layer", ylabel="P(one input is dead)")
        whole.set(xlabel="layer", ylabel="P(network is dead)")
        biased.set(xlabel=r"bias over standard deviation, $b/\sigma_w$", ylabel="P(unit is dead on $m$ inputs)")
        layers.set(xlabel="layer", ylabel="fraction dead on $m$ inputs")
        one.legend(loc="center right", ncols=3, columnspacing=1.0, handletextpad=0.3)
        biased.legend()
        layers.legend()
        for letter, ax in zip("abcd", axes.flat, strict=True):
            ax.set_ylim(bottom=-0.02)
            plotting.panel_label(ax, letter)
    return fig


def _draw_death(one: "Axes", whole: "Axes", dataset: "xr.Dataset") -> None:
    from simnn import plotting

    for color, width in zip(plotting.COLORS, dataset.width.values.tolist(), strict=False):
        curve, label = dataset.sel(width=width), f"$n = {width}$"
        plotting.theory_and_simulation(
            one, curve.layer, curve.dead_input_theory, curve.dead_input, curve.dead_input_stderr,
            label=label, color=color, every=2,
        )  # fmt: skip
        lower, upper = curve.dead_network_lower_theory, curve.dead_network_upper_theory
        whole.fill_between(curve.layer, lower, upper, color=color, alpha=0.25, lw=0.0)
        whole.plot(curve.layer, upper, color=color, lw=0.6)
        plotting.theory_and_simulation(
            whole, curve.layer, lower, curve.dead_network, curve.dead_network_stderr,
            label=label, color=color, every=2,
        )  # fmt: skip
