"""Tests at real sizes for machines with a GPU: ``pytest -m gpu``."""

import pytest

from simnn.device import gpu

REASON = gpu.missing()

needs_gpu = [pytest.mark.gpu, pytest.mark.skipif(REASON is not None or gpu.SIMULATED, reason=REASON or "simulated")]
"""Marks of a module whose tests need a GPU."""
