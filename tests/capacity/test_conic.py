"""Random projections of given patterns: exact where counting says, as simulated elsewhere, draw by draw as NNLS."""

import json

import numba
import numpy as np
import pytest
from scipy import stats
from scipy.optimize import nnls

from simnn import capacity, running
from simnn.capacity import conic, cpu, faces, theory
from simnn.device import targets

# About 150 comparisons below, at 1e-9 each: a false alarm in 1e-7 of runs.
FALSE_ALARM = 1e-9
SIX = 6.0  # standard errors: the same for normal numbers


def probability_of(ds, n, expected):
    """Two-sided probability of so large a deviation of the separable fraction at n, of cones proper.

    The fraction is that of k < n among those k that differ from n by an odd number, half of all draws.
    """
    odd = ds.intrinsic_volume.sel(face=(n - ds.face) % 2 == 1).sum() * ds.attrs["draws"]
    fraction = float(ds.separable_fraction.sel(projection=n))
    return stats.binomtest(round(fraction * float(odd)), round(float(odd)), expected).pvalue


def balls(count, points, dimension, space, radius, seed):
    """Points on spheres around random centres, and the number of the sphere of each."""
    rng, out = np.random.default_rng(seed), []
    for _ in range(count):
        centre, axes = rng.standard_normal(space), np.linalg.qr(rng.standard_normal((space, dimension)))[0]
        point = rng.standard_normal((points, dimension))
        point /= np.linalg.norm(point, axis=1, keepdims=True)
        out.append(centre / np.linalg.norm(centre) + radius * point @ axes.T)
    return np.concatenate(out), np.repeat(np.arange(count), points)


def correlated(seed):
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((16, 16)) + 3.0 * rng.standard_normal((16, 1))
    return mixing @ rng.standard_normal((16, 20)), np.where(rng.permutation(16) < 8, 1, -1)


def direct(x, y, bias, n, trials, seed):
    """Fraction of random projections that are separable, one by one, and its standard error."""
    rng = np.random.default_rng(seed)
    answers = []
    for _ in range(trials):
        verdict = capacity.separable(x @ rng.standard_normal((x.shape[1], n)), y, bias)
        assert verdict.status != "undecided"
        answers.append(verdict.status == "separable")
    mean = np.mean(answers)
    return mean, np.sqrt((mean * (1.0 - mean) + 1.0 / trials) / trials)


# --- exact laws ---------------------------------------------------------------------------------------------------


def test_the_orthant_is_cover_s_count():
    ds = capacity.projected(np.eye(30), np.ones(30), draws=20000, seed=1)
    assert theory.cover_probability(30, 11) == pytest.approx(0.0680, abs=5e-5)
    assert theory.cover_probability(30, 19) == pytest.approx(0.932, abs=5e-4)
    for n in range(1, 31):
        assert probability_of(ds, n, theory.cover_probability(30, n)) > FALSE_ALARM, n
    assert stats.chisquare(*_volumes(ds, stats.binom.pmf(np.arange(31), 30, 0.5))).pvalue > FALSE_ALARM
    assert abs(ds.statistical_dimension - 15.0) < SIX * ds.statistical_dimension_stderr
    assert abs(ds.capacity - 2.0) < SIX * ds.capacity_stderr
    assert ds.statistical_dimension_stderr == pytest.approx(np.sqrt(7.5 / 20000), rel=0.05)
    assert ds.undecided_fraction == 0.0
    assert ds.separable_labels_fraction == 1.0
    # One pattern more, or one dimension less, would be noticed.
    assert probability_of(ds, 15, theory.cover_probability(31, 15)) < FALSE_ALARM
    assert probability_of(ds, 15, theory.cover_probability(30, 14)) < FALSE_ALARM


def _volumes(ds, law):
    """Observed and expected numbers of faces, where ten are expected at least."""
    draws = ds.attrs["draws"]
    some = law * draws > 10.0
    observed, expected = ds.intrinsic_volume.values[some] * draws, law[some] * draws
    return observed, expected * observed.sum() / expected.sum()


