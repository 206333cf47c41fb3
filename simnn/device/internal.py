"""Functions that only compiled code calls: they get neither a wrapper for Python nor machine code of their own.

Numba compiles every function as if Python called it, and once more inside each kernel, where LLVM inlines it. The first
was half of the time: the kernel of separability, with a hundred functions, took 49 s, and takes 26 s without.
"""

import functools
from collections.abc import Callable
from typing import Any

import numba
from numba.core import compiler
from numba.core import config as _config
from numba.core.codegen import JITCodeLibrary
from numba.core.registry import CPUDispatcher


class _Library(JITCodeLibrary):
    """Optimised LLVM code that other libraries link, and that is not handed to the assembler."""

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()  # type: ignore[no-untyped-call]
        self._verify_declare_only_symbols()  # type: ignore[no-untyped-call]
        self._finalized = True


class _Compiler(compiler.Compiler):
    """Numba's compiler, into such a library."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)  # type: ignore[no-untyped-call]
        self.state.library = _Library(self.state.targetctx.codegen(), "internal")  # type: ignore[no-untyped-call]
        self.state.flags.no_compile = True
        self.state.flags.no_cpython_wrapper = True
        self.state.flags.no_cfunc_wrapper = True


class _Function(CPUDispatcher):
    """A function for compiled code. Python may call it too, through a kernel that is compiled for that."""

    def add_overload(self, result: Any) -> None:
        # There is no entry point; lowering looks the function up by whatever stands in its place.
        key = object()
        self.targetctx.insert_user_function(key, result.fndesc, [result.library])  # type: ignore[no-untyped-call]
        self.overloads[tuple(result.signature.args)] = result._replace(entry_point=key)

    def _compile_for_args(self, *_args: Any, **_kws: Any) -> Any:
        # What Python's call is handed on to, whenever there is no entry point for it.
        return self._kernel

    @functools.cached_property
    def _kernel(self) -> Any:
        function = self

        @numba.jit(**self.targetoptions)
        def call(*args: Any) -> Any:
            return function(*args)

        return call


def decorator(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Make a decorator of such functions.

    Parameters
    ----------
    **options
        Of ``numba.jit``.

    Returns
    -------
    callable
    """
    settings: Any = _config

    def decorate(function: Callable[..., Any]) -> Any:
        if settings.DISABLE_JIT:
            return function
        return _Function(function, targetoptions=options | {"nopython": True}, pipeline_class=_Compiler)

    return decorate
