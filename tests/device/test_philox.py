"""Philox against the published answers, and the normals made from it."""

import numpy as np
import pytest
from scipy import stats

from simnn.device import normals, philox, targets

KNOWN_ANSWERS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
    ("00000000 00000000 00000000 00000000", "00000001 00000002", "0598de3a 98d2802e 270f8f9e eab709d3"),
    ("00000005 00000000 00000003 00000001", "00000007 00000009", "c1984886 f78fe55c 4c6b0354 d3b0173b"),
]


def words(text):
    return [np.uint64(int(word, 16)) for word in text.split()]


@pytest.mark.parametrize("target", [targets.python(np.float32), targets.cpu(np.float32)], ids=lambda t: t.name)
@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_philox_gives_the_known_answers(target, counter, key, answer):
    result = philox.bind(target).philox4x32(*words(counter), *words(key))
    assert [int(word) for word in result] == [int(word) for word in words(answer)]


def fill(target, size, seed=1, trial=0, layer=0, stream=7):
    out = np.empty(size, target.real)
    key = np.array([seed & 0xFFFFFFFF, seed >> 32], np.uint64)
    words, tile = np.empty((4, normals.TILE), np.uint32), np.empty((2, normals.TILE), target.real)
    normals.bind(target).fill(trial, layer, stream, key, target.real(1.0), words, tile, out)
    return out


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_normals_are_standard_normal_and_independent(real):
    # 2^20 draws. False alarm 1e-8 for each of five statistics; a bias of 0.8 % of sigma is missed with p < 1e-3.
    z = fill(targets.cpu(real), 2**20).astype(np.float64)
    n = len(z)
    scores = [
        z.mean() * np.sqrt(n),
        (np.mean(z**2) - 1.0) * np.sqrt(n / 2.0),
        np.mean(z**3) * np.sqrt(n / 15.0),
        (np.mean(z**4) - 3.0) * np.sqrt(n / 96.0),
        np.mean(z[:-1] * z[1:]) * np.sqrt(n),
    ]
    assert np.max(np.abs(scores)) < stats.norm.isf(0.5e-8)
    assert stats.kstest(z[: 2**17], "norm").pvalue > 1e-8


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_a_planted_bias_of_one_percent_is_caught(real):
    z = fill(targets.cpu(real), 2**20).astype(np.float64) + 0.01
    assert abs(z.mean()) * np.sqrt(len(z)) > stats.norm.isf(0.5e-8)


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_plain_python_and_compiled_normals_are_the_same_bits(real):
    # A whole tile and a bit: crosses the border between the members of the pairs and between tiles.
    size = 2 * normals.TILE + 5
    np.testing.assert_array_equal(fill(targets.python(real), size), fill(targets.strict(real), size))


@pytest.mark.parametrize(("real", "bound"), [(np.float32, 2e-6), (np.float64, 4e-15)])
def test_contraction_moves_normals_by_rounding_only(real, bound):
    np.testing.assert_allclose(fill(targets.cpu(real), 10_000), fill(targets.strict(real), 10_000), rtol=0, atol=bound)


@pytest.mark.parametrize("change", [{"seed": 2}, {"seed": 1 + 2**32}, {"trial": 1}, {"layer": 1}, {"stream": 8}])
def test_every_word_of_the_counter_and_the_key_matters(change):
    a, b = fill(targets.cpu(np.float64), 1000), fill(targets.cpu(np.float64), 1000, **change)
    assert abs(np.corrcoef(a, b)[0, 1]) < stats.norm.isf(0.5e-8) / np.sqrt(1000)


def test_units_of_a_pair_routine_never_share_numbers():
    target = targets.cpu(np.float32)
    pairs = normals.bind(target).pairs
    x, y = np.empty(normals.TILE, np.float32), np.empty(normals.TILE, np.float32)
    scratch, key = np.empty((4, normals.TILE), np.uint32), np.array([3, 0], np.uint64)
    seen = []
    for start, count in [(0, 512), (512, 512), (1024, 7)]:
        pairs(start, count, 0, 1, 0, key, scratch, x, y)
        seen += [x[:count].copy(), y[:count].copy()]
    drawn = np.concatenate(seen)
    assert len(np.unique(drawn)) == len(drawn)


def test_extreme_words_give_finite_normals():
    for real in (np.float32, np.float64):
        pair = philox.bind(targets.python(real)).normal_pair
        for radius in (0, 0xFFFFFFFF):
            for angle in (0, 0x7FFFFFFF, 0xFFFFFFFF):
                z = pair(
                    np.uint64(radius),
                    np.uint64(radius if real is np.float64 else angle),
                    np.uint64(angle),
                    np.uint64(0),
                )
                assert np.all(np.isfinite(z))
                assert np.hypot(*z) < (6.77 if real is np.float32 else 8.58)


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_uniforms_lie_inside_the_unit_interval(real):
    uniform = philox.bind(targets.python(real)).uniform
    assert uniform(np.uint64(0), np.uint64(0)) > 0.0
    assert uniform(np.uint64(0xFFFFFFFF), np.uint64(0xFFFFFFFF)) < 1.0
