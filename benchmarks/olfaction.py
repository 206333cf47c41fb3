"""Time sparse codes of odors against matrix products with NumPy, in one run and on one thread.

``python benchmarks/olfaction.py`` prints the tables and writes them to ``docs/benchmarks-olfaction.md``. Peers of a
table code the same odors with the same wiring, taking turns. Times are those of the thread, so that other work on the
machine counts less.
"""

import os

for variable in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import argparse
import pathlib
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np

from simnn import __version__, olfaction
from simnn.olfaction import codes, cpu, kernels
from simnn.pipeline import provenance

DOCUMENT = pathlib.Path(__file__).parent.parent / "docs" / "benchmarks-olfaction.md"
REPEATS = 7
CASES = ((50, 2000, 7, 20000), (50, 2000, 20, 20000), (1000, 20000, 40, 2000))
"""Glomeruli, Kenyon cells, claws, odors."""
LEVEL = 0.05

Task = Callable[[], object]


def best(tasks: dict[str, Task], clock: Callable[[], float] = time.thread_time) -> dict[str, float]:
    """Shortest time of each task in seconds, by default on this thread, the tasks taking turns."""
    for task in tasks.values():
        task()
    seconds = dict.fromkeys(tasks, float("inf"))
    for _ in range(REPEATS):
        for name, task in tasks.items():
            start = clock()
            task()
            seconds[name] = min(seconds[name], clock() - start)
    return seconds


def coded(odors: np.ndarray, wiring: olfaction.Wiring, rule: object, out: np.ndarray) -> Task:
    """The kernel behind `olfaction.encode`, on this thread."""
    space = kernels.space(wiring.glomeruli, wiring.kenyon_cells, rule.winners > 0)
    return lambda: cpu.bound().encode(odors, wiring.wires, rule, 0, len(odors), space, out)


FLYHASH = """
import sys, time
import numpy as np
from flyhash import FlyHash, __version__

odors, cells, claws, level = np.load(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
flyhash = FlyHash(odors.shape[1], cells, density=claws, sparsity=level, seed=0)
matrix = flyhash.projection_matrix.toarray()
np.save(sys.argv[5], matrix)
print(__version__, np.__version__, flush=True)
for _ in sys.stdin:
    start = time.process_time()
    codes = flyhash(odors)
    print(time.process_time() - start, flush=True)
np.save(sys.argv[6], codes)
"""
"""The peer of `flyhash`, in an interpreter of its own: it codes once for each line that it reads."""


