"""Device functions bound for CUDA and run by the simulator are those of the CPU, bit for bit."""

import numpy as np
import pytest

from simnn.device import gpu, philox, targets
from simnn.device.gpu import cuda
from simnn.propagation import kernels

WORDS = [(0, 0, 0, 0), (0xFFFFFFFF,) * 4, (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (5, 0, 3, 1)]


def test_the_simulator_is_what_kernels_run_in():
    assert gpu.SIMULATED
    assert gpu.missing() is None
    assert [device.name for device in gpu.devices()] == ["simulator"]


def test_philox_gives_the_integers_of_the_cpu():
    on_gpu, on_cpu = philox.bind(targets.cuda(np.float32)), philox.bind(targets.strict(np.float32))
    draw = on_gpu.philox4x32

    @cuda.jit
    def run(counters, out):
        i = cuda.grid(1)
        a, b, c, d = counters[i, 0], counters[i, 1], counters[i, 2], counters[i, 3]
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = draw(a, b, c, d, np.uint32(0xA4093822), np.uint32(0x299F31D0))

    counters, out = np.array(WORDS, np.uint32), np.zeros((4, 4), np.uint32)
    run[1, 4](counters, out)
    key = np.uint64(0xA4093822), np.uint64(0x299F31D0)
    wanted = [[int(w) for w in on_cpu.philox4x32(*map(np.uint64, row), *key)] for row in WORDS]
    np.testing.assert_array_equal(out, wanted)


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_normals_and_activations_are_those_of_strict_arithmetic(real):
    target, strict = targets.cuda(real), targets.strict(real)
    pair, reference = philox.bind(target).normal_pair, philox.bind(strict).normal_pair
    tanh, gelu = kernels.bind(target).tanh, kernels.bind(target).gelu

    @cuda.jit
    def run(words, out):
        i = cuda.grid(1)
        out[i, 0], out[i, 1] = pair(words[i, 0], words[i, 1], words[i, 2], words[i, 3])
        out[i, 2], out[i, 3] = tanh(out[i, 0])
        out[i, 4], out[i, 5] = gelu(out[i, 1])

    words = np.random.default_rng(1).integers(0, 2**32, (20, 4), np.uint32)
    out = np.zeros((20, 6), real)
    run[2, 10](words, out)
    on_cpu = kernels.bind(strict)
    for row, (u, v, *rest) in zip(words, out, strict=True):
        assert (u, v) == reference(*map(np.uint64, row))
        np.testing.assert_array_equal(rest, [*on_cpu.tanh(real(u)), *on_cpu.gelu(real(v))])
