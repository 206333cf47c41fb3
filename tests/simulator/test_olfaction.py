"""Kernels of random expansions, run by the simulator, are those of the CPU: odors, codes, and sums over codes."""

import importlib

import numpy as np
import pytest
import xarray as xr

from simnn import olfaction, sweeps
from simnn.device import targets
from simnn.olfaction import codes, cpu, cuda, cuda_kernels, kernels, model

# The package has a function of this name.
simulate = importlib.import_module("simnn.olfaction.simulate")

GO_ON = np.zeros(1, np.int64)


@pytest.fixture
def strict(monkeypatch):
    """The simulator contracts nothing, so that it is compared with a CPU that does not either."""
    monkeypatch.setattr(cpu, "bound", lambda: cpu.bind(targets.strict(np.float32)))


@pytest.fixture(autouse=True)
def no_empty_arrays(monkeypatch):
    """A kernel of a GPU cannot be given one, as its address is None; the simulator does not mind."""
    to_device = cuda.cuda.to_device

    def checked(array):
        assert array.size > 0
        return to_device(array)

    monkeypatch.setattr(cuda.cuda, "to_device", checked)


def circuit(trial=3, seed=7, responses=None, pairs=12, device=None, **given):
    experiment = sweeps.checked(model.Experiment, {"kenyon_cells": 70, "claws": 3, "coding_level": 0.2} | given)
    return simulate._circuit(experiment, simulate._Data(responses), pairs, seed, trial, device)


RATES = np.random.default_rng(2).integers(0, 9, (30, 6)).astype(np.float32)


# --- odors --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("glomeruli", "common"), [(10, 0.0), (5, 0.3), (8, 0.3), (10, 0.3), (15, 0.3)])
def test_odors_are_drawn_bit_for_bit(strict, glomeruli, common):
    """Which number of Philox's four all channels share depends on how many they are."""
    given = circuit(odors=129, glomeruli=glomeruli, channel_correlation=common)
    space, out = kernels.space(glomeruli, 1, False), np.empty((129, glomeruli), np.float32)
    for source in (given.source, *given.copies)[: 1 if glomeruli > 5 else 2]:
        cpu.bound().draw(source, 3, given.key, 0, 129, space, out)
        np.testing.assert_array_equal(cuda.draw(source, 3, given.key, 129), out)


@pytest.mark.parametrize("normalization", ["none", "divisive"])
def test_odors_are_taken_bit_for_bit(strict, normalization):
    """Noise takes some rates of partners below zero."""
    given = circuit(odors=29, glomeruli=6, responses=RATES, normalization=normalization)
    space, out = kernels.space(6, 1, False), np.empty((29, 6), np.float32)
    for source in (given.source, given.partners):
        cpu.bound().draw(source, 3, given.key, 0, 29, space, out)
        np.testing.assert_array_equal(cuda.draw(source, 3, given.key, 29), out)


# --- codes of given odors -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("odors", [20, 129])
@pytest.mark.parametrize("sparsening", ["cell", "global", "winners"])
def test_exact_drives_have_the_codes_of_the_cpu(sparsening, odors):
    """Small integers, with ties, silent odors among them; claws of every kind of chunk; not a multiple of 32 cells."""
    rng = np.random.default_rng(1)
    odors = rng.integers(0, 5, (odors, 12)).astype(np.float64)
    odors[[3, 7]] = 0.0
    matrix = np.zeros((37, 12))
    for i, claws in enumerate(rng.permutation(np.arange(37) % 12 + 1)):
        matrix[i, rng.permutation(12)[:claws]] = rng.integers(1, 4, claws)
    wiring = olfaction.given_wiring(matrix, inhibition="none")
    expected = olfaction.encode(odors, wiring, 0.2, sparsening=sparsening)
    thresholds = None if sparsening == "winners" else olfaction.thresholds(odors, wiring, 0.2, sparsening=sparsening)
    law = codes.rule(wiring, 0.2, thresholds)
    sizes = {"threads": 64} if len(odors) == 20 else {"groups": 1}
    np.testing.assert_array_equal(cuda.encode(odors, wiring.wires, law, **sizes), expected)
    if sparsening != "global":
        # Other blocks, or other chunks.
        np.testing.assert_array_equal(cuda.encode(odors[:20], wiring.wires, law), expected[:20])