def flyhash(python: str | None) -> list[str]:
    """Winners against the FlyHash package, with its wiring, which needs an older NumPy than this one."""
    glomeruli, cells, claws, count = CASES[0]
    lines = [
        "| N, M, K, P | simnn, packed (ms) | simnn, truth values (ms) | FlyHash, int32 (ms) | ratio, packed | "
        "ratio, truth values |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    case = f"| {glomeruli}, {cells}, {claws}, {count} "
    if python is None:
        return [*lines, case + "| | | not installed here | | |"]
    odors = olfaction.draw_odors(glomeruli=glomeruli, odors=count)
    with tempfile.TemporaryDirectory() as name:
        given, wiring, result = (pathlib.Path(name) / file for file in ("odors.npy", "wiring.npy", "codes.npy"))
        np.save(given, odors)
        settings = [str(given), str(cells), str(claws), str(LEVEL), str(wiring), str(result)]
        with subprocess.Popen(
            [python, "-c", FLYHASH, *settings], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as peer:
            versions = peer.stdout.readline().split()
            matrix = np.load(wiring).astype(np.float64)
            tasks = {
                kind: lambda packed=kind == "packed": olfaction.encode(
                    odors, matrix, LEVEL, sparsening="winners", packed=packed
                )
                for kind in ("packed", "values")
            }
            seconds = dict.fromkeys([*tasks, "peer"], float("inf"))
            codes = tasks["values"]()
            for _ in range(REPEATS):
                for kind, task in tasks.items():
                    start = time.process_time()
                    task()
                    seconds[kind] = min(seconds[kind], time.process_time() - start)
                peer.stdin.write("\n")
                peer.stdin.flush()
                seconds["peer"] = min(seconds["peer"], float(peer.stdout.readline()))
            peer.stdin.close()
        # Of nearly equal drives another may win: sums are in another order.
        same = float(np.mean((np.load(result) > 0) == codes))
    ms = {kind: 1e3 * value for kind, value in seconds.items()}
    return [
        *lines,
        f"{case}| {ms['packed']:.1f} | {ms['values']:.1f} | {ms['peer']:.1f} | {ms['peer'] / ms['packed']:.1f} | "
        f"{ms['peer'] / ms['values']:.1f} |",
        "",
        f"FlyHash {versions[0]} with NumPy {versions[1]}; a share of {same:.7f} of all bits is the same.",
    ]


def fitting() -> list[str]:
    """Codes of odors whose thresholds are found, against products and partitions."""
    glomeruli, cells, claws, count = CASES[0]
    wiring = olfaction.draw_wiring(glomeruli=glomeruli, kenyon_cells=cells, claws=claws)
    odors = olfaction.draw_odors(glomeruli=glomeruli, odors=count)
    rows = np.ascontiguousarray(wiring.matrix().astype(np.float32))
    columns, rank = np.ascontiguousarray(rows.T), count - round(LEVEL * count) - 1

    def cell() -> np.ndarray:
        drives = odors @ columns
        return drives > np.partition(drives, rank, axis=0)[rank]

    def transposed() -> np.ndarray:
        drives = rows @ odors.T
        return drives > np.partition(drives, rank, axis=1)[:, rank, None]

    def common() -> np.ndarray:
        drives = odors @ columns
        last = drives.size - round(LEVEL * drives.size) - 1
        return drives > np.partition(drives.reshape(-1), last)[last]

    seconds = best(
        {
            "cell": lambda: olfaction.encode(odors, wiring, LEVEL),
            "global": lambda: olfaction.encode(odors, wiring, LEVEL, sparsening="global"),
            "partition": cell,
            "transposed": transposed,
            "common": common,
        },
        time.process_time,
    )
    ms = {name: 1e3 * value for name, value in seconds.items()}
    case = f"| {glomeruli}, {cells}, {claws}, {count} | "
    peers = (
        ("cell", "partition", "`odors @ J.T`, `np.partition` along odors"),
        ("cell", "transposed", "`J @ odors.T`, `np.partition` along rows, codes transposed"),
        ("global", "common", "`odors @ J.T`, `np.partition` of all drives"),
    )
    return [
        "| N, M, K, P | thresholds | simnn (ms) | NumPy | NumPy (ms) | ratio |",
        "|---|---|---:|---|---:|---:|",
        *(
            case + f"{code} | {ms[code]:.1f} | {what} | {ms[peer]:.1f} | {ms[peer] / ms[code]:.1f} |"
            for code, peer, what in peers
        ),
    ]


def against_numpy() -> list[str]:
    """Time of all codes, thresholds known."""
    lines = [
        "| N, M, K, P | code | simnn (ms) | product alone, in place (ms) | product and selection (ms) | ratio | "
        "in place (ms) | ratio |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for glomeruli, cells, claws, count in CASES:
        wiring = olfaction.draw_wiring(glomeruli=glomeruli, kenyon_cells=cells, claws=claws)
        odors = olfaction.draw_odors(glomeruli=glomeruli, odors=count)
        matrix = np.ascontiguousarray(wiring.matrix().T.astype(np.float32))
        thresholds, rank = olfaction.gaussian_thresholds(wiring, LEVEL), cells - codes.winners_of(cells, LEVEL)
        out, drives = np.empty((count, kernels.words_of(cells)), np.uint64), np.empty((count, cells), np.float32)
        tasks = {
            "thresholds": coded(odors, wiring, codes.rule(wiring, LEVEL, thresholds), out),
            "winners": coded(odors, wiring, codes.rule(wiring, LEVEL, None), out),
            **products(odors, matrix, thresholds, rank, drives),
        }
        ms = {name: 1e3 * value for name, value in best(tasks).items()}
        lines += [
            f"| {glomeruli}, {cells}, {claws}, {count} | {code} | {ms[code]:.1f} | {ms['product']:.1f} | "
            f"{ms[peer]:.1f} | {ms[peer] / ms[code]:.1f} | {ms[peer + ' in place']:.1f} | "
            f"{ms[peer + ' in place'] / ms[code]:.1f} |"
            for code, peer in (("thresholds", "compare"), ("winners", "partition"))
        ]
    return lines


def products(
    odors: np.ndarray, matrix: np.ndarray, thresholds: np.ndarray, rank: int, drives: np.ndarray
) -> dict[str, Task]:
    """The peers: a product of matrices, and what makes codes of it."""
    return {
        "product": lambda: np.matmul(odors, matrix, out=drives),
        "compare": lambda: odors @ matrix > thresholds,
        "compare in place": lambda: np.matmul(odors, matrix, out=drives) > thresholds,
        "partition": lambda: np.argpartition(odors @ matrix, rank, axis=1),
        "partition in place": lambda: np.argpartition(np.matmul(odors, matrix, out=drives), rank, axis=1),
    }


def counting() -> list[str]:
    """Overlaps of packed codes against a matrix product."""
    wiring, count = olfaction.draw_wiring(), 2000
    odors = olfaction.draw_odors(odors=count)
    packed = olfaction.encode(odors, wiring, LEVEL, sparsening="winners")
    dense = olfaction.unpack(packed, 2000).astype(np.float32)
    seconds = best(
        {
            "overlaps": lambda: olfaction.overlaps(packed),
            "product": lambda: dense @ dense.T,
        }
    )
    ms = {name: 1e3 * value for name, value in seconds.items()}
    return [
        "| what, 2000 odors and 2000 cells | simnn (ms) | NumPy (ms) | ratio |",
        "|---|---:|---:|---:|",
        f"| overlaps of all pairs of codes; product of float32 codes | {ms['overlaps']:.1f} | {ms['product']:.1f} | "
        f"{ms['product'] / ms['overlaps']:.1f} |",
    ]


def memory() -> list[str]:
    """Peak memory and time of a million odors, each in a process of its own."""
    lines = ["| a million odors, 50 glomeruli, 2000 cells, 7 claws | peak memory (MB) | time (s) |", "|---|---:|---:|"]
    programs = {
        "nothing: imports, and two small calls": "",
        "`olfaction.simulate`, one wiring": "olfaction.simulate(odors=1_000_000, trials=1)",
        "`olfaction.draw_odors`, then `olfaction.encode`, winners, packed": (
            "olfaction.encode(olfaction.draw_odors(odors=1_000_000), olfaction.draw_wiring(), sparsening='winners')"
        ),
        "the same, thresholds of each cell, found": (
            "olfaction.encode(olfaction.draw_odors(odors=1_000_000), olfaction.draw_wiring())"
        ),
        "the same, a global threshold, found": (
            "olfaction.encode(olfaction.draw_odors(odors=1_000_000), olfaction.draw_wiring(), sparsening='global')"
        ),
    }
    for name, call in programs.items():
        program = (
            "import time; from simnn import olfaction; olfaction.simulate(odors=100, trials=1); "
            "olfaction.encode(olfaction.draw_odors(odors=9), olfaction.draw_wiring(), 0.3); "
            "olfaction.encode(olfaction.draw_odors(odors=9), olfaction.draw_wiring(), 0.3, sparsening='global'); "
            "start = time.process_time(); "
            f"{call or 'pass'}; print(time.process_time() - start); "
            "print([line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')][0])"
        )
        output = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
        seconds, peak = map(float, output.split())
        lines.append(f"| {name} | {peak / 1024:.0f} | {seconds:.1f} |")
    return lines


def sweeps() -> list[str]:
    """Time of one trial of `simulate`."""
    lines = ["| odors | pairs | time of a trial (ms) |", "|---:|---:|---:|"]
    for odors, pairs in ((200, 200), (1000, 1000), (5000, 1000)):
        call = {"odors": odors, "pairs": pairs, "inhibition": "balanced"}
        olfaction.simulate(trials=1, **call)
        start = time.process_time()
        olfaction.simulate(trials=20, **call)
        lines.append(f"| {odors} | {pairs} | {1e3 * (time.process_time() - start) / 20:.1f} |")
    return lines


def main() -> None:
    """Print the tables and write them to the documentation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--flyhash", metavar="PYTHON", help="interpreter that has the FlyHash package")
    python = parser.parse_args().flyhash
    import numba

    text = "\n".join(
        [
            "# Benchmarks of sparse codes",
            "",
            "Written by `python benchmarks/olfaction.py`: one thread, peers on the same odors in one run.",
            f"simnn {__version__}, numba {numba.__version__}, NumPy {np.__version__}, "
            f"Python {platform.python_version()}, {provenance.processor()}, {time.strftime('%Y-%m-%d')}.",
            "",
            "## Codes of given odors",
            "",
            f"Binary weights, coding level {LEVEL}, known thresholds. The product is `odors @ J.T` in float32; drives "
            "are compared with thresholds, or winners found by `np.argpartition`, which tells their indices only. `In "
            "place` writes drives into memory that is there already. Packed codes of simnn are complete, winners with "
            "exactly k cells each. Best of seven, in turns.",
            "",
            *against_numpy(),
            "",
            "## Thresholds found, and codes",
            "",
            f"`olfaction.encode` of odors, coding level {LEVEL}, without thresholds: they are found, exactly, and "
            "codes packed, without a matrix of drives. NumPy finds the largest drive that is not coded, and compares; "
            "truth values stay as they are. Times of the process, best of seven, in turns.",
            "",
            *fitting(),
            "",
            "## Winners, against the FlyHash package",
            "",
            "The same odors and wiring, `round(f M)` winners each; FlyHash (TeddyHuang-00/FlyHash: Python < 3.12 and "
            "NumPy < 2) runs in an interpreter of its own, given by `--flyhash`. Times of the processes, best of "
            "seven, in turns.",
            "",
            *flyhash(python),
            "",
            "## Counting in packed codes",
            "",
            *counting(),
            "",
            "## Memory",
            "",
            *memory(),
            "",
            "## One trial of a simulation",
            "",
            "Odors, their partners and their noisy copies drawn and coded, the readout learnt and tested, all pairs of "
            "the first odors compared; N = 50, M = 2000, K = 7.",
            "",
            *sweeps(),
            "",
        ]
    )
    print(text)
    DOCUMENT.write_text(text)


if __name__ == "__main__":
    main()
