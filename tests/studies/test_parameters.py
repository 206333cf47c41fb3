"""What a study cannot simulate, compare or draw is refused before anything runs; what it can, runs through."""

import copy
import json

import pytest

from simnn.pipeline import cells, config, stages, store

SMALL = {
    "phase_diagram": {
        "model": {"activation": "tanh", "width": 20, "depth": 6},
        "grid": {"sigma_w": [0.8, 2.4]}, "jobs": {"sigma_b": [0.2, 0.6]}, "trials": 4,
    },
    "depth_profiles": {
        "model": {"sigma_b": 0.3, "width": 20, "depth": 4, "correlation": 0.5, "input_length": 1.0},
        "grid": {"sigma_w": [1.0, 2.5]}, "jobs": {"activation": ["tanh", "gelu"]}, "trials": 4,
    },
    "depth_scales": {
        "model": {"activation": "tanh", "width": 60, "depth": 6, "sigma_b": 0.2236},
        "grid": {"sigma_w": [1.0, 1.58]}, "trials": 4,
    },
    "init_schemes": {
        "model": {"sigma_b": 0.0, "width": 20, "depth": 4, "input_length": 1.0},
        "grid": {"sigma_w": [1.0, 1.4]}, "jobs": {"activation": ["relu", "sigmoid"]}, "trials": 4,
    },
    "finite_width": {
        "model": {"activation": "relu", "sigma_w": 1.4142135624, "sigma_b": 0.0},
        "grid": {"depth": [2, 5]}, "jobs": {"width": [20, 100]}, "trials": 200,
    },
    "ntk_fluctuations": {
        "model": {"sigma_b": 0.22, "correlation": 0.3},
        "grid": {"width": [32, 64], "depth": [1, 2]}, "jobs": {"activation": ["relu", "tanh"]}, "trials": 40,
    },
    "joint_norms": {
        "model": {"activation": "relu", "sigma_w": 1.4142135624, "sigma_b": 0.0},
        "grid": {"depth": [2, 5]}, "jobs": {"width": [20, 100]}, "trials": 500,
    },
    "dead_relus": {"model": {"depth": 3}, "grid": {"activation": ["relu"], "width": [2]}, "trials": 4},
    "linear_stacks": {"grid": {"width": [10, 20], "depth": [1, 2]}, "trials": 4},
    "circle_kernel": {
        "model": {"points": 32, "sigma_w": 1.4, "width": 20, "dtype": "float64"},
        "grid": {"depth": [1, 2]}, "jobs": {"activation": ["relu", "erf"]}, "trials": 4,
    },
    "relu_bias": {"grid": {"bias": [-1.0, 0.0, 1.0]}, "jobs": {"law": ["gaussian", "spike"]}, "trials": 4},
    "connectome_nulls": {
        "model": {
            "connectome": None, "threshold": 5, "kenyon_cells": 100, "glomeruli": 20, "claws": 2.0,
            "fan_out_spread": 0.3,
        },
        "grid": {"weights": ["binary", "synapses"], "inhibition": ["none"]}, "jobs": {"coding_level": [0.05, 0.1]},
        "trials": 2,
    },
    "receptor_codes": {
        "model": {"odors": None, "kenyon_cells": 100, "claws": 7, "coding_level": 0.05, "input_gain": 10.63},
        "trials": 2,
    },
}  # fmt: skip


def changed(study, group, name, value):
    """The small block with one parameter at another place, or another value; None removes it."""
    block = copy.deepcopy(SMALL[study])
    for axes in ("model", "grid", "jobs"):
        block.get(axes, {}).pop(name, None)
    if group is None:
        block[name] = value
    elif value is not None:
        block.setdefault(group, {})[name] = value
    return config.parse({"studies": {study: block}})[study]


