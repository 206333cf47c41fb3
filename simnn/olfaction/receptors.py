"""From receptor neurons to projection neurons: divisive normalisation, and statistics of layers."""

from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simnn.olfaction import tables

if TYPE_CHECKING:
    import xarray as xr

    Array = NDArray[np.float64]

TOTAL = 190.0
"""The unit of total activity in the fits; it stays whatever the number of receptors."""

MAXIMUM, HALF, EXPONENT, INPUT_GAIN = 165.0, 12.0, 1.5, 10.63
"""``R_max`` and ``sigma`` in spikes/s, ``a``, and m, as fitted by Olsen, Bhandawat & Wilson."""

_RESPONSE_GAIN = 0.164

INHIBITION = ("input gain", "response gain", "none")
"""How lateral inhibition acts."""

NEGATIVE = ("error", "clip", "sum then clip")
"""What to do about rates below zero."""


@overload
def projection_neurons(
    rates: "xr.DataArray",
    *,
    input_gain: ArrayLike = ...,
    inhibition: str = ...,
    negative: str = ...,
    maximum: float = ...,
    half: float = ...,
    exponent: float = ...,
) -> "xr.DataArray": ...
@overload
def projection_neurons(
    rates: ArrayLike,
    *,
    input_gain: ArrayLike = ...,
    inhibition: str = ...,
    negative: str = ...,
    maximum: float = ...,
    half: float = ...,
    exponent: float = ...,
) -> "Array": ...
def projection_neurons(
    rates: "ArrayLike | xr.DataArray",
    *,
    input_gain: ArrayLike = INPUT_GAIN,
    inhibition: str = "input gain",
    negative: str = "error",
    maximum: float = MAXIMUM,
    half: float = HALF,
    exponent: float = EXPONENT,
) -> "Array | xr.DataArray":
    """Firing rates of projection neurons from those of receptor neurons, one glomerulus for each receptor.

    Parameters
    ----------
    rates : array (..., receptor) or xarray.DataArray
        Absolute rates in spikes/s; the last dimension holds all receptors that inhibit each other, so call this before
        `simnn.olfaction.match` leaves some of them out.
    input_gain : float or array (receptor,)
        Strength m of lateral inhibition, >= 0; one for each glomerulus with `heterogeneous_gains`.
    inhibition : {"input gain", "response gain", "none"}
        ``R_max R^a / (R^a + sigma^a + s^a)`` with ``s = m * total / 190``; or
        ``R_max R^a / (R^a + sigma^a) / (1 + (0.164 * total / 190)^a)``; or the first with s = 0.
    negative : {"error", "clip", "sum then clip"}
        What to do about rates below zero: refuse; set them to zero; or set them to zero only after the sum over
        receptors (which is then clipped as well). The last is what was done to *changes* of rates in the program
        published with the model.
    maximum, half, exponent : float
        ``R_max`` and ``sigma`` in spikes/s, and ``a``.

    Returns
    -------
    array (..., receptor) or xarray.DataArray
        Rates in spikes/s.

    Raises
    ------
    ValueError
        If a rate is missing or not allowed, or a parameter is; one line names it.

    References
    ----------
    Olsen, Bhandawat & Wilson 2010, Neuron 66, 287: input gain control describes the data, response gain control does
    not.

    Examples
    --------
    >>> from simnn import olfaction
    >>> float(olfaction.projection_neurons([100.0] + 23 * [0.0])[0].round(4))
    156.4274
    """
    tables.check_choice("inhibition", inhibition, INHIBITION)
    tables.check_choice("negative", negative, NEGATIVE)
    for name, number in (("maximum", maximum), ("half", half), ("exponent", exponent)):
        if not 0.0 < number < np.inf:
            raise ValueError(f"{name}: {number!r} is not allowed: should be positive")
    given = _rates(rates)
    below = given < 0.0
    if negative == "error" and below.any():
        where = tuple(np.argwhere(below)[0].tolist())
        raise ValueError(
            f"rates: {given[where]:g} at {where}, like {int(below.sum()) - 1} others, is negative; choose "
            "negative='clip' or 'sum then clip'"
        )
    clipped = np.maximum(given, 0.0)
    total = np.maximum((given if negative == "sum then clip" else clipped).sum(axis=-1, keepdims=True), 0.0) / TOTAL
    gain = np.asarray(input_gain, np.float64)
    if gain.shape not in ((), given.shape[-1:]) or not (np.isfinite(gain) & (gain >= 0.0)).all():
        raise ValueError(f"input_gain: {input_gain!r} is not allowed: should be one number >= 0, or one per receptor")
    suppression = (gain * total) ** exponent if inhibition == "input gain" else 0.0
    driven = clipped**exponent
    out = maximum * driven / (driven + half**exponent + suppression)
    if inhibition == "response gain":
        out /= 1.0 + (_RESPONSE_GAIN * total) ** exponent
    return _like(rates, out, "firing rate of projection neurons")


