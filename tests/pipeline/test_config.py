"""The configuration: what is accepted, what is refused, and in which words."""

import math
import subprocess
import sys

import pytest
import yaml

from simnn.pipeline import cells, config, dag

COIN = {"study": "tests.pipeline.coin", "trials": 10, "grid": {"sigma_w": [0.5, 1.0]}, "jobs": {"sigma_b": [0.1, 0.2]}}


def parsed(**changes):
    return config.parse({"studies": {"coin": COIN | changes}})["coin"]


def files(**changes):
    return [cell.name for cell in cells.split("coin", parsed(**changes))]


def test_the_shipped_configuration_is_valid(pytestconfig):
    blocks = config.parse(config.load(pytestconfig.rootpath / "config.yaml"))
    assert {"phase_diagram", "depth_profiles", "depth_scales", "init_schemes"} <= set(blocks)


def test_the_committed_schema_is_that_of_the_models():
    assert config.SCHEMA.read_text() == config.schema(), "run: simnn config schema > simnn/pipeline/config.schema.json"


def test_a_second_file_leaves_a_study_out_and_cannot_misspell_it(tmp_path):
    coin = {"study": "tests.pipeline.coin", "trials": 3}
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text(yaml.safe_dump({"studies": {"coin": coin, "penny": coin}}))
    second.write_text("studies: {penny: null}")
    merged = {"studies": {"coin": coin, "penny": None}}
    assert list(dag.Plan(merged, [first, second]).blocks) == ["coin"]
    second.write_text("studies: {pony: null}")
    with pytest.raises(SystemExit, match=r"second.yaml: there is no study 'pony' to leave out; there are coin, penny"):
        dag.Plan(merged | {"pony": None}, [first, second])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("studies: {}", ("studies", "at least 1")),
        ("studies: {coin: null}", ("studies", "null")),
        ("studies: {a b: {trials: 3}}", ("a b", "pattern")),
        ("studies: {coin: {}}", ("coin.trials", "missing")),
        ("studies: {phase_diagram: {trials: 0}}", ("phase_diagram.trials", "0", "greater than or equal to 1")),
        ("studies: {phase_diagram: {trials: yes}}", ("trials", "True", "boolean")),
        ("studies: {phase_diagram: {trials: 1e3}}", ("trials", "'1e3'", "integer")),
        ("studies: {phase_diagram: {trials: 3, tirals: 1}}", ("phase_diagram.tirals", "unknown", "trials")),
        ("studies: {phase_diagram: {trials: 3, backend: tpu}}", ("backend", "'tpu'", "cuda")),
        ("studies: {phase_diagram: {trials: 3, model: {sigma: 1}}}", ("phase_diagram", "sigma", "sigma_w")),
        (
            "studies: {phase_diagram: {trials: 3, model: {sigma_w: -1}}}",
            ("sigma_w", "-1", "greater than or equal to 0"),
        ),
        (
            "studies: {phase_diagram: {trials: 3, model: {sigma_w: yes}}}",
            ("sigma_w", "True", "a number, not a boolean"),
        ),
        ("studies: {phase_diagram: {trials: 3, model: {activation: softmax}}}", ("activation", "'softmax'", "relu")),
        ("studies: {phase_diagram: {trials: 3, grid: {sigma_w: []}}}", ("grid.sigma_w", "[]", "one or more values")),
        ("studies: {phase_diagram: {trials: 3, grid: {sigma_w: 1-3}}}", ("grid.sigma_w", "'1-3'", "start, stop, num")),
        ("studies: {phase_diagram: {trials: 3, grid: {sigma_w: [1, .nan]}}}", ("sigma_w", "nan", "finite")),
        ("studies: {phase_diagram: {trials: 3, grid: {sigma_w: [1, 1.0]}}}", ("sigma_w", "repeats")),
        (
            "studies: {phase_diagram: {trials: 3, grid: {sigma_w: {start: 0, stop: 1}}}}",
            ("grid.sigma_w.num", "missing"),
        ),
        (
            "studies: {phase_diagram: {trials: 3, grid: {sigma_w: {start: 0, stop: 1, num: 3, spacing: log}}}}",
            ("sigma_w", "positive"),
        ),
        (
            "studies: {coin: {study: tests.pipeline.coin, trials: 3, model: {width: [1, 2]}}}",
            ("coin: width", "[1, 2]", "grid or jobs"),
        ),
        (
            "studies: {coin: {study: tests.pipeline.coin, trials: 3, model: {width: {start: 1, stop: 2, num: 2}}}}",
            ("model.width", "grid or jobs"),
        ),
        (
            "studies: {coin: {study: tests.pipeline.coin, trials: 3, model: {width: 2020-01-01}}}",
            ("model.width", "2020", "number, text"),
        ),
        (
            "studies: {coin: {study: tests.pipeline.coin, trials: 3, model: {widths: [[1, 2]]}}}",
            ("model.widths.0", "[1, 2]", "number, text"),
        ),
        (
            "studies: {coin: {study: tests.pipeline.coin, trials: 3, model: {widths: [1, 2.5]}}}",
            ("widths", "2.5", "integer"),
        ),
        (
            "studies: {coin: {study: tests.pipeline.coin, trials: 3, grid: {widths: [1, 2]}}}",
            ("coin", "widths", "model"),
        ),
        (
            "studies: {coin: {study: tests.pipeline.coin, trials: 3, grid: {sigma_w: [[1]]}}}",
            ("grid.sigma_w.0", "[1]", "number, text"),
        ),
        (
            "studies: {coin: {study: tests.pipeline.coin, trials: 3, seed: 18446744073709551616}}",
            ("coin.seed", "equal to 18446744073709551615"),
        ),
        (
            "studies: {coin: {study: tests.pipeline.coin, trials: 3, backend: 'cuda:x'}}",
            ("coin", "backend", "'cuda:x'", "'cpu'"),
        ),
        ("studies: {phase_diagram: {trials: 3, model: {sigma_w: 1}, jobs: {sigma_w: [1]}}}", ("sigma_w", "two of")),
        ("studies: {phase_diagram: {trials: 3, trials: 4}}", ("'trials'", "twice")),
        ("studies: {phase_diagram: {trials: 3, model: {seed: 1}}}", ("phase_diagram", "seed", "beside")),
        ("studies: {phase_diagram: {trials: 3, jobs: {trials: [1, 2]}}}", ("phase_diagram", "trials", "beside")),
        ("studies: {a: {study: no.such.module, trials: 3}}", ("studies.a", "'no.such.module'", "phase_diagram")),
        ("studies: {a: {study: os.path, trials: 3}}", ("studies.a", "os.path", "no study")),
        ("studies: {a: {study: .., trials: 3}}", ("studies.a.study", "'..'", "pattern")),
        ("studies: {relu_bias: {trials: 3, model: {width: 3}}}", ("relu_bias", "width", "unknown", "law")),
        ("studies: {nothing: {trials: 3}}", ("'nothing'", "phase_diagram")),
        ("studies: [1", ("flow sequence",)),
        ("- 1", ("studies",)),
        ("{studies: {phase_diagram: {trials: 3}}, stdies: {}}", ("config.yaml", "stdies", "studies")),
    ],
)
def test_bad_configuration_is_one_clear_line(tmp_path, text, words):
    file = tmp_path / "config.yaml"
    file.write_text(text)
    with pytest.raises(config.ConfigError) as error:
        config.parse(config.load(file))
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_a_list_that_is_one_value_belongs_in_model():
    block = parsed(model={"widths": ["1e2", 20]})
    assert block["parameters"]["widths"] == [100, 20]
    assert block["jobs"] == ["sigma_b"]
    assert not set(files(model={"widths": [100, 21]})) & set(files(model={"widths": [100, 20]}))


