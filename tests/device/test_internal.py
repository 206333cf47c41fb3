"""Functions for compiled code: linked into kernels, without machine code of their own, and still callable."""

import numpy as np
import pytest

from simnn.device import targets


@pytest.fixture
def functions():
    target = targets.strict(np.float64)

    @target.device
    def square(x):
        return x * x

    @target.routine
    def squares(values):
        for i in range(values.shape[0]):
            values[i] = square(values[i])

    return square, squares


def test_python_may_call_them(functions):
    square, squares = functions
    values = np.array([1.0, 2.0, -3.0])
    squares(values)
    np.testing.assert_array_equal(values, [1.0, 4.0, 9.0])
    assert (square(3), square(0.5)) == (9, 0.25)


def test_kernels_link_them_and_nothing_else_is_assembled(functions):
    import numba

    _, squares = functions
    values = np.array([2.0])

    @numba.njit
    def kernel(values):
        squares(values)

    kernel(values)
    assert values == [4.0]
    for function in functions:
        (result,) = function.overloads.values()
        defined = {function.name for function in result.library.get_defined_functions()}
        assert result.fndesc.llvm_func_name in defined
        assert result.fndesc.llvm_cpython_wrapper_name not in defined
        assert not result.library.codegen._engine.is_symbol_defined(result.fndesc.llvm_func_name)
