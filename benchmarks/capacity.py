"""Time certified separability against general-purpose solvers, in one run and on one thread.

``python benchmarks/capacity.py`` prints the tables and writes them to ``docs/benchmarks-capacity.md``, with a drawing
of the times against the load. All solvers of a table see the same sets of Gaussian patterns with random labels, one
set after the other.
"""

import os

for variable in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import argparse
import pathlib
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import scipy
from propagation import best
from scipy.optimize import linprog, nnls

from simnn import __version__, capacity, plotting
from simnn.capacity import conic, cpu, faces
from simnn.pipeline import provenance

DOCUMENT = pathlib.Path(__file__).parent.parent / "docs" / "benchmarks-capacity.md"
DRAWING = DOCUMENT.parent / "images" / "solver-panel.png"
SIZES = {(20, 40): 60, (100, 200): 20, (300, 600): 6}
"""Dimension and number of patterns, and how many sets of them."""


def boxed(rows: np.ndarray) -> bool:
    """HiGHS: the largest t with ``z_i.w >= t``, w in the unit box; the form that never gives up."""
    count, size = rows.shape
    result = linprog(
        -np.eye(1, size + 1, size)[0],
        A_ub=np.hstack([-rows, np.ones((count, 1))]),
        b_ub=np.zeros(count),
        bounds=[(-1.0, 1.0)] * size + [(None, None)],
        method="highs",
    )
    return bool(result.x[-1] > 1e-9)


def least_squares(rows: np.ndarray) -> bool:
    """Non-negative least squares on the hull of the patterns: a residual means that the origin is outside."""
    matrix = np.vstack([rows.T, np.ones(len(rows))])
    return bool(nnls(matrix, np.eye(1, len(matrix), len(matrix) - 1)[0])[1] > 1e-9)


def certified(x: np.ndarray, y: np.ndarray) -> bool | None:
    """The package's answer; None if it is undecided."""
    status = capacity.separable(x, y).status
    return None if status == "undecided" else status == "separable"


