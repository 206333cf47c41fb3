"""Which frequencies a network learns first: the tangent kernel of inputs on a circle.

Under gradient descent on the squared error, the Fourier mode ``cos k theta`` of the error starts to fall at the rate

    lambda_k = mean over pairs of Theta(a, b) cos k(theta_a - theta_b),

a diagonal entry of the empirical tangent kernel Theta in the Fourier basis. In the limit of infinite width Theta
depends on the angle between two inputs only, and lambda_k is its eigenvalue. K inputs cannot tell the modes k and
m K +- k apart: their rates add up, in the theory here as in the simulation.

Unit inputs in the plane and ``sigma_w^2 = 2`` give the normalisation of the literature, ``Theta = u kappa_0(u) +
kappa_1(u)`` for one hidden layer of ReLUs, ``u = cos(theta_a - theta_b)``. Networks are drawn without biases; "trained"
biases start at zero and add ``sum_l sigma_w^2 D^l + 1`` to the kernel, D the Gram matrices of the gradients.

References
----------
R. Basri, D. Jacobs, Y. Kasten, S. Kritchman, "The convergence rate of neural networks for learned functions of
different frequencies", NeurIPS 2019, arXiv:1906.00425; A. Bietti, F. Bach, "Deep equals shallow for ReLU networks in
kernel regimes", ICLR 2021, arXiv:2009.14397.
"""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from simnn import studies
from simnn.studies import Claim

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MODEL = "propagation"
TITLE = "Tangent kernel on the circle"
CAPTION = (
    "Rate at which gradient descent learns frequency k on a circle of {points} inputs: Fourier coefficients of the "
    "sampled tangent kernel, width n = {width}. (a) One hidden layer. Linear networks learn k = 1 only; ReLU networks "
    "even k as k^-2, odd k > 1 only with biases (here trained from zero); smooth activations fall geometrically. Grey: "
    "covariance of the outputs, k^-4. (b) ReLU networks of L hidden layers without biases, colours as in (c); filled: "
    "even k, open: odd k, dotted: limits. Here k stands for (K/pi) sin(pi k/K), which undoes aliasing on K points to "
    "leading order. (c) Standard deviation over networks relative to the mean, times the root of the width. Lines: "
    "infinite width on the same points; in (c) exact for L = 1. Points: {trials} networks with standard errors. "
    "Claims: DYN2, A3-25."
)

Array = NDArray[np.float64]

POINTS = 64
"""Number of inputs unless ``points`` says otherwise."""

ACTIVATIONS = ("linear", "relu", "erf", "tanh", "sin")
"""Activations with claims: the linear one, one with a kink, and smooth odd ones."""

BIASES = ("none", "trained")
"""Networks without biases, and with biases that start at zero."""

# Eigenvalues this small beside the largest are rounding.
_ROUNDING = 1e-10
_GOLDEN = 0.5 * (np.sqrt(5.0) - 1.0)


