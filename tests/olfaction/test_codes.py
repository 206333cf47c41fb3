"""Codes of given odors: against dense oracles, exact where there are ties, independent of how they are run."""

import math

import numba
import numpy as np
import pytest

from simnn import olfaction, running
from simnn.device import targets
from simnn.olfaction import codes, cpu, drive_pairs, fitting, kernels, levels
from simnn.olfaction.weights import WEIGHTS
from tests.naive import olfaction as naive

SIZES = [
    (1, 2, 1, 1),
    (3, 5, 3, 7),
    (9, 64, 4, 64),
    (20, 65, 7, 65),
    (30, 130, 8, 130),
    (24, 129, 12, 128),
    (24, 60, 16, 300),
]
"""Glomeruli, cells, claws, odors: around whole words, tiles and chunks of claws."""


def integers(shape, seed=0, high=4):
    return np.random.default_rng(seed).integers(-high, high + 1, shape)


def drives_of(odors, wiring):
    return np.asarray(odors, float) @ wiring.matrix().T


# --- wirings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("claws", [1, 4, 5, 7, 8, 9, 15, 20, 0])
@pytest.mark.parametrize("replacement", [False, True])
def test_cells_have_their_claws(claws, replacement):
    wiring = olfaction.draw_wiring(glomeruli=20, kenyon_cells=300, claws=claws, replacement=replacement, seed=1)
    matrix = wiring.matrix()
    assert np.all(matrix.sum(axis=1) == (claws or 20))
    assert replacement or matrix.max() == 1.0
    # A glomerulus is chosen with probability K / N; deviations beyond 6 have probability 2e-9.
    expected = 300 * (claws or 20) / 20
    assert np.all(np.abs(matrix.sum(axis=0) - expected) <= 6.0 * math.sqrt(expected))
    if claws in (20, 0) and not replacement:
        assert np.all(matrix == 1.0)


def test_pairs_of_glomeruli_are_equally_likely():
    matrix = olfaction.draw_wiring(glomeruli=6, kenyon_cells=30000, claws=2, seed=2).matrix()
    both = (matrix.T @ matrix)[np.triu_indices(6, 1)]
    # Chi-square with 14 degrees of freedom: beyond 65 with probability 1e-8.
    assert np.square(both - 2000.0).sum() / 2000.0 < 65.0
    repeated = olfaction.draw_wiring(glomeruli=6, kenyon_cells=30000, claws=2, replacement=True, seed=2).matrix()
    assert abs(np.mean(repeated.max(axis=1) == 2.0) - 1.0 / 6.0) < 6.0 * math.sqrt(5.0 / 36.0 / 30000)


@pytest.mark.parametrize("law", WEIGHTS)
def test_weights_have_their_law(law):
    wiring = olfaction.draw_wiring(kenyon_cells=20000, claws=5, weights=law, seed=3)
    drawn, expected = wiring.wires.weight[:, :5], drive_pairs.draw(law, (20000, 5), np.random.default_rng(0))
    assert abs(drawn.mean() - drive_pairs.mean(law)) <= 6.0 * expected.std() / math.sqrt(1e5)
    quantiles = np.linspace(0.05, 0.95, 19)
    scale = max(float(expected.std()), 1e-3)
    assert np.abs(np.quantile(drawn, quantiles) - np.quantile(expected, quantiles)).max() < 0.05 * scale


def test_cells_do_not_depend_on_their_number():
    few, many = (
        olfaction.draw_wiring(kenyon_cells=count, weights="cortical", trial=3, seed=2**40).matrix()
        for count in (10, 99)
    )
    np.testing.assert_array_equal(few, many[:10])
    assert not np.array_equal(few, olfaction.draw_wiring(kenyon_cells=10, weights="cortical", trial=4).matrix())


def test_frequent_glomeruli_are_chosen_often():
    shares = np.array([0.0, 1.0, 2.0, 4.0, 8.0])
    p = shares / shares.sum()
    # First and second of two draws without replacement.
    second = [sum(p[i] * p[j] / (1.0 - p[i]) for i in range(5) if i != j) for j in range(5)]
    for replacement, expected in ((True, p), (False, (p + second) / 2.0)):
        given = {"glomeruli": 5, "kenyon_cells": 40000, "claws": 2, "frequencies": shares, "replacement": replacement}
        found = olfaction.draw_wiring(**given).matrix().sum(axis=0) / 80000
        assert np.all(np.abs(found - expected) <= 6.0 * np.sqrt(expected / 80000))


