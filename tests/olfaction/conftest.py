"""Where the measured tables are; nothing of them is in this repository."""

import os
import pathlib

import pytest

FOLDER = pathlib.Path(os.environ.get("SIMNN_DATA") or pathlib.Path(__file__).parents[3] / "shared" / "data")


@pytest.fixture(scope="session")
def measured():
    """Path of a measured table; skips where it is absent."""

    def path(name):
        if not (FOLDER / name).is_file():
            pytest.skip(f"the measured table {name} is not in {FOLDER} ($SIMNN_DATA names another folder)")
        return FOLDER / name

    return path
