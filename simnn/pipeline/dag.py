"""What the Snakefile asks: the studies of a configuration, their cells, and what is damaged."""

import fcntl
import pathlib
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

from simnn.pipeline import cells, config, store


class Plan:
    """Studies of a configuration.

    Parameters
    ----------
    raw : mapping
        The configuration that Snakemake read and merged.
    files : iterable of pathlib.Path
        Where from.

    Raises
    ------
    SystemExit
        With one line, if the configuration is wrong.
    """

    def __init__(self, raw: Mapping[str, Any], files: Iterable[pathlib.Path]) -> None:
        try:
            # What is wrong with a file is gone by the time Snakemake has merged it.
            config.check_left_out({file: config.load(file) for file in files})
            self.blocks = config.parse({"studies": raw.get("studies", {})})
        except config.ConfigError as error:
            raise SystemExit(str(error)) from None
        self.cells = {
            study: {cell.name: cell for cell in cells.split(study, block)} for study, block in self.blocks.items()
        }
        self._sources: dict[tuple[str, str], str] = {}

    def block(self, study: str) -> str:
        """JSON of a study, the argument of its stages.

        Parameters
        ----------
        study : str
            Its name.

        Returns
        -------
        str
        """
        return cells.dump(self.blocks[study])

    def sources(self, study: str, stage: str) -> str:
        """See `simnn.pipeline.cells.sources`.

        Parameters
        ----------
        study, stage : str
            Names.

        Returns
        -------
        str
        """
        if (study, stage) not in self._sources:  # the same for all cells
            self._sources[study, stage] = cells.sources(self.blocks[study], stage)
        return self._sources[study, stage]

    def remove_damaged(self, results: pathlib.Path) -> Iterator[pathlib.Path]:
        """Remove datasets that are cut off, so that they are made again.

        A gathered dataset goes with its cells: Snakemake does not miss an input whose product is there.

        Parameters
        ----------
        results : pathlib.Path
            Folder of the results.

        Yields
        ------
        pathlib.Path
            What was damaged.
        """
        for study, names in self.cells.items():
            gathered = results / "data" / f"{study}.nc"
            paths = [gathered, *(results / "data" / study / f"{name}.nc" for name in names)]
            damaged = [path for path in paths if path.exists() and store.is_damaged(path)]
            for path in damaged:
                path.unlink()
            if damaged:
                gathered.unlink(missing_ok=True)
            yield from damaged


def lock(results: pathlib.Path) -> IO[str]:
    """Keep a second run out; the lock dies with the process, however that ends.

    Parameters
    ----------
    results : pathlib.Path
        Folder of the results.

    Returns
    -------
    file
        To be kept open.

    Raises
    ------
    SystemExit
        With one line, if another run holds it.
    """
    results.mkdir(parents=True, exist_ok=True)
    handle = (results / ".lock").open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise SystemExit(f"{results}: another run is writing here; wait for it, or stop it") from None
    return handle
