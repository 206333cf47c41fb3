"""These tests need Numba's simulator, which is chosen when Numba is imported: `tests.test_simulator` runs them."""

import os

collect_ignore_glob = [] if os.environ.get("NUMBA_ENABLE_CUDASIM") == "1" else ["test_*.py"]