def heterogeneous_gains(receptors: int, seed: int = 0, *, mean: float = 11.24, deviation: float = 5.43) -> "Array":
    """Draw the input gain of each glomerulus from a normal law, again and again until it is not negative.

    Parameters
    ----------
    receptors : int
        How many.
    seed : int
        Of the random numbers.
    mean, deviation : float
        Of the normal law before its negative part is cut off.

    Returns
    -------
    array (receptor,)

    References
    ----------
    Olsen, Bhandawat & Wilson 2010.
    """
    from scipy.special import ndtr, ndtri

    cut = ndtr(-mean / deviation)
    uniform = np.random.default_rng(seed).random(receptors)
    gains: Array = mean + deviation * ndtri(cut + (1.0 - cut) * uniform)
    return np.maximum(gains, 0.0)


@overload
def noise(rates: "xr.DataArray") -> "xr.DataArray": ...
@overload
def noise(rates: ArrayLike) -> "Array": ...
def noise(rates: "ArrayLike | xr.DataArray") -> "Array | xr.DataArray":
    """Trial-to-trial standard deviation of the rates of projection neurons, ``10 tanh(0.025 R)``.

    Parameters
    ----------
    rates : array or xarray.DataArray
        Of projection neurons, spikes/s.

    Returns
    -------
    array or xarray.DataArray
        Standard deviations, spikes/s.

    References
    ----------
    Luo, Axel & Abbott 2010, PNAS 107, 10713.
    """
    return _like(rates, 10.0 * np.tanh(0.025 * _rates(rates)), "standard deviation of the firing rate")


def layer_statistics(rates: "ArrayLike | xr.DataArray") -> dict[str, float]:
    """How a layer represents a set of odors.

    Parameters
    ----------
    rates : array (odor, channel) or xarray.DataArray
        Responses.

    Returns
    -------
    dict of str to float
        ``mean``; ``odor_correlation``, mean of Pearson's r between the rows of two odors; ``channel_correlation``, mean
        of its absolute value between the columns of two channels; ``first_component``, share of the variance along the
        first principal component; ``dimension``, participation ratio (tr C)^2 / tr C^2 of the covariance of channels,
        not corrected for the number of odors.

    Raises
    ------
    ValueError
        If there are fewer than two odors or channels, or one of them has no variance.

    Examples
    --------
    >>> from simnn import olfaction
    >>> olfaction.layer_statistics([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])["mean"]
    0.3333333333333333
    """
    values = _rates(rates)
    if values.ndim != 2 or min(values.shape) < 2:
        raise ValueError(f"rates: shape {values.shape} is not allowed: should be (odor, channel), two or more of each")
    for axis, name in ((1, "odor"), (0, "channel")):
        constant = np.ptp(values, axis=axis) == 0.0
        if constant.any():
            raise ValueError(f"rates: {name} {int(np.argmax(constant))} has no variance")
    odors, channels = np.asarray(np.corrcoef(values)), np.asarray(np.corrcoef(values.T))
    covariance = np.asarray(np.cov(values.T))
    return {
        "mean": float(values.mean()),
        "odor_correlation": float(odors[np.triu_indices(len(odors), 1)].mean()),
        "channel_correlation": float(np.abs(channels[np.triu_indices(len(channels), 1)]).mean()),
        "first_component": float(np.linalg.eigvalsh(covariance)[-1] / np.trace(covariance)),
        "dimension": float(np.trace(covariance) ** 2 / (covariance**2).sum()),
    }


def _rates(rates: Any) -> "Array":
    if hasattr(rates, "dims") and rates.attrs.get("units", "spikes/s") != "spikes/s":
        raise ValueError(f"rates: {rates.name!r} is in units {rates.attrs['units']!r}: should be in 'spikes/s'")
    for name in ("receptor", "glomerulus"):
        if name in getattr(rates, "dims", ())[:-1]:
            raise ValueError(f"rates: dimensions {rates.dims} are not allowed: {name!r} should be the last")
    values = np.asarray(rates, np.float64)
    if values.ndim == 0:
        raise ValueError("rates: a single number is not allowed: should be an array (..., receptor)")
    if not np.isfinite(values).all():
        where = tuple(np.argwhere(~np.isfinite(values))[0].tolist())
        raise ValueError(f"rates: {values[where]} at {where} is not allowed: should be finite")
    return values


def _like(rates: Any, values: "Array", about: str) -> "Array | xr.DataArray":
    if not hasattr(rates, "dims"):
        return values
    out: xr.DataArray = rates.copy(data=values)
    out.attrs = {"long_name": about, "units": "spikes/s"}
    return out