def per_set() -> list[str]:
    """Time of one verdict on given data, at twice as many patterns as dimensions."""
    lines = [
        "| N, P | `separable` (ms) | HiGHS, boxed (ms) | ratio | `scipy.optimize.nnls` (ms) | ratio | certified |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for (size, count), sets in SIZES.items():
        rng, seconds, decided = np.random.default_rng(size), np.zeros(3), 0
        capacity.separable(np.eye(size), np.ones(size))
        for _ in range(sets):
            x, y = rng.standard_normal((count, size)), rng.integers(0, 2, count)
            rows = (2.0 * y[:, None] - 1.0) * x / np.linalg.norm(x, axis=1, keepdims=True)
            tasks: dict[str, Callable[[], object]] = {
                "ours": lambda x=x, y=y: certified(x, y),
                "highs": lambda rows=rows: boxed(rows),
                "nnls": lambda rows=rows: least_squares(rows),
            }
            answers = {name: task() for name, task in tasks.items()}
            assert answers["ours"] in (None, answers["highs"])
            assert answers["highs"] == answers["nnls"]
            decided += answers["ours"] is not None
            # One after the other: each finds its own data in the cache, as in a loop over many sets.
            seconds += [best({name: task}, repeats=4)[name] for name, task in tasks.items()]
        ours, highs, squares = 1e3 * seconds / sets
        lines.append(
            f"| {size}, {count} | {ours:.3f} | {highs:.2f} | {highs / ours:.0f} | {squares:.3f} | "
            f"{squares / ours:.1f} | {decided} of {sets} |"
        )
    return lines


def simulated(trials: int, **parameters: object) -> float:
    """Seconds for each set of a simulation, drawing included."""
    capacity.simulate(trials=1, **parameters)
    return best({"run": lambda: capacity.simulate(trials=trials, **parameters)}, repeats=3)["run"] / trials


def batched() -> list[str]:
    """Many small problems: drawn, decided and certified inside one kernel."""
    rng = np.random.default_rng(1)
    ours = simulated(5000, dimension=20, load=2.0)
    problems = [rng.standard_normal((40, 20)) for _ in range(30)]
    theirs = best({"highs": lambda: [boxed(rows) for rows in problems]}, repeats=3)["highs"] / len(problems)
    return [
        f"N = 20, P = 40, 5000 sets in one call of `capacity.simulate`: {1e6 * ours:.0f} µs per set, drawing included; "
        f"HiGHS, boxed, on given patterns: {1e6 * theirs:.0f} µs; ratio {theirs / ours:.0f}."
    ]


def near_the_transition() -> list[str]:
    """Time against load, of both solvers together and of nearest point alone; draws it, too."""
    loads, sizes = (1.2, 1.5, 1.8, 2.0, 2.2, 2.5, 3.0), ((20, 3000), (100, 200), (300, 60))
    lines = [
        "| N | solver | " + " | ".join(f"P/N = {load}" for load in loads) + " |",
        "|---:|---|" + "---:|" * len(loads),
    ]
    milliseconds, certified = {}, {}
    for size, trials in sizes:
        for solver in ("auto", "nearest"):
            at = {"dimension": size, "solver": solver}
            capacity.simulate(load=loads, trials=1, **at)
            calls = {load: partial(capacity.simulate, load=load, trials=trials, **at) for load in loads}
            # Loads in turns: a slow spell of the machine then falls on all of them.
            times = [1e3 * seconds / trials for seconds in best(calls, repeats=4).values()]
            milliseconds[size, solver] = times
            certified[size, solver] = 1.0 - capacity.simulate(load=loads, trials=trials, **at).undecided_fraction.values
            lines.append(f"| {size} | {solver} | " + " | ".join(f"{value:.3f}" for value in times) + " |")
    draw(loads, milliseconds, certified)
    decided = min(float(shares.min()) for shares in certified.values())
    return [
        *lines,
        "",
        f"![Time against load, and certified verdicts]({DRAWING.relative_to(DOCUMENT.parent)})",
        "",
        "`auto` is finite Newton, and nearest point where that fails; `nearest` is nearest point alone. Lowest share "
        f"of certified verdicts at any N and load: {100.0 * decided:.6g} % of "
        f"{', '.join(f'{trials} sets (N = {size})' for size, trials in sizes)}.",
    ]


def draw(
    loads: tuple[float, ...],
    milliseconds: dict[tuple[int, str], list[float]],
    certified: dict[tuple[int, str], np.ndarray],
) -> None:
    """Time and share of certified verdicts against load, by N and solver."""
    with plotting.figure_style():
        figure, (time_axis, share_axis) = plt.subplots(1, 2, figsize=(plotting.DOUBLE_COLUMN, 2.6))
        sizes = sorted({size for size, _ in milliseconds})
        for (size, solver), times in milliseconds.items():
            index = sizes.index(size)
            style = {
                "color": plotting.COLORS[index],
                "marker": plotting.MARKERS[index],
                "mfc": plotting.COLORS[index] if solver == "auto" else "white",
                "ls": "-" if solver == "auto" else "--",
                "label": f"$N = {size}$, {solver}",
            }
            time_axis.plot(loads, times, **style)
            # Side by side, for most of them are 1.
            shift = 0.02 * (2 * index + (solver == "nearest") - len(sizes) + 0.5)
            share_axis.plot(np.array(loads) + shift, certified[size, solver], **style | {"ls": ""})
        time_axis.set(xlabel="load $P/N$", ylabel="milliseconds per set", yscale="log")
        share_axis.set(xlabel="load $P/N$", ylabel="share certified", ylim=(0.0, 1.1))
        share_axis.legend(loc="lower left", ncols=2)
        for letter, ax in zip("ab", (time_axis, share_axis), strict=True):
            plotting.panel_label(ax, letter)
        figure.savefig(DRAWING)
    plt.close(figure)


def curves_and_margins() -> list[str]:
    """Stopping times and largest margins."""
    lines = ["| N | largest separable prefix, whole curve (ms) | largest margin, P = N (ms) |", "|---:|---:|---:|"]
    for size, trials in ((20, 1000), (100, 60), (300, 5)):
        for call in (capacity.stopping_time, capacity.largest_margin):
            call(dimension=size, trials=1)
        seconds = best(
            {
                "time": lambda size=size, trials=trials: capacity.stopping_time(dimension=size, trials=trials),
                "margin": lambda size=size, trials=trials: capacity.largest_margin(
                    dimension=size, load=1.0, trials=trials
                ),
            },
            repeats=2,
        )
        lines.append(f"| {size} | {1e3 * seconds['time'] / trials:.3f} | {1e3 * seconds['margin'] / trials:.3f} |")
    return lines


def cloud() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """16 balls of 20 points in 80 dimensions (D = 3, R = 0.7), their labels and their numbers."""
    rng = np.random.default_rng(5)
    centres, points = rng.standard_normal((16, 1, 80)), rng.standard_normal((16, 20, 3))
    axes = np.linalg.qr(rng.standard_normal((16, 80, 3)))[0].transpose(0, 2, 1)
    centres /= np.linalg.norm(centres, axis=2, keepdims=True)
    points *= 0.7 / np.linalg.norm(points, axis=2, keepdims=True)
    return (centres + points @ axes).reshape(320, 80), np.repeat(np.arange(16) % 2, 20), np.repeat(np.arange(16), 20)


def vectors(x: np.ndarray, y: np.ndarray, groups: np.ndarray, draws: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Generators of the cone, Gaussian vectors as `capacity.projected` draws them, and the faces that it finds."""
    given = conic._cloud(x, 2.0 * y - 1.0, groups, False)
    space = cpu.space(*given.rows.shape, np.zeros(1, np.int64))
    face, drawn = np.empty(draws, np.int64), np.empty((draws, x.shape[1]))
    pull, listed = np.empty(len(x)), np.empty(len(x), np.int64)
    for draw in range(draws):
        faces.kernel()(given, np.zeros(2, np.uint64), draw, face[draw : draw + 1], pull, listed, space)
        drawn[draw] = space.work.step
    return given.label[:, None] * given.rows, drawn, face


def projections(draws: int = 4000, compared: int = 100, trials: int = 400) -> list[str]:
    """The whole curve of one cloud under random projections: by its cone, and by projecting it."""
    x, y, groups = cloud()
    generators, drawn, face = vectors(x, y, groups, compared)
    columns = np.ascontiguousarray(generators.T)
    assert all(np.count_nonzero(nnls(columns, t)[0] > 1e-12) == k for t, k in zip(drawn, face, strict=True))
    sizes, rng = range(16, 33, 2), np.random.default_rng(6)

    def one_by_one() -> None:
        for size in sizes:
            for _ in range(trials):
                capacity.separable(x @ rng.standard_normal((80, size)), y)

    seconds = best({"cone": lambda: capacity.projected(x, y, groups=groups, draws=draws)}, repeats=3)
    seconds |= best({"nnls": lambda: [nnls(columns, t) for t in drawn]}, repeats=3)
    seconds |= best({"direct": one_by_one}, repeats=1)
    peer = seconds["nnls"] * draws / compared
    return [
        f"`capacity.projected`, {draws} draws, every n: {seconds['cone']:.2f} s. `scipy.optimize.nnls` on the same "
        f"draws and generators: {peer:.1f} s (from {compared} of them, all with the same face), ratio "
        f"{peer / seconds['cone']:.0f}. {len(sizes)} values of n by `capacity.separable` on {trials} projections each: "
        f"{seconds['direct']:.1f} s."
    ]


def balls() -> list[str]:
    """Largest separable prefix of a sequence of balls, exact for all of their points."""
    lines = ["| D | N = 50, R = 0.5: one sequence (ms) | mean prefix |", "|---:|---:|---:|"]
    for extent, trials in ((1, 100), (5, 50)):
        times = []

        def run(extent: int = extent, trials: int = trials, times: list[float] = times) -> None:
            found = capacity.stopping_time(dimension=50, extent=extent, radius=0.5, trials=trials)
            assert found.undecided_fraction == 0.0
            times.append(float(found.stopping_time))

        seconds = best({"run": run}, repeats=3)["run"] / trials
        lines.append(f"| {extent} | {1e3 * seconds:.2f} | {times[0]:.1f} |")
    return lines


def threads() -> list[str]:
    """One thread against two, each in a process of its own."""
    program = (
        "import time; from simnn import capacity; capacity.simulate(dimension=100, trials=4); "
        "start = time.perf_counter(); capacity.simulate(dimension=100, trials=3000); print(time.perf_counter() - start)"
    )
    seconds = {}
    for count in (1, 2):
        environment = os.environ | {"NUMBA_NUM_THREADS": str(count)}
        runs = [
            float(
                subprocess.run([sys.executable, "-c", program], env=environment, check=True, capture_output=True).stdout
            )
            for _ in range(3)
        ]
        seconds[count] = min(map(float, runs))
    return [
        f"N = 100, P = 200, 3000 sets: {seconds[1]:.2f} s on one thread, {seconds[2]:.2f} s on two "
        f"(ratio {seconds[1] / seconds[2]:.2f})."
    ]


def main() -> None:
    """Print the tables and write them to the documentation."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    import numba

    text = "\n".join(
        [
            "# Benchmarks of linear separability",
            "",
            "Written by `python benchmarks/capacity.py`: one thread, peers on the same data in one run.",
            f"simnn {__version__}, numba {numba.__version__}, NumPy {np.__version__}, SciPy {scipy.__version__}, "
            f"Python {platform.python_version()}, {provenance.processor()}, {time.strftime('%Y-%m-%d')}.",
            "",
            "## One set of given patterns",
            "",
            "Gaussian patterns, random labels, P = 2 N, where half of all sets are separable. `capacity.separable` "
            "balances the data and checks its certificate; HiGHS maximises the margin in a box by "
            "`scipy.optimize.linprog`, `nnls` finds the nearest point of the hull, and neither is checked. Times are "
            "the best of four calls in sequence, mean over sets.",
            "",
            *per_set(),
            "",
            "## Many small sets",
            "",
            *batched(),
            "",
            "## Milliseconds per set against the load, patterns drawn included",
            "",
            *near_the_transition(),
            "",
            "## Stopping times and margins",
            "",
            *curves_and_margins(),
            "",
            "## One cloud under random projections",
            "",
            "16 labelled balls of 20 points in 80 dimensions (D = 3, R = 0.7), projected to n dimensions by Gaussian "
            "matrices.",
            "",
            *projections(),
            "",
            "## Balls",
            "",
            *balls(),
            "",
            "## Threads",
            "",
            *threads(),
            "",
        ]
    )
    print(text)
    DOCUMENT.write_text(text)


if __name__ == "__main__":
    main()
