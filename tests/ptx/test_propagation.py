"""The sampler of the GPU compiles and fits: registers, spills, shared memory, no double precision by accident."""

import numpy as np
import pytest

from simnn.device import targets
from simnn.propagation import cuda, kernels, layers, observables
from tests.ptx import ARCHITECTURES, compiled


def arguments(real, inputs, outputs):
    """Arrays of the types that a launch has, for `rise` (and `fall`), `begin`, `settle` and `sink`."""
    k, m, whole, double = inputs, inputs * outputs, np.int64, np.float64

    def array(axes, kind):
        return np.zeros((1,) * axes, kind)

    networks = layers.Networks(
        array(1, whole), array(3, double), array(1, double), array(1, double), array(2, whole), array(1, whole),
        array(3, double), array(2, whole), array(1, whole), array(1, whole),
    )  # fmt: skip
    grams = observables.empty(1, 1, k, outputs)
    matrices = layers.Matrices(*(np.zeros(shape, kind) for shape, kind in layers.matrices((1,), k, m // k, 1).values()))
    wanted = cuda.Wanted(
        array(1, whole), array(1, whole), array(1, whole), array(2, real), array(3, real), array(3, real),
        array(3, real), array(1, whole),
    )  # fmt: skip
    key, cell, trial, table = array(1, np.uint64), array(1, whole), array(1, whole), array(2, np.int32)
    space, partial = array(3, real), array(3, real)
    shape, forest = cuda._part(cuda.Shape, networks), cuda._part(cuda.Forest, matrices)
    tiles = (0, shape, key, cell, trial, forest, wanted, table, space, partial)
    return {
        "begin": (networks, cell, grams, matrices, wanted),
        "rise": tiles,
        "settle": (0, networks, cell, grams, matrices, wanted, table, partial),
        "fall": tiles,
        "sink": (0, networks, key, cell, trial, grams, matrices, wanted, table, partial),
        "observe": (networks, cell, grams, cell, array(2, double)),
        "accumulate": (cell, array(2, double), array(2, whole), array(2, double), array(2, double)),
    }


def kernel(name, activation, real, inputs, outputs, in_shared):
    bound = cuda.bind(targets.cuda(real), kernels.CODES[activation], inputs, outputs, in_shared)
    return getattr(bound, name), arguments(real, inputs, outputs)[name]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("name", ["rise", "fall"])
def test_tiles_of_one_input_leave_room_for_many_blocks(name, architecture):
    result = compiled(*kernel(name, "tanh", np.float32, 1, 1, True), architecture)
    assert result.spills == result.stack == 0
    assert result.registers <= 80
    assert result.shared <= 16 * 1024
    assert result.count(r"\.f64") == 0
    assert result.count(r"\bcall\b") == 0


@pytest.mark.parametrize(
    ("name", "activation", "real", "inputs", "outputs", "in_shared"),
    [
        ("fall", "gelu", np.float32, 2, 1, True),
        pytest.param("rise", "selu", np.float32, 2, 1, True, marks=pytest.mark.thorough),
        ("fall", "erf", np.float64, 8, 2, False),
        pytest.param("rise", "relu", np.float32, 8, 2, False, marks=pytest.mark.thorough),
    ],
)
def test_tiles_of_any_network_fit(name, activation, real, inputs, outputs, in_shared):
    result = compiled(*kernel(name, activation, real, inputs, outputs, in_shared), (9, 0))
    assert result.spills == 0
    assert result.registers <= (168 if real is np.float64 else 144)
    assert result.shared <= 48 * 1024
    if real is np.float32:
        assert result.count(r"\.f64") == 0


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("name", ["begin", "settle", "sink"])
def test_steps_between_layers_fit(name, architecture):
    result = compiled(*kernel(name, "tanh", np.float32, 2, 1, True), architecture)
    assert result.spills == 0
    assert result.registers <= 255
    assert result.shared <= 1024


@pytest.mark.parametrize("name", ["observe", "accumulate"])
def test_statistics_fit(name):
    statistics = cuda.bind_statistics(targets.cuda(np.float64))
    result = compiled(getattr(statistics, name), arguments(np.float32, 2, 1)[name], (9, 0))
    assert result.spills == result.stack == 0
    assert result.registers <= 128
