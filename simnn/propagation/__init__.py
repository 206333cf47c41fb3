"""Signal propagation in deep random networks: forward and backward statistics, and their theory."""

import importlib
from typing import TYPE_CHECKING, Any

from simnn.propagation.simulate import simulate

if TYPE_CHECKING:
    # mypy does not see a submodule otherwise
    import simnn.propagation.dead_units as dead_units  # noqa: PLR0402
    import simnn.propagation.finite_width as finite_width  # noqa: PLR0402
    import simnn.propagation.linear_products as linear_products  # noqa: PLR0402
    import simnn.propagation.theory as theory  # noqa: PLR0402

__all__ = ["dead_units", "finite_width", "linear_products", "simulate", "theory"]


def __getattr__(name: str) -> Any:
    if name in __all__:  # simulate is here already
        return importlib.import_module(f"simnn.propagation.{name}")
    raise AttributeError(f"module 'simnn.propagation' has no attribute {name!r}")
