"""Verdicts on given data: every one right, every one with a certificate that exact arithmetic confirms."""

import itertools
from fractions import Fraction

import numpy as np
import pytest

from simnn import capacity
from simnn.capacity import cpu, given, separability, theory
from simnn.capacity.certificates import NOT_SEPARABLE, SEPARABLE, TOLERANCE
from tests.naive import separability as naive


def check(patterns, labels, bias=False):
    """Status of a verdict, after its certificate was tried on the data as they are."""
    verdict = capacity.separable(patterns, labels, bias)
    rows = naive.signed(patterns, labels, bias)
    if verdict.status == "separable":
        assert verdict.certificate.shape == rows.shape[1:]
        assert verdict.bound > 0.0
        weights = [Fraction(float(value)) for value in verdict.certificate]
        for row in rows:
            assert sum(w * Fraction(float(z)) for w, z in zip(weights, row, strict=True)) > 0
    elif verdict.status == "not separable":
        multipliers = verdict.certificate
        assert multipliers.shape == rows.shape[:1]
        assert np.all(multipliers >= 0.0)
        assert multipliers.max() == 1.0
        assert 0.0 <= verdict.bound < 1e-11
        # In units of each component, and of each pattern in these.
        scale = (np.abs(rows) / np.abs(rows).max(axis=1, keepdims=True, initial=1e-300)).max(axis=0)
        present = scale > 0.0
        sizes = (np.abs(rows[:, present]) / scale[present]).max(axis=1, initial=0.0)
        total = sum(Fraction(float(m)) * Fraction(float(z)) for m, z in zip(multipliers, sizes, strict=True))
        for column, unit in zip(rows.T, scale, strict=True):
            terms = (Fraction(float(m)) * Fraction(float(z)) for m, z in zip(multipliers, column, strict=True))
            assert abs(sum(terms)) <= Fraction(1e-11) * Fraction(float(unit)) * total
    else:
        assert verdict.certificate is None
        assert np.isnan(verdict.bound)
    return verdict.status


# --- vertices of cubes, which are not in general position ---------------------------------------------------------


def vertices(n):
    return np.array(list(itertools.product([-1.0, 1.0], repeat=n)))


@pytest.mark.parametrize("solver", ["newton", "nearest"])
def test_all_labelings_of_the_4_cube_are_certified(solver):
    x = np.hstack([vertices(4), np.ones((16, 1))]) / np.sqrt(5.0)
    labels = np.where(np.arange(2**16)[:, None] >> np.arange(16) & 1, 1.0, -1.0)
    problem, kernels, ones = cpu.problem(16, 5, np.zeros(1, np.int64)), cpu.kernels(), np.ones(16)
    none = np.empty((0, 0))
    data = cpu.Data(np.empty((16, 5)), np.empty(16), np.empty(16, int), np.empty(5, int), np.empty((2, 5)))
    answers, weights, multipliers = np.empty(2**16, int), np.empty((2**16, 5)), np.empty((2**16, 16))
    for k, y in enumerate(labels):
        rows = y[:, None] * x
        if solver == "newton":
            np.multiply(y[:, None], x, out=data.rows)
            kernels.balance(data)
            answers[k], _ = kernels.judge(data, data.rows, none, problem, weights[k], multipliers[k])
        else:
            columns = np.ascontiguousarray(rows.T)
            answers[k], _, _ = kernels.nearest(rows, columns, ones, ones, ones, ones, True, False, problem.work)
            weights[k], multipliers[k] = problem.work.w, problem.work.multiplier
    assert np.count_nonzero(answers == SEPARABLE) == theory.THRESHOLD_FUNCTIONS[4] == 1882
    assert np.count_nonzero(answers == NOT_SEPARABLE) == 2**16 - 1882
    separable = answers == SEPARABLE
    # Fields are sums of five numbers +-w_k: rounding is far below 1e-13 of the length of w.
    fields = labels[separable] * (weights[separable] @ x.T)
    assert np.all(fields > 1e-13 * np.abs(weights[separable]).sum(axis=1, keepdims=True))
    rest = multipliers[~separable]
    assert np.all(rest >= 0.0)
    residual = np.linalg.norm((rest * labels[~separable]) @ x, axis=1)
    assert np.all(residual <= 2.001 * TOLERANCE * rest.sum(axis=1))


@pytest.mark.parametrize("n", [1, 2, 3])
def test_threshold_functions_are_counted(n):
    x = vertices(n)
    count = sum(check(x, labels, bias=True) == "separable" for labels in itertools.product([0, 1], repeat=2**n))
    assert count == theory.THRESHOLD_FUNCTIONS[n]


