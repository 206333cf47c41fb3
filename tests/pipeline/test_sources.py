"""What makes a stage run again: edits of the code that it runs, and of no other."""

import pathlib
import shutil
import textwrap

import pytest

from simnn import _sources
from simnn.pipeline import cells

STAGES = ("simulate", "gather", "claims", "figure", "report")

STUDY = """
import numpy as np

from simnn import studies
from simnn.studies import Claim

TITLE = "title"
CAPTION = "caption"

LIMIT = 3.0


@np.vectorize
def scale(x):
    return LIMIT * x


def simulate(**parameters):
    return studies.averages(scale(parameters))


def compare(dataset):
    from simnn.propagation import theory

    return scale(dataset)


def claims(dataset):
    return [Claim.test("claim")]


def figure(dataset):
    return helper(dataset)


def helper(dataset):
    return "drawn"
"""


@pytest.fixture
def package(monkeypatch, tmp_path):
    """A copy of the package to be edited."""
    copy = tmp_path / "simnn"
    shutil.copytree(_sources._PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(_sources, "_PACKAGE", copy)
    monkeypatch.setattr(cells, "_source", lambda module: module_file(tmp_path, module).read_text())
    (tmp_path / "study.py").write_text(STUDY)
    return copy


def module_file(folder, module):
    path = folder / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def stale(path, old, new, module="study"):
    """Stages whose digest an edit changes."""
    block = {"module": module, "model": "propagation"}
    before = {stage: cells.sources(block, stage) for stage in STAGES}
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    after = {stage: cells.sources(block, stage) for stage in STAGES}
    path.write_text(text)
    return {stage for stage in STAGES if before[stage] != after[stage]}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("averages(scale(", "averages(2 * scale(", {"simulate"}),
        ("LIMIT = 3.0", "LIMIT = 4.0", {"simulate", "gather"}),
        ("@np.vectorize", "@np.frompyfunc", {"simulate", "gather"}),
        ("return scale(dataset)", "return dataset", {"gather"}),
        ('Claim.test("claim")', 'Claim.test("other")', {"claims"}),
        ('"drawn"', '"painted"', {"figure"}),
        ('"caption"', '"legend"', {"report"}),
        ('"title"', '"headline"', {"gather", "report"}),
        ("from simnn import studies", "from simnn import studies  # shared", {"simulate"}),
        ("import numpy as np\n", "# a comment\nimport numpy as np\n", set()),
        ("TITLE =", "UNUSED = 1\nTITLE =", set()),
    ],
)
def test_an_edit_of_a_study_reaches_the_stages_that_use_it(package, old, new, expected):
    assert stale(package.parent / "study.py", old, new) == expected


AFTER_CELLS = {"gather", "claims", "figure", "report"}


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("pipeline/stages.py", AFTER_CELLS),
        ("pipeline/store.py", {"gather", "claims", "figure"}),
        ("pipeline/provenance.py", {"gather"}),
        ("pipeline/cli.py", set()),
        ("pipeline/templates/report.html", {"report"}),
        ("plotting/__init__.py", {"figure"}),
        ("plotting/simnn.mplstyle", {"figure"}),
        ("propagation/theory.py", AFTER_CELLS),
        ("propagation/kernels.py", {"simulate", *AFTER_CELLS}),
        ("device/philox.py", {"simulate"}),
        ("sampling.py", {"simulate"}),
    ],
)
def test_an_edit_of_the_package_reaches_the_stages_that_run_it(package, file, expected):
    text = (package / file).read_text()
    assert stale(package / file, text, text + "\n") == expected


@pytest.mark.parametrize(
    ("old", "expected"),
    [
        ("Means over trials and their standard errors.", {"simulate"}),
        ("Compare a measurement with its prediction.", {"claims"}),
        ("Check parameters against what a study is made for.", set()),
    ],
)
def test_an_edit_of_what_studies_share_reaches_those_that_use_it(package, old, expected):
    assert stale(package / "studies/__init__.py", old, old.upper()) == expected


@pytest.mark.parametrize(
    ("study", "uses"),
    [("depth_scales", True), ("depth_profiles", False), ("phase_diagram", False), ("dead_relus", False)],
)
def test_theory_recomputes_cells_of_studies_that_simulate_with_it(package, study, uses):
    path = package / "propagation/theory.py"
    text = path.read_text()
    assert ("simulate" in stale(path, text, text + "\n", f"simnn.studies.{study}")) is uses


@pytest.mark.parametrize(
    ("study", "uses"),
    [("kenyon_capacity", True), ("weight_sharing", True), ("decorrelation", True), ("phase_diagram", False)],
)
def test_cells_depend_on_every_model_that_their_study_uses(package, study, uses):
    path = package / "capacity/solvers.py"
    text = path.read_text()
    assert ("simulate" in stale(path, text, text + "\n", f"simnn.studies.{study}")) is uses


def test_what_is_reached_is_found_through_imports_and_assignments():
    source = textwrap.dedent(
        """
        import a.theory as closed
        one = two = 1
        three: int = one
        class Four:
            def method(self): return closed.form(three)
        def five(): return Four
        def six(): return seven()
        """
    )
    text, used = _sources.reached(source, ["five"])
    assert "two = 1" in text
    assert "seven" not in text
    assert {"theory", "form", "three"} <= used
    assert _sources.reached(source, ["nothing"])[0] == ""


def test_no_study_source_is_missing():
    for path in sorted((pathlib.Path(_sources.__file__).parent / "studies").glob("[a-z]*.py")):
        block = {"module": f"simnn.studies.{path.stem}", "model": "propagation"}
        assert len({cells.sources(block, stage) for stage in STAGES}) == len(STAGES)
