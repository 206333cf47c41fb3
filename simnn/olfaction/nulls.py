"""Random wirings to compare a connectome with: each keeps less of it.

All keep the number of glomeruli of every Kenyon cell. `curveball` also keeps the number of Kenyon cells of every
glomerulus, exactly; `frequency_weighted` only on average and not quite, since draws without replacement flatten it;
`uniform` forgets it. What pairs of glomeruli do beyond their degrees shows in `shared_cells`.
"""

from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    import xarray as xr

    Array = NDArray[np.float64]


@overload
def curveball(connections: "xr.DataArray", sweeps: int = ..., seed: int = ...) -> "xr.DataArray": ...
@overload
def curveball(connections: ArrayLike, sweeps: int = ..., seed: int = ...) -> "Array": ...
def curveball(connections: "ArrayLike | xr.DataArray", sweeps: int = 60, seed: int = 0) -> "Array | xr.DataArray":
    """Randomise wiring, keeping all degrees: of every Kenyon cell and of every glomerulus.

    Parameters
    ----------
    connections : array (kenyon_cell, glomerulus) or xarray.DataArray
        Zeros and ones.
    sweeps : int
        In each, all Kenyon cells are paired at random, and every pair shuffles among its two members the glomeruli that
        only one of them has. Thirty and more forget the start.
    seed : int
        Of the random numbers.

    Returns
    -------
    array (kenyon_cell, glomerulus) or xarray.DataArray
        Zeros and ones.

    Raises
    ------
    ValueError
        If an entry is neither zero nor one, or `sweeps` is negative.

    References
    ----------
    Strona et al. 2014, Nat. Commun. 5, 4114 (trades). Carstens et al. 2018, ESA 2018, 11:1 (global trades: all pairs
    at once, with the same uniform limit).
    """
    if sweeps < 0:
        raise ValueError(f"sweeps: {sweeps!r} is not allowed: should be 0 or more")
    wiring = _binary(connections)
    rng = np.random.default_rng(seed)
    half = wiring.shape[0] // 2
    for _ in range(sweeps):
        order = rng.permutation(wiring.shape[0])
        first, second = order[:half], order[half : 2 * half]
        a, b = wiring[first], wiring[second]
        differ = a ^ b
        keys = np.where(differ, rng.random(a.shape), 2.0)
        chosen = _smallest(keys, (a & ~b).sum(axis=1))
        wiring[first] = (a & b) | chosen
        wiring[second] = (a & b) | (differ & ~chosen)
    return _like(connections, wiring, "random connections with all degrees of the measured ones")


@overload
def frequency_weighted(connections: "xr.DataArray", seed: int = ...) -> "xr.DataArray": ...
@overload
def frequency_weighted(connections: ArrayLike, seed: int = ...) -> "Array": ...
def frequency_weighted(connections: "ArrayLike | xr.DataArray", seed: int = 0) -> "Array | xr.DataArray":
    """Draw the glomeruli of every Kenyon cell without replacement, with probabilities that follow their fan-out.

    Parameters
    ----------
    connections : array (kenyon_cell, glomerulus) or xarray.DataArray
        Zeros and ones.
    seed : int
        Of the random numbers.

    Returns
    -------
    array (kenyon_cell, glomerulus) or xarray.DataArray
        Zeros and ones. The fan-out of frequent glomeruli comes out too small: prefer `curveball` to ask what pairing
        does.

    Raises
    ------
    ValueError
        If an entry is neither zero nor one.
    """
    wiring = _binary(connections)
    fan_out = wiring.sum(axis=0)
    clocks = np.random.default_rng(seed).exponential(size=wiring.shape)
    # Which of several exponential clocks ring first is a sequence of draws without replacement, by their rates.
    keys = np.divide(clocks, fan_out, out=np.full(wiring.shape, np.inf), where=fan_out > 0)
    return _like(
        connections, _smallest(keys, wiring.sum(axis=1)), "random connections that follow the measured fan-out"
    )


@overload
def uniform(connections: "xr.DataArray", seed: int = ...) -> "xr.DataArray": ...
@overload
def uniform(connections: ArrayLike, seed: int = ...) -> "Array": ...
def uniform(connections: "ArrayLike | xr.DataArray", seed: int = 0) -> "Array | xr.DataArray":
    """Draw the glomeruli of every Kenyon cell without replacement, all alike: also those that had no connection.

    Parameters
    ----------
    connections : array (kenyon_cell, glomerulus) or xarray.DataArray
        Zeros and ones.
    seed : int
        Of the random numbers.

    Returns
    -------
    array (kenyon_cell, glomerulus) or xarray.DataArray
        Zeros and ones.

    Raises
    ------
    ValueError
        If an entry is neither zero nor one.
    """
    wiring = _binary(connections)
    keys = np.random.default_rng(seed).random(wiring.shape)
    return _like(connections, _smallest(keys, wiring.sum(axis=1)), "random connections, all glomeruli alike")


@overload
def shared_cells(connections: "xr.DataArray") -> "xr.DataArray": ...
@overload
def shared_cells(connections: ArrayLike) -> "Array": ...
def shared_cells(connections: "ArrayLike | xr.DataArray") -> "Array | xr.DataArray":
    """Count the Kenyon cells that listen to both of two glomeruli.

    Parameters
    ----------
    connections : array (kenyon_cell, glomerulus) or xarray.DataArray
        Zeros and ones.

    Returns
    -------
    array (glomerulus, other_glomerulus) or xarray.DataArray
        Whole numbers, symmetric; the fan-outs are on the diagonal. `simnn.olfaction.degree_laws.shared_cells` has their
        mean and variance in random wirings with the same degrees.

    Raises
    ------
    ValueError
        If an entry is neither zero nor one.
    """
    wiring: Array = _binary(connections).astype(np.float64)
    shared: Array = wiring.T @ wiring
    if not hasattr(connections, "dims"):
        return shared
    import xarray as xr

    given = xr.DataArray(connections)
    name = str(given.dims[1])
    dims = (name, f"other_{name}")
    coords = {dim: (dim, given[name].values, given[name].attrs) for dim in dims if name in given.coords}
    about = {"long_name": "Kenyon cells that listen to both glomeruli", "units": "1"}
    return xr.DataArray(shared, coords, dims, "shared_cells", about)


def _binary(connections: "ArrayLike | xr.DataArray") -> NDArray[np.bool_]:
    values = np.asarray(connections)
    if values.ndim != 2:
        raise ValueError(f"connections: shape {values.shape} is not allowed: should be (kenyon_cell, glomerulus)")
    bad = (values != 0) & (values != 1)
    if bad.any():
        k, j = np.argwhere(bad)[0]
        raise ValueError(
            f"connections: {values[k, j]} at ({k}, {j}) is not allowed: should be 0 or 1 (connections > 0)"
        )
    wiring: NDArray[np.bool_] = values != 0
    return wiring


def _smallest(keys: "Array", count: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark the `count` smallest keys of each row."""
    ranked = np.argsort(keys, axis=1)
    chosen = np.empty(keys.shape, bool)
    np.put_along_axis(chosen, ranked, np.arange(keys.shape[1]) < count[:, np.newaxis], axis=1)
    return chosen


def _like(connections: Any, wiring: NDArray[np.bool_], about: str) -> "Array | xr.DataArray":
    values = wiring.astype(np.float64)
    if not hasattr(connections, "dims"):
        return values
    out: xr.DataArray = connections.copy(data=values).assign_attrs(long_name=about, units="1")
    return out
