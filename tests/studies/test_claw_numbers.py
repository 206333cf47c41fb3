"""Claw numbers: the tables of dimensions, which number is the best, and what winners do."""

import json

import numpy as np
import pytest

from simnn.studies import claw_numbers

SMALL = {
    "glomeruli": 50, "kenyon_cells": 2000, "pairs": 100, "coding_level": [0.05, 0.1], "claws": [4, 7, 10],
    "circuit": [
        "binary cells none", "cortical cells none", "binary cells balanced", "binary synapses none",
        "binary synapses balanced",
    ],
    "odors": [50, 100, 500, 2000], "trials": 4, "seed": 3,
}  # fmt: skip


@pytest.fixture(scope="module")
def compared():
    dataset = claw_numbers.simulate(**SMALL)
    return claw_numbers.compare(dataset.assign_attrs(parameters=json.dumps(SMALL)))


def test_theory_has_the_numbers_of_the_reference_tables(compared):
    closed = compared.dimension_theory.sel(claws=7)
    for circuit, values in (
        ("binary cells none", (235.22, 143.52)),
        ("binary cells balanced", (504.61, 295.19)),
        ("binary synapses balanced", (504.61, 295.19)),
    ):
        np.testing.assert_allclose(closed.sel(circuit=circuit), values, atol=0.01)
    synapses = compared.dimension_theory.sel(circuit="binary synapses balanced")
    np.testing.assert_allclose(synapses.sel(claws=4), (455.85, 270.62), atol=0.01)


@pytest.mark.parametrize(
    ("circuit", "best"),
    [
        ("binary cells none", (4, 3)),
        ("binary synapses none", (4, 3)),
        ("cortical cells none", (7, 6)),
        ("binary synapses balanced", (7, 8)),
    ],
)
def test_the_best_number_depends_on_the_circuit(compared, circuit, best):
    curves = compared.curve_theory.sel(circuit=circuit)
    assert tuple(compared.inputs.values[curves.argmax("inputs")]) == best


def test_seven_claws_are_the_best_only_where_they_are(compared):
    rows = [row for row in claw_numbers.claims(compared) if row.statement.startswith("7 claws")]
    assert len(rows) == 10
    honest = {row.statement[: row.statement.index(": dimension")] for row in rows if row.verdict == "holds"}
    assert honest == {
        "7 claws are the best, f = 0.05, cortical weights, M fixed, no inhibition",
        "7 claws are the best, f = 0.05, binary weights, S fixed, balanced inhibition",
    }


def test_few_odors_seem_to_fill_the_measured_number_of_dimensions(compared):
    # Reference sheet: 72, 183, 256.5 at P = 100, 500, 2000.
    np.testing.assert_allclose(compared.raw_dimension_theory[1:], (72.0, 183.0, 256.5), rtol=0.004)


def test_winners_have_the_dimension_of_the_sheet_and_of_the_sphere():
    assert claw_numbers.winners_dimension(50, 2000, 7, 0.1) == pytest.approx(305.0, abs=1.0)
    # Many glomeruli: odors are of equal length anyway, and many cells: the threshold does not move.
    from simnn.olfaction import theory

    expected = theory.dimension(5000, 10**9, 7, 0.1, "balanced")
    assert claw_numbers.winners_dimension(5000, 10**9, 7, 0.1) == pytest.approx(expected, rel=0.005)


@pytest.mark.parametrize("name", ["dimension_theory", "winners_theory", "binary_theory", "raw_dimension_theory",
                                  "all_odors_theory"])  # fmt: skip
def test_claims_fail_when_one_prediction_is_off(compared, name):
    assert all(row.verdict != "fails" for row in claw_numbers.claims(compared))
    wrong = compared.assign({name: 1.5 * compared[name]})
    assert any(row.verdict == "fails" for row in claw_numbers.claims(wrong))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("circuit", ["binary cells"], "a law of weights"),
        ("circuit", ["ternary cells none"], "a law of weights"),
        ("claws", [3, 5], "with 7 in it"),
        ("claws", [7, 50], "below the glomeruli"),
        ("claws", [7], "two or more"),
        ("odors", [10], "at least 50"),
        ("weights", "binary", "set by the study"),
    ],
)
def test_what_the_study_is_not_made_for_is_refused(name, value, words):
    with pytest.raises(ValueError, match=f"^{name}: .*{words}"):
        claw_numbers.validate(SMALL | {name: value})
