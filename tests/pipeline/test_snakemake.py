"""The flow, run as a user runs it, on a study that costs nothing."""

import os
import pathlib
import re
import signal
import subprocess
import sys
import time

import pytest
import xarray as xr
import yaml

pytestmark = [pytest.mark.pipeline, pytest.mark.xdist_group("flow")]

ROOT = pathlib.Path(__file__).parents[2]
SNAKEMAKE = pathlib.Path(sys.executable).parent / "snakemake"


class Checkout:
    """A checkout with its own configuration and results; the rest are links."""

    def __init__(self, folder, sigma_b):
        self.folder = folder
        for name in ("rules", "profiles", "simnn", "environment.yml"):
            (folder / name).symlink_to(ROOT / name)
        (folder / "Snakefile").write_text((ROOT / "Snakefile").read_text())
        self.configure(sigma_b)

    def configure(self, sigma_b, **changes):
        block = {"study": "tests.pipeline.coin", "trials": 40, "grid": {"sigma_w": [0.5, 1.0]}}
        block |= {"jobs": {"sigma_b": sigma_b}} | changes
        (self.folder / "config.yaml").write_text(yaml.safe_dump({"studies": {"coin": block}}))

    def environment(self, **more):
        # As from a shell without an active environment: `python` there is not the one that runs Snakemake.
        return os.environ | {"COIN_LOG": str(self.folder / "log"), "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"} | more

    def snakemake(self, *arguments, expect=0, **more):
        result = subprocess.run(
            [SNAKEMAKE, "--cores", "2", *arguments], cwd=self.folder, env=self.environment(**more),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert result.returncode == expect, result.stdout + result.stderr
        return result.stdout + result.stderr

    def runs(self):
        log = self.folder / "log"
        return log.read_text().split() if log.exists() else []

    def cells(self):
        return {path.name: path.stat().st_mtime_ns for path in (self.folder / "results/data/coin").glob("*.nc")}

    def jobs(self, text):
        return dict(re.findall(r"^(simulate|gather|figure|claims|ledger|report)\s+(\d+)$", text, re.MULTILINE))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    checkout = Checkout(tmp_path_factory.mktemp("flow"), [0.3, 0.6])
    checkout.snakemake()
    return checkout


def test_one_run_makes_everything_and_a_second_does_nothing(finished):
    results = finished.folder / "results"
    for name in ("data/coin.nc", "figures/coin.pdf", "figures/coin.png", "claims.csv", "claims.md", "report.html"):
        assert (results / name).stat().st_size > 0, name
    header = (results / "claims.csv").read_text().splitlines()[0]
    assert header.startswith("claim,statement,prediction,measured,stderr,tolerance,verdict")
    count = len(finished.runs())
    assert "Nothing to be done" in finished.snakemake()
    assert len(finished.runs()) == count
    assert (results / "benchmarks/simulate/coin").is_dir()
    assert (results / "logs/simulate/coin").is_dir()


def test_one_changed_value_runs_its_cell_and_what_hangs_on_it(finished):
    before, count = finished.cells(), len(finished.runs())
    finished.configure([0.3, 0.9])
    text = finished.snakemake()
    one = dict.fromkeys(("simulate", "gather", "figure", "claims", "ledger", "report"), "1")
    assert finished.jobs(text) == one
    assert finished.runs()[count:] == ["[0.9]"]
    after = finished.cells()
    assert all(after[name] == before[name] for name in before)
    assert xr.load_dataset(finished.folder / "results/data/coin.nc").sigma_b.values.tolist() == [0.3, 0.9]


def test_a_deleted_value_and_the_way_back_cost_no_simulation(finished):
    finished.configure([0.3, 0.9])
    finished.snakemake()
    count = len(finished.runs())
    finished.configure([0.3])
    finished.snakemake()
    finished.configure([0.3, 0.9])
    finished.snakemake()
    assert len(finished.runs()) == count


def test_a_cut_file_is_made_again_and_named(finished):
    reference = xr.load_dataset(finished.folder / "results/data/coin.nc").load()
    path = next((finished.folder / "results/data/coin").glob("sigma_b=0.3*.nc"))
    stamp = path.stat()
    path.write_bytes(path.read_bytes()[:500])
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    count = len(finished.runs())
    text = finished.snakemake()
    assert f"{path.relative_to(finished.folder)} was damaged; it will be made again" in text
    assert finished.runs()[count:] == ["[0.3]"]
    xr.testing.assert_equal(xr.load_dataset(finished.folder / "results/data/coin.nc"), reference)


def test_a_run_from_another_folder_and_into_another_folder(finished, tmp_path):
    text = finished.snakemake("-s", str(finished.folder / "Snakefile"), "-d", str(tmp_path))
    assert "ledger" in text
    ours = xr.load_dataset(tmp_path / "results/data/coin.nc")
    xr.testing.assert_equal(ours, xr.load_dataset(finished.folder / "results/data/coin.nc"))


def test_a_wrong_configuration_is_one_line_without_traceback(tmp_path):
    checkout = Checkout(tmp_path, [0.3])
    checkout.configure([0.3], trials=-1)
    text = checkout.snakemake(expect=1)
    assert "studies.coin.trials: -1 is not allowed" in text
    assert "Traceback" not in text


def test_a_killed_run_is_finished_by_the_next_one(tmp_path):
    checkout = Checkout(tmp_path, [0.1, 0.2, 0.3])
    process = subprocess.Popen(
        [SNAKEMAKE, "--cores", "2"], cwd=tmp_path, env=checkout.environment(COIN_SECONDS="1"),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while len(checkout.runs()) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    text = checkout.snakemake(expect=1)
    assert "another run is writing here" in text
    assert "Traceback" not in text
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    checkout.snakemake()
    assert "Nothing to be done" in checkout.snakemake()
    gathered = xr.load_dataset(tmp_path / "results/data/coin.nc")
    assert gathered.sizes["sigma_b"] == 3
    assert bool(gathered["mean"].notnull().all())
