"""Kernel of the CPU: in which face of the cone of labelled patterns does the nearest point to a Gaussian vector lie."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from simnn.capacity import active_sets, certificates, dense, patterns, solvers
from simnn.device import philox
from simnn.device.targets import Target, cpu

UNDECIDED, NOT_SEPARABLE, ONE_CLASS = -3, -2, -1
"""What is answered instead of the dimension of a face; with one class and a threshold the cone is a point."""

CLOSE = 1e-9
"""Conditions of the nearest point are met to this, for patterns up to length 1; a proof needs a larger distance."""


class Cloud(NamedTuple):
    """Patterns of which the labels are fixed, or random.

    Attributes
    ----------
    rows : (P, N) array
        Patterns, of length 1 without a threshold; with one, they end with a component 1.
    columns : (N, P) array
        Its transpose.
    gram : (P, P) array
        Products of the rows.
    group : (P,) int64 array
        Number of the manifold of each pattern; all of its patterns share a label.
    height : (P,) array
        Inverse lengths of the patterns as given, the largest 1: what is 1 on some of them is 1 on their affine span.
    label : (P,) array
        Labels -1 and +1; empty if they are random.
    bias : bool
        Whether there is a threshold.
    """

    rows: Any
    columns: Any
    gram: Any
    group: Any
    height: Any
    label: Any
    bias: Any


def kernel() -> Callable[..., Any]:
    """The kernel of this machine.

    Returns
    -------
    callable
    """
    return bind(cpu(np.float64), cpu(np.float32))


@functools.cache
def bind(target: Target, single: Target) -> Callable[..., Any]:
    """Bind the kernel for a target.

    Parameters
    ----------
    target : Target
        Where it runs, in double precision.
    single : Target
        The same in single precision, for the normals.

    Returns
    -------
    callable
        ``faces(cloud, key, first, out, pull, listed, space)``: dimension of the face that holds the nearest point, or
        one of the answers above, of draws first, first + 1, ..., one entry of ``out`` each. ``pull`` (P,), ``listed``
        (P,) int64 and ``space`` (`simnn.capacity.cpu.space`) are scratch.
    """
    _, _, _, draw_normals, draw_signs, *_ = patterns.bind(target, single)
    dot, combine, *_ = dense.bind(target)
    _, _, project, lift, decide, *_ = solvers.bind(target)
    vectors_stream = philox.PROJECTIONS * philox.COLUMNS
    labels_stream = vectors_stream + 1

    @target.routine
    def draw_labels(draw, key, group, signs, label):
        draw_signs(draw, 0, labels_stream, key, signs)
        for i in range(group.shape[0]):
            label[i] = signs[group[i]]

    @target.routine
    def two_classes(label):
        total = 0.0
        for i in range(label.shape[0]):
            total += label[i]
        return abs(total) < label.shape[0]

    @target.routine
    def lifted(cloud, members, touching, space):
        """Whether weights that lift the face lift all patterns that touch its hyperplane (listed in ``touching``)."""
        label, work = space.label, space.work
        lift(cloud.height, members, work)
        for m in range(touching.shape[0]):
            i = touching[m]
            field = 0.0
            for a in range(members):
                field += cloud.gram[i, work.chosen[a]] * label[work.chosen[a]] * work.solution[a]
            if not label[i] * field > CLOSE:
                return False
        return True

    @target.routine
    def certified(cloud, listed, space):
        """Verdict on these patterns and labels, from the rows."""
        for m in range(listed.shape[0]):
            source, row = cloud.rows[listed[m]], space.rows[m]
            factor = space.label[listed[m]] / np.sqrt(dot(source, source))
            for k in range(row.shape[0]):
                row[k] = factor * source[k]
                space.columns[k, m] = row[k]
            space.norm[m] = 1.0
        verdict, _ = decide(space.rows, space.columns, space.norm, listed.shape[0], solvers.AUTO, space.work)
        return verdict

    @target.routine
    def separable(cloud, members, touching, listed, space):
        """Verdict on the labels of all patterns.

        The vector from the nearest point separates those beyond its hyperplane; a little of what separates the others,
        the face and ``touching``, added to it separates all.
        """
        if touching == 0 or lifted(cloud, members, listed[members : members + touching], space):
            return certificates.SEPARABLE
        for a in range(members):
            listed[a] = space.work.chosen[a]
        return certified(cloud, listed[: members + touching], space)

    @target.routine
    def face(cloud, draw, key, pull, listed, space):
        label, work, count, fixed = space.label, space.work, cloud.rows.shape[0], cloud.label.shape[0] > 0
        if fixed:
            for i in range(count):
                label[i] = cloud.label[i]
        else:
            draw_labels(draw, key, cloud.group, pull, label)
        if cloud.bias and not two_classes(label):
            return ONE_CLASS
        vector = work.step
        size = vector.shape[0] - (1 if cloud.bias else 0)
        space.draws.block[0] = -1
        draw_normals(draw, 0, vectors_stream, key, space.draws, vector[:size])
        combine(vector, work.order, size, cloud.columns, pull)
        for i in range(count):
            pull[i] *= label[i]
        verdict, _, threshold = project(cloud.gram, pull, label, count, cloud.bias, work)
        members = 0
        for i in range(count):
            members += work.active[i]
        touching, optimal = 0, verdict == active_sets.OPTIMAL
        for i in range(count):
            excess = work.mu[i] + threshold * label[i] - pull[i]
            optimal = optimal and excess >= -CLOSE
            if work.active[i] != 0:
                optimal = optimal and excess <= CLOSE
            elif excess <= CLOSE:
                listed[members + touching] = i
                touching += 1
        if not optimal:
            # Not needed if the labels turn out not to be separable: then the cone may well be the whole space.
            for i in range(count):
                listed[i] = i
            verdict = certified(cloud, listed, space)
        elif not fixed:
            verdict = separable(cloud, members, touching, listed, space)
        if verdict == certificates.NOT_SEPARABLE:
            return NOT_SEPARABLE
        if verdict == certificates.UNDECIDED or not optimal:
            return UNDECIDED
        return members - 1 if cloud.bias and members > 0 else members

    @target.kernel
    def faces(cloud, key, first, out, pull, listed, space):
        for row in range(out.shape[0]):
            out[row] = face(cloud, first + row, key, pull, listed, space)

    return faces