@pytest.mark.parametrize(
    ("study", "group", "name", "value", "allowed"),
    [
        ("phase_diagram", "jobs", "activation", ["tanh", "relu"], "single value; axes of this study are sigma_w, sig"),
        ("phase_diagram", "grid", "width", [10], "single value"),
        ("phase_diagram", "grid", "sigma_w", [0.0, 1.0], "greater than 0"),
        ("phase_diagram", "model", "depth", 1, "at least 2"),
        ("phase_diagram", "model", "input_length", 2.0, "allowed are sigma_w, sigma_b, activation"),
        ("depth_profiles", "jobs", "sigma_b", [0.1, 0.3], "single value"),
        ("depth_profiles", "jobs", "width", [10, 20], "single value"),
        ("depth_profiles", "grid", "sigma_w", {"start": 0.5, "stop": 3.0, "num": 11}, "at most 10"),
        ("depth_profiles", "grid", "activation", ["tanh", "erf", "relu", "gelu", "silu", "sin", "selu", "linear",
                                                 "sigmoid"], "at most 8"),
        ("depth_profiles", "model", "correlation", None, "missing; this study needs activation, sigma_w"),
        ("depth_profiles", "model", "keep_trials", True, "set by the study"),
        ("depth_scales", "model", "activation", "relu", "tanh, erf"),
        ("depth_scales", "model", "activation", "gelu", "tanh, erf"),
        ("depth_scales", "jobs", "activation", ["tanh"], "single value"),
        ("depth_scales", "model", "sigma_b", 0, "greater than 0"),
        ("depth_scales", "grid", "sigma_b", [0.1, 0.2], "single value"),
        ("depth_scales", "model", "dtype", "float32", "set by the study"),
        ("depth_scales", "grid", "sigma_w", [0, 1], "greater than 0"),
        ("depth_scales", "model", "depth", 4, "at least 5"),
        ("init_schemes", "grid", "width", [10, 20], "single value"),
        ("init_schemes", "model", "outputs", 2, "set by the study"),
        ("init_schemes", "model", "depth", 1, "at least 2"),
        ("init_schemes", "model", "input_length", 0, "greater than 0"),
        ("finite_width", "model", "activation", "tanh", "'relu'"),
        ("finite_width", "model", "sigma_w", 1.4, "1.4142135624"),
        ("joint_norms", "model", "sigma_b", 0.1, "critical"),
        ("joint_norms", None, "trials", 100, "at least 500"),
        ("ntk_fluctuations", "grid", "width", [32], "at least two"),
        ("ntk_fluctuations", "grid", "width", [16, 32], "at least 32"),
        ("finite_width", None, "trials", 50, "at least 100"),
        ("ntk_fluctuations", "grid", "depth", [30, 40], "or less"),
        ("ntk_fluctuations", "jobs", "activation", ["relu", "gelu"], "'relu' or 'tanh'"),
        ("dead_relus", "model", "sigma_w", 1.0, "set by the study"),
        ("dead_relus", "grid", "activation", ["relu", "tanh"], "'relu' or"),
        ("linear_stacks", "grid", "width", [8], "at least 10"),
        ("linear_stacks", "jobs", "activation", ["linear"], "set by the study"),
        ("circle_kernel", "model", "sigma_w", None, "missing"),
        ("circle_kernel", "grid", "points", [32, 64], "single value"),
        ("relu_bias", "grid", "law", [], "one or more values"),
        ("connectome_nulls", "model", "connectome", "none.csv", "a file that is there, its path from the working"),
        ("connectome_nulls", "model", "connectome", 3, "the path of a file, its URL, or null"),
        ("connectome_nulls", "model", "connectome_sha256", "12ab", "the 64 digits of a checksum"),
        ("connectome_nulls", "model", "connectome_sha256", 64 * "a", "null where connectome is null"),
        ("connectome_nulls", "model", "neurons", "none.csv", "a file that is there"),
        ("connectome_nulls", "model", "threshold", 0, "an integer from 1"),
        ("connectome_nulls", "model", "claws", 10, "a number from 1 to 2.5"),
        ("connectome_nulls", "model", "fan_out_spread", None, "missing"),
        ("connectome_nulls", "grid", "weights", ["binary", "unary"], "'binary' or 'synapses'"),
        ("connectome_nulls", "grid", "inhibition", ["strong"], "'none' or 'balanced'"),
        ("connectome_nulls", "grid", "coding_level", [0.05, 0.7], "a number from 0.001 to 0.5"),
        ("connectome_nulls", "grid", "threshold", [3, 5], "single value"),
        ("receptor_codes", "model", "odors", "none.csv", "a file that is there"),
        ("receptor_codes", "model", "odors_sha256", 7, "the 64 digits of a checksum"),
        ("receptor_codes", "model", "claws", 21, "an integer from 1 to 20"),
        ("receptor_codes", "model", "kenyon_cells", 50, "an integer from 100"),
        ("receptor_codes", "model", "coding_level", 0.001, "a number from 0.01"),
        ("receptor_codes", "grid", "input_gain", [0.0, 10.63], "single value"),
        *[(study, None, "trials", 1, "at least 2") for study in SMALL],
        *[(study, None, "backend", "gpu", "'auto', 'cpu', 'cuda'") for study in SMALL],
    ],
)  # fmt: skip
def test_what_a_study_is_not_made_for_is_refused_in_one_line(study, group, name, value, allowed):
    with pytest.raises(config.ConfigError) as error:
        changed(study, group, name, value)
    message = str(error.value)
    assert message.startswith(f"config: studies.{study}")
    assert name in message
    assert allowed in message
    assert "\n" not in message
    if isinstance(value, str | int | float):
        assert repr(value) in message or "set by the study" in message or "allowed are" in message


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("study", "group", "name", "value"),
    [
        ("phase_diagram", "model", "sigma_b", 0.0),
        ("phase_diagram", "grid", "sigma_w", [1.0]),
        ("phase_diagram", "model", "activation", "silu"),
        ("depth_profiles", "model", "activation", "tanh"),
        ("depth_profiles", "model", "correlation", 1),
        ("depth_profiles", "grid", "sigma_w", [0.0, 1.0]),
        ("depth_scales", "model", "activation", "hard_tanh"),
        ("init_schemes", "model", "sigma_w", 2.0),
        ("finite_width", "grid", "depth", [3]),
        ("ntk_fluctuations", "grid", "activation", ["tanh"]),
        ("joint_norms", "model", "width", 30),
        ("dead_relus", "grid", "activation", ["leaky_relu"]),
        ("linear_stacks", "model", "depth", 1),
        ("relu_bias", "model", "law", "spike"),
        ("connectome_nulls", "grid", "weights", ["synapses"]),
        ("connectome_nulls", "model", "inhibition", "balanced"),
        ("receptor_codes", "model", "claws", 1),
    ],
)
def test_what_a_study_is_made_for_runs_through(study, group, name, value, tmp_path):
    block = changed(study, group, name, value)
    for job in cells.split(study, block):
        stages.cell(job.specification, tmp_path / study / f"{job.name}.nc")
    stages.gather(study, block, tmp_path / study, tmp_path / "x.nc")
    stages.claims(study, block, tmp_path / "x.nc", tmp_path / "x.csv")
    stages.figure(study, block, tmp_path / "x.nc", tmp_path / "figure")
    assert (tmp_path / "figure.png").stat().st_size > 0
    assert stages.caption(block)
    for variable in store.read(tmp_path / "x.nc").variables.values():
        assert {"long_name", "units"} <= set(variable.attrs)
    assert json.dumps(block)
