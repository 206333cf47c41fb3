"""Progress of long work: a bar on a terminal, plain lines in a log."""

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterator

_LINE_SECONDS = 10.0
_log = logging.getLogger("simnn")


@contextlib.contextmanager
def track(total: int, unit: str, show: bool | None = None) -> Iterator[Callable[[int], None]]:
    """Report how far work has come.

    Parameters
    ----------
    total : int
        Units of work.
    unit : str
        What one of them is called.
    show : bool, optional
        Whether to draw a bar; by default only when standard error is a terminal. Without a bar, a line goes to the
        logger ``simnn`` every ten seconds.

    Yields
    ------
    callable
        ``advance(count)``.
    """
    if sys.stderr.isatty() if show is None else show:
        from tqdm import tqdm

        with tqdm(total=total, unit=unit, unit_scale=True, leave=False) as bar:
            yield bar.update
        return
    done, last = 0, time.monotonic()

    def advance(count: int) -> None:
        nonlocal done, last
        done += count
        if time.monotonic() - last > _LINE_SECONDS:
            last = time.monotonic()
            _log.info("%d of %d %ss (%.0f %%)", done, total, unit, 100.0 * done / total)

    yield advance
