"""Inputs as a tree of differences, so that near-collinear inputs keep their digits.

A Gram matrix in float64 holds 1 - c of two inputs to 1e-16, and nothing of it once they have come closer. The sampler
therefore follows other columns of the same span: one input, the root, and for each other input its difference ``v``
from a parent. Parents are nearest neighbours (a minimum spanning tree of the inputs), so every difference is as short
as any that the tree has to resolve, and distances between inputs are sums along the tree in which little cancels.

An input that is shorter than its difference (inputs far apart, or one that a narrow ReLU layer has silenced) is better
off as itself: such edges are cut, layer by layer, and mended when inputs come close again. What a layer carries is a
forest.
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
    """A tree over K inputs, a forest of some of its edges, and the Gram matrix of its columns.

    Attributes
    ----------
    order : (K,) int64 array
        Inputs in an order in which parents precede their children; the first is the root of the tree.
    tree : (K,) int64 array
        Nearest neighbour of each input among those before it; -1 for the root.
    parent : (K,) int64 array
        The same in the forest: -1 also where the edge is cut.
    gram : (K, K) float64 array
        Gram matrix of the columns: roots of the forest, and differences from the parents.
    """

    order: Indices
    tree: Indices
    parent: Indices
    gram: Array

    @classmethod
    def of_patterns(cls, patterns: Array) -> "Basis":
        """Tree of given patterns, without the edges that `Forest.cut` would cut.

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
        order, tree = np.zeros(count, np.int64), np.full(count, -1, np.int64)
        nearest, gap = np.zeros(count, np.int64), distance[0].copy()
        gap[0] = np.inf
        for step in range(1, count):
            order[step] = child = int(np.argmin(gap))
            tree[child] = nearest[child]
            closer = distance[child] < gap
            nearest[closer], gap[closer] = child, distance[child][closer]
            gap[order[: step + 1]] = np.inf
        far = distance[np.arange(count), tree] > np.square(patterns).sum(1)
        parent = np.where(far, -1, tree)
        columns = patterns - np.where(parent[:, None] >= 0, patterns[parent], 0.0)
        return cls(order, tree, parent, columns @ columns.T / patterns.shape[1])

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
            return cls(np.zeros(1, np.int64), np.full(1, -1), np.full(1, -1), np.array([[length]]))
        e, near = 1.0 - correlation, correlation > 0.5
        gram = [[1.0, -e], [-e, 2.0 * e]] if near else [[1.0, correlation], [correlation, 1.0]]
        return cls(np.arange(2), np.array([-1, 0]), np.array([-1, 0 if near else -1]), length * np.array(gram))


class Forest(NamedTuple):
    """Functions of one target (see `bind`)."""

    unfold: Callable[..., Any]
    decorrelate: Callable[..., Any]
    cut: Callable[..., Any]


@functools.cache
def bind(target: Target) -> Forest:
    """Bind ways between inputs and basis for a target.

    Parameters
    ----------
    target : Target
        Where the functions run.

    Returns
    -------
    Forest
        ``unfold(order, parent, basis_gram, gram, distance, excess, overlap, relative)``: from the Gram matrix of the
        basis, that of the inputs, their squared distances, and the differences ``|a|^2 - |b|^2`` of their squared
        lengths, all (K, K); the last two arguments are (K,) scratch. O(K^2).
        ``decorrelate(gram, distance, excess, out)``: 1 - c of all pairs, NaN where one has no length.
        ``cut(tree, variance_w, variance_b, gram, distance, parent) -> bool``: cut edges of the forest where the
        pre-activations of an input are much shorter than their difference from those of its parent, mend those
        where they are much longer; whether any was.
    """
    sqrt, isnan = target.operations.sqrt, target.operations.isnan

    @target.routine
    def unfold(order, parent, basis_gram, gram, distance, excess, overlap, relative):  # type: ignore[no-untyped-def]
        for step in range(order.shape[0]):
            child = order[step]
            near, length = parent[child], basis_gram[child, child]
            # h . v of the new column v with all inputs so far.
            for i in range(step):
                a = order[i]
                overlap[a] = basis_gram[a, child] + (overlap[parent[a]] if parent[a] >= 0 else 0.0)
                relative[a] = np.nan
            if near >= 0:
                # (h - h_near) . v: towards the root along the path, ...
                relative[near] = 0.0
                a = near
                while parent[a] >= 0:
                    relative[parent[a]] = relative[a] - basis_gram[a, child]
                    a = parent[a]
            longer = 2.0 * overlap[near] + length if near >= 0 else 0.0
            # What is left of a child that is all but silent may be less than nothing by rounding.
            gram[child, child] = max(gram[near, near] + longer, 0.0) if near >= 0 else length
            distance[child, child] = excess[child, child] = 0.0
            for i in range(step):
                a = order[i]
                if near >= 0:
                    if isnan(relative[a]):
                        # ... down its other branches, and in other trees, where nothing is close.
                        if parent[a] >= 0:
                            relative[a] = relative[parent[a]] + basis_gram[a, child]
                        else:
                            relative[a] = overlap[a] - overlap[near]
                    gram[a, child] = gram[a, near] + overlap[a]
                    gap = distance[a, near] - 2.0 * relative[a] + length
                    excess[a, child] = excess[a, near] - longer
                else:
                    gram[a, child] = overlap[a]
                    gap = gram[a, a] - 2.0 * overlap[a] + length
                    excess[a, child] = gram[a, a] - length
                distance[a, child] = max(gap, 0.0)
                gram[child, a], distance[child, a] = gram[a, child], distance[a, child]
                excess[child, a] = -excess[a, child]

    @target.routine
    def decorrelate(gram, distance, excess, out):  # type: ignore[no-untyped-def]
        # |a - b|^2 = (|a| - |b|)^2 + 2 |a| |b| (1 - c), and |a| - |b| from |a|^2 - |b|^2.
        for i in range(gram.shape[0]):
            for j in range(gram.shape[0]):
                a, b = sqrt(gram[i, i]), sqrt(gram[j, j])
                longer = excess[i, j] / (a + b) if a + b > 0.0 else 0.0
                value = (distance[i, j] - longer * longer) / (2.0 * a * b) if a * b > 0.0 else np.nan
                out[i, j] = min(max(value, 0.0), 2.0) if value == value else value

    @target.routine
    def cut(tree, variance_w, variance_b, gram, distance, parent):  # type: ignore[no-untyped-def]
        changed = False
        for a in range(tree.shape[0]):
            near = tree[a]
            if near >= 0:
                own, difference = variance_w * gram[a, a] + variance_b, variance_w * distance[a, near]
                # Between a half and twice, what is there is as good.
                if parent[a] >= 0 and difference > 2.0 * own:
                    parent[a], changed = -1, True
                elif parent[a] < 0 and difference < 0.5 * own:
                    parent[a], changed = near, True
        return changed

    return Forest(unfold, decorrelate, cut)
