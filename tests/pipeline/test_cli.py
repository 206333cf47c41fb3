"""The command line, as a user types it."""

import pytest
from click.testing import CliRunner

from simnn.pipeline import store
from simnn.pipeline.cli import main


def invoke(*arguments):
    return CliRunner().invoke(main, arguments)


def test_info_names_versions_threads_and_cache():
    result = invoke("info")
    assert result.exit_code == 0
    for word in ("simnn", "numba", "threads", "gpu", "kernel cache"):
        assert word in result.output


def test_simulate_writes_the_dataset_of_one_call(tmp_path):
    file = tmp_path / "x.nc"
    result = invoke(
        "simulate", "propagation", "--activation", "tanh,leaky_relu(0.2)", "--sigma-w", "1,1.5", "--width", "20",
        "--depth", "3", "--trials", "5", "--correlation", "0.5", "-o", str(file),
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    dataset = store.read(file)
    assert dict(dataset.sizes) == {"activation": 2, "sigma_w": 2, "layer": 3, "input": 2, "other_input": 2}
    assert dataset.activation.values.tolist() == ["tanh", "leaky_relu(0.2)"]
    assert dataset.attrs["trials"] == 5


def test_simulate_olfaction_takes_every_name_that_the_model_has(tmp_path):
    file = tmp_path / "x.nc"
    result = invoke(
        "simulate", "olfaction", "--inhibition", "none,balanced", "--normalization", "none", "--kenyon-cells", "40",
        "--odors", "20", "--trials", "2", "-o", str(file),
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert store.read(file).inhibition.values.tolist() == ["none", "balanced"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["simulate", "propagation", "--width", "0", "-o", "x.nc"], "width: 0"),
        (["simulate", "propagation", "--colour", "red", "-o", "x.nc"], "--colour"),
        (["simulate", "propagation", "--width", "5"], "--output"),
        (["simulate", "olfaction", "--normalization", "divisive", "-o", "x.nc"], "pass responses"),
        (["simulate", "astrology", "-o", "x.nc"], "astrology"),
        (["config", "check", "nowhere.yaml"], "nowhere.yaml"),
        (["cell", "--parameters", "{", "-o", "x.nc"], "Expecting"),
        (["cell", "--parameters", "{}", "-o", "x.nc"], "'module' is missing"),
    ],
)
def test_user_errors_are_one_line_and_no_traceback(arguments, word, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert word in result.output
    assert "Traceback" not in result.output


def test_config_check_counts_the_jobs(pytestconfig):
    result = invoke("config", "check", str(pytestconfig.rootpath / "config.yaml"))
    assert result.exit_code == 0
    assert "phase_diagram: 11 jobs" in result.output
