"""The flow, run as a user runs it, on a study that costs nothing."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest
import xarray as xr
import yaml

pytestmark = pytest.mark.pipeline

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
        return (
            os.environ | {"COIN_LOG": str(self.folder / "log"), "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"} | more
        )

    def snakemake(self, *arguments, expect=0, cwd=None):
        result = subprocess.run(
            [SNAKEMAKE, "--cores", "2", *arguments], cwd=cwd or self.folder, env=self.environment(),
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


def test_a_run_makes_exactly_what_is_missing_changed_or_damaged(tmp_path):
    # One history, since every run costs seconds: each step starts where the one before ended.
    checkout = Checkout(tmp_path, [0.3, 0.6])
    checkout.snakemake()
    makes_everything(checkout)
    a_second_run_does_nothing(checkout)
    jobs_on_a_gpu_ask_for_one(checkout)
    a_deleted_value_and_the_way_back_cost_no_simulation(checkout)
    one_changed_value_runs_its_cell_and_what_hangs_on_it(checkout)
    a_cut_file_is_made_again_and_named(checkout)
    runs_from_another_folder_into_another_folder(checkout)


def makes_everything(checkout):
    results = checkout.folder / "results"
    for name in ("data/coin.nc", "figures/coin.pdf", "figures/coin.png", "claims.csv", "claims.md", "report.html"):
        assert (results / name).stat().st_size > 0, name
    header = (results / "claims.csv").read_text().splitlines()[0]
    assert header.startswith("claim,statement,prediction,measured,stderr,tolerance,verdict")
    assert list((results / "benchmarks/simulate/coin").iterdir())
    assert list((results / "logs/simulate/coin").iterdir())


def a_second_run_does_nothing(checkout):
    count = len(checkout.runs())
    assert "Nothing to be done" in checkout.snakemake()
    assert len(checkout.runs()) == count == 2


def jobs_on_a_gpu_ask_for_one(checkout):
    assert "gpu=1" not in checkout.snakemake("-n", "--forceall")
    checkout.configure([0.3, 0.6], backend="cuda:1")
    assert checkout.snakemake("-n").count("gpu=1") == 2
    checkout.configure([0.3, 0.6])


def a_deleted_value_and_the_way_back_cost_no_simulation(checkout):
    checkout.configure([0.6])
    assert "simulate" not in checkout.jobs(checkout.snakemake("-n"))
    checkout.configure([0.6, 0.3])
    assert "simulate" not in checkout.jobs(checkout.snakemake("-n"))


def one_changed_value_runs_its_cell_and_what_hangs_on_it(checkout):
    before, count = checkout.cells(), len(checkout.runs())
    checkout.configure([0.3, 0.9])
    text = checkout.snakemake()
    one = dict.fromkeys(("simulate", "gather", "figure", "claims", "ledger", "report"), "1")
    assert checkout.jobs(text) == one
    assert checkout.runs()[count:] == ["[0.9]"]
    after = checkout.cells()
    assert all(after[name] == before[name] for name in before)
    assert xr.load_dataset(checkout.folder / "results/data/coin.nc").sigma_b.values.tolist() == [0.3, 0.9]


def a_cut_file_is_made_again_and_named(checkout):
    reference = xr.load_dataset(checkout.folder / "results/data/coin.nc")
    path = next((checkout.folder / "results/data/coin").glob("sigma_b=0.3*.nc"))
    stamp, count = path.stat(), len(checkout.runs())
    path.write_bytes(path.read_bytes()[:500])
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    text = checkout.snakemake("results/data/coin.nc")
    assert f"{path.relative_to(checkout.folder)} was damaged; it will be made again" in text
    assert checkout.runs()[count:] == ["[0.3]"]
    # A copy: the library may keep the old file of the same path.
    shutil.copy(checkout.folder / "results/data/coin.nc", checkout.folder / "copy.nc")
    xr.testing.assert_equal(xr.load_dataset(checkout.folder / "copy.nc"), reference)


def runs_from_another_folder_into_another_folder(checkout):
    target, elsewhere = "results/data/coin.nc", checkout.folder / "elsewhere"
    elsewhere.mkdir()
    checkout.snakemake("-s", str(checkout.folder / "Snakefile"), "-d", str(elsewhere / "new"), target, cwd=elsewhere)
    ours = xr.load_dataset(elsewhere / "new" / target)
    xr.testing.assert_equal(ours, xr.load_dataset(checkout.folder / "copy.nc"))


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
