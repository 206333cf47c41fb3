"""The sampler of the GPU, run by the simulator, is that of the CPU: same normals, same sums, same steps."""

import numpy as np
import pytest
import xarray as xr

from simnn import propagation
from simnn.device import gpu, moments
from simnn.propagation import cuda, model, observables
from simnn.propagation.simulate import _bases, _conditional, _key, _networks

RNG = np.random.default_rng(0)
CASES = {
    "one input": ({"activation": "tanh", "sigma_w": 1.5, "sigma_b": 0.1, "width": 70, "depth": 3}, None, 1),
    "two tiles": ({"activation": "relu", "sigma_w": 1.4, "width": 530, "depth": 2}, None, 1),
    "more tiles than chains of them": ({"activation": "linear", "width": 4200, "depth": 1}, None, 1),
    "close inputs": ({"activation": "erf", "sigma_w": 1.2, "width": 33, "depth": 2, "correlation": 1 - 1e-9}, None, 1),
    "several activations": ({"activation": ["gelu", "tanh"], "sigma_w": 2.0, "width": 20, "depth": [1, 3]}, None, 1),
    "far away": ({"activation": "gelu", "sigma_w": 1e9, "width": 20, "depth": 3}, None, 1),
    "outputs": ({"activation": "silu", "sigma_w": 1.2, "sigma_b": 0.3, "width": 20, "depth": 2}, (3, 8), 3),
}


def sample(case, real, threads=None, in_shared=True, rows=None):
    """Statistics of two trials of every network: by the CPU, or by the GPU with that many threads in a block."""
    parameters, shape, outputs = CASES[case]
    patterns = None if shape is None else np.random.default_rng(1).standard_normal(shape)
    plan = model.sweep(parameters | {"outputs": outputs, "seed": 5, "dtype": real.__name__})
    bases, cells = _bases(plan, patterns), len(plan.networks)
    cell, trial, stop = np.repeat(np.arange(cells), 2), np.tile(np.arange(2), cells), np.zeros(1, np.int64)
    if threads is None:
        return split(_conditional(plan, bases).sample(cell, trial, stop), plan, bases)
    sampler = cuda.Sampler(real, _networks(plan, bases), outputs, _key(5), threads)
    sampler.in_shared = in_shared
    parts = [slice(first, first + (rows or len(cell))) for first in range(0, len(cell), rows or len(cell))]
    done = [sampler.run(cell[part], trial[part], stop).copy_to_host() for part in parts]
    return split(np.concatenate(done), plan, bases)


def split(rows, plan, bases):
    """Statistics by name."""
    shapes = observables.shapes(plan.depth, len(bases[0].order), plan.run.outputs)
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])
    return dict(zip(shapes, np.split(rows, ends[:-1], axis=1), strict=True))


def assert_same(one, other, **tolerance):
    for name, values in one.items():
        np.testing.assert_allclose(values, other[name], err_msg=name, **tolerance)


@pytest.mark.parametrize(
    "case", [case if case != "two tiles" else pytest.param(case, marks=pytest.mark.thorough) for case in CASES]
)
def test_the_sampler_is_that_of_the_cpu(case):
    real, rtol = (np.float64, 1e-11) if "tiles" not in case else (np.float32, 2e-5)
    simulated = sample(case, real, threads=2)
    assert np.isfinite(simulated["length"][:, 0]).all()
    assert_same(simulated, sample(case, real), rtol=rtol, atol=0.01 * rtol)


def test_bits_depend_neither_on_the_size_of_blocks_nor_on_batches_nor_on_where_rows_are():
    one = sample("outputs", np.float32, threads=8)
    for other in ({"threads": 5}, {"threads": 8, "rows": 1}, {"threads": 8, "in_shared": False}):
        assert_same(one, sample("outputs", np.float32, **other), rtol=0)


def test_moments_on_the_device_are_those_of_the_host_however_trials_are_cut():
    rng = np.random.default_rng(0)
    cell, rows = np.repeat([0, 2, 1], [3, 9, 20]), rng.standard_normal((32, 5))
    rows[2, 1], rows[:, 3] = np.nan, np.nan
    on_host, on_device = moments.Moments(3, 5), cuda.Moments(3, 5)
    on_host.add(cell, rows)
    for part in (slice(0, 1), slice(1, 14), slice(14, 32)):
        on_device.add(cell[part], cuda.cuda.to_device(rows[part]))
    for one, other in zip(on_device.averages(), on_host.averages(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-14)


def test_simulate_on_cuda_gives_the_numbers_of_the_cpu_and_says_where_it_ran():
    parameters = {"sigma_w": [1.0, 2.0], "width": 12, "depth": 2, "trials": 3, "correlation": 0.5, "seed": 2}
    on_gpu, on_cpu = (propagation.simulate(**parameters, backend=backend) for backend in ("cuda", "auto"))
    assert (on_gpu.attrs["backend"], on_gpu.attrs["device"]) == ("cuda", "simulator")
    assert on_cpu.attrs["backend"] == "cpu"
    xr.testing.assert_allclose(on_gpu, on_cpu, rtol=1e-4, atol=1e-5)


def test_trials_that_are_kept_are_those_of_the_cpu():
    parameters = {"sigma_w": 1.5, "width": 4, "depth": [2, 1], "trials": 2, "seed": 2, "keep_trials": True}
    xr.testing.assert_allclose(
        *(propagation.simulate(**parameters, backend=backend) for backend in ("cuda", "cpu")), rtol=1e-4, atol=1e-5
    )


def test_a_batch_that_the_device_cannot_hold_is_one_clear_error(monkeypatch):
    monkeypatch.setattr(gpu, "SIMULATED_BYTES", 100)
    with pytest.raises(MemoryError, match=r"the GPU has 0\.0 GiB free"):
        propagation.simulate(width=10, depth=2, trials=1, backend="cuda")


def test_a_gpu_that_is_not_there_is_one_clear_error():
    with pytest.raises(ValueError, match="backend: 'cuda:2' is not allowed here: the last of 1 GPUs is 'cuda'"):
        propagation.simulate(width=10, depth=2, trials=1, backend="cuda:2")
