"""Inputs as a tree of differences, so that near-collinear inputs keep their digits.

A Gram matrix in float64 holds 1 - c of two inputs to 1e-16, and nothing of it once they have come closer. The sampler
therefore follows other columns of the same span: one input, the root, and for each other input its difference ``v``
from a parent. Parents are nearest neighbours (a minimum spanning tree of the inputs), so every difference is as short
as any that the tree has to resolve, and distances between inputs are sums along the tree in which little cancels.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from simnn.device.targets import Target

Array = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Basis:
    """A tree over K inputs, and the Gram matrix of its columns.

    Attributes
    ----------
    order : (K,) int64 array
        Inputs in an order in which parents precede their children; the first is the root.
    parent : (K,) int64 array
        Parent of each input; -1 for the root.
    gram : (K, K) float64 array
        Gram matrix of the columns: the root, and differences from the parents.
    """

    order: Indices
    parent: Indices
    gram: Array

    @classmethod
    def of_patterns(cls, patterns: Array) -> "Basis":
        """Tree of given patterns.

        Parameters
        ----------
        patterns : (K, n) float64 array
            One input per row.

        Returns
        -------
        Basis
            Its Gram matrix is divided by n.
        """
        count = len(patterns)
        # Row by row: no (K, K, n) array, and nothing cancels.
        distance = np.array([np.square(patterns - row).sum(1) for row in patterns])
        order, parent = np.zeros(count, np.int64), np.full(count, -1, np.int64)
        nearest, gap = np.zeros(count, np.int64), distance[0].copy()
        gap[0] = np.inf
        for step in range(1, count):
            order[step] = child = int(np.argmin(gap))
            parent[child] = nearest[child]
            closer = distance[child] < gap
            nearest[closer], gap[closer] = child, distance[child][closer]
            gap[order[: step + 1]] = np.inf
        columns = patterns.copy()
        columns[order[1:]] -= patterns[parent[order[1:]]]
        return cls(order, parent, columns @ columns.T / patterns.shape[1])

    @classmethod
    def of_pair(cls, length: float, correlation: float | None) -> "Basis":
        """One input, or two of equal length.

        Parameters
        ----------
        length : float
            Mean square of the components of an input.
        correlation : float or None
            Overlap of two inputs; None for one input.

        Returns
        -------
        Basis
        """
        if correlation is None:
            return cls(np.zeros(1, np.int64), np.full(1, -1, np.int64), np.array([[length]]))
        e = 1.0 - correlation
        gram = length * np.array([[1.0, -e], [-e, 2.0 * e]])
        return cls(np.arange(2), np.array([-1, 0]), gram)


class Unfolding(NamedTuple):
    """Functions of one target (see `bind`)."""

    unfold: Callable[..., Any]
    decorrelate: Callable[..., Any]


@functools.cache
def bind(target: Target) -> Unfolding:
    """Bind the way back from the basis for a target.

    Parameters
    ----------
    target : Target
        Where the functions run.

    Returns
    -------
    Unfolding
        ``unfold(order, parent, basis_gram, gram, distance, excess, overlap, relative)``: from the Gram matrix of the
        basis, that of the inputs, their squared distances, and the differences ``|a|^2 - |b|^2`` of their squared
        lengths, all (K, K); the last two arguments are (K,) scratch. O(K^2).
        ``decorrelate(gram, distance, excess, out)``: 1 - c of all pairs, NaN where one has no length.
    """

    @target.routine
    def unfold(order, parent, basis_gram, gram, distance, excess, overlap, relative):  # type: ignore[no-untyped-def]
        root = order[0]
        gram[root, root] = basis_gram[root, root]
        distance[root, root] = excess[root, root] = 0.0
        for step in range(1, order.shape[0]):
            child = order[step]
            near = parent[child]
            # h . v of the new difference v with all inputs so far, from the root outwards.
            overlap[root] = basis_gram[root, child]
            for i in range(1, step):
                a = order[i]
                overlap[a] = overlap[parent[a]] + basis_gram[a, child]
                relative[a] = np.nan
            # (h - h_near) . v: towards the root along the path, then down all other branches.
            relative[root] = np.nan
            relative[near] = 0.0
            a = near
            while parent[a] >= 0:
                relative[parent[a]] = relative[a] - basis_gram[a, child]
                a = parent[a]
            length = basis_gram[child, child]
            longer = 2.0 * overlap[near] + length
            for i in range(step):
                a = order[i]
                if np.isnan(relative[a]):
                    relative[a] = relative[parent[a]] + basis_gram[a, child]
                gram[a, child] = gram[child, a] = gram[a, near] + overlap[a]
                gap = max(distance[a, near] - 2.0 * relative[a] + length, 0.0)
                distance[a, child] = distance[child, a] = gap
                excess[a, child] = excess[a, near] - longer
                excess[child, a] = -excess[a, child]
            gram[child, child] = gram[near, near] + longer
            distance[child, child] = excess[child, child] = 0.0

    @target.routine
    def decorrelate(gram, distance, excess, out):  # type: ignore[no-untyped-def]
        # |a - b|^2 = (|a| - |b|)^2 + 2 |a| |b| (1 - c), and |a| - |b| from |a|^2 - |b|^2.
        for i in range(gram.shape[0]):
            for j in range(gram.shape[0]):
                a, b = np.sqrt(gram[i, i]), np.sqrt(gram[j, j])
                longer = excess[i, j] / (a + b) if a + b > 0.0 else 0.0
                value = (distance[i, j] - longer * longer) / (2.0 * a * b) if a * b > 0.0 else np.nan
                out[i, j] = min(max(value, 0.0), 2.0) if value == value else value

    return Unfolding(unfold, decorrelate)
