"""A study that costs nothing: biased coins, one file per bias. It notes each run in the file named by COIN_LOG."""

import os
import time

from simnn.studies import Claim, parameters

MODEL = "propagation"
TITLE = "Coins"
CAPTION = "Means of {trials} coins. Claims: COIN."


def simulate(sigma_w, sigma_b, trials, seed, **_):
    import numpy as np
    import xarray as xr

    with open(os.environ["COIN_LOG"], "a", encoding="utf-8") as log:
        log.write(f"{sigma_b}\n")
    time.sleep(float(os.environ.get("COIN_SECONDS", "0")))
    rng = np.random.default_rng(seed)
    values = [[np.mean(rng.random(trials) < w * b) for b in sigma_b] for w in sigma_w]
    axes = {
        name: (name, values, {"long_name": f"probability, factor {name}", "units": "1"})
        for name, values in (("sigma_w", sigma_w), ("sigma_b", sigma_b))
    }
    return xr.Dataset({"mean": (("sigma_w", "sigma_b"), values, {"long_name": "mean", "units": "1"})}, axes)


def compare(dataset):
    return dataset.assign(theory=dataset.sigma_w * dataset.sigma_b)


def claims(dataset):
    trials = parameters(dataset)["trials"]
    point = dataset.isel(sigma_w=0, sigma_b=0)
    return [
        Claim.test(
            "COIN", "coins are fair to their bias", prediction=point.theory.item(), measured=point["mean"].item(),
            stderr=0.5 / trials**0.5,
        )
    ]  # fmt: skip


def figure(dataset):
    import matplotlib.pyplot as plt

    from simnn import plotting

    with plotting.figure_style():
        fig, ax = plt.subplots(figsize=(2.0, 1.5))
        cut = dataset.isel(sigma_b=0)
        plotting.theory_and_simulation(
            ax, cut.sigma_w, cut.theory, cut["mean"], 0.1 + 0.0 * cut.theory, label="coin", color=plotting.COLORS[0]
        )
    return fig
