"""Where kernels run is what was asked for, or one clear error."""

import pytest

from simnn import propagation
from simnn.device import backends, gpu


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(gpu, "missing", lambda: "no CUDA device is visible: install simnn[cuda]")


@pytest.fixture
def two_gpus(monkeypatch):
    monkeypatch.setattr(gpu, "missing", lambda: None)
    monkeypatch.setattr(gpu, "devices", lambda: [gpu.Device(i, f"card {i}", (9, 0), 2**30) for i in range(2)])


def test_small_work_and_a_host_without_gpu_stay_on_the_cpu(no_gpu):
    assert backends.choose("auto", 1.0) is None
    assert backends.choose("auto", 1e6) is None
    assert backends.choose("cpu", 1e6) is None


def test_auto_takes_the_first_gpu_for_work_that_is_worth_it(two_gpus):
    assert backends.choose("auto", 0.9 * backends.WORTH_SECONDS) is None
    assert backends.choose("auto", 1.1 * backends.WORTH_SECONDS) == 0
    assert backends.choose("cuda", 0.0) == 0
    assert backends.choose("cuda:1", 0.0) == 1
    assert backends.attributes(1) == {"backend": "cuda", "device": "card 1"}


def test_a_gpu_that_cannot_be_used_is_one_error_that_says_what_to_do(no_gpu):
    with pytest.raises(ValueError, match=r"^backend: 'cuda' is not allowed here: no CUDA device .* simnn\[cuda\]"):
        propagation.simulate(width=10, depth=2, trials=1, backend="cuda")


def test_a_gpu_beyond_the_last_is_refused(two_gpus):
    with pytest.raises(ValueError, match="backend: 'cuda:2' is not allowed here: the last of 2 GPUs is 'cuda:1'"):
        backends.choose("cuda:2", 0.0)


@pytest.mark.parametrize("backend", ["gpu", "cuda:", "cuda:x", "CUDA", "cuda:-1", ""])
def test_other_names_are_refused_and_those_that_are_allowed_are_named(backend):
    with pytest.raises(ValueError, match=r"^backend: '.*' is not allowed: should be 'auto', 'cpu', 'cuda', or 'cuda:"):
        propagation.simulate(backend=backend)


def test_dense_networks_have_no_kernels_of_cuda():
    with pytest.raises(ValueError, match="backend: 'cuda' is not allowed with method 'dense'"):
        propagation.simulate(backend="cuda", method="dense")