def test_numbers_that_yaml_reads_as_text_are_numbers():
    assert parsed(grid={"sigma_w": ["1e-3", 2]})["parameters"]["sigma_w"] == [0.001, 2.0]


@pytest.mark.parametrize(
    "same",
    [
        {"jobs": {"sigma_b": ["1e-1", 0.2]}},
        {"jobs": {"sigma_b": [0.1, 0.1 + 0.1]}},
        {"jobs": {"sigma_b": {"start": 0.1, "stop": 0.2, "num": 2}}},
        {"grid": {"sigma_w": [0.5, 1]}},
        {"trials": 10.0},
    ],
)
def test_spelling_of_a_number_does_not_rename_a_cell(same):
    assert files(**same) == files()


def test_order_of_values_and_keys_does_not_rename_a_cell():
    assert sorted(files(jobs={"sigma_b": [0.2, 0.1]})) == sorted(files())
    assert files(model={"width": 5, "depth": 2}) == files(model={"depth": 2, "width": 5})


@pytest.mark.parametrize("change", [{"trials": 11}, {"seed": 1}, {"grid": {"sigma_w": [0.5]}}, {"model": {"width": 7}}])
def test_everything_that_determines_values_is_in_the_name(change):
    assert not set(files(**change)) & set(files())


def test_changing_one_value_of_a_jobs_axis_renames_one_cell():
    assert len(set(files(jobs={"sigma_b": [0.1, 0.3]})) & set(files())) == 1


def test_names_are_safe_paths():
    block = {
        "study": "tests.pipeline.coin", "trials": 1, "grid": {"sigma_w": [1.0]},
        "jobs": {"activation": ["leaky_relu(0.2)", "tanh"], "sigma_b": [1e-7]},
    }  # fmt: skip
    for cell in cells.split("coin", config.parse({"studies": {"coin": block}})["coin"]):
        assert set(cell.name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._=+-")


def test_ranges_are_linear_or_logarithmic():
    assert config.Range(start=0, stop=1, num=3).values() == [0.0, 0.5, 1.0]
    assert all(
        math.isclose(a, b)
        for a, b in zip(config.Range(start=1, stop=100, num=3, spacing="log").values(), [1, 10, 100], strict=True)
    )


def test_the_plan_of_the_snakefile_needs_no_heavy_import(pytestconfig):
    program = (
        "import sys, pathlib, yaml; from simnn.pipeline import dag\n"
        "path = pathlib.Path('config.yaml'); plan = dag.Plan(yaml.safe_load(path.read_text()), [path])\n"
        "[plan.sources(study, 'figure') for study in plan.blocks]\n"
        "print([name for name in ('numba', 'xarray', 'matplotlib', 'scipy') if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=pytestconfig.rootpath
    )
    assert result.stdout.strip() == "[]"


def test_keys_that_stand_twice_are_found_in_every_file(tmp_path):
    files = [tmp_path / name for name in ("given.yaml", "config.yaml")]
    files[0].write_text("studies: {phase_diagram: {trials: 3, trials: 4}}")
    files[1].write_text("studies: {phase_diagram: {trials: 3}}")
    with pytest.raises(SystemExit, match="'trials' stands twice"):
        dag.Plan({"studies": {"phase_diagram": {"trials": 4}}}, files)


def test_keys_that_snakemake_would_pass_over_are_found_in_every_file(tmp_path, pytestconfig):
    shipped = pytestconfig.rootpath / "config.yaml"
    given = tmp_path / "given.yaml"
    given.write_text("stdies: {}")
    with pytest.raises(SystemExit, match=r"given\.yaml: stdies is unknown; known keys are studies"):
        dag.Plan(config.load(shipped), [given, shipped])