def test_the_first_of_equal_drives_win():
    """Cells of more than one digit: the numbers of some are part of another's."""
    rng = np.random.default_rng(3)
    drives = rng.integers(-2, 3, (3, 300)).astype(np.float32)
    drives[1], drives[2, :280] = 0.0, -1.0
    tile = np.zeros((1, 300, 128), np.float32)
    tile[0, :, :3] = drives.T
    out = np.zeros((3, 10), np.uint32)
    cuda_kernels.bound().compete[(1, 1), 64](tile, 270, out)
    found = np.unpackbits(out.view(np.uint8), axis=1, bitorder="little", count=300)
    order = np.argsort(-drives, axis=1, kind="stable")[:, :270]
    wanted = np.zeros((3, 300), bool)
    np.put_along_axis(wanted, order, True, axis=1)
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("inhibition", ["none", "balanced"])
def test_rounding_moves_only_cells_at_their_thresholds(inhibition):
    wiring = olfaction.draw_wiring(glomeruli=9, kenyon_cells=70, claws=7, weights="uniform", inhibition=inhibition)
    odors = np.random.default_rng(4).standard_normal((32, 9)).astype(np.float32)
    level = olfaction.gaussian_thresholds(wiring, 0.2)
    call = {"odors": odors, "wiring": wiring, "coding_level": 0.2, "thresholds": level, "packed": False}
    found, wanted = olfaction.encode(**call, backend="cuda"), olfaction.encode(**call)
    # Each of fewer than 20 additions of terms of at most 4 rounds by at most 2^-24 of a sum of at most 40.
    near = np.abs(odors.astype(np.float64) @ wiring.matrix().T - level) < 20 * 40 * 2.0**-24
    assert np.array_equal(found[~near], wanted[~near])
    assert near.sum() <= 2
    assert 0.15 < wanted.mean() < 0.25


# --- thresholds of given odors ------------------------------------------------------------------------------------


def fitted(odors, wiring, level, sparsening, **sizes):
    chosen = codes.chosen_of(len(odors), wiring, level, sparsening)
    return cuda.fit(odors, wiring.wires, wiring.mean, chosen, sparsening == "global", **sizes)


@pytest.mark.parametrize(
    ("sparsening", "level", "sizes"),
    [("cell", 0.2, {"threads": 64}), ("cell", 0.7, {"cells": 3}), ("global", 0.3, {"cells": 3})],
)
def test_thresholds_of_exact_drives_are_those_of_the_cpu(sparsening, level, sizes):
    """Ties, drives of both signs, a cell whose drives are all the same, and half a tile more than one."""
    odors = np.random.default_rng(6).integers(-3, 4, (140, 6)).astype(np.float64)
    odors[:, 0] = 2.0
    matrix = np.array([[1, 0, 0, 0, 0, 0], [0, 3, 0, 0, 0, 0], [0, 1, 1, 1, 1, 1], [1, 2, 0, 5, 0, 1]])
    wiring = olfaction.given_wiring(matrix)
    wanted = olfaction.thresholds(odors, wiring, level, sparsening=sparsening)
    np.testing.assert_array_equal(fitted(odors, wiring, level, sparsening, **sizes), wanted)
    found = olfaction.encode(odors, wiring, level, sparsening=sparsening, backend="cuda")
    np.testing.assert_array_equal(found, olfaction.encode(odors, wiring, level, sparsening=sparsening))


def level_of(values, k):
    weakest = np.sort(values)[-k]
    larger, equal = np.count_nonzero(values > weakest), np.count_nonzero(values == weakest)
    if larger + equal - k < k - larger:
        lower, upper = values[values < weakest].max(initial=-np.inf), weakest
    else:
        lower, upper = weakest, values[values > weakest].min(initial=np.inf)
    return lower if np.isinf(lower) or np.isinf(upper) else lower + (upper - lower) / 2