def validate(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Check parameters as `simulate` takes them.

    Parameters
    ----------
    parameters : mapping
        ``points``, and parameters of `simnn.propagation.simulate`.

    Returns
    -------
    dict
        The same with values of their own type, and lists for axes.

    Raises
    ------
    ValueError
        One line that names the parameter, its value and what is allowed.
    """
    from simnn.propagation.model import MAX_INPUTS

    checked = studies.check(
        MODEL, {"points": POINTS, **parameters}, axes={"activation": None, "depth": 10}, needs=("sigma_w", "width"),
        may=("points", "dtype", "method"),
    )  # fmt: skip
    for activation in checked["activation"]:
        studies.require(activation in ACTIVATIONS, "activation", activation, f"one of {', '.join(ACTIVATIONS)}")
    for name, shown in (("activation", "relu"), ("depth", 1)):
        studies.require(shown in checked[name], name, checked[name], f"a list with {shown!r}, which the figure shows")
    points = checked["points"]
    fits = points in range(32, MAX_INPUTS + 1, 2)
    studies.require(fits, "points", points, f"even, from 32 to {MAX_INPUTS}")
    studies.require(checked["sigma_w"] > 0.0, "sigma_w", checked["sigma_w"], "greater than 0")
    return {**checked, "points": int(points)}


def simulate(
    *, activation: Sequence[str], depth: Sequence[int], points: int = POINTS, **parameters: Any
) -> "xr.Dataset":
    """Sample tangent kernels and take their Fourier coefficients.

    Parameters
    ----------
    activation : sequence of str
        Activation functions.
    depth : sequence of int
        Numbers of hidden layers.
    points : int
        Inputs on the circle, even.
    **parameters
        Scalars of `simnn.propagation.simulate`.

    Returns
    -------
    xarray.Dataset
        ``spectrum`` (activation, depth, biases, trial, mode), the rates lambda_k for 0 <= k < points / 2;
        ``rank`` (activation, depth, biases, trial) of the kernel matrix; and ``covariance_spectrum`` (activation,
        depth, trial, mode), coefficients of the Gram matrix of the last pre-activations: the covariance of the outputs
        of a network with one hidden layer less.
    """
    import xarray as xr

    from simnn import propagation

    axes = {"activation": list(activation), "depth": list(depth)}
    trials = parameters["trials"]
    spectrum = np.empty((len(activation), len(depth), len(BIASES), trials, points // 2))
    covariance_spectrum = np.empty((len(activation), len(depth), trials, points // 2))
    rank = np.empty(spectrum.shape[:-1])
    angles = _angles(points)
    for i, one_activation in enumerate(activation):
        for j, one_depth in enumerate(depth):
            networks = propagation.simulate(
                **parameters, activation=one_activation, depth=one_depth, sigma_b=0.0, keep_trials=True,
                inputs=np.stack([np.cos(angles), np.sin(angles)], axis=1),
            )  # fmt: skip
            weights = networks.ntk.values
            slopes = _gram(networks.gradient_norm, networks.gradient_correlation)
            kernels = weights, weights + parameters["sigma_w"] ** 2 * slopes.sum(axis=1) + 1.0
            for k, kernel in enumerate(kernels):
                spectrum[i, j, k] = _coefficients(kernel, angles)
                rank[i, j, k] = _rank(kernel)
            last = networks.isel(layer=[-1])
            covariance_spectrum[i, j] = _coefficients(_gram(last.length, last.correlation)[:, 0], angles)
    dims = ("activation", "depth", "biases", "trial", "mode")
    dataset = xr.Dataset(
        {
            "spectrum": (dims, spectrum, {"long_name": "Fourier coefficients of the tangent kernel", "units": "1"}),
            "rank": (dims[:-1], rank, {"long_name": "rank of the tangent kernel of all inputs", "units": "1"}),
            "covariance_spectrum": (
                ("activation", "depth", "trial", "mode"), covariance_spectrum,
                {"long_name": "Fourier coefficients of the covariance of the last pre-activations", "units": "1"},
            ),
        },
        axes | {"biases": list(BIASES), "trial": np.arange(trials), "mode": np.arange(points // 2)},
        {"parameters": json.dumps(axes | parameters | {"points": points}, sort_keys=True), "trials": trials},
    )  # fmt: skip
    for name, label in {
        "activation": "activation function", "depth": "number of hidden layers", "biases": "biases",
        "trial": "random network", "mode": "frequency k on the circle",
    }.items():  # fmt: skip
        dataset[name].attrs = {"long_name": label, "units": "1"}
    return dataset


def _angles(points: int) -> Array:
    """Equally spaced angles, in an order in which each comes to lie far from all before it.

    The sampler factorises the Gram matrix of the inputs one after the other, as they come. Neighbours on the circle are
    nearly linear combinations of one another under a smooth activation, and in natural order rounding errors would grow
    by orders of magnitude at every input.
    """
    rank = np.argsort(np.argsort(np.arange(points) * _GOLDEN % 1.0))
    return 2.0 * np.pi * rank / points


def _gram(norm: "xr.DataArray", overlap: "xr.DataArray") -> Array:
    """Gram matrices (trial, layer, input, other_input); vectors that vanish have no overlap, and a product of 0."""
    root = np.sqrt(norm.values)
    return np.asarray(np.nan_to_num(root[..., :, None] * root[..., None, :] * overlap.values), np.float64)


def _coefficients(kernels: Array, angles: Array) -> Array:
    """(trial, mode) from kernels (trial, input, other_input): means over pairs of ``K_ab cos k(theta_a - theta_b)``."""
    waves = np.exp(1j * np.arange(len(angles) // 2)[:, None] * angles)
    return np.asarray(np.sum((waves.conj() @ kernels) * waves, axis=-1).real / len(angles) ** 2, np.float64)


def _rank(kernels: Array) -> NDArray[np.intp]:
    eigenvalues = np.linalg.eigvalsh(kernels)
    visible = eigenvalues > _ROUNDING * eigenvalues.max(axis=-1, keepdims=True)
    return np.asarray(np.count_nonzero(visible, axis=-1), np.intp)


# --- infinite width -------------------------------------------------------------------------------------------------


def limit(depth: int, activation: str, sigma_w: float, angles: Array) -> dict[str, Array]:
    """Kernels of infinitely wide networks for two inputs at these angles.

    Parameters
    ----------
    depth : int
        Number of hidden layers.
    activation : str
        Activation function.
    sigma_w : float
        Standard deviation of the weights times sqrt(fan in).
    angles : array
        Angles between two inputs on the unit circle.

    Returns
    -------
    dict of str to array
        ``"none"`` and ``"trained"``: tangent kernel for each of `BIASES`; ``"covariance"``: covariance of the
        pre-activations of the last hidden layer.
    """
    values = np.array([_pair(depth, activation, sigma_w, float(angle)) for angle in angles])
    return dict(zip((*BIASES, "covariance"), values.T, strict=True))


def _pair(depth: int, activation: str, sigma_w: float, angle: float) -> tuple[float, float, float]:
    from simnn.propagation import theory

    # On the unit circle an input of two components has mean square 1/2.
    overlap = np.cos(angle)
    gram = 0.5 * np.array([[1.0, overlap], [overlap, 1.0]])
    at = (0, 0) if angle == 0.0 else (0, 1)
    weights = float(theory.tangent_kernel(depth, activation, sigma_w, 0.0, gram)[at])
    covariance, biases = sigma_w**2 * gram, 1.0
    for layer in range(1, depth + 1):
        if layer > 1:
            covariance = theory.kernel_map(covariance, activation, sigma_w, 0.0)
        length = float(covariance[0, 0])
        c = float(np.clip(covariance[at] / length, -1.0, 1.0))
        biases = 1.0 + theory.chi(activation, sigma_w, 0.0, c=c, q=length) * biases
    return weights, weights + biases, float(covariance[at])


def coefficients(kernel: Array) -> Array:
    """Fourier coefficients of a kernel of the angle, sampled on equally spaced points of the circle.

    Parameters
    ----------
    kernel : (K,) array
        Values at the angles ``2 pi j / K``.

    Returns
    -------
    (K // 2 + 1,) array
        Means of ``kernel cos k angle``: eigenvalues of the circulant matrix over K, up to the highest frequency.
    """
    return np.asarray(np.fft.rfft(kernel).real / len(kernel), np.float64)


def leading_constants(depth: int, sigma_w: float = np.sqrt(2.0)) -> tuple[float, float]:
    """Limits of ``k^2 lambda_k`` for ReLU networks without biases, k even and k odd.

    A kink of slopes ``-+s`` in a kernel of the angle contributes ``s / (pi k^2)``. The tangent kernel has one at angle
    0, ``s = depth (depth + 1) / (2 pi)``, and one at angle pi, where s is ``1/pi`` times the product of ``kappa_0``
    over the correlations of two inputs that start opposite. They add up for even k; for odd k the second counts minus.

    Parameters
    ----------
    depth : int
        Number of hidden layers.
    sigma_w : float
        Standard deviation of the weights times sqrt(fan in).

    Returns
    -------
    tuple of float
        For even and odd k.

    References
    ----------
    Bietti & Bach 2021, for the order k^-2 and the cancellation with one hidden layer.
    """
    product, c = 1.0, 0.0
    for _ in range(depth - 1):
        angle = np.arccos(c)
        product *= 1.0 - angle / np.pi
        c = (np.sin(angle) + c * (np.pi - angle)) / np.pi
    scale = (0.5 * sigma_w**2) ** (depth + 1) / np.pi**2
    same = 0.5 * depth * (depth + 1)
    return float(scale * (same + product)), float(scale * (same - product))


def compare(dataset: "xr.Dataset") -> "xr.Dataset":
    """Add the infinite-width limit on the same points.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `simulate`.

    Returns
    -------
    xarray.Dataset
        With ``spectrum_theory`` (activation, depth, biases, mode), ``covariance_spectrum_theory`` (activation, depth,
        mode), ``rank_theory`` (activation, depth, biases), and ``spread_theory`` (activation, depth, biases, mode):
        standard deviation over networks, relative to the mean and times sqrt(width), known for one hidden layer of
        ReLUs and NaN elsewhere.
    """
    given = studies.parameters(dataset)
    points, sigma_w = given["points"], given["sigma_w"]
    shape = tuple(dataset.sizes[dim] for dim in ("activation", "depth", "biases", "mode"))
    spectrum, spread = np.empty(shape), np.full(shape, np.nan)
    covariance_spectrum, rank = np.empty((*shape[:2], shape[3])), np.empty(shape[:3])
    half = np.arange(points // 2 + 1)
    multiplicity = np.where((half == 0) | (half == points // 2), 1, 2)
    for i, activation in enumerate(map(str, dataset.activation.values)):
        for j, depth in enumerate(dataset.depth.values.tolist()):
            kernels = limit(depth, activation, sigma_w, 2.0 * np.pi * half / points)
            rows = {name: coefficients(np.concatenate([kernel, kernel[-2:0:-1]])) for name, kernel in kernels.items()}
            covariance_spectrum[i, j] = rows["covariance"][:-1]
            for k, biases in enumerate(BIASES):
                spectrum[i, j, k] = rows[biases][:-1]
                rank[i, j, k] = np.sum(multiplicity[np.abs(rows[biases]) > _ROUNDING * rows[biases].max()])
                if (activation, depth) == ("relu", 1):
                    spread[i, j, k] = _spread(spectrum[i, j, k], sigma_w, points, biases)
    dims = ("activation", "depth", "biases", "mode")
    return dataset.assign(
        spectrum_theory=(dims, spectrum, {"long_name": "spectrum at infinite width", "units": "1"}),
        covariance_spectrum_theory=(
            ("activation", "depth", "mode"), covariance_spectrum,
            {"long_name": "covariance_spectrum at infinite width", "units": "1"},
        ),
        rank_theory=(dims[:-1], rank, {"long_name": "rank at infinite width", "units": "1"}),
        spread_theory=(
            dims, spread,
            {"long_name": "standard deviation of spectrum over its mean, times sqrt(width)", "units": "1"},
        ),
    )  # fmt: skip


def _spread(spectrum: Array, sigma_w: float, points: int, biases: str) -> Array:
    """Relative fluctuations of one hidden layer of ReLUs: a mean over units of ``alpha_k v^2 + beta_k |w|^2 / 2``.

    The readout weight v of a unit, the length of its input weights w and their direction are independent, and the
    direction does not matter: a unit is active on half of the circle, wherever that lies. The second part is the
    covariance of the outputs; v^2 has variance 2 and |w|^2 / 2 variance 1.
    """
    angles = 2.0 * np.pi * np.arange(points) / points
    by_length = coefficients(limit(2, "relu", sigma_w, angles)["covariance"])[: len(spectrum)]
    by_readout = spectrum - by_length
    if biases == "trained":
        by_readout[0] -= 1.0  # the bias of the readout does not fluctuate
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.sqrt(2.0 * by_readout**2 + by_length**2) / spectrum
    return np.where(spectrum > _ROUNDING * spectrum.max(), relative, np.nan)


# --- claims ---------------------------------------------------------------------------------------------------------

# With one hidden layer the mean over networks of the kernel is its limit at every width n. Each further layer shifts it
# by a relative O(1/n). For the limit of k^2 lambda_k of ReLU networks: a gate of layer m that switches between two
# inputs changes the gradients of all layers l <= m, at a rate that is the speed of the angle of h^(m-1), times
# |h^(l-1)|^2. With the squares of h and of dh/dtheta log-normal, of variance 5/n per layer and covariance 1/n (common
# gates), and with dh/dtheta losing its component along h (-2/n), a layer below l multiplies the mean by 1 - 2/n and one
# between l and m by 1 + O(1/n^2). The average over l <= m is a shift of -2/3 (depth - 1) / n. Other modes were sampled
# at widths 64 and 256 and depths up to 10: none is shifted by more than 2.3 (depth - 1) / n.
_SHIFT_OF_CONSTANTS = 2.0 / 3.0
_SHIFT_OF_MODES = 3.0
# Relative error of `constant_weights` on the limits of ReLU networks of up to 10 hidden layers and 32 or more points.
_FIT_ERROR = 3e-3
# The weakest modes of smooth activations rest on the few units with the largest weights: their means have heavy tails.
_CARRIED = 1e-4


def constant_weights(points: int, parity: int) -> Array:
    """Weights that read the limit of ``k^2 lambda_k`` off the coefficients on a finite set of points.

    Coefficients ``a/k^2 + b/k^4 + c/k^6`` of the upper modes (from points / 8) are fitted, with all the modes that look
    the same on the points: ``sum_m 1/(k + m K)^2 = (pi/K)^2 / sin^2(pi k/K)``, and its derivatives for higher powers.

    Parameters
    ----------
    points : int
        Number of inputs K.
    parity : {0, 1}
        Even or odd modes.

    Returns
    -------
    (points // 2,) array
        Zero for the modes that are not used.
    """
    modes = np.arange(points // 2)
    used = modes[(modes >= points // 8) & (modes % 2 == parity)]
    inverse = 1.0 / np.sin(np.pi * used / points) ** 2
    powers = [inverse, inverse**2 - 2.0 / 3.0 * inverse, inverse**3 - inverse**2 + 2.0 / 15.0 * inverse]
    sums = np.stack([(np.pi / points) ** (2 * i) * power for i, power in enumerate(powers, start=1)], axis=1)
    scale = used**2.0  # all of these terms count the same
    weights = np.zeros(len(modes))
    weights[used] = np.linalg.pinv(sums * scale[:, None])[0] * scale
    return weights


def _mean(values: Array) -> tuple[Any, Any]:
    """Mean over networks and its standard error."""
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))


def decay(spectrum: Array, x: Array) -> tuple[float, float]:
    """Least-squares slope of the logarithm of mean coefficients.

    Parameters
    ----------
    spectrum : (trial, mode) array
        Positive coefficients of each network.
    x : (mode,) array
        What they are a function of.

    Returns
    -------
    tuple of float
        Slope and its standard error, to first order in the relative deviations of each network.
    """
    mean = spectrum.mean(axis=0)
    _, stderr = _mean((spectrum / mean) @ _slope_weights(x))
    return _slope(mean, x), float(stderr)


def _slope_weights(x: Array) -> Array:
    return np.asarray((x - x.mean()) / np.sum((x - x.mean()) ** 2), np.float64)


def _slope(spectrum: Array, x: Array) -> float:
    return float(np.log(spectrum) @ _slope_weights(x))


def claims(dataset: "xr.Dataset") -> list[Claim]:
    """A linear model has one frequency, a network with kinks prefers low ones as k^-2.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `compare`.

    Returns
    -------
    list of Claim
    """
    rows = []
    for activation in map(str, dataset.activation.values):
        for depth in dataset.depth.values.tolist():
            point = dataset.sel(activation=activation, depth=depth)
            if activation == "linear":
                rows += _linear_claims(point)
            elif activation == "relu":
                rows += _relu_claims(point, studies.parameters(dataset))
            elif depth == 1:
                rows += _smooth_claims(point)
    return rows


def _linear_claims(point: "xr.Dataset") -> list[Claim]:
    rows = []
    for biases, rank in (("none", "cos(theta - theta') has rank 2"), ("trained", "1 + cos(theta - theta') has rank 3")):
        row = point.sel(biases=biases)
        measured, stderr = _mean(row["rank"].values)
        rows.append(
            Claim.test(
                "A3-25",
                f"{_network(point)}, biases {biases}, prefers low frequencies: rank of the kernel on the circle",
                prediction=row.rank_theory.item(),
                measured=measured,
                stderr=stderr,
                correction=f"{rank}: no other frequency is learned at all",
            )
        )
    return rows


def _smooth_claims(point: "xr.Dataset") -> list[Claim]:
    row = point.sel(biases="none", mode=slice(3, 11, 2))
    measured, stderr = decay(row.spectrum.values, row.mode.values)
    return [
        *[_worst_mode(point, biases, 0.0) for biases in BIASES],
        Claim.test(
            "A3-25",
            f"networks prefer low frequencies, {point.activation.item()}: ln lambda_k per k, odd k from 3 to 11",
            prediction=_slope(row.spectrum_theory.values, row.mode.values),
            measured=measured,
            stderr=stderr,
            correction="smooth activations prefer them geometrically, not as a power",
        ),
    ]


def _relu_claims(point: "xr.Dataset", given: dict[str, Any]) -> list[Claim]:
    depth, order = point.depth.item(), (point.depth.item() - 1) / given["width"]
    rows = [_worst_mode(point, biases, _SHIFT_OF_MODES * order) for biases in BIASES]
    rows += _constant_claims(point, given, _SHIFT_OF_CONSTANTS * order)
    if depth == 1:
        rows.append(_odd_with_biases(point, given))
        rows += [_silent_modes(point), _exponent(point.sel(biases="none"), "spectrum"), _fluctuations(point, given)]
    if depth == 2:  # the covariance of the outputs of one hidden layer
        rows.append(_exponent(point, "covariance_spectrum"))
    return rows


def _worst_mode(point: "xr.Dataset", biases: str, relative: float) -> Claim:
    """The mode at which theory and simulation differ most, relative to the difference that is allowed."""
    row = point.sel(biases=biases)
    prediction = row.spectrum_theory.values
    measured, stderr = _mean(row.spectrum.values)
    modes = np.flatnonzero(prediction > _CARRIED * prediction.max())
    allowed = studies.STANDARD_ERRORS * stderr + relative * prediction
    mode = int(modes[np.argmax(np.abs(measured - prediction)[modes] / allowed[modes])])
    return Claim.test(
        "DYN2",
        f"{_network(point)}, biases {biases}: rate of learning cos k theta; worst of {len(modes)}, k = {mode}",
        prediction=prediction[mode],
        measured=measured[mode],
        stderr=stderr[mode],
        tolerance=relative * prediction[mode],
    )


def _network(point: "xr.Dataset") -> str:
    depth = point.depth.item()
    return f"{point.activation.item()}, {depth} hidden layer{'s' if depth > 1 else ''}"


def _constant_claims(point: "xr.Dataset", given: dict[str, Any], relative: float) -> list[Claim]:
    depth, points = point.depth.item(), given["points"]
    even, odd = leading_constants(depth, given["sigma_w"])
    spectrum = point.spectrum.sel(biases="none").values
    fits = [spectrum @ constant_weights(points, parity) for parity in (0, 1)]
    measured, stderr = _mean(fits[0])
    rows = [
        Claim.test(
            "DYN2",
            f"{_network(point)}, biases none: limit of k^2 lambda_k, even k",
            prediction=even,
            measured=measured,
            stderr=stderr,
            tolerance=(relative + _FIT_ERROR) * even,
        )
    ]
    if depth > 1:
        ratio = float(fits[1].mean() / measured)
        _, stderr = _mean((fits[1] - ratio * fits[0]) / measured)
        rows.append(
            Claim.test(
                "DYN2",
                f"{_network(point)}, biases none: odd over even limit of k^2 lambda_k",
                prediction=odd / even,
                measured=ratio,
                stderr=stderr,
                # The kink at angle 0 is common to both; only the rest of the difference can shift their ratio.
                tolerance=(1.0 - odd / even) * relative + _FIT_ERROR,
            )
        )
    return rows


def _odd_with_biases(point: "xr.Dataset", given: dict[str, Any]) -> Claim:
    """Biases add ``kappa_0``, all of it odd but for its mean: a kink of ``-1/pi`` at angle 0 and one of 1/pi at pi."""
    limit_with_biases = given["sigma_w"] ** 2 / np.pi**2
    spectrum = point.spectrum.sel(biases="trained").values
    measured, stderr = _mean(spectrum @ constant_weights(given["points"], 1))
    return Claim.test(
        "DYN2",
        f"{_network(point)}, biases trained: limit of k^2 lambda_k, odd k",
        prediction=limit_with_biases,
        measured=measured,
        stderr=stderr,
        tolerance=_FIT_ERROR * limit_with_biases,
    )


def _silent_modes(point: "xr.Dataset") -> Claim:
    spectrum = point.spectrum.sel(biases="none").values
    odd = np.abs(spectrum[:, 3::2]).max(axis=1) / spectrum[:, 1]
    measured, stderr = _mean(odd)
    return Claim.test(
        "DYN2",
        f"{_network(point)}, biases none: odd k >= 3 are not learned, in any network; largest lambda_k / lambda_1",
        prediction=0.0,
        measured=measured,
        stderr=stderr,
        tolerance=_ROUNDING,
    )


def _exponent(row: "xr.Dataset", name: str) -> Claim:
    # Below, higher orders in 1/k show; above, the modes that look the same on the points.
    row = row.sel(mode=slice(4, row.sizes["mode"] // 2, 2))
    x = np.log(row.mode.values)
    measured, stderr = decay(row[name].values, x)
    tangent = name == "spectrum"
    return Claim.test(
        "A3-25" if tangent else "DYN2",
        "one hidden layer of ReLUs prefers low frequencies: exponent of k in its "
        f"{'tangent kernel' if tangent else 'output covariance'}, even k from 4 to {row.mode.values[-1]}",
        prediction=_slope(row[f"{name}_theory"].values, x),
        measured=measured,
        stderr=stderr,
        correction="a property of networks with kinks, not of the linear model; -2 as k grows" if tangent else None,
    )


def _fluctuations(point: "xr.Dataset", given: dict[str, Any]) -> Claim:
    row = point.sel(biases="none")
    expected = row.spread_theory.values
    measured, stderr = spread(row.spectrum.values, given["width"])
    modes = np.flatnonzero(np.isfinite(expected))
    mode = int(modes[np.argmax((np.abs(measured - expected) / stderr)[modes])])
    return Claim.test(
        "DYN2",
        f"{_network(point)}, biases none: relative spread of lambda_k over networks, times sqrt(width); "
        f"worst of {len(modes)}, k = {mode}",
        prediction=expected[mode],
        measured=measured[mode],
        stderr=stderr[mode],
    )


def spread(spectrum: Array, width: int) -> tuple[Array, Array]:
    """Standard deviation of coefficients over networks, relative to the mean, times the root of the width.

    Parameters
    ----------
    spectrum : (trial, mode) array
        Coefficients of each network.
    width : int
        Units of a hidden layer.

    Returns
    -------
    tuple of (mode,) arrays
        The spread and its standard error; NaN for modes that vanish.
    """
    mean, trials = spectrum.mean(axis=0), len(spectrum)
    visible = mean > _ROUNDING * mean.max()
    with np.errstate(divide="ignore", invalid="ignore"):
        square, stderr = _mean(width * (spectrum / mean - 1.0) ** 2)
        value = np.sqrt(square * trials / (trials - 1))
        # Tails are longer than those of a Gaussian: networks that happen to lie close do not make the error smaller.
        relative = np.maximum(0.5 * stderr / square, 1.0 / np.sqrt(2.0 * (trials - 1)))
    return np.where(visible, value, np.nan), np.where(visible, relative * value, np.nan)


# --- figure ---------------------------------------------------------------------------------------------------------


def figure(dataset: "xr.Dataset") -> "Figure":
    """Spectra of one hidden layer and of deep networks, and their spread over networks.

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

    with plotting.figure_style():
        fig, axes = plt.subplots(1, 3, figsize=(plotting.DOUBLE_COLUMN, 2.6))
        if 1 in dataset.depth:
            _draw_one_layer(axes[0], dataset.sel(depth=1))
        if "relu" in dataset.activation:
            relu = dataset.sel(activation="relu", biases="none")
            if 2 in dataset.depth:
                covariance = relu.sel(depth=2, mode=slice(2, relu.sizes["mode"] // 2, 2))
                _draw(axes[0], covariance, "covariance_spectrum", 1.0, "0.5", "ReLU, covariance")
            for color, depth in zip(plotting.COLORS, dataset.depth.values.tolist(), strict=False):
                _draw_depth(axes[1], axes[2], relu.sel(depth=depth), studies.parameters(dataset), color)
        axes[0].set(ylabel=r"rate of learning $\lambda_k$", xscale="log", yscale="log", ylim=(3e-6, 3e3))
        axes[0].set_xticks([1, 2, 5, 10], ["1", "2", "5", "10"])
        axes[0].xaxis.set_minor_formatter("")
        axes[0].legend(loc="upper right")
        axes[1].set(ylabel=r"$k^2\lambda_k$ over $L(L+1)/2\pi^2$", ylim=(-0.1, 2.4))
        axes[2].set(ylabel=r"$\sqrt{n}$ relative spread of $\lambda_k$", ylim=(0.0, None))
        axes[2].legend()
        for ax, letter in zip(axes, "abc", strict=True):
            ax.set_xlabel("frequency $k$")
            plotting.panel_label(ax, letter)
    return fig


def _draw(ax: "Axes", row: "xr.Dataset", name: str, scale: Any, color: str, label: str, hollow: bool = False) -> None:
    """Theory as a line, means over networks as points."""
    from simnn import plotting

    mean, stderr = _mean(row[name].transpose("trial", "mode").values * scale)
    plotting.theory_and_simulation(ax, row.mode, row[f"{name}_theory"] * scale, mean, stderr, label=label, color=color)
    if hollow:
        ax.lines[-1].set_markerfacecolor("white")


def _draw_one_layer(ax: "Axes", one: "xr.Dataset") -> None:
    """Every activation with the modes that it can learn, as far as aliasing is weak."""
    from simnn import plotting

    last = one.sizes["mode"] // 2
    cases = [
        ("linear", "none", slice(1, 1), "linear"),
        ("relu", "none", slice(2, last, 2), "ReLU, even $k$"),
        ("relu", "trained", slice(1, last, 2), "ReLU with biases, odd $k$"),
        ("erf", "none", slice(1, min(last, 11), 2), "erf, odd $k$"),
    ]
    for color, (activation, biases, modes, label) in zip(plotting.COLORS, cases, strict=False):
        if activation in one.activation:
            _draw(ax, one.sel(activation=activation, biases=biases, mode=modes), "spectrum", 1.0, color, label)


def _draw_depth(left: "Axes", right: "Axes", row: "xr.Dataset", given: dict[str, Any], color: str) -> None:
    from simnn import plotting

    depth, points = row.depth.item(), given["points"]
    limits = leading_constants(depth, given["sigma_w"])
    unit = 0.5 * sum(limits)
    for parity, constant in enumerate(limits):
        modes = row.sel(mode=slice(2 + parity, None, 2))
        # Modes that look the same on the points add up to a/k^2 with this k in the place of k.
        k = points / np.pi * np.sin(np.pi * modes.mode.values / points)
        _draw(left, modes, "spectrum", k**2 / unit, color, "_" if parity else f"$L = {depth}$", hollow=parity == 1)
        left.axhline(constant / unit, color=color, ls=":", lw=0.6, zorder=0)
    value, stderr = spread(row.spectrum.transpose("trial", "mode").values, given["width"])
    seen = np.isfinite(value)
    plotting.theory_and_simulation(
        right, row.mode[seen], row.spread_theory[seen], value[seen], stderr[seen], label=f"$L = {depth}$", color=color
    )
