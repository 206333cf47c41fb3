"""Laws of the weights, for simulations and closed forms."""

import math

WEIGHTS = ("binary", "cerebellar", "cortical", "uniform", "halfnormal", "gaussian")
"""Laws of the weights of existing connections.

``binary``: 1. ``cerebellar``, ``cortical``: log-normal, their logarithms with the standard deviations `LOG_SIGMA`.
``uniform``: in [0, 1]. ``halfnormal``: size of a standard normal number. ``gaussian``: standard normal, of both signs.
The first three are those that came with Litwin-Kumar, Harris, Axel, Sompolinsky, Abbott, Neuron 93, 1153 (2017)."""

LOG_SIGMA = {"cerebellar": 0.438, "cortical": math.sqrt(0.8752)}
"""Standard deviations of the logarithms; their means (0 and -0.702) change no correlation."""