def test_levels_are_next_to_the_nearest_drive_and_of_two_as_near_the_one_that_fewer_exceed():
    values = np.random.default_rng(9).standard_normal((5, 200)).astype(np.float32)
    for row, (larger, equal) in zip(values[1:], ((40, 20), (40, 19), (45, 30), (0, 101)), strict=True):
        order = np.argsort(-row)[larger : larger + equal]
        row[order] = row[order[0]]
    # The nearest drive comes first, for each thread.
    values[3].sort()
    values[[0, 2]] = -np.sort(-values[[0, 2]])
    drive = np.zeros((2, 5, 128), np.float32)
    for tile in range(2):
        drive[tile, :, : min(128, 200 - 128 * tile)] = values[:, 128 * tile : 128 * (tile + 1)]
    found = np.zeros(5, np.float32)
    cuda_kernels.bound().fit[5, 32](drive, 200, 50, found)
    np.testing.assert_array_equal(found, [level_of(row, 50) for row in values])


def test_thresholds_lie_half_way_between_drives_less_what_inhibition_subtracts():
    wiring = olfaction.draw_wiring(glomeruli=9, kenyon_cells=3, claws=7, weights="uniform", inhibition="balanced")
    odors = np.random.default_rng(8).standard_normal((40, 9)).astype(np.float32)
    drives = np.sort(odors.astype(np.float64) @ wiring.matrix().T, axis=0)
    np.testing.assert_allclose(fitted(odors, wiring, 0.2, "cell"), drives[[31, 32]].mean(axis=0), rtol=0.0, atol=1e-5)
    assert np.all(np.diff(drives[[31, 32]], axis=0) > 1e-4)


def test_thresholds_of_the_odors_of_a_trial_are_those_of_the_cpu():
    given = {"odors": 29, "glomeruli": 6, "kenyon_cells": 5, "responses": RATES}
    here, there = circuit(**given, device=0), circuit(**given)
    np.testing.assert_array_equal(here.rule.threshold, there.rule.threshold)


# --- sums over the codes of a trial -------------------------------------------------------------------------------

TRIALS = {
    "thresholds of cells": {"odors": 20, "pairs": 20, "glomeruli": 5},
    "one threshold, channels that share": {
        "odors": 20, "glomeruli": 9, "claws": 7, "kenyon_cells": 40, "sparsening": "global", "inhibition": "balanced",
        "channel_correlation": 0.3, "convention": "additive",
    },
    "winners among given odors": {"odors": 29, "glomeruli": 6, "responses": RATES, "sparsening": "winners"},
    "projection neurons": {
        "odors": 29, "glomeruli": 6, "kenyon_cells": 40, "responses": RATES, "normalization": "divisive"
    },
    "given odors": {
        "odors": 29, "glomeruli": 6, "kenyon_cells": 40, "responses": RATES, "claws": 0, "weights": "gaussian"
    },
}  # fmt: skip


def equal(found, wanted):
    assert found.drives == pytest.approx(wanted.drives, rel=1e-12, abs=1e-14)
    for name, a, b in zip(wanted._fields, found, wanted, strict=True):
        if name != "drives":
            np.testing.assert_array_equal(a, b, err_msg=name)


@pytest.mark.parametrize("name", TRIALS)
def test_sums_of_a_trial_are_those_of_the_cpu(strict, name):
    given = circuit(**TRIALS[name])
    if name == "given odors":
        given = given._replace(copies=(*given.copies, given.partners))
    equal(cuda.count(given, GO_ON), simulate._count(given, False, GO_ON))


@pytest.mark.thorough
def test_sums_do_not_depend_on_blocks_or_chunks(strict):
    given = circuit(odors=129, glomeruli=5, kenyon_cells=35, pairs=33)
    equal(cuda.count(given, GO_ON, threads=64, groups=1), simulate._count(given, False, GO_ON))


