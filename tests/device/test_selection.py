"""The k-th largest number, with and without ties."""

import numpy as np
import pytest

from simnn.device import selection, targets


@pytest.mark.parametrize("size", [1, 2, 3, 10, 101])
@pytest.mark.parametrize("values", ["normal", "integer", "equal", "falling", "rising"])
def test_selection_agrees_with_a_sort(size, values):
    rng = np.random.default_rng(size)
    x = {
        "normal": rng.standard_normal(size),
        "integer": rng.integers(0, 4, size).astype(float),
        "equal": np.ones(size),
        "falling": np.arange(size, 0.0, -1.0),
        "rising": np.arange(0.0, size),
    }[values]
    scratch, before = np.empty(size), x.copy()
    for target in (targets.python(np.float64), targets.strict(np.float64)):
        kth_largest = selection.bind(target).kth_largest
        for k in range(1, size + 1):
            assert kth_largest(x, k, scratch) == np.sort(x)[size - k]
    np.testing.assert_array_equal(x, before)
