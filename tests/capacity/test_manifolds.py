"""Balls: exact verdicts with certificates, and the capacity of the mean-field theory."""

import math

import numpy as np
import pytest
from scipy import stats

from simnn import capacity
from simnn.capacity import cpu, manifolds, patterns, solvers, theory
from simnn.capacity.certificates import NOT_SEPARABLE, SEPARABLE, TOLERANCE
from simnn.device import targets
from tests.naive import separability as naive

# About 20 comparisons below: 1e-8 each keeps false alarms of a run below 1e-6.
FALSE_ALARM = 1e-8


def judged(count, dimension, extent, radius, trial, bias=False, kernels=None):
    """Verdict on the balls of one trial, and the scratch that holds them."""
    law = patterns.Law(count, dimension, bias=bias, extent=extent, radius=radius)
    balls = manifolds.balls(count, extent, dimension + bias)
    space = cpu.space(len(balls.owner), dimension + bias, np.zeros(1, np.int64), patterns.draws(dimension), balls)
    out = np.empty((1, 5))
    (kernels or cpu.kernels()).verdicts(law, solvers.AUTO, np.array([3, 0], np.uint64), trial, out, space)
    return out[0, 0], space


@pytest.mark.parametrize("bias", [False, True])
def test_segments_are_separable_if_their_ends_are(bias):
    verdicts = []
    for trial in range(40):
        verdict, space = judged(14 if bias else 12, 10, 1, 0.5, trial, bias)
        centre, axis = space.balls.frame[:, 0], space.balls.frame[:, 1]
        ends = np.concatenate([centre + axis, centre - axis])
        expected = capacity.separable(ends, np.ones(len(ends))).status == "separable"
        assert verdict == expected
        verdicts.append(expected)
    assert 5 < sum(verdicts) < 35


def test_discs_lie_between_polygons_inside_and_around_them():
    angles = 2.0 * np.pi * np.arange(60) / 60.0
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    undetermined, verdicts = 0, []
    for trial in range(40):
        verdict, space = judged(10, 10, 2, 0.5, trial)
        centre, axes = space.balls.frame[:, :1], space.balls.frame[:, 1:]
        inside, around = (
            naive.boxed_margin((centre + scale * circle @ axes).reshape(-1, 10)) > 1e-9
            for scale in (1.0, 1.0 / math.cos(math.pi / 60.0))
        )
        assert around <= verdict <= inside
        undetermined += around != inside
        verdicts.append(verdict)
    assert undetermined <= 2
    assert 5 < sum(verdicts) < 35


@pytest.mark.parametrize("extent", [1, 3])
def test_every_verdict_has_its_certificate(extent):
    for trial in range(20):
        verdict, space = judged(14, 12, extent, 0.4, trial)
        frame, work = space.balls.frame, space.work
        if verdict == SEPARABLE:
            margins = frame[:, 0] @ work.w - np.linalg.norm(frame[:, 1:] @ work.w, axis=1)
            assert margins.min() > 0.0
        else:
            assert verdict == NOT_SEPARABLE
            used = space.balls.count[0]
            multiplier, rows = work.multiplier[:used], space.rows[:used]
            assert multiplier.min() >= 0.0
            assert np.linalg.norm(multiplier @ rows) <= TOLERANCE * multiplier.sum()
            # Each of these points, up to its length, is one of its ball.
            for row, owner in zip(rows, space.balls.owner[:used], strict=True):
                scale = 1.0 / (row @ frame[owner, 0] / (frame[owner, 0] @ frame[owner, 0]))
                basis = np.concatenate([frame[owner, :1], frame[owner, 1:] / 0.4])
                part, residual = np.linalg.lstsq(basis.T, row, rcond=None)[:2]
                assert np.all(residual < 1e-20)
                assert np.linalg.norm(part[1:] / part[0]) <= 0.4 * (1.0 + 1e-9), scale


def test_directions_are_orthonormal_and_centres_have_length_one():
    _, space = judged(5, 20, 4, 0.3, 0)
    frame = space.balls.frame
    np.testing.assert_allclose(np.linalg.norm(frame[:, 0], axis=1), 1.0, rtol=1e-12)
    for axes in frame[:, 1:]:
        np.testing.assert_allclose(axes @ axes.T, 0.09 * np.eye(4), atol=1e-12)
    # Centres and directions of all balls are independent.
    flat = frame.reshape(-1, 20) / np.linalg.norm(frame.reshape(-1, 20), axis=1, keepdims=True)
    assert np.abs(flat @ flat.T - np.eye(len(flat))).max() < 0.95