@pytest.mark.parametrize("patterns", [30, 5])
def test_a_threshold_and_random_labels_are_one_dimension_more(patterns):
    ds = capacity.projected(np.eye(patterns), bias=True, draws=20000, seed=2)
    if patterns == 30:
        published = {11: 0.1325, 13: 0.3555, 15: 0.6445, 17: 0.8675, 19: 0.9693}
        for n, probability in published.items():
            assert stats.binom.cdf(n, 29, 0.5) == pytest.approx(probability, abs=5e-5)
        assert probability_of(ds, 15, 0.5) < FALSE_ALARM  # a threshold that does nothing
    for n in ds.projection.values:
        expected = theory.cover_probability(patterns, int(n), bias=True)
        # With five patterns one draw in sixteen has a single class, and is separable whatever the vector.
        error = float(ds.separable_fraction_stderr.sel(projection=n))
        assert abs(ds.separable_fraction.sel(projection=n) - expected) <= SIX * error + 20.0 / 20000, n
    assert ds.undecided_fraction == 0.0


@pytest.mark.parametrize("bias", [False, True])
def test_labels_that_are_not_separable_to_begin_with_are_counted(bias):
    # In general position the law is Cover's for every n, although labels fail before any projection.
    rng = np.random.default_rng(3)
    ds = capacity.projected(rng.standard_normal((24, 12)), bias=bias, draws=6000, seed=3)
    fair = theory.cover_probability(24, 12, bias)
    assert abs(ds.separable_labels_fraction - fair) < SIX * np.sqrt(fair * (1.0 - fair) / 6000)
    assert ds.separable_fraction[-1] == ds.separable_labels_fraction
    for n in range(1, 13):
        error = float(ds.separable_fraction_stderr.sel(projection=n))
        gap = ds.separable_fraction.sel(projection=n) - theory.cover_probability(24, n, bias)
        assert abs(gap) <= SIX * error + 20.0 / 6000, n
    assert ds.undecided_fraction == 0.0
    # Had they been left out, the last one would be 1.
    assert ds.separable_fraction[-1] < 0.8


def test_standard_errors_are_the_spread_of_runs():
    x = np.random.default_rng(4).standard_normal((16, 9))
    runs = [capacity.projected(x, bias=True, draws=300, first_draw=300 * k, seed=4) for k in range(60)]
    for name, index in (
        ("separable_fraction", 5),
        ("intrinsic_volume", 4),
        ("statistical_dimension", ()),
        ("capacity", ()),
    ):
        values = np.array([run[name].values[index] for run in runs])
        error = np.mean([run[f"{name}_stderr"].values[index] for run in runs])
        # The standard deviation of 60 numbers is known to 9 %.
        assert values.std(ddof=1) == pytest.approx(error, rel=0.55), name


# --- against direct simulation -------------------------------------------------------------------------------------

