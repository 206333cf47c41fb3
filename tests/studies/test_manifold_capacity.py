"""Closed forms of the study of manifolds, from other derivations."""

import numpy as np
import pytest

from simnn.studies import manifold_capacity as study

GIVEN = {
    "dimension": [12, 20], "extent": [1, 3], "radius": [0.0, 1.0], "sampled_extent": [2], "points": [1, 20],
    "projection": [21], "draws": 100, "projections": 10, "trials": 5, "seed": 1,
}  # fmt: skip


@pytest.mark.parametrize("radius", [0.0, 0.3, 1.0, 2.5])
def test_means_of_gaussian_segments_are_those_of_the_whole_law(radius):
    dimension, angle = 40, np.arctan(radius) / np.pi
    law, total, mean = np.array([0.5 - angle, 0.5, angle]), np.ones(1), 0.0
    for _ in range(1000):
        total = np.convolve(total, law)[: 2 * dimension]
        faces = np.arange(len(total))
        below = (faces < dimension) & ((dimension - faces) % 2 == 1)
        mean += 2.0 * total[below].sum()
    # Lengths and centres of fixed length instead of Gaussian ends add the rest, nothing at R = 0 and 1.
    share = 0.5 + 2.0 * angle
    fixed = radius * (1.0 - radius**2) / (np.pi * (1.0 + radius**2) ** 2) / share**2
    assert dimension * study._segments(radius, dimension) == pytest.approx(mean + fixed, abs=1e-9)


def test_fixed_lengths_add_what_fluctuating_radii_take_off():
    # Second derivative of the statistical dimension with respect to ln R, times half of its variance, 1/N.
    radius, step = 0.4, 1e-3
    values = [0.5 + 2.0 / np.pi * np.arctan(radius * np.exp(x)) for x in (-step, 0.0, step)]
    curvature = (values[0] - 2.0 * values[1] + values[2]) / step**2
    angle = np.arctan(radius) / np.pi
    d = 0.5 + 2.0 * angle
    gaussian = 0.5 * (0.5 + 4.0 * angle - d * d) / d**2 - 0.5
    assert study._segments(radius, 1.0) - 1.0 / d - gaussian == pytest.approx(0.5 * curvature / d**2, rel=1e-5)


@pytest.mark.parametrize("extent", [1, 2, 3, 20])
def test_two_points_have_the_mean_angle_of_random_ones(extent):
    rng = np.random.default_rng(extent)
    one, other = (study._sphere(rng, 200_000, extent) for _ in range(2))
    angle = np.arccos((1.0 + (one * other).sum(axis=1)) / 2.0)
    error = angle.std() / np.sqrt(len(angle)) / np.pi
    # Five standard errors: four comparisons raise a false alarm once in a million seeds.
    assert abs(1.0 / study._few_points(extent, 2) - 0.5 - angle.mean() / np.pi) < 5.0 * error
    assert study._few_points(extent, 1) == 2.0
    assert np.isnan(study._few_points(extent, 3))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dimension", [20]), ("extent", [12]), ("points", [0]), ("points", [1.5]), ("draws", 10),
        ("projection", [81]), ("projections", 1), ("sampled_extent", []), ("radius", [-1.0]),
    ],
)  # fmt: skip
def test_parameters_that_the_study_is_not_made_for_are_refused(name, value):
    assert study.validate(GIVEN)["extent"] == [1, 3]
    with pytest.raises(ValueError, match=f"^{name}"):
        study.validate(GIVEN | {name: value})