def test_a_given_matrix_comes_back():
    from scipy import sparse

    matrix = np.random.default_rng(4).integers(0, 3, (40, 17)) * np.array([1.5, -2.0])[:, None].repeat(20, axis=0)
    matrix[3] = 0.0
    for given in (matrix, sparse.csc_array(matrix), matrix.tolist()):
        np.testing.assert_array_equal(olfaction.given_wiring(given).matrix(), matrix)
    balanced = olfaction.given_wiring(matrix, inhibition="balanced")
    np.testing.assert_allclose(balanced.matrix(), matrix - matrix.mean(), atol=1e-15)
    with pytest.raises(ValueError, match="nothing drives cell 3"):
        olfaction.given_wiring(matrix).deviations()


@pytest.mark.parametrize("correlation", [0.0, 0.3])
@pytest.mark.parametrize("inhibition", ["none", "balanced"])
def test_deviations_of_drives_are_those_of_the_matrix(inhibition, correlation):
    wiring = olfaction.draw_wiring(
        kenyon_cells=60, claws=9, weights="cortical", replacement=True, inhibition=inhibition, seed=5
    )
    matrix, covariance = wiring.matrix(), (1.0 - correlation) * np.eye(50) + correlation
    expected = np.sqrt(np.einsum("ij,jk,ik->i", matrix, covariance, matrix))
    np.testing.assert_allclose(wiring.deviations(correlation), expected, rtol=1e-6)