def test_balls_without_a_radius_are_points():
    trials = 2000
    ds = capacity.simulate(dimension=12, load=[1.5, 2.0, 2.5], extent=3, radius=0.0, trials=trials, seed=1)
    for load in (1.5, 2.0, 2.5):
        expected = theory.cover_probability(round(12 * load), 12)
        found = round(float(ds.separable_fraction.sel(load=load)) * trials)
        assert stats.binomtest(found, trials, expected).pvalue > FALSE_ALARM
        shifted = theory.cover_probability(round(12 * load), 13)
        assert stats.binomtest(found, trials, shifted).pvalue < 1e-4


@pytest.mark.parametrize(
    ("radius", "dimension", "published", "error"),
    [(0.3, 50, 1.468, 0.007), (0.3, 100, 1.455, 0.006), (1.0, 50, 0.994, 0.006), (1.0, 100, 0.995, 0.010)],
)
def test_segments_reach_the_published_stopping_times(radius, dimension, published, error):
    ds = capacity.stopping_time(
        dimension=dimension, extent=1, radius=radius, trials=100, seed=2, keep_trials=True
    ).stopping_time.values
    assert abs(ds.mean() / dimension - published) < 6.0 * math.hypot(ds.std() / math.sqrt(100.0) / dimension, error)
    if radius < 1.0:
        # Points spread by sqrt(2 N), segments by less.
        assert ds.std() / math.sqrt(dimension) == pytest.approx(1.15, abs=6.0 * 1.15 / math.sqrt(200.0))


@pytest.mark.parametrize(("extent", "radius"), [(2, 0.5), (5, 0.3)])
def test_balls_reach_the_capacity_of_mean_field_theory(extent, radius):
    dimension = [12, 24, 40]
    ds = capacity.stopping_time(dimension=dimension, extent=extent, radius=radius, trials=150, seed=3)
    assert np.all(ds.undecided_fraction == 0.0)
    x, y, e = (1.0 / ds.dimension.values, *(ds[name].values / ds.dimension.values for name in (
        "stopping_time", "stopping_time_stderr")))  # fmt: skip
    coefficients, covariance = np.polyfit(x, y, 1, w=1.0 / e, cov="unscaled")
    limit, error = coefficients[1], math.sqrt(covariance[1, 1])
    expected = theory.ball_capacity(radius, extent)
    # What a straight line in 1/N leaves out is of the order of the square of its correction.
    slack = (coefficients[0] / 12.0) ** 2 / expected
    assert abs(limit - expected) < 6.0 * error + slack
    assert abs(limit - theory.ball_capacity(radius, extent + 2)) > 6.0 * error + slack


def test_stopping_times_and_verdicts_are_of_the_same_balls():
    given = {"dimension": 12, "extent": 2, "radius": 0.4, "bias": True, "trials": 60, "seed": 5, "keep_trials": True}
    times = capacity.stopping_time(**given).stopping_time
    for load in (0.5, 0.9, 1.1, 1.4, 2.0):
        ds = capacity.simulate(load=load, **given)
        known = (ds.undecided_fraction == 0.0) & np.isfinite(times)
        assert known.mean() > 0.95
        np.testing.assert_array_equal(
            ds.separable_fraction.where(known), (times >= round(12 * load)).astype(float).where(known)
        )


def test_a_larger_ball_is_separable_less_often():
    ds = capacity.simulate(
        dimension=15, load=1.0, extent=3, radius=[0.0, 0.1, 0.3, 0.6, 1.0], trials=80, seed=6, keep_trials=True
    )
    assert np.all(ds.separable_fraction.diff("radius") <= 0.0)
    assert 0.0 < ds.separable_fraction.mean() < 1.0


@pytest.mark.thorough
def test_plain_python_and_compiled_balls_are_the_same_bits():
    spaces = []
    for target in (targets.python, targets.strict):
        kernels = cpu.bind(target(np.float64), target(np.float32))
        verdict, space = judged(5, 6, 2, 0.5, 1, True, kernels)
        spaces.append([np.array(verdict), space.balls.frame, space.balls.point, space.balls.owner, space.work.w])
    for plain, compiled in zip(*spaces, strict=True):
        np.testing.assert_array_equal(plain, compiled)
