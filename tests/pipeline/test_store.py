"""netCDF files: whole or not at all, damaged ones recognised, provenance inside."""

import errno
import json
import logging
import os
import pathlib
import subprocess
import sys

import netCDF4
import numpy as np
import pytest
import xarray as xr

from simnn.pipeline import cells, config, provenance, stages, store
from tests.pipeline import coin

ROOT = pathlib.Path(__file__).parents[2]

BLOCK = {
    "coin": {
        "study": "tests.pipeline.coin", "trials": 50, "seed": 3,
        "grid": {"sigma_w": [0.5, 1.0]}, "jobs": {"sigma_b": [0.7, 0.2]},
    }
}  # fmt: skip


@pytest.fixture
def dataset():
    rng = np.random.default_rng(0)
    return xr.Dataset(
        {"x": (("name", "t"), rng.standard_normal((2, 50)), {"units": "1", "long_name": "x"})},
        {"t": np.linspace(0.0, 1.0, 50), "name": ["tanh", "erf"]},
        {"title": "test"},
    )


@pytest.fixture
def block(monkeypatch, tmp_path):
    monkeypatch.setenv("COIN_LOG", str(tmp_path / "log"))
    return config.parse({"studies": BLOCK})["coin"]


def runs(tmp_path):
    return (tmp_path / "log").read_text().split() if (tmp_path / "log").exists() else []


def test_what_is_written_is_read(dataset, tmp_path):
    store.write(dataset, tmp_path / "new" / "a.nc")
    xr.testing.assert_identical(store.read(tmp_path / "new" / "a.nc"), dataset)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.nc"]


def test_equal_values_give_equal_bytes(dataset, tmp_path):
    store.write(dataset, tmp_path / "a.nc")
    store.write(dataset.copy(), tmp_path / "b.nc")
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()


@pytest.mark.parametrize("keep", [0, 4, 40, 1000, -1])
def test_truncation_is_seen_without_reading_the_file(dataset, tmp_path, keep):
    store.write(dataset, tmp_path / "a.nc")
    content = (tmp_path / "a.nc").read_bytes()
    assert not store.is_damaged(tmp_path / "a.nc")
    (tmp_path / "b.nc").write_bytes(content[:keep])
    assert store.is_damaged(tmp_path / "b.nc")
    with pytest.raises(store.DamagedFileError, match=r"b\.nc is damaged"):
        store.read(tmp_path / "b.nc")


def test_a_flipped_bit_is_found_or_harmless(dataset, tmp_path):
    # Of all bits of the structure of a file some change values in silence, and some make the library search for ever.
    store.write(dataset, tmp_path / "a.nc")
    content = (tmp_path / "a.nc").read_bytes()
    rng = np.random.default_rng(1)
    caught, flips = 0, 1000
    for k in range(flips):
        damaged = bytearray(content)
        damaged[rng.integers(len(damaged))] ^= 1 << rng.integers(8)
        path = tmp_path / f"{k}.nc"
        path.write_bytes(damaged)
        try:
            xr.testing.assert_identical(store.read(path), dataset)
        except store.DamagedFileError:
            caught += 1
    assert caught > 0.99 * flips


def test_values_that_are_exchanged_for_others_are_found(dataset, tmp_path):
    # What a library decodes without complaint may still be another file's content.
    store.write(dataset, tmp_path / "a.nc")
    store.write(dataset + 1.0, tmp_path / "b.nc")
    ours, other = (tmp_path / "a.nc").read_bytes(), (tmp_path / "b.nc").read_bytes()
    (tmp_path / "c.nc").write_bytes(other[: -store.CHECKSUM_BYTES] + ours[-store.CHECKSUM_BYTES :])
    with pytest.raises(store.DamagedFileError, match="checksum"):
        store.read(tmp_path / "c.nc")


def test_files_of_others_are_read_without_a_checksum(dataset, tmp_path):
    dataset.to_netcdf(tmp_path / "a.nc", engine="netcdf4")
    xr.testing.assert_identical(store.read(tmp_path / "a.nc"), dataset)


def test_other_programs_read_and_change_our_files(dataset, tmp_path):
    path = tmp_path / "a.nc"
    store.write(dataset, path)
    xr.testing.assert_identical(xr.load_dataset(path), dataset)
    with netCDF4.Dataset(path, "a") as file:
        file["x"][:] = 2.0
        file.createVariable("y", "f8", ("t",))[:] = np.random.default_rng(0).standard_normal(50)
    assert float(store.read(path).x.min()) == 2.0


