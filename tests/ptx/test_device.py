"""Random numbers and elementary functions compile for GPUs, without spills and without double precision by accident."""

import numpy as np
import pytest

from simnn.device import philox, targets
from simnn.propagation import kernels
from tests.ptx import ARCHITECTURES, compiled


def kernel(target, name):
    """Activation and slope of a random pre-activation."""
    from simnn.device.gpu import cuda

    random, activation, word = philox.bind(target), getattr(kernels.bind(target), name), target.word
    philox4x32, normal_pair = random.philox4x32, random.normal_pair
    one, half = target.real(1.0), target.real(0.5)

    if name == "kinked":

        @target.kernel
        def run(key, x, y):
            i = cuda.grid(1)
            a, b, c, d = philox4x32(word(i), word(1), word(2), word(3), word(key[0]), word(key[1]))
            u, _ = normal_pair(a, b, c, d)
            x[i], y[i] = activation(u, one, half)

    else:

        @target.kernel
        def run(key, x, y):
            i = cuda.grid(1)
            a, b, c, d = philox4x32(word(i), word(1), word(2), word(3), word(key[0]), word(key[1]))
            u, _ = normal_pair(a, b, c, d)
            x[i], y[i] = activation(u)

    return run


@pytest.mark.parametrize(
    ("name", "real", "architecture"),
    [(name, np.float32, (9, 0)) for name in kernels.Activations._fields]
    + [(name, np.float64, (9, 0)) for name in ("tanh", "gelu")]
    + [("tanh", np.float32, architecture) for architecture in ARCHITECTURES[:-1]],
)
def test_an_activation_of_a_random_number_stays_in_registers(name, real, architecture):
    out = np.empty(1, real)
    result = compiled(kernel(targets.cuda(real), name), (np.zeros(2, np.uint64), out, out), architecture)
    assert result.spills == 0
    assert result.registers <= (24 if real is np.float32 else 48)
    assert result.count(r"\bcall\b") == 0
    if real is np.float32:
        assert result.count(r"\.f64") == 0
        assert result.stack == 0
    assert float(result.text.split(".version ")[1].split()[0]) <= 9.0