CLOUDS = {
    "balls": lambda: (
        *balls(16, 20, 3, 80, 0.7, 5),
        np.where(np.arange(320) // 20 % 2 == 0, 1, -1),
        False,
        (21, 25, 29),
    ),
    "correlated": lambda: (correlated(6)[0], None, correlated(6)[1], True, (6, 7, 8)),
}


@pytest.mark.parametrize("name", CLOUDS)
def test_curves_are_those_of_projections_one_by_one(name):
    x, groups, y, bias, dimensions = CLOUDS[name]()
    ds = capacity.projected(x, y, groups=groups, bias=bias, draws=4000, seed=7)
    assert ds.undecided_fraction == 0.0
    gaps = []
    for n in dimensions:
        mean, error = direct(x, y, bias, n, 300, n)
        error = np.hypot(error, float(ds.separable_fraction_stderr.sel(projection=n)))
        gaps.append((float(ds.separable_fraction.sel(projection=n)) - mean) / error)
        assert abs(gaps[-1]) < SIX, n
        assert 0.05 < mean < 0.95
    # The curve of three dimensions more, or less, would be noticed.
    n = dimensions[1]
    mean, error = direct(x, y, bias, n, 300, n)
    for shift in (-3, 3):
        assert abs(ds.separable_fraction.sel(projection=n + shift) - mean) > SIX * error
    even = round(float(ds.intrinsic_volume[::2].sum()) * 4000)
    assert stats.binomtest(even, 4000, 0.5).pvalue > FALSE_ALARM
    # A face that is taken for its neighbour in a tenth of the draws with even k would be noticed.
    assert stats.binomtest(round(0.8 * even), 4000, 0.5).pvalue < FALSE_ALARM
    half = float(ds.projection[np.argmin(np.abs(ds.separable_fraction.values - 0.5))])
    assert abs(float(ds.statistical_dimension) - half) < 1.5


# --- against a general-purpose solver, on the same draws ----------------------------------------------------------


def solved(cloud, draw, seed=0):
    """Answer of the kernel, with the vector and the labels that it drew."""
    space = cpu.space(*cloud.rows.shape, np.zeros(1, np.int64))
    out, count = np.empty(1, np.int64), len(cloud.rows)
    listed = np.empty(count, np.int64)
    faces.kernel()(cloud, np.array([seed, 0], np.uint64), draw, out, np.empty(count), listed, space)
    return int(out[0]), space


def clouds():
    rng = np.random.default_rng(8)
    x, groups = balls(6, 8, 2, 15, 0.5, 8)
    yield x, groups
    yield rng.standard_normal((25, 10)), np.arange(25)
    yield rng.standard_normal((12, 30)), np.arange(12)
    yield correlated(9)[0], np.arange(16)
    # Six patterns in the wedge of three: their span is smaller than their number, and not affine.
    wedges = [rng.random((6, 3)) @ rng.standard_normal((3, 20)) for _ in range(5)]
    yield np.concatenate(wedges), np.repeat(np.arange(5), 6)


@pytest.mark.parametrize("bias", [False, True])
def test_faces_are_those_of_nnls(bias):
    compared, refused = 0, 0
    for x, groups in clouds():
        cloud = conic._cloud(x, None, groups, bias)
        for draw in range(40):
            answer, space = solved(cloud, draw)
            y, t = space.label, space.work.step[: cloud.rows.shape[1] - bias]
            rows = cloud.rows[:, : len(t)]
            assert np.all(y == y[groups * (len(y) // (groups.max() + 1))])
            status = capacity.separable(x, y, bias).status
            if bias and np.all(y == y[0]):
                assert answer == faces.ONE_CLASS
            elif status == "not separable":
                assert answer == faces.NOT_SEPARABLE
                refused += 1
            else:
                # With a threshold, generators of the cone are differences of patterns of either class.
                pairs = rows[y > 0.0][:, None] - rows[y < 0.0]
                generators = pairs.reshape(-1, len(t)) if bias else y[:, None] * rows
                draw_again, _ = solved(cloud, draw)
                assert answer == draw_again == np.count_nonzero(nnls(generators.T, t)[0] > 1e-12)
                compared += 1
    assert compared > 100
    assert refused > 10


def test_active_sets_on_rows_project_on_the_cone():
    rng = np.random.default_rng(10)
    for count, size in ((5, 9), (20, 12), (40, 7)):
        z, t = rng.standard_normal((count, size)), rng.standard_normal(size)
        z[:, 0] = np.abs(z[:, 0]) + 0.5  # in a half-space, so that multipliers are unique
        space, none = cpu.space(count, size, np.zeros(1, np.int64)), np.zeros(count)
        columns, norm = np.ascontiguousarray(z.T), np.linalg.norm(z, axis=1)
        cpu.kernels().nearest(z, columns, norm, none, z @ t, none, False, False, space.work)
        expected, _ = nnls(z.T, t)
        np.testing.assert_allclose(space.work.multiplier, expected, atol=1e-9)
        np.testing.assert_allclose(space.work.w, expected @ z, atol=1e-9)


def test_plain_python_and_compiled_kernels_agree():
    rng = np.random.default_rng(11)
    plain = faces.bind(targets.python(np.float64), targets.python(np.float32))
    for bias in (False, True):
        cloud = conic._cloud(rng.standard_normal((7, 4)), None, np.arange(7) // 2, bias)
        answers = []
        for kernel in (plain, faces.kernel()):
            out = np.empty(12, np.int64)
            space = cpu.space(*cloud.rows.shape, np.zeros(1, np.int64))
            kernel(cloud, np.array([1, 2], np.uint64), 5, out, np.empty(7), np.empty(7, np.int64), space)
            answers.append(out)
        np.testing.assert_array_equal(*answers)


# --- invariances --------------------------------------------------------------------------------------------------


def identical(a, b):
    for name in a.data_vars:
        np.testing.assert_array_equal(a[name].values, b[name].values, err_msg=name)


def test_lengths_origin_and_padding_do_not_matter():
    rng = np.random.default_rng(12)
    x, groups = balls(6, 5, 2, 12, 0.5, 12)
    given = {"groups": groups, "draws": 300, "seed": 1}
    reference = capacity.projected(x, **given)
    identical(reference, capacity.projected(x * 10.0 ** rng.uniform(-100, 100, (30, 1)), **given))
    padded = capacity.projected(np.hstack([x, np.zeros((30, 7))]), **given)
    for name in reference.data_vars:
        common = padded[name].sel({d: slice(12) for d in padded[name].dims})
        np.testing.assert_allclose(common, reference[name], rtol=1e-12, err_msg=name)
    assert np.all(padded.separable_fraction[12:] == padded.separable_labels_fraction)
    identical(reference, capacity.projected(x, groups=groups - 7, draws=300, seed=1))
    free = capacity.projected(x, bias=True, **given)
    identical(free, capacity.projected(1e-9 * (x + 5.0), bias=True, **given))
    assert np.any(free.separable_fraction != reference.separable_fraction)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("slice_seconds", [0.0, 10.0])
def test_results_do_not_depend_on_threads_or_slices(monkeypatch, threads, slice_seconds):
    x = np.random.default_rng(13).standard_normal((14, 8))
    reference = capacity.projected(x, bias=True, draws=70, seed=9)
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", threads)
    monkeypatch.setattr(running, "SLICE_SECONDS", slice_seconds)
    identical(reference, capacity.projected(x, bias=True, draws=70, seed=9))


def test_draws_are_numbered():
    x = np.eye(9)
    whole, first, last = (
        capacity.projected(x, draws=draws, first_draw=start, seed=2).intrinsic_volume
        for draws, start in ((90, 0), (30, 0), (60, 30))
    )
    np.testing.assert_allclose(90 * whole, 30 * first + 60 * last, atol=1e-10)
    assert np.any(capacity.projected(x, draws=90, seed=3).intrinsic_volume != whole)


# --- corners and what is refused -----------------------------------------------------------------------------------


def test_corners():
    one = capacity.projected([[2.0, 1.0]], draws=400)
    assert one.separable_fraction.values.tolist() == [1.0]
    assert stats.binomtest(round(400 * float(one.intrinsic_volume[0])), 400, 0.5).pvalue > FALSE_ALARM
    # A single class with a threshold: the cone is a point.
    single = capacity.projected(np.eye(3), [1, 1, 1], bias=True, draws=5)
    assert np.all(single.separable_fraction == 1.0)
    assert single.intrinsic_volume.values.tolist() == [1.0, 0.0, 0.0, 0.0]
    assert single.statistical_dimension == 0.0
    # Opposite patterns of one manifold are never separable.
    never = capacity.projected([[1.0, 2.0, 0.0], [-1.0, -2.0, 0.0], [0.0, 1.0, 1.0]], groups=[0, 0, 1], draws=50)
    assert np.all(never.separable_fraction == 0.0)
    assert never.separable_labels_fraction == 0.0
    assert np.isnan(never.statistical_dimension)
    assert never.undecided_fraction == 0.0
    # A pattern that is there twice needs the same label.
    twice = capacity.projected([[1.0, 2.0, 0.0], [1.0, 2.0, 0.0], [0.0, 1.0, 1.0]], draws=400)
    assert stats.binomtest(round(400 * float(twice.separable_labels_fraction)), 400, 0.5).pvalue > FALSE_ALARM


@pytest.mark.parametrize("spread", [1e-3, 1e-9])
def test_narrow_manifolds_are_points(spread):
    rng = np.random.default_rng(14)
    x = np.repeat(rng.standard_normal((15, 20)), 4, axis=0) + spread * rng.standard_normal((60, 20))
    ds = capacity.projected(x, groups=np.arange(60) // 4, draws=2000)
    assert abs(ds.statistical_dimension - 7.5) < SIX * ds.statistical_dimension_stderr
    assert ds.undecided_fraction == 0.0


def test_what_products_cannot_tell_is_undecided():
    rng = np.random.default_rng(15)
    x = rng.standard_normal(40) + 1e-8 * rng.standard_normal((30, 40))
    ds = capacity.projected(x, draws=50)
    assert ds.undecided_fraction == 1.0
    assert np.isnan(ds.separable_fraction).all()
    assert capacity.projected(x, bias=True, draws=50).undecided_fraction == 0.0


def test_a_cube_is_not_in_general_position():
    cube = np.array(np.meshgrid(*[[-1.0, 1.0]] * 3)).reshape(3, -1).T
    ds = capacity.projected(cube, bias=True, draws=4000)
    known = theory.THRESHOLD_FUNCTIONS[3] / 2**8
    assert stats.binomtest(round(4000 * float(ds.separable_labels_fraction)), 4000, known).pvalue > FALSE_ALARM
    assert ds.undecided_fraction == 0.0


def test_datasets_describe_themselves():
    ds = capacity.projected(np.eye(4)[:, :3] + 1.0, draws=20, seed=2**40)
    for variable in (*ds.data_vars, *ds.coords):
        assert ds[variable].attrs["units"] == "1", variable
        assert ds[variable].attrs["long_name"], variable
    assert ds.projection.values.tolist() == [1, 2, 3]
    assert ds.face.values.tolist() == [0, 1, 2, 3]
    assert json.loads(ds.attrs["parameters"])["manifolds"] == 4
    assert ds.attrs["seed"] == str(2**40)


@pytest.mark.parametrize(
    ("patterns", "given", "message"),
    [
        ([[1.0, np.nan]], {}, "patterns: nan at .0, 1. is not allowed"),
        ([1.0, 2.0], {}, "patterns: shape .2,. is not allowed"),
        ([[1.0], [0.0]], {}, "patterns: zeros at .1. are not allowed without a threshold"),
        ([[1.0], [2.0]], {"labels": [1, 2]}, "labels: 1, 2 is not allowed"),
        ([[1.0], [2.0]], {"labels": [1]}, "labels: shape .1,. is not allowed"),
        ([[1.0], [2.0]], {"labels": [1, 0]}, "labels: not separable before any projection"),
        ([[1.0], [-2.0]], {"labels": [1, 0], "groups": [3, 3]}, "labels: both in group 3 is not allowed"),
        ([[1.0], [2.0]], {"groups": [1]}, "groups: shape .1,. is not allowed"),
        ([[1.0], [2.0]], {"groups": [1.0, 2.0]}, "groups: type float64 is not allowed"),
        ([[1.0], [2.0]], {"draws": 0}, "draws: 0 is not allowed"),
        ([[1.0], [2.0]], {"draws": 2, "first_draw": 2**32 - 1}, "draws: 2 is not allowed"),
        ([[1.0], [2.0]], {"seed": -1}, "seed: -1 is not allowed"),
        ([[1.0], [2.0]], {"bias": 1}, "bias: 1 is not allowed"),
    ],
)
def test_bad_input_is_refused_in_one_line(patterns, given, message):
    with pytest.raises(ValueError, match=f"^{message}") as error:
        capacity.projected(patterns, **given)
    assert "\n" not in str(error.value)


def test_what_does_not_fit_into_memory_is_refused():
    with pytest.raises(MemoryError, match="GiB"):
        capacity.projected(np.broadcast_to(np.ones(1), (4_000_000, 2)))