def test_labelings_of_the_4_cube_as_a_user_would_ask():
    x, rng = vertices(4), np.random.default_rng(1)
    for code in rng.choice(2**16, 300, replace=False):
        labels = code >> np.arange(16) & 1
        expected = naive.boxed_margin(naive.signed(x, labels, True)) > 1e-9
        assert check(x, labels, bias=True) == ("separable" if expected else "not separable")


# --- against a general-purpose solver, on data of many kinds -----------------------------------------------------


def sparse(rng, count, size):
    return (rng.random((count, size)) < 0.15).astype(float)


def repeated(rng, count, size):
    x = rng.standard_normal((count, size))
    return x[rng.integers(0, max(1, count // 2), count)]


def flat(rng, count, size):
    rank = max(1, size // 3)
    return rng.integers(-2, 3, (count, rank)) @ rng.integers(-2, 3, (rank, size)) * 1.0


def collinear(rng, count, size):
    return rng.integers(-3, 4, (count, 1)) * rng.integers(-2, 3, (1, size)) * 1.0


KINDS = {
    "gaussian": lambda rng, count, size: rng.standard_normal((count, size)),
    "signs": lambda rng, count, size: rng.choice([-1.0, 1.0], (count, size)),
    "sparse": sparse,
    "repeated": repeated,
    "flat": flat,
    "collinear": collinear,
    "integers": lambda rng, count, size: rng.integers(-1, 2, (count, size)) * 1.0,
    "all alike": lambda rng, count, size: np.ones((count, size)),
}


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_verdicts_agree_with_a_linear_program(kind, bias):
    rng = np.random.default_rng(list(KINDS).index(kind))
    seen = set()
    for _ in range(60):
        size = int(rng.integers(1, 13))
        count = int(rng.integers(1, 2 * size + 6))
        x, labels = KINDS[kind](rng, count, size), rng.integers(0, 2, count)
        expected = naive.boxed_margin(naive.signed(x, labels, bias)) > 1e-9
        assert check(x, labels, bias) == ("separable" if expected else "not separable"), (x, labels)
        seen.add(expected)
    assert seen == {False, True}


@pytest.mark.parametrize("kind", ["gaussian", "signs", "flat"])
def test_scales_of_patterns_and_of_components_do_not_matter(kind):
    rng = np.random.default_rng(3)
    for _ in range(40):
        size = int(rng.integers(1, 9))
        count = int(rng.integers(1, 2 * size + 4))
        x, labels = KINDS[kind](rng, count, size), rng.integers(0, 2, count)
        expected = capacity.separable(x, labels).status
        powers = rng.integers(-400, 400, (count, 1)), rng.integers(-400, 400, size)
        assert capacity.separable(np.ldexp(x, sum(powers)), labels).status == expected
        assert check(x * 10.0 ** rng.uniform(-100, 100, (count, 1)), labels) == expected


def test_opposite_and_dependent_patterns_are_found_below_the_dimension():
    rng = np.random.default_rng(4)
    for size in (3, 11, 40):
        x = rng.standard_normal((size - 1, size))
        assert check(x, np.ones(size - 1)) == "separable"
        opposite = np.vstack([x[:-1], -2.0 * x[0]])
        assert check(opposite, np.ones(size - 1)) == "not separable"
        if size > 3:
            dependent = np.vstack([x[:-1], -x[0] - 3.0 * x[1]])
            assert check(dependent, np.ones(size - 1)) == "not separable"
        assert check(np.vstack([x, x]), np.ones(2 * size - 2)) == "separable"


def test_a_silent_pattern_is_never_strictly_separable_but_with_a_threshold():
    x = np.array([[1.0, 2.0], [0.0, 0.0], [2.0, 1.0]])
    verdict = capacity.separable(x, [1, 0, 1])
    assert verdict.status == "not separable"
    assert verdict.bound == 0.0
    assert verdict.certificate.tolist() == [0.0, 1.0, 0.0]
    assert check(x, [1, 0, 1], bias=True) == "separable"


def test_weakly_separable_patterns_are_not_separable():
    # The hyperplane x = 0 has both classes on their sides, and two patterns of different classes on itself.
    x = [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, 2.0]]
    assert check(x, [1, 0, 1, 0]) == "not separable"


def test_xor_and_its_complement_are_the_two_of_sixteen():
    square = [[0, 0], [0, 1], [1, 0], [1, 1]]
    missing = [
        labels for labels in itertools.product([0, 1], repeat=4) if check(square, labels, bias=True) == "not separable"
    ]
    assert missing == [(0, 1, 1, 0), (1, 0, 0, 1)]


@pytest.mark.parametrize("margin", [1e-3, 1e-5, 1e-7])
def test_small_margins_are_found(margin):
    rng = np.random.default_rng(5)
    for _ in range(10):
        x = rng.standard_normal((60, 20))
        x[:, 0] = 0.0
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        # The first component alone separates, by this much.
        x[:, 0] = margin
        x[:, 1:] *= np.where(rng.random((60, 1)) < 0.5, 1.0, -1.0)
        assert check(x, np.ones(60)) == "separable"
        x[30, 0] = -margin
        x[31] = -x[30]
        assert check(x, np.ones(60)) == "not separable"


def test_correlated_components_and_large_offsets_are_decided():
    rng = np.random.default_rng(6)
    for _ in range(20):
        x = rng.standard_normal((30, 10))
        labels = rng.integers(0, 2, 30)
        expected = capacity.separable(x, labels, bias=True).status
        assert check(x + 1e5, labels, bias=True) == expected
        mixed = x @ (np.ones((10, 10)) + 1e-4 * np.diag(rng.random(10) + 1.0))
        assert check(mixed, labels, bias=True) == expected


@pytest.mark.parametrize("bias", [False, True])
def test_prefixes_end_where_a_linear_program_says(bias):
    rng, never = np.random.default_rng(17), np.zeros(1, np.int64)
    ends = []
    for _ in range(15):
        x, y = rng.standard_normal((30, 6)), rng.choice([-1.0, 1.0], 30)
        ends.append(separability.checked_prefix(x, y, bias, never))
        assert ends[-1] == naive.separable_prefix(x, y, bias)
    assert len(set(ends)) > 5
    assert separability.checked_prefix(x[:3], y[:3], bias, never) == 3
    assert separability.checked_prefix(np.zeros((3, 6)), np.ones(3), bias, never) == (3 if bias else 0)
    assert separability.checked_prefix(x, y, bias, np.ones(1, np.int64)) is None


def test_larger_problems_are_certified():
    rng = np.random.default_rng(7)
    for size, count in ((100, 200), (150, 290), (300, 590), (2000, 50)):
        x, labels = rng.standard_normal((count, size)), rng.integers(0, 2, count)
        verdict = capacity.separable(x, labels)
        assert verdict.status == (
            "separable" if naive.boxed_margin(naive.signed(x, labels)) > 1e-9 else "not separable"
        )


# --- what is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patterns", "labels", "message"),
    [
        ([[1.0, 2.0]], [1, 1], "labels: shape .2,. is not allowed"),
        ([1.0, 2.0], [1, 1], "patterns: shape .2,. is not allowed"),
        (np.ones((0, 3)), [], "patterns: shape .0, 3. is not allowed"),
        (np.ones((2, 0)), [1, 0], "patterns: shape .2, 0. is not allowed"),
        ([[1.0, np.nan]], [1], "patterns: nan at .0, 1. is not allowed: should be finite"),
        ([[np.inf], [1.0]], [1, 0], "patterns: inf at .0, 0. is not allowed: should be finite"),
        ([[1.0], [2.0]], [1, 2], "labels: 1, 2 is not allowed"),
        ([[1.0], [2.0]], ["a", "b"], "labels: 'a', 'b' is not allowed"),
        ([[1.0], [2.0]], [1.0, np.nan], "labels: .* is not allowed"),
        ([[1.0], [2.0, 3.0]], [1, 0], "patterns: not allowed"),
        ([["x"], ["y"]], [1, 0], "patterns: not allowed"),
        ([[1j], [2.0]], [1, 0], "patterns: not allowed"),
    ],
)
def test_bad_data_are_refused_in_one_line(patterns, labels, message):
    with pytest.raises(ValueError, match=f"^{message}") as error:
        capacity.separable(patterns, labels)
    assert "\n" not in str(error.value)


def test_what_does_not_fit_into_memory_is_refused():
    patterns = np.broadcast_to(np.ones(1), (2_000_000, 1_000_000))
    with pytest.raises(MemoryError, match="GiB"):
        given.check_memory(*patterns.shape)


@pytest.mark.parametrize("labels", [[True, False], [1, 0], [1, -1], np.array([1.0, -1.0]), np.array([1, 0], np.uint8)])
def test_labels_come_in_three_notations(labels):
    assert check([[1.0], [-1.0]], labels) == "separable"