def test_a_failed_write_leaves_the_old_file_and_no_other(dataset, tmp_path, monkeypatch):
    store.write(dataset, tmp_path / "a.nc")
    before = (tmp_path / "a.nc").read_bytes()

    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match=r"a\.nc cannot be written.*No space"):
        store.write(dataset + 1.0, tmp_path / "a.nc")
    assert (tmp_path / "a.nc").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["a.nc"]


@pytest.mark.skipif(sys.platform != "linux", reason="limits the size of files")
def test_a_file_that_does_not_fit_is_a_clear_error(tmp_path):
    program = (
        "import pathlib, resource, sys; import numpy as np, xarray as xr; from simnn.pipeline import store\n"
        "data = xr.Dataset({'x': ('t', np.random.default_rng(0).standard_normal(100_000))})\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "try: store.write(data, pathlib.Path(sys.argv[1]))\n"
        "except OSError as error: print(error)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "a.nc")], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert "a.nc cannot be written" in result.stdout
    assert "is the disk full?" in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_gathered_dataset_is_gathered_again_and_says_so(block, tmp_path, caplog):
    data = tmp_path / "coin"
    for job in cells.split("coin", block):
        stages.cell(job.specification, data / f"{job.name}.nc")
    stages.gather("coin", block, data, tmp_path / "whole.nc")
    content = bytearray((tmp_path / "whole.nc").read_bytes())
    content[content.rfind(b"x\x01") + 3] ^= 0xFF
    (tmp_path / "coin.nc").write_bytes(content)
    with pytest.raises(store.DamagedFileError):
        store.read(tmp_path / "coin.nc")
    count = len(runs(tmp_path))
    stages.claims("coin", block, tmp_path / "coin.nc", tmp_path / "coin.csv")
    assert "coin.nc is damaged" in caplog.text
    assert "COIN" in (tmp_path / "coin.csv").read_text()
    xr.testing.assert_equal(store.read(tmp_path / "coin.nc"), store.read(tmp_path / "whole.nc"))
    assert len(runs(tmp_path)) == count


def run(block, tmp_path):
    for job in cells.split("coin", block):
        stages.cell(job.specification, tmp_path / "cells" / f"{job.name}.nc")
    stages.gather("coin", block, tmp_path / "cells", tmp_path / "coin.nc")
    return store.read(tmp_path / "coin.nc")


def test_gathered_axes_keep_the_order_of_the_configuration(block, tmp_path):
    gathered = run(block, tmp_path)
    assert gathered.sigma_b.values.tolist() == [0.7, 0.2]
    assert dict(gathered.sizes) == {"sigma_w": 2, "sigma_b": 2}
    assert bool(gathered["mean"].notnull().all())
    np.testing.assert_allclose(gathered.theory, gathered.sigma_w * gathered.sigma_b)


def test_gathered_variables_keep_what_the_cells_say_of_them(block, tmp_path):
    gathered = run(block, tmp_path)
    parts = [store.read(path) for path in (tmp_path / "cells").iterdir()]
    assert len(parts) > 1
    for part in parts:
        for name, variable in part.variables.items():
            assert set(variable.attrs) == {"long_name", "units"}
            assert gathered[name].attrs == variable.attrs


def test_cells_that_call_one_variable_differently_are_not_joined(block, tmp_path):
    run(block, tmp_path)
    path = next((tmp_path / "cells").iterdir())
    part = store.read(path)
    part["mean"].attrs["units"] = "coins"
    path.unlink()
    store.write(part, path)
    with pytest.raises(ValueError, match="coins"):
        stages.gather("coin", block, tmp_path / "cells", tmp_path / "again.nc")


def test_a_gathered_dataset_took_as_long_as_its_cells(block, tmp_path):
    gathered = run(block, tmp_path)
    seconds = [store.read(path).attrs["wall_time_seconds"] for path in (tmp_path / "cells").iterdir()]
    assert gathered.attrs["wall_time_seconds"] == pytest.approx(sum(seconds), abs=1e-3)


def test_a_dataset_says_where_its_cells_were_computed(block, tmp_path, monkeypatch):
    assert run(block, tmp_path).attrs["backend"] == "cpu"
    simulate, devices = coin.simulate, iter(["card", "other card"])

    def on_gpu(**parameters):
        return simulate(**parameters).assign_attrs(backend="cuda", device=next(devices))

    monkeypatch.setattr(coin, "simulate", on_gpu)
    gathered = run(block, tmp_path)
    assert gathered.attrs["backend"] == "cuda"
    assert gathered.attrs["device"] == "card, other card"


def test_an_axis_of_truth_values_is_gathered_whole(tmp_path):
    values = {"trials": 20, "grid": {"dimension": [3, 4]}, "jobs": {"bias": [True, False]}, "study": "cover_curves"}
    parsed = config.parse({"studies": {"cover_curves": values}})["cover_curves"]
    for job in cells.split("cover_curves", parsed):
        dims = ("dimension", "load", "bias")
        bias = json.loads(job.specification)["parameters"]["bias"]
        part = xr.Dataset(
            {"separable_fraction": (dims, np.full((2, 1, 1), 1.0 + bias[0]))},
            {"dimension": [3, 4], "load": [1.0], "bias": bias},
        )
        store.write(part, tmp_path / "cells" / f"{job.name}.nc")
    stages.gather("cover_curves", parsed, tmp_path / "cells", tmp_path / "all.nc")
    gathered = store.read(tmp_path / "all.nc")
    assert gathered["bias"].values.tolist() == [True, False]
    assert gathered["separable_fraction"].values[0, 0].tolist() == [2.0, 1.0]


@pytest.mark.parametrize("damage", ["missing", "cut", "flipped", "text"])
def test_gather_simulates_a_damaged_cell_again_and_says_so(block, tmp_path, damage, caplog):
    reference = run(block, tmp_path)
    job = cells.split("coin", block)[0]
    content = bytearray((tmp_path / "cells" / f"{job.name}.nc").read_bytes())
    # A new folder: after a failed read the library may keep the old file of the same path.
    fresh = tmp_path / "fresh"
    (tmp_path / "cells").rename(fresh)
    path = fresh / f"{job.name}.nc"
    path.unlink()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        data = content.rfind(b"x\x01")  # the last zlib stream
        content[data + 3] ^= 0xFF
        path.write_bytes(content)
    elif damage == "text":
        path.write_text("not a netCDF file")
    count = len(runs(tmp_path))
    with caplog.at_level(logging.WARNING):
        stages.gather("coin", block, fresh, tmp_path / "again.nc")
    xr.testing.assert_equal(store.read(tmp_path / "again.nc"), reference)
    assert len(runs(tmp_path)) == count + 1
    assert f"{job.name}.nc" in caplog.text


def test_every_file_says_where_it_comes_from(block, tmp_path):
    run(block, tmp_path)
    for path in [tmp_path / "coin.nc", *(tmp_path / "cells").iterdir()]:
        attributes = store.read(path).attrs
        assert attributes["Conventions"] == "CF-1.11, simnn-1"
        parameters = json.loads(attributes["parameters"])
        assert parameters["trials"] == attributes["trials"] == 50
        assert attributes["seed"] == "3"
        for name in ("simnn", "numba", "numpy", "xarray", "python"):
            assert attributes[f"{name}_version"]
        for name in ("title", "backend", "device", "git_revision", "created", "kernels", "parameters_sha256"):
            assert attributes[name], name


def test_a_fixed_date_makes_files_equal(block, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    job = cells.split("coin", block)[0]
    for name in ("a.nc", "b.nc"):
        stages.cell(job.specification, tmp_path / name)
    assert (tmp_path / "a.nc").read_bytes() == (tmp_path / "b.nc").read_bytes()
    assert "2023-11-14" in store.read(tmp_path / "a.nc").attrs["created"]


def test_the_revision_outside_a_checkout_is_unknown(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert provenance.git_revision() == "unknown"


def test_prune_removes_only_what_the_configuration_does_not_name(block, tmp_path):
    data = tmp_path / "data"
    job = cells.split("coin", block)[0]
    stages.cell(job.specification, data / "coin" / f"{job.name}.nc")
    (data / "coin" / "sigma_b=9_00000000.nc").touch()
    assert [path.name for path in stages.prune({"coin": block}, data, dry_run=True)] == ["sigma_b=9_00000000.nc"]
    stages.prune({"coin": block}, data, dry_run=False)
    assert [path.name for path in (data / "coin").iterdir()] == [f"{job.name}.nc"]


@pytest.mark.parametrize(
    ("measured", "stderr", "text"),
    [
        ("1.23456", "0.0123", "1.235 ± 0.012"),
        ("0.5", "0.0", "0.5"),
        ("2", "nan", "2"),
        ("1e-7", "1e-9", "1e-07 ± 1.0e-09"),
    ],
)
def test_measurements_are_shown_to_the_digits_of_their_error(measured, stderr, text):
    assert stages.with_error({"measured": measured, "stderr": stderr}) == text