def test_products_of_drives_are_the_same_bits_for_all_blocks_and_chunks(strict):
    given = circuit(odors=129, glomeruli=5, kenyon_cells=7, pairs=129, inhibition="balanced")
    laws = cuda._on_device(given.source), cuda._on_device(given.partners)
    found = set()
    for threads, groups in ((32, 1), (64, 2)):
        coder = cuda._Coder(given.wires, given.rule, 5, 129, 2**30, threads, groups)
        found.add(cuda._drive_correlation(given, coder, laws))
    assert len(found) == 1
    assert found.pop() == pytest.approx(simulate._drive_correlation(given), rel=1e-12)


def test_overlaps_of_long_codes_of_many_odors():
    packed = np.random.default_rng(5).integers(0, 2**32, (40, 35), np.uint32)
    own, total, square = np.zeros(40, np.int64), np.zeros(40, np.int64), np.zeros(1, np.int64)
    cuda_kernels.bound().overlap_sums[(2, 2), 32](packed, own, total, square)
    bits = np.unpackbits(packed.view(np.uint8), axis=1).astype(np.int64)
    overlaps = bits @ bits.T
    np.testing.assert_array_equal(own, np.diag(overlaps))
    np.testing.assert_array_equal(total, overlaps.sum(axis=1))
    assert square[0] == np.square(overlaps).sum()


def test_half_an_error_where_a_field_is_zero():
    packed = np.array([[0, 0], [1, 0], [3, 8], [2, 0]], np.uint32)
    weight, halves = np.zeros(64, np.int64), np.zeros(1, np.int64)
    weight[[0, 1, 35]] = 2, -2, 5
    cuda_kernels.bound().wrong[1, 32](packed, np.array([1, -1, 1, -1], np.int8), weight, 0.0, 0.0, halves)
    assert halves[0] == 1 + 2 + 0 + 0


def test_a_trial_that_is_not_wanted_ends():
    assert cuda.count(circuit(odors=10, glomeruli=5), np.ones(1, np.int64)) is None


# --- what is refused ----------------------------------------------------------------------------------------------


def test_what_does_not_fit_into_the_device_is_refused():
    given = circuit(odors=200, glomeruli=5)
    with pytest.raises(MemoryError, match=r"^200 odors of a trial and 70 cells need .* GiB of the device"):
        cuda.count(given, GO_ON, memory=1000)
    with pytest.raises(MemoryError, match=r"^128 odors need about .* GiB of the device.*backend='cpu'"):
        cuda.encode(RATES, given.wires, given.rule, memory=1000)
    with pytest.raises(MemoryError, match=r"^thresholds of 30 odors need about .* GiB of the device.*backend='cpu'"):
        cuda.fit(RATES, given.wires, 0.0, 3, False, memory=1000)


def test_devices_that_are_not_there_are_refused():
    with pytest.raises(ValueError, match=r"^backend: 'cuda:1' is not allowed here: the last of 1 GPUs"):
        olfaction.encode(RATES, np.eye(6), backend="cuda:1")
    with pytest.raises(ValueError, match=r"^backend: 'gpu' is not allowed: should be 'auto'"):
        olfaction.encode(RATES, np.eye(6), backend="gpu")


def test_simulate_on_cuda_gives_the_numbers_of_the_cpu_and_says_where_it_ran():
    parameters = {"glomeruli": 5, "kenyon_cells": 70, "claws": [2], "coding_level": 0.2, "odors": 8, "pairs": 8}
    found, wanted = (olfaction.simulate(**parameters, trials=2, backend=backend) for backend in ("cuda", "auto"))
    assert (found.attrs["backend"], found.attrs["device"], wanted.attrs["backend"]) == ("cuda", "simulator", "cpu")
    xr.testing.assert_allclose(found, wanted)
    with pytest.raises(ValueError, match=r"^backend: 'cuda' is not allowed with readout 'max_margin'"):
        olfaction.simulate(readout="max_margin", backend="cuda")