# --- codes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("glomeruli", "cells", "claws", "count"), SIZES)
@pytest.mark.parametrize("kind", [np.int16, np.float32, np.float64])
def test_codes_of_integer_odors_are_exact(glomeruli, cells, claws, count, kind):
    odors = integers((count, glomeruli)).astype(kind)
    wiring = olfaction.draw_wiring(glomeruli=glomeruli, kenyon_cells=cells, claws=claws)
    drives = drives_of(odors, wiring)
    for winners in {1, cells // 2, cells - 1, max(1, cells // 10)}:
        found = olfaction.encode(odors, wiring, winners / cells, sparsening="winners", packed=False)
        np.testing.assert_array_equal(found, naive.winners(drives, winners))
    for threshold in (0.0, 1.0, np.arange(cells) % 3 - 1.0):
        found = olfaction.encode(odors, wiring, thresholds=threshold, packed=False)
        np.testing.assert_array_equal(found, drives > threshold)


@pytest.mark.parametrize("level", [0.01, 0.05, 0.3, 0.5, 0.97])
@pytest.mark.parametrize("kind", ["normal", "heavy", "constant", "two values", "one cell"])
def test_exactly_k_win_whatever_the_odors(level, kind):
    rng, (count, glomeruli, cells) = np.random.default_rng(6), (90, 12, 333)
    odors = {
        "normal": rng.standard_normal((count, glomeruli)),
        "heavy": rng.standard_cauchy((count, glomeruli)) ** 3,
        "constant": np.full((count, glomeruli), -2.5),
        "two values": (rng.random((count, glomeruli)) < 0.1) * 1.0,
        "one cell": np.eye(1, glomeruli).repeat(count, axis=0) * 1e20,
    }[kind]
    wiring = olfaction.draw_wiring(glomeruli=glomeruli, kenyon_cells=cells, claws=1, seed=6)
    found = olfaction.encode(odors, wiring, level, sparsening="winners", packed=False)
    np.testing.assert_array_equal(
        found, naive.winners(drives_of(odors.astype(np.float32), wiring), round(level * cells))
    )


@pytest.mark.parametrize("weights", WEIGHTS)
def test_winners_do_not_depend_on_scalar_inhibition(weights):
    odors = olfaction.draw_odors(odors=300)
    one, other = (
        olfaction.encode(
            odors,
            olfaction.draw_wiring(kenyon_cells=500, weights=weights, inhibition=inhibition),
            sparsening="winners",
        )
        for inhibition in ("none", "balanced")
    )
    np.testing.assert_array_equal(one, other)
    # Subtracting the mean of each row would change them, unless all sums of rows are the same.
    matrix = olfaction.draw_wiring(kenyon_cells=500, weights=weights).matrix()
    by_row = olfaction.encode(odors, matrix - matrix.mean(axis=1, keepdims=True), sparsening="winners")
    assert np.array_equal(by_row, one) is (weights == "binary")


@pytest.mark.parametrize("inhibition", ["none", "balanced"])
@pytest.mark.parametrize("claws", [3, 0])
def test_real_weights_give_codes_of_the_dense_product(claws, inhibition):
    wiring = olfaction.draw_wiring(kenyon_cells=300, claws=claws, weights="gaussian", inhibition=inhibition, seed=7)
    odors = olfaction.draw_odors(odors=400, seed=8)
    drives = drives_of(odors, wiring)
    for sparsening in ("cell", "global"):
        level = olfaction.thresholds(odors, wiring, 0.1, sparsening=sparsening)
        found = olfaction.encode(odors, wiring, 0.1, sparsening=sparsening, packed=False)
        clear = np.abs(drives - level) > 1e-4
        assert clear.mean() > 0.999
        np.testing.assert_array_equal(found[clear], (drives > level)[clear])
        assert found.sum() == 300 * 40
    found = olfaction.encode(odors, wiring, 0.1, sparsening="winners", packed=False)
    assert np.mean(found == naive.winners(drives, 30)) > 0.9999


def test_a_cell_fires_for_as_many_odors_as_ties_allow():
    values = np.array([[5, 4, 3, 2, 1], [5, 4, 4, 4, 1], [5, 4, 4, 1, 1], [0, 0, 0, 0, 0], [7, 7, 7, 1, 0]]).T
    # Two of five: without ties; 1 or 4; 3, not 1, being as near, so the fewer; none or all; 3, not 0.
    for k, expected in ((2, [2, 1, 1, 0, 3]), (3, [3, 4, 3, 5, 3])):
        found = olfaction.encode(values, np.eye(5), k / 5, packed=False)
        assert found.sum(axis=0).tolist() == expected
        level = olfaction.thresholds(values, np.eye(5), k / 5)
        np.testing.assert_array_equal(found, values > level)
    assert olfaction.thresholds(values, np.eye(5), 0.4)[0] == 3.5
    everything = np.sort(values.ravel())[::-1]
    for k in range(1, 25):
        found = olfaction.encode(values, np.eye(5), k / 25, sparsening="global", packed=False).sum()
        larger, ties = np.sum(everything > everything[k - 1]), np.sum(everything >= everything[k - 1])
        assert found == (ties if ties - k < k - larger else larger)
    # Two of four are as near as none.
    assert levels.level_at(0, 4, 2) == 0.0
    assert levels.level_at(0, 4, 3) == -np.finfo(np.float32).smallest_subnormal


def test_thresholds_of_gaussian_odors_reach_the_coding_level():
    for inhibition, correlation in (("none", 0.0), ("balanced", 0.0), ("none", 0.2)):
        wiring = olfaction.draw_wiring(kenyon_cells=400, weights="cortical", inhibition=inhibition, seed=9)
        odors = olfaction.draw_odors(odors=40000, channel_correlation=correlation, seed=10)
        for sparsening in ("cell", "global"):
            level = olfaction.gaussian_thresholds(wiring, 0.05, sparsening=sparsening, channel_correlation=correlation)
            by_odor = olfaction.count_active(olfaction.encode(odors, wiring, thresholds=level)) / 400
            assert abs(by_odor.mean() - 0.05) < 6.0 * by_odor.std() / 200.0
            if sparsening == "global":
                assert len(set(level.tolist())) == 1


def test_packed_codes_unpack():
    rng = np.random.default_rng(11)
    for cells in (1, 63, 64, 65, 200):
        bits = rng.random((7, cells)) < 0.3
        packed = olfaction.pack(bits)
        assert packed.dtype == np.uint64
        assert packed.shape == (7, -(-cells // 64))
        np.testing.assert_array_equal(olfaction.unpack(packed, cells), bits)
        np.testing.assert_array_equal(olfaction.count_active(packed), bits.sum(axis=1))
        np.testing.assert_array_equal(olfaction.count_active(packed, axis=0, kenyon_cells=cells), bits.sum(axis=0))
        both = bits.astype(int) @ bits.T
        np.testing.assert_array_equal(olfaction.overlaps(packed), both)
        np.testing.assert_array_equal(olfaction.overlaps(packed, packed[2:4]), both[:, 2:4])
    np.testing.assert_allclose(olfaction.correlations(packed, 200), np.corrcoef(bits), atol=1e-12)
    assert np.uint64(1) << np.uint64(5) == olfaction.pack(np.eye(1, 70, 5))[0, 0]


# --- independence of how they are run -----------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("slice_seconds", [0.0, 10.0])
def test_bits_do_not_depend_on_threads_slices_or_other_odors(monkeypatch, threads, slice_seconds):
    wiring = olfaction.draw_wiring(kenyon_cells=150, weights="cortical", inhibition="balanced")
    odors = olfaction.draw_odors(odors=1000)
    calls = {
        name: lambda x, name=name, level=level: olfaction.encode(x, wiring, 0.1, sparsening=name, thresholds=level)
        for name, level in (("cell", np.ones(150)), ("winners", None))
    }
    reference = {name: call(odors) for name, call in calls.items()}
    names = ("cell", "global")
    own = [olfaction.thresholds(odors, wiring, 0.1, sparsening=name) for name in names]
    fitted = [olfaction.encode(odors, wiring, 0.1, sparsening=name) for name in names]
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", threads)
    monkeypatch.setattr(running, "SLICE_SECONDS", slice_seconds)
    for name, call in calls.items():
        np.testing.assert_array_equal(call(odors), reference[name])
        np.testing.assert_array_equal(call(odors[37:300]), reference[name][37:300])
    for name, level, code in zip(names, own, fitted, strict=True):
        np.testing.assert_array_equal(olfaction.thresholds(odors, wiring, 0.1, sparsening=name), level)
        np.testing.assert_array_equal(olfaction.encode(odors, wiring, 0.1, sparsening=name), code)


def oracle(odors, wiring, level, sparsening):
    """Thresholds from all drives, exact for small integers: half-way between neighbors, or the last drive of all."""
    drives = drives_of(odors, wiring)
    rows = drives.T if sparsening == "cell" else drives.reshape(1, -1)
    out = []
    for row in np.sort(rows, axis=1)[:, ::-1]:
        k = round(level * len(row))
        larger, ties = np.sum(row > row[k - 1]), np.sum(row >= row[k - 1])
        fires = larger if k - larger <= ties - k and not ties - k < k - larger else ties
        if sparsening == "global" or fires in (0, len(row)):
            out.append(row[k - 1] if fires == larger else np.nextafter(np.float32(row[k - 1]), np.float32(-np.inf)))
        else:
            out.append((row[fires - 1] + row[fires]) / 2.0)
    return np.float32(out), rows


@pytest.mark.parametrize("sparsening", ["cell", "global"])
@pytest.mark.parametrize("kind", ["many values", "few values", "sorted", "periodic", "one odor stands out", "silent"])
@pytest.mark.parametrize(("count", "level"), [(700, 0.05), (3000, 0.01), (3000, 0.4)])
def test_thresholds_do_not_depend_on_the_sample(monkeypatch, sparsening, kind, count, level):
    rng, wiring = np.random.default_rng(13), olfaction.draw_wiring(glomeruli=12, kenyon_cells=70, claws=4)
    odors = {
        "many values": rng.integers(-(2**12), 2**12, (count, 12)),
        "few values": rng.integers(0, 3, (count, 12)),
        "sorted": np.sort(rng.integers(-(2**12), 2**12, (count, 12)), axis=0),
        "periodic": rng.integers(-(2**12), 2**12, (10, 12))[np.arange(count) % 10],
        "one odor stands out": np.where(np.arange(count)[:, None] == 5, 2**16, rng.integers(0, 2**9, (count, 12))),
        "silent": rng.integers(-(2**12), 2**12, (count, 12)) * (np.arange(12) < 3),
    }[kind]
    expected, rows = oracle(odors, wiring, level, sparsening)
    bits = (rows > expected[:, None]).reshape(70, count, order="A") if sparsening == "cell" else rows > expected[0]
    bits = bits.T if sparsening == "cell" else bits.reshape(count, 70)
    for sample, drives in ((6144, 2**20), (256, 256 * 70), (1, 1)):
        monkeypatch.setattr(levels, "_SAMPLE", sample)
        monkeypatch.setattr(levels, "_DRIVES", drives)
        found = olfaction.thresholds(odors, wiring, level, sparsening=sparsening)
        codes_found = olfaction.encode(odors, wiring, level, sparsening=sparsening, packed=False)
        np.testing.assert_array_equal(found, np.broadcast_to(expected, 70))
        np.testing.assert_array_equal(codes_found, bits)
        np.testing.assert_array_equal(codes_found, odors @ wiring.matrix().T > found)


@pytest.mark.parametrize("sparsening", ["cell", "global"])
@pytest.mark.parametrize("deviations", [0.0, 0.3, 30.0])
def test_levels_that_mislead_change_no_threshold(monkeypatch, sparsening, deviations):
    wiring, odors = olfaction.draw_wiring(kenyon_cells=200), olfaction.draw_odors(odors=2000)
    expected = [f(odors, wiring, 0.1, sparsening=sparsening) for f in (olfaction.thresholds, olfaction.encode)]
    monkeypatch.setattr(levels, "_SAMPLE", 128)
    monkeypatch.setattr(levels, "_DRIVES", 1)
    for module, name in ((levels, "_DEVIATIONS"), (fitting, "DEVIATIONS")):
        monkeypatch.setattr(module, name, deviations)
    for want, f in zip(expected, (olfaction.thresholds, olfaction.encode), strict=True):
        np.testing.assert_array_equal(f(odors, wiring, 0.1, sparsening=sparsening), want)


def test_plain_python_and_compiled_kernels_are_the_same_bits():
    wiring = olfaction.draw_wiring(glomeruli=6, kenyon_cells=67, claws=5, weights="cortical", inhibition="balanced")
    level = olfaction.gaussian_thresholds(wiring, 0.2)
    key, given = np.array([7, 1], np.uint64), olfaction.draw_odors(glomeruli=6, odors=9)

    def run(target):
        k, results = cpu.bind(target), []
        index, order, place = np.empty((4, 3), np.int32), np.arange(5, dtype=np.int32), np.zeros(3, np.int32)
        for replacement in (False, True):
            k.choose(2, 5, replacement, 3, key, order, place, index)
            results += [index.copy(), order.copy()]
        draws = np.empty(9, np.float32)
        k.uniforms(2, 3, key, draws)
        results.append(draws)
        normal = cpu.Source(
            np.empty((0, 6), np.float32), np.empty(0, np.int32), np.float32(0.8), np.float32(0.6),
            np.zeros(6, np.float32), np.ones(6, np.float32), np.float32(0.9), np.float32(0.3), 2,
            np.float32(0.0), np.float32(2.0), np.float32(0.1),
        )  # fmt: skip
        measured = normal._replace(
            given=given, order=np.arange(9, dtype=np.int32)[::-1].copy(), mean=given.mean(axis=0)
        )
        rates = measured._replace(ceiling=np.float32(3.0))
        for rule in (codes.rule(wiring, 0.2, level), codes.rule(wiring, 0.2, None)):
            space = kernels.space(6, 67, rule.winners > 0)
            for source, count in ((rates, 9), (normal, 66), (measured, 9)):
                out, packed = np.empty((count, 6), np.float32), np.empty((count, 2), np.uint64)
                k.draw(source, 1, key, 0, count, space, out)
                k.encode_drawn(source, 1, key, wiring.wires, rule, 0, count, space, packed)
                again = np.empty_like(packed)
                k.encode(out, wiring.wires, rule, 0, count, space, again)
                np.testing.assert_array_equal(packed, again)
                results += [out, packed]
        counts = np.zeros(2**16, np.int64)
        mean, odors = np.float32(wiring.mean), results[-4]
        k.histogram(odors, wiring.wires, mean, -1, 0, 66, kernels.space(6, 67, False), counts)
        results.append(counts.copy())
        f, tiles, order = fitting.bind(target), fitting.tiles(66, 6), np.random.default_rng(0).permutation(66)
        f.arrange(odors, order, 0, 1, tiles)
        some, fitted = np.empty((1, 67, 128), np.float32), np.empty((66, 2), np.uint64)
        f.sample(tiles, wiring.wires, mean, 66, np.empty(128, np.float32), some)
        goal, found = fitting.goal(66, 13, 66, 1, 0.4, 3.0), np.empty(67, np.float32)
        f.fit(tiles, order, wiring.wires, mean, goal, 0, 2, fitting.room(66, 1, 66), found, fitted)
        high, low = f.bracket(some[:, :1].copy(), goal)
        value, place = np.zeros(300, np.float32), np.zeros(300, np.int64)
        sizes = f.scan(
            tiles, order, wiring.wires, mean, high, low, 0, 2, fitting.room(66, 1, 1), value, place, fitted.copy()
        )
        results += [some, found, fitted.copy(), np.array([high, low]), np.array(sizes), value, place]
        f.settle(value[: sizes[1]], place[: sizes[1]], high, fitted)
        results.append(fitted)
        label, sums = np.empty(66, np.int8), np.zeros((2, 128), np.int64)
        packed = results[8]
        k.learn(packed, 0, 1, key, label, sums[0], sums[1])
        active, own, total = np.empty(66, np.int64), np.empty(66, np.int64), np.zeros(66, np.int64)
        k.count(packed, active, np.zeros(128, np.int64))
        both = np.empty((66, 66), np.int32)
        k.overlaps(packed, packed, both)
        results += [label, sums, active, both, np.array(k.overlap_sums(packed, own, total)), own, total]
        products, totals = np.zeros((3, kernels.LANES)), np.zeros((2, 6))
        two = (kernels.space(6, 67, False) for _ in range(2))
        k.drive_products(
            normal, rates._replace(order=np.arange(66, dtype=np.int32) % 9), 1, key, wiring.wires, mean, 66, *two,
            products, totals,
        )  # fmt: skip
        results += [products, totals]
        weight = np.linspace(-1.0, 1.0, 128)
        answers = k.wrong(packed, label, sums[0], -0.3, 0.7), k.misread(packed, label, weight, 0.2, 0.1)
        return [*results, np.array([*answers, k.shared(packed, packed)])]

    with np.errstate(over="ignore"):  # popcounts wrap around
        plain = run(targets.python(np.float32))
    for a, b in zip(plain, run(targets.strict(np.float32)), strict=True):
        np.testing.assert_array_equal(a, b)


# --- what is refused ----------------------------------------------------------------------------------------------

ODORS, EYE = np.ones((4, 3)), np.eye(3)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: olfaction.encode(ODORS, EYE, 0.0), "coding_level: 0.0 is not allowed"),
        (lambda: olfaction.encode(ODORS, EYE, 1.0), "coding_level: 1.0 is not allowed"),
        (lambda: olfaction.encode(ODORS, EYE, 0.1), "coding_level: 0.1 is not allowed with 4 odors"),
        (
            lambda: olfaction.encode(ODORS, EYE, 0.1, sparsening="winners"),
            "coding_level: 0.1 is not allowed with 3 cel",
        ),
        (lambda: olfaction.encode(ODORS, EYE, sparsening="top"), "sparsening: 'top' is not allowed"),
        (lambda: olfaction.encode(ODORS[:, :2], EYE), r"odors: shape \(4, 2\) is not allowed"),
        (lambda: olfaction.encode(ODORS * np.nan, EYE, 0.5), "odors: not allowed: should be finite"),
        (lambda: olfaction.encode(ODORS * 1e31, EYE, 0.5), "odors: not allowed: should be finite"),
        (lambda: olfaction.encode([["a"]], [[1.0]]), r"odors: shape \(1, 1\) is not allowed"),
        (lambda: olfaction.encode(ODORS, np.full((3, 3), np.inf)), "matrix: not allowed: should be finite"),
        (lambda: olfaction.encode(ODORS, np.ones(3)), "matrix: not allowed: should be a matrix"),
        (lambda: olfaction.encode(ODORS, EYE, thresholds=[1.0]), "thresholds: not allowed: should be 3 numbers"),
        (
            lambda: olfaction.encode(ODORS, EYE, sparsening="winners", thresholds=1.0),
            "thresholds: not allowed with win",
        ),
        (lambda: olfaction.thresholds(ODORS, EYE, 0.5, sparsening="winners"), "sparsening: 'winners' is not allowed"),
        (
            lambda: olfaction.draw_wiring(claws=51),
            "claws: 51 is not allowed: should be at most the number of glomeruli",
        ),
        (lambda: olfaction.draw_wiring(claws=-1), "claws: -1 is not allowed"),
        (lambda: olfaction.draw_wiring(weights="pareto"), "weights: 'pareto' is not allowed"),
        (lambda: olfaction.draw_wiring(inhibition="row"), "inhibition: 'row' is not allowed"),
        (lambda: olfaction.draw_wiring(frequencies=[1.0, 2.0]), "frequencies: not allowed: should be 50 numbers"),
        (lambda: olfaction.draw_wiring(frequencies=np.eye(1, 50)[0]), "frequencies: not allowed: should be positive"),
        (lambda: olfaction.unpack(np.zeros((2, 2), np.uint64), 64), "kenyon_cells: 64 is not allowed with codes of 2"),
        (lambda: olfaction.unpack(np.zeros((2, 2)), 128), "codes: not allowed: should be packed codes"),
        (lambda: olfaction.pack([[2, 0]]), "codes: not allowed: should be a matrix of zeros and ones"),
        (lambda: olfaction.overlaps(olfaction.pack(EYE), olfaction.pack(np.eye(70))), r"other: shape \(70, 2\) is not"),
    ],
)
def test_bad_input_is_refused_in_one_line(call, message):
    with pytest.raises(ValueError, match=f"^{message}") as error:
        call()
    assert "\n" not in str(error.value)
