"""Presets name all that their dimension depends on, and claim to be best only where they are."""

import numpy as np
import pytest
from pydantic import ValidationError

from simnn import olfaction
from simnn.olfaction.presets import PRESETS, Circuit, preset

CLAWS = np.arange(1, 31)


@pytest.mark.parametrize(
    ("name", "claws", "fraction"),
    # Claws at which the dimension is largest, and the fraction of it that the claws of the animal reach.
    [
        ("mushroom_body", {3}, 0.739), ("mushroom_body_balanced", {7}, 1.0), ("mushroom_body_large", {3}, 0.715),
        ("mushroom_body_connectome", {4}, 0.970), ("cerebellum", {5}, 0.982), ("piriform", {9}, 0.458),
    ],
)  # fmt: skip
def test_presets_and_their_best_claws(name, claws, fraction):
    circuit = preset(name)
    values = circuit.dimension(CLAWS)
    assert CLAWS[values.argmax()] in claws
    assert circuit.dimension() / values.max() == pytest.approx(fraction, abs=0.001)


@pytest.mark.parametrize(
    ("name", "claws", "best", "fraction"),
    [
        ("mushroom_body_cortical", (5, 6, 7, 8, 9), {7, 8}, 1.0),
        ("cerebellum_lognormal", (4, 5, 6, 7, 8), {6, 7}, 0.952),
    ],
)
def test_presets_with_unequal_weights(name, claws, best, fraction):
    # Sampled: relative standard errors 1.5%, but of ratios between neighbouring claws 0.5%.
    values = preset(name).dimension(claws)
    assert claws[values.argmax()] in best
    assert preset(name).dimension() / values.max() == pytest.approx(fraction, abs=0.01)


def test_seven_claws_and_four_are_best_under_stated_conditions_only():
    assert CLAWS[preset("mushroom_body_balanced").dimension(CLAWS, 0.1).argmax()] == 8
    assert CLAWS[preset("cerebellum").dimension(CLAWS, 0.01).argmax()] == 4


def test_constraints():
    fixed, variable = preset("mushroom_body"), preset("mushroom_body_balanced")
    assert fixed.synapses == variable.synapses == 14_000
    assert fixed.cells(4) == 2000.0
    assert variable.cells([4, 7]).tolist() == [3500.0, 2000.0]
    assert preset("cerebellum").synapses == 836_000


def test_every_preset_says_where_it_comes_from():
    for name, circuit in PRESETS.items():
        assert circuit.cells(circuit.claws) == circuit.kenyon_cells
        assert any(word in circuit.source for word in ("(20", "e82914")), name
        assert "assumed" in circuit.source or "law of the weights" in circuit.source


def test_presets_are_frozen_and_checked():
    with pytest.raises(ValidationError):
        preset("cerebellum").claws = 7
    with pytest.raises(ValueError, match="claws: 51 is not allowed"):
        Circuit(**(preset("mushroom_body").model_dump() | {"claws": 51}))
    with pytest.raises(ValueError, match="preset: 'nose' is not allowed: should be one of mushroom_body, "):
        preset("nose")
    with pytest.raises(TypeError):
        PRESETS["nose"] = preset("piriform")


def test_the_room_opens_its_modules():
    assert olfaction.presets.preset is preset
    assert olfaction.theory.threshold(0.5) == 0.0
    assert olfaction.statistics.raw_dimension(np.eye(3)) == pytest.approx(2.0)
    with pytest.raises(AttributeError, match="no attribute 'smell'"):
        olfaction.smell  # noqa: B018
