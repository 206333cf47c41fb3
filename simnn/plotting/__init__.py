"""Style sheet and the few plot helpers that figures share."""

import contextlib
import pathlib
from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import numpy as np
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

STYLE = pathlib.Path(__file__).parent / "simnn.mplstyle"
"""The style sheet of all figures."""

SINGLE_COLUMN, DOUBLE_COLUMN = 3.4, 7.0
"""Widths of a journal's columns in inches."""

COLORS: list[str] = seaborn.color_palette("colorblind").as_hex()
"""Colour-blind safe cycle."""

MARKERS = "osD^vP"
"""Markers in the order of `COLORS`, for readers without colour."""


@contextlib.contextmanager
def figure_style() -> Iterator[None]:
    """Apply the style sheet to figures that are made inside.

    Yields
    ------
    None
    """
    mpl.use("agg")
    with mpl.rc_context(fname=str(STYLE)):
        yield


def theory_and_simulation(
    ax: Axes,
    x: ArrayLike,
    theory: ArrayLike,
    mean: ArrayLike,
    stderr: ArrayLike,
    *,
    label: str,
    color: str,
    every: int = 1,
) -> None:
    """Draw theory as a line and simulation as points with error bars.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Where to draw.
    x, theory, mean, stderr : (n,) array_like
        Abscissa, prediction, measurement and its standard error.
    label : str
        Entry of the legend.
    color : str
        Colour of both; markers differ too, for readers without colour.
    every : int
        Draw one point in so many, where all of them would hide the line.
    """
    marker = MARKERS[COLORS.index(color) % len(MARKERS)] if color in COLORS else "o"
    ax.plot(x, theory, color=color)
    x, mean, stderr = (np.asarray(values)[::every] for values in (x, mean, stderr))
    ax.errorbar(x, mean, yerr=stderr, fmt=marker, color=color, label=label)


def panel_label(ax: Axes, letter: str) -> None:
    """Name a panel.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        The panel.
    letter : str
        Its name.
    """
    ax.set_title(letter, loc="left", fontweight="bold")


def save(figure: Figure, stem: pathlib.Path) -> None:
    """Write a figure as PDF and PNG, the same bytes every time.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        What to write.
    stem : pathlib.Path
        Path without suffix.
    """
    metadata: dict[str, dict[str, Any]] = {".pdf": {"CreationDate": None}, ".png": {}}
    with mpl.rc_context(fname=str(STYLE)):
        for suffix, entries in metadata.items():
            figure.savefig(stem.with_suffix(suffix), metadata=entries)
