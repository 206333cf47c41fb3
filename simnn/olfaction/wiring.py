"""Wirings of a random expansion: drawn by law, by frequency, or given; each cell with the list of its inputs."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from simnn.olfaction.arguments import Array, choice, counts
from simnn.olfaction.weights import LOG_SIGMA, WEIGHTS

if TYPE_CHECKING:
    from simnn.olfaction.kernels import Wires

INHIBITION = ("none", "balanced")
"""Whether the mean of all entries of J, one number for the whole matrix, is subtracted from each of them."""

_ROWS = 2**22
"""Numbers in one block of draws by frequency: 16 MB."""


@dataclass(frozen=True, eq=False)
class Wiring:
    """Weights J of M Kenyon cells on N glomeruli, sparse where they are.

    Attributes
    ----------
    wires : Wires
        Inputs of each cell, padded to whole chunks, as kernels take them.
    claws : (M,) int64 array
        How many inputs each cell has, repeated ones included.
    glomeruli : int
        N.
    inhibition : {"none", "balanced"}
        Whether the mean of the matrix is subtracted from its entries. It never is in the arrays: what it does to all
        drives to an odor is one number, the mean times the sum of the odor.
    """

    wires: "Wires"
    claws: NDArray[np.int64]
    glomeruli: int
    inhibition: str = "none"

    @property
    def kenyon_cells(self) -> int:
        """Number M of cells."""
        return len(self.claws)

    @property
    def mean(self) -> float:
        """What inhibition subtracts from each entry of the matrix."""
        if self.inhibition == "none":
            return 0.0
        return float(self.wires.weight.sum(dtype=np.float64)) / (self.kenyon_cells * self.glomeruli)

    def sparse(self) -> Any:
        """Weights without inhibition.

        Returns
        -------
        scipy.sparse.csr_array
            (M, N), float64; weights of repeated inputs are added up.
        """
        from scipy import sparse

        index, weight = self.wires.index, self.wires.weight
        used = np.arange(index.shape[1]) < self.claws[:, np.newaxis]
        pointers = np.concatenate([[0], np.cumsum(self.claws)])
        shape = (self.kenyon_cells, self.glomeruli)
        matrix = sparse.csr_array((weight[used].astype(np.float64), index[used], pointers), shape)
        matrix.sum_duplicates()
        return matrix

    def matrix(self) -> Array:
        """Weights with inhibition.

        Returns
        -------
        (M, N) array
            Dense.
        """
        return np.asarray(self.sparse().toarray() - self.mean)

    def deviations(self, channel_correlation: float = 0.0) -> Array:
        """Standard deviations of the drives over odors whose channels have unit variance.

        Parameters
        ----------
        channel_correlation : float
            Correlation of any two channels.

        Returns
        -------
        (M,) array
            ``|J_i|`` if it is zero.

        Raises
        ------
        ValueError
            If nothing drives a cell.
        """
        matrix, m, n = self.sparse(), self.mean, self.glomeruli
        sums, squares = np.asarray(matrix.sum(axis=1)), np.asarray(matrix.multiply(matrix).sum(axis=1))
        centred = squares - 2.0 * m * sums + n * m * m
        variance = (1.0 - channel_correlation) * centred + channel_correlation * (sums - n * m) ** 2
        silent = variance <= 1e-12 * (squares + n * m * m)
        if silent.any():
            raise ValueError(f"wiring: not allowed: nothing drives cell {int(np.argmax(silent))}")
        return np.sqrt(variance)


def given_wiring(matrix: ArrayLike, *, inhibition: str = "none") -> Wiring:
    """Take a matrix of weights, such as a connectome or a null of one.

    Parameters
    ----------
    matrix : (M, N) array, xarray.DataArray or scipy sparse array
        Weights of any sign, one cell in each row.
    inhibition : {"none", "balanced"}
        Whether the mean of the matrix is subtracted from its entries.

    Returns
    -------
    Wiring

    Raises
    ------
    ValueError
        If it is no matrix of finite numbers.
    """
    from scipy import sparse

    choice("inhibition", inhibition, INHIBITION)
    rows: Any = matrix if sparse.issparse(matrix) else np.asarray(matrix)
    if rows.ndim != 2 or rows.dtype.kind not in "biuf" or 0 in rows.shape:
        raise ValueError("matrix: not allowed: should be a matrix of numbers, one cell in each row")
    rows = sparse.csr_array(rows, dtype=np.float32)
    rows.eliminate_zeros()
    if not np.isfinite(rows.data).all():
        raise ValueError("matrix: not allowed: should be finite")
    claws = np.diff(rows.indptr).astype(np.int64)
    used = np.arange(max(int(claws.max()), 1)) < claws[:, np.newaxis]
    index, weight = np.full(used.shape, rows.shape[1], np.int32), np.zeros(used.shape, np.float32)
    index[used], weight[used] = rows.indices, rows.data
    return _wiring(index, weight, claws, rows.shape[1], inhibition)


def draw_wiring(
    *,
    glomeruli: int = 50,
    kenyon_cells: int = 2000,
    claws: int = 7,
    weights: str = "binary",
    replacement: bool = False,
    frequencies: ArrayLike | None = None,
    inhibition: str = "none",
    trial: int = 0,
    seed: int = 0,
) -> Wiring:
    """Draw the wiring of one trial of `simnn.olfaction.simulate`.

    Parameters
    ----------
    glomeruli, kenyon_cells : int
        N and M.
    claws : int
        Inputs K of each cell; 0 for all glomeruli.
    weights : str
        Law of the weights, one of `simnn.olfaction.weights.WEIGHTS`; ``"gaussian"`` with ``claws=0`` is the dense
        Gaussian matrix.
    replacement : bool
        Whether a cell may draw a glomerulus more than once; its weights are then added up.
    frequencies : (N,) array, optional
        How often a claw chooses each glomerulus, up to a factor: the fan-out of a connectome, for instance. Without
        replacement, claws are drawn one after the other, which flattens the fan-out. By default all alike.
    inhibition : {"none", "balanced"}
        Whether the mean of the matrix is subtracted from its entries.
    trial : int
        Number of the trial.
    seed : int
        In [0, 2^64).

    Returns
    -------
    Wiring
        Cell i is the same for every number of cells.

    Raises
    ------
    ValueError
        If a parameter is out of range; one line names it.

    Examples
    --------
    >>> from simnn import olfaction
    >>> wiring = olfaction.draw_wiring(glomeruli=50, kenyon_cells=2000, claws=7)
    >>> wiring.matrix().sum(axis=1).min()
    np.float64(7.0)
    """
    from simnn.device import philox
    from simnn.olfaction import cpu

    for name, number, least in (("glomeruli", glomeruli, 1), ("kenyon_cells", kenyon_cells, 1), ("claws", claws, 0)):
        counts(name, number, least)
    choice("weights", weights, WEIGHTS)
    choice("inhibition", inhibition, INHIBITION)
    draws = claws or glomeruli
    if draws > glomeruli and not replacement:
        raise ValueError(f"claws: {claws!r} is not allowed: should be at most the number of glomeruli, {glomeruli}")
    key, stream = _key(seed), philox.EXPANSION * philox.COLUMNS
    index = np.empty((kenyon_cells, draws), np.int32)
    if frequencies is None:
        order, place = np.arange(glomeruli, dtype=np.int32), np.zeros(draws, np.int32)
        cpu.bound().choose(trial, glomeruli, replacement, stream, key, order, place, index)
    else:
        _choose_by_frequency(_frequencies(frequencies, glomeruli, draws, replacement), trial, key, replacement, index)
    weight = _weights(weights, index.shape, trial, key)
    return _wiring(index, weight, np.full(kenyon_cells, draws), glomeruli, inhibition)


def _key(seed: int) -> NDArray[np.uint64]:
    return np.array([seed & 0xFFFFFFFF, seed >> 32], np.uint64)


def _frequencies(frequencies: ArrayLike, glomeruli: int, claws: int, replacement: bool) -> Array:
    shares = np.asarray(frequencies, np.float64)
    if shares.shape != (glomeruli,) or not np.isfinite(shares).all() or (shares < 0.0).any():
        raise ValueError(f"frequencies: not allowed: should be {glomeruli} numbers >= 0, one for each glomerulus")
    if (shares > 0.0).sum() < (1 if replacement else claws):
        raise ValueError(f"frequencies: not allowed: should be positive for at least {claws} glomeruli")
    return np.asarray(shares / shares.sum())


def _choose_by_frequency(
    shares: Array, trial: int, key: NDArray[np.uint64], replacement: bool, index: NDArray[np.int32]
) -> None:
    from simnn.device import philox
    from simnn.olfaction import cpu

    cells, claws = index.shape
    draws = np.empty((cells, claws if replacement else len(shares)), np.float32)
    stream = philox.EXPANSION * philox.COLUMNS + 2
    cpu.bound().uniforms(trial, stream, key, draws.reshape(-1))
    if replacement:
        index[:] = np.searchsorted(np.cumsum(shares)[:-1], draws, side="right")
        return
    rows = max(1, _ROWS // len(shares))
    for first in range(0, cells, rows):
        # Which of several exponential clocks ring first is a sequence of draws without replacement, by their rates.
        with np.errstate(divide="ignore"):
            clocks = -np.log(draws[first : first + rows].astype(np.float64)) / shares
        index[first : first + rows] = np.argsort(clocks, axis=1, kind="stable")[:, :claws]


def _weights(law: str, shape: tuple[int, int], trial: int, key: NDArray[np.uint64]) -> NDArray[np.float32]:
    from simnn.device import normals, philox, targets
    from simnn.olfaction import cpu

    out = np.ones(shape, np.float32)
    stream = philox.EXPANSION * philox.COLUMNS + 1
    if law == "binary":
        return out
    if law == "uniform":
        cpu.bound().uniforms(trial, stream, key, out.reshape(-1))
        return out
    words, tile = np.empty((4, normals.TILE), np.uint32), np.empty((2, normals.TILE), np.float32)
    fill = normals.bind(targets.cpu(np.float32)).fill
    fill(trial, 0, stream, key, np.float32(1.0), words, tile, out.reshape(-1))
    if law in LOG_SIGMA:
        np.exp(np.float32(LOG_SIGMA[law]) * out, out=out)
    return np.abs(out) if law == "halfnormal" else out


def _wiring(
    index: NDArray[np.int32], weight: NDArray[np.float32], claws: NDArray[np.int64], glomeruli: int, inhibition: str
) -> Wiring:
    from simnn.olfaction import kernels

    count = kernels.padded(claws)
    missing = int(count.max()) - index.shape[1]
    inputs = np.pad(index, ((0, 0), (0, missing)), constant_values=glomeruli)
    wires = kernels.Wires(inputs, np.pad(weight, ((0, 0), (0, missing))), count)
    return Wiring(wires, claws, glomeruli, inhibition)
