"""Verdicts of a GPU at real sizes are those of the CPU, and the same bits for every grid."""

import numpy as np
import pytest

from simnn import capacity
from simnn.capacity import cpu, cuda, patterns
from simnn.capacity.certificates import SEPARABLE
from simnn.capacity.model import Experiment
from simnn.capacity.patterns import Law
from simnn.capacity.simulate import _Data, _margins, _margins_on_gpu, _Sets, _verdicts, _verdicts_on_gpu
from simnn.device import gpu

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(gpu.missing() is not None, reason=str(gpu.missing()))]

KEY = np.array([7, 0], np.uint64)
GO = np.zeros(1, np.int64)


@pytest.mark.parametrize(
    ("trials", "parameters"),
    [
        (1000, {"dimension": 100, "load": 2.0}),
        (1000, {"dimension": 100, "load": 1.0, "bias": True, "coding_level": 0.8}),
        (4000, {"dimension": 10, "load": 3.0, "ensemble": "rademacher"}),
        (1000, {"dimension": 8, "load": 2.0, "ensemble": "relu", "bias": True}),
        (500, {"dimension": 37, "load": 1.7, "constrained": 0.4}),
        (300, {"dimension": 50, "load": 0.5}),
        (10, {"dimension": 301, "load": 2.0}),
        (200, {"dimension": 60, "load": 1.5, "ensemble": "winners", "activity": 0.1, "inputs": 50}),
        (200, {"dimension": 60, "load": 1.5, "ensemble": "threshold", "activity": 0.3, "inputs": 50, "claws": 5}),
        (200, {"dimension": 40, "load": 1.8, "ensemble": "rademacher", "correlation": 0.3}),
        (200, {"dimension": 40, "load": 1.0, "margin": 0.4}),
    ],
)
def test_verdicts_and_counts_are_those_of_the_cpu(trials, parameters):
    experiment = Experiment(**parameters)
    found = _verdicts_on_gpu(_Sets(experiment, _Data(), trials, KEY, 0, GO))
    wanted = _verdicts(_Sets(experiment, _Data(), trials, KEY, 0, GO))
    # All but the steps, which rounding may change.
    np.testing.assert_array_equal(np.delete(found, 2, axis=1), np.delete(wanted, 2, axis=1))


def test_bits_do_not_depend_on_the_grid():
    law = Law(200, 100)
    one, other = (cuda.verdicts(law, KEY, 5, 100, grid=grid, certificates=True) for grid in ((128, 100), (96, 7)))
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.proofs, other.proofs)
    assert len(one.left) == 0


def test_certificates_hold_for_the_patterns_of_the_cpu():
    law, x, y = Law(200, 100), np.zeros((200, 100)), np.zeros(200)
    found = cuda.verdicts(law, KEY, 0, 100, certificates=True)
    for trial, (verdict, proof) in enumerate(zip(found.values[:, 0], found.proofs, strict=True)):
        cpu.kernels().raw(law, trial, KEY, x, y, patterns.draws(100))
        z = y[:, None] * x / np.linalg.norm(x, axis=1, keepdims=True)
        if verdict == SEPARABLE:
            assert np.all(z @ proof[:100] > 0.0)
            assert capacity.separable(x, y).status == "separable"
        else:
            # Normals may differ by 3e-7 from those that the certificate is for.
            assert np.linalg.norm(proof @ z) <= 1e-6 * proof.sum()
            assert capacity.separable(x, y).status == "not separable"


@pytest.mark.parametrize("parameters", [{"dimension": 100, "load": 1.0}, {"dimension": 60, "bias": True, "load": 0.8}])
def test_largest_margins_are_those_of_the_cpu(parameters):
    experiment = Experiment(**parameters)
    found = _margins_on_gpu(_Sets(experiment, _Data(), 300, KEY, 0, GO))
    wanted = _margins(_Sets(experiment, _Data(), 300, KEY, 0, GO))
    np.testing.assert_allclose(found[:, 0], wanted[:, 0], rtol=1e-4)
    np.testing.assert_array_equal(found[:, 3:], wanted[:, 3:])
    # The last bits of normals may turn a support vector.
    assert np.mean(found[:, 1] != wanted[:, 1]) < 0.01
