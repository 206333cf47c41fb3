"""Measured tables serve the tests of studies too."""

from tests.olfaction.conftest import measured

__all__ = ["measured"]
