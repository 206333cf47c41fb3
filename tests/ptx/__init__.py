"""Kernels of CUDA, compiled and assembled without a GPU."""

import functools
import importlib.util
import pathlib
import re
import shutil
import subprocess
import types
from typing import NamedTuple

import numba
import pytest

ARCHITECTURES = [(8, 0), (9, 0)]
"""A100 and H100, H200."""


class Compiled(NamedTuple):
    """A kernel in the language of the assembler, and what it takes."""

    text: str
    registers: int
    spills: int
    stack: int
    shared: int

    def count(self, pattern):
        return len(re.findall(pattern, self.text))


@functools.cache
def assembler():
    """The assembler of the CUDA toolkit, on the path or in its package."""
    if found := shutil.which("ptxas"):
        return found
    package = importlib.util.find_spec("nvidia")
    for folder in package.submodule_search_locations if package else ():
        for path in pathlib.Path(folder).glob("**/bin/ptxas"):
            return str(path)
    return None


@functools.cache
def lowered(function, signature):
    """A kernel before code is made for an architecture: most of the time that it takes to compile."""
    from numba.cuda import compiler, dispatcher

    oldest = ARCHITECTURES[0]
    # Device functions ask which GPU they are compiled for.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dispatcher, "get_current_device", lambda: types.SimpleNamespace(compute_capability=oldest))
        library, _ = compiler._compile_pyfunc_with_fixup(function, signature, device=False, abi="numba", cc=oldest)
    return library


def compiled(kernel, arguments, architecture):
    """Compile for arguments like these: what a launch with them would run."""
    if assembler() is None or importlib.util.find_spec("numba_cuda") is None:
        pytest.skip("needs simnn[test]: numba-cuda, and NVIDIA's compiler and assembler")
    library = lowered(kernel.py_func, tuple(numba.typeof(value) for value in arguments))
    (text,) = library.get_asm_strs(cc=architecture)
    command = [assembler(), f"-arch=sm_{architecture[0]}{architecture[1]}", "-v", "-o", "/dev/null", "/dev/stdin"]
    run = subprocess.run(command, input=text, capture_output=True, text=True, check=True)

    def number(pattern):
        found = re.search(pattern, run.stderr)
        return int(found.group(1)) if found else 0

    return Compiled(
        text,
        number(r"Used (\d+) registers"),
        number(r"(\d+) bytes spill stores"),
        number(r"(\d+) bytes stack frame"),
        number(r"(\d+) bytes smem"),
    )
