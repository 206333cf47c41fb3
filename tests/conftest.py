"""Which tests come first, and interrupts."""

import signal

# A shell that starts tests in the background makes them ignore interrupts, and the programs that they start too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """Simulated kernels, minutes of one process each, begin early: at the end the other workers would wait for them."""
    items.sort(key=lambda item: "test_simulator.py" not in item.nodeid)
