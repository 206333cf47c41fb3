"""Sparse codes of odors, packed into bits: thresholds, codes, and what can be counted in them.

Bit ``i % 64`` of word ``i // 64`` of a row is cell i. Codes of 2000 cells take 256 bytes for each odor.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simnn.device import backends
from simnn.olfaction.arguments import Array, choice, numbers
from simnn.olfaction.wiring import Wiring, given_wiring

if TYPE_CHECKING:
    from simnn.olfaction.kernels import Rule

    Packed = NDArray[np.uint64]

SPARSENING = ("cell", "global", "winners")
"""Whether each cell has its own threshold, all have one, or the cells with the largest drives to an odor win."""


def winners_of(kenyon_cells: int, coding_level: float) -> int:
    """Number of cells that win.

    Parameters
    ----------
    kenyon_cells : int
        M.
    coding_level : float
        f.

    Returns
    -------
    int
        Nearest integer to ``f M``.

    Raises
    ------
    ValueError
        If that is no cell, or all of them.
    """
    winners = round(kenyon_cells * coding_level)
    if not 0 < winners < kenyon_cells:
        raise ValueError(
            f"coding_level: {coding_level!r} is not allowed with {kenyon_cells} cells: {winners} winners make one code"
        )
    return winners


def gaussian_thresholds(
    wiring: Wiring, coding_level: float, *, sparsening: str = "cell", channel_correlation: float = 0.0
) -> NDArray[np.float32]:
    """Thresholds that give cells, or all of them together, the coding level over all Gaussian odors.

    Parameters
    ----------
    wiring : Wiring
        From `draw_wiring` or `given_wiring`.
    coding_level : float
        f, inside (0, 1).
    sparsening : {"cell", "global"}
        Whether each cell has its own, or all the same.
    channel_correlation : float
        Correlation of any two channels of the odors, which have unit variance.

    Returns
    -------
    (M,) float32 array

    Raises
    ------
    ValueError
        If a parameter is out of range, or nothing drives a cell.
    """
    from scipy.optimize import brentq
    from scipy.special import ndtr, ndtri

    level = float(numbers("coding_level", coding_level, 0.0, 1.0, strict=True))
    quantile, deviations = -float(ndtri(level)), wiring.deviations(channel_correlation)
    if choice("sparsening", sparsening, SPARSENING[:2]) == "cell":
        return (quantile * deviations).astype(np.float32)
    # Between those of the cells with the smallest and the largest drives.
    least, most = sorted((quantile * float(deviations.min()), quantile * float(deviations.max())))
    scale = float(deviations.max())
    if most - least > 1e-9 * scale:
        least = brentq(lambda t: float(ndtr(-t / deviations).mean()) - level, least, most, xtol=1e-12 * scale)
    return np.full(wiring.kenyon_cells, least, np.float32)


def thresholds(odors: ArrayLike, wiring: Wiring, coding_level: float, *, sparsening: str = "cell") -> Any:
    """Thresholds that give cells, or all of them together, the coding level over given odors.

    Parameters
    ----------
    odors : (P, N) array
        Any real type; computed with in single precision.
    wiring : Wiring or (M, N) array
        Weights.
    coding_level : float
        f, inside (0, 1).
    sparsening : {"cell", "global"}
        Whether each cell has its own, or all the same.

    Returns
    -------
    (M,) float32 array
        A cell fires where its drive is larger. Each fires for the nearest integer to ``f P`` odors, all together for
        that to ``f M P`` pairs; where equal drives forbid that, for as many as come nearest, of two equally near the
        fewer. Thresholds of cells lie half-way between the drives that they separate.

    Raises
    ------
    ValueError
        If a parameter is out of range, or the coding level means no odor, or all of them.
    """
    wires = _as_wiring(wiring)
    rows = _odors(odors, wires)
    choice("sparsening", sparsening, SPARSENING[:2])
    return _fitted(rows, wires, coding_level, sparsening, np.empty((0, 0), np.uint64))


def chosen_of(odors: int, wiring: Wiring, coding_level: float, sparsening: str) -> int:
    """Number of drives that should exceed a threshold.

    Parameters
    ----------
    odors : int
        P.
    wiring : Wiring
        Weights.
    coding_level : float
        f.
    sparsening : {"cell", "global"}
        Whether the drives are those of one cell, or of all.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If that is none, or all of them.
    """
    level = float(numbers("coding_level", coding_level, 0.0, 1.0, strict=True))
    drives = odors * (1 if sparsening == "cell" else wiring.kenyon_cells)
    chosen = round(level * drives)
    if not 0 < chosen < drives:
        raise ValueError(
            f"coding_level: {coding_level!r} is not allowed with {odors} odors: cells would fire for {chosen}"
        )
    return chosen


def _fitted(
    odors: NDArray[Any], wiring: Wiring, coding_level: float, sparsening: str, codes: "Packed"
) -> NDArray[np.float32]:
    """Thresholds; and codes, if there is room for them."""
    from simnn.olfaction import levels

    cells, chosen = wiring.kenyon_cells, chosen_of(len(odors), wiring, coding_level, sparsening)
    if sparsening == "cell":
        return levels.fit(odors, wiring, chosen, codes)
    common = levels.fit_common(odors, wiring, chosen, codes)
    if common is not None:
        return np.full(cells, common, np.float32)
    found = np.full(cells, levels.search_common(odors, wiring, chosen), np.float32)
    if len(codes):
        _code(odors, wiring, rule(wiring, coding_level, found), codes, None)
    return found


def rule(wiring: Wiring, level: float, thresholds: NDArray[np.float32] | None) -> "Rule":
    """What kernels need to know to make codes.

    Parameters
    ----------
    wiring : Wiring
        Weights.
    level : float
        Coding level, for winners.
    thresholds : (M,) float32 array or None
        Without them, winners take all.

    Returns
    -------
    Rule
    """
    from scipy.special import ndtri

    from simnn.olfaction import kernels

    zero = np.float32(0.0)
    if thresholds is not None:
        return kernels.Rule(thresholds, np.float32(wiring.mean), 0, zero, zero)
    cells = wiring.kenyon_cells
    winners = winners_of(cells, level)
    # Drives to an odor are not far from normal: a third of the winners more or fewer is where the search begins.
    counts = winners + max(8.0, winners / 3.0) * np.array([1.0, -1.0])
    low, high = -ndtri(np.clip(counts, 0.5, cells - 0.5) / cells).astype(np.float32)
    return kernels.Rule(np.zeros(0, np.float32), zero, winners, low, high)


def encode(
    odors: ArrayLike,
    wiring: Any,
    coding_level: float = 0.1,
    *,
    sparsening: str = "cell",
    thresholds: ArrayLike | None = None,
    packed: bool = True,
    backend: str = "auto",
) -> Any:
    """Sparse codes of odors: drives, and which cells are active, in one pass that never holds all drives.

    Thresholds that give the odors the coding level are found in the same pass.

    Parameters
    ----------
    odors : (P, N) array
        One in each row; any real type, computed with in single precision.
    wiring : Wiring or (M, N) array
        Weights: from `draw_wiring`, `given_wiring`, or a matrix as it is.
    coding_level : float
        f, inside (0, 1).
    sparsening : {"cell", "global", "winners"}
        A cell is active where its drive exceeds its own threshold; where it exceeds one threshold that all cells share;
        or if it is among the ``round(f M)`` cells with the largest drives to the odor, of equal drives those with the
        lower index. Winners do not depend on inhibition: it subtracts the same number from all of their drives.
    thresholds : (M,) array, optional
        Of the cells, to be used instead of those that give these odors the coding level, which `thresholds` finds:
        those of other odors, or `gaussian_thresholds`.
    packed : bool
        Bits, or truth values.
    backend : str
        Where codes are made and thresholds found, see `simnn.device.backends.choose`.

    Returns
    -------
    (P, ceil(M / 64)) uint64 array, or (P, M) bool array
        See `unpack` and `count_active`. Memory beyond the result: for each thread 512 B for each cell if there are
        winners, and 1 KB for each glomerulus. Thresholds that are found here take 4 B for each number of the odors, and
        for each thread 40 B for each odor and 8 MB, or 4 to 64 MB and some 12 B for one in 100 drives if they are
        global. On a GPU they take 4 B for each number of the odors, and up to 1 GB of drives.

    Raises
    ------
    ValueError
        If a parameter is out of range, or an odor is not finite; one line names it.
    MemoryError
        If what a GPU needs does not fit into its memory.

    Notes
    -----
    A drive is a sum in single precision, in the order of the wiring. It is exact for rates that are small integers and
    weights that are, so that ties are ties.

    Examples
    --------
    >>> import numpy as np
    >>> from simnn import olfaction
    >>> wiring = olfaction.draw_wiring(glomeruli=50, kenyon_cells=2000, claws=7)
    >>> odors = np.random.default_rng(0).standard_normal((1000, 50))
    >>> codes = olfaction.encode(odors, wiring, coding_level=0.05, sparsening="winners")
    >>> codes.shape, set(olfaction.count_active(codes).tolist())
    ((1000, 32), {100})
    """
    from simnn.device.targets import threads
    from simnn.olfaction import kernels

    wires = _as_wiring(wiring)
    rows = _odors(odors, wires)
    level = float(numbers("coding_level", coding_level, 0.0, 1.0, strict=True))
    codes = np.empty((len(rows), kernels.words_of(wires.kenyon_cells)), np.uint64)
    # .1 ns for each input of a cell, and three times that for competition.
    work = len(rows) * int(wires.wires.count.sum()) * (3 if sparsening == "winners" else 1)
    device = backends.choose(backend, 1e-10 * work / threads())
    if choice("sparsening", sparsening, SPARSENING) == "winners":
        if thresholds is not None:
            raise ValueError("thresholds: not allowed with winners, which have none")
        _code(rows, wires, rule(wires, level, None), codes, device)
    elif thresholds is not None:
        _code(rows, wires, rule(wires, level, _given_thresholds(thresholds, wires.kenyon_cells)), codes, device)
    elif device is None:
        _fitted(rows, wires, level, sparsening, codes)
    else:
        from simnn.olfaction import cuda

        chosen = chosen_of(len(rows), wires, level, sparsening)
        with backends.use(device):
            found = cuda.fit(rows, wires.wires, wires.mean, chosen, sparsening == "global")
        _code(rows, wires, rule(wires, level, found), codes, device)
    return codes if packed else unpack(codes, wires.kenyon_cells)


def _code(odors: NDArray[Any], wiring: Wiring, law: "Rule", codes: "Packed", device: int | None) -> None:
    from simnn.olfaction import cpu, kernels
    from simnn.running import in_slices

    if device is not None:
        from simnn.olfaction import cuda

        with backends.use(device):
            codes[:] = cuda.encode(odors, wiring.wires, law)
        return

    def run(first: int, last: int, _stop: NDArray[np.int64]) -> None:
        space = kernels.space(wiring.glomeruli, wiring.kenyon_cells, law.winners > 0)
        ends = min(kernels.LANES * first, len(odors)), min(kernels.LANES * last, len(odors))
        cpu.bound().encode(odors, wiring.wires, law, *ends, space, codes)

    for _ in in_slices(-(-len(odors) // kernels.LANES), 2**20, run):
        pass


def _given_thresholds(values: ArrayLike, cells: int) -> NDArray[np.float32]:
    out = np.asarray(values, np.float32)
    if out.shape not in ((), (cells,)) or np.isnan(out).any():
        raise ValueError(f"thresholds: not allowed: should be {cells} numbers, one for each cell")
    return np.ascontiguousarray(np.broadcast_to(out, cells))


def _as_wiring(wiring: Any) -> Wiring:
    return wiring if isinstance(wiring, Wiring) else given_wiring(wiring)


def _odors(odors: ArrayLike, wiring: Wiring) -> NDArray[Any]:
    rows = np.asarray(odors)
    if rows.ndim != 2 or rows.dtype.kind not in "biuf" or len(rows) == 0 or rows.shape[1] != wiring.glomeruli:
        raise ValueError(
            f"odors: shape {rows.shape} is not allowed: should be numbers, one odor in each row and {wiring.glomeruli} "
            "glomeruli"
        )
    if rows.dtype not in (np.float32, np.float64):
        rows = rows.astype(np.float64)
    # Sums are not finite if a number is not; of the others only enormous ones overflow.
    if not np.isfinite(rows.sum()) or max(-float(rows.min()), float(rows.max())) > 1e30:
        raise ValueError("odors: not allowed: should be finite, and of a size that single precision can add up")
    return np.ascontiguousarray(rows)


# --- what can be counted ----------------------------------------------------------------------------------------


def _packed(codes: ArrayLike) -> "Packed":
    array = np.asarray(codes)
    if array.ndim != 2 or array.dtype != np.uint64 or 0 in array.shape:
        raise ValueError("codes: not allowed: should be packed codes, one odor in each row")
    return np.ascontiguousarray(array)


def unpack(codes: ArrayLike, kenyon_cells: int) -> NDArray[np.bool_]:
    """Truth values of packed codes.

    Parameters
    ----------
    codes : (P, W) uint64 array
        From `encode`.
    kenyon_cells : int
        M, at most ``64 W``.

    Returns
    -------
    (P, M) bool array
    """
    packed = _packed(codes)
    if not 64 * (packed.shape[1] - 1) < kenyon_cells <= 64 * packed.shape[1]:
        raise ValueError(f"kenyon_cells: {kenyon_cells!r} is not allowed with codes of {packed.shape[1]} words")
    octets = packed.astype("<u8", copy=False).view(np.uint8)
    return np.unpackbits(octets, axis=1, count=kenyon_cells, bitorder="little").view(np.bool_)


def pack(codes: ArrayLike) -> "Packed":
    """Pack truth values, the inverse of `unpack`.

    Parameters
    ----------
    codes : (P, M) array
        Of zeros and ones, or truth values.

    Returns
    -------
    (P, ceil(M / 64)) uint64 array
    """
    values = np.asarray(codes)
    if values.ndim != 2 or 0 in values.shape or not np.isin(values, (0, 1)).all():
        raise ValueError("codes: not allowed: should be a matrix of zeros and ones, one odor in each row")
    octets = np.packbits(values.astype(np.bool_), axis=1, bitorder="little")
    padded = np.pad(octets, ((0, 0), (0, -octets.shape[1] % 8)))
    return np.ascontiguousarray(padded).view("<u8").astype(np.uint64, copy=False)


def count_active(codes: ArrayLike, axis: int = 1, kenyon_cells: int | None = None) -> NDArray[np.int64]:
    """Active cells of each odor, or odors that each cell is active for.

    Parameters
    ----------
    codes : (P, W) uint64 array
        From `encode`.
    axis : {0, 1}
        What is counted: 1, cells, for each odor; 0, odors, for each cell.
    kenyon_cells : int, optional
        Number of cells, to cut the result to; by default all bits, for axis 0.

    Returns
    -------
    (P,) or (M,) int64 array
    """
    from simnn.olfaction import cpu

    packed = _packed(codes)
    if axis not in (0, 1):
        raise ValueError(f"axis: {axis!r} is not allowed: should be 0 or 1")
    active, total = np.zeros(len(packed), np.int64), np.zeros(64 * packed.shape[1], np.int64)
    cpu.bound().count(packed, active, total)
    return active if axis == 1 else total[:kenyon_cells]


def overlaps(codes: ArrayLike, other: ArrayLike | None = None) -> NDArray[np.int32]:
    """Number of cells that are active for both of two odors.

    Parameters
    ----------
    codes : (P, W) uint64 array
        From `encode`.
    other : (Q, W) uint64 array, optional
        By default the same.

    Returns
    -------
    (P, Q) int32 array
    """
    from simnn.olfaction import cpu

    packed = _packed(codes)
    second = packed if other is None else _packed(other)
    if packed.shape[1] != second.shape[1]:
        raise ValueError(f"other: shape {second.shape} is not allowed with codes of {packed.shape[1]} words")
    out = np.empty((len(packed), len(second)), np.int32)
    cpu.bound().overlaps(packed, second, out)
    return out


def correlations(codes: ArrayLike, kenyon_cells: int) -> Array:
    """Correlation of the codes of each pair of odors, over cells.

    Parameters
    ----------
    codes : (P, W) uint64 array
        From `encode`.
    kenyon_cells : int
        M.

    Returns
    -------
    (P, P) array
        NaN where an odor activates no cell, or all.
    """
    both = overlaps(codes).astype(np.float64)
    level = np.diag(both) / kenyon_cells
    covariance = both / kenyon_cells - np.outer(level, level)
    deviation = np.sqrt(level * (1.0 - level))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(covariance / np.outer(deviation, deviation))
