"""Which tests come first."""


def pytest_collection_modifyitems(items):
    """Simulated kernels, minutes of one process each, begin early: at the end the other workers would wait for them."""
    items.sort(key=lambda item: "test_simulator.py" not in item.nodeid)
