"""Connectomes against random wirings: what nulls keep, honest verdicts on measured wirings, and files that change."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from simnn import olfaction
from simnn.pipeline import cells, config, stages
from simnn.studies import connectome_nulls

EDGES, NEURONS = "hemibrain_pnkc/conn_PNKC.csv", "hemibrain_pnkc/neuron_PNKC.csv"
CLAWS, NAMES = "zheng_fafb_pnkc/200914-glom_kc_binary_conn.csv", "zheng_fafb_pnkc/200914-glom_seq.csv"
SMALL = {
    "weights": ["binary", "synapses"], "inhibition": ["none", "balanced"], "coding_level": [0.05, 0.1],
    "threshold": 5, "kenyon_cells": 300, "glomeruli": 40, "claws": 4.0, "fan_out_spread": 0.5, "trials": 6, "seed": 3,
}  # fmt: skip


def compared(**changes):
    given = connectome_nulls.validate(SMALL | changes)
    dataset = connectome_nulls.simulate(**given)
    return connectome_nulls.compare(dataset.assign_attrs(parameters=json.dumps(given)))


@pytest.fixture(scope="module")
def small():
    return compared()


@pytest.fixture(scope="module")
def hemibrain(measured):
    return compared(
        connectome=str(measured(EDGES)), neurons=str(measured(NEURONS)), weights=["binary"], trials=10, seed=17
    )


def verdicts(dataset, words):
    rows = [row for row in connectome_nulls.claims(dataset) if words in row.statement]
    assert rows
    return {row.verdict for row in rows}


@pytest.mark.parametrize("axis", ["weights", "inhibition", "coding_level"])
def test_splitting_an_axis_into_jobs_changes_nothing(small, axis):
    parts = [connectome_nulls.simulate(**SMALL | {axis: [value]}) for value in SMALL[axis]]
    with xr.set_options(use_new_combine_kwarg_defaults=True):
        joined = xr.combine_by_coords(parts, combine_attrs="drop")
    joined = joined.sel({axis: SMALL[axis]})
    for name, values in joined.data_vars.items():
        np.testing.assert_allclose(values, small[name].transpose(*values.dims), rtol=1e-13, err_msg=str(name))


def test_more_trials_leave_the_first_ones_as_they_are():
    given = olfaction.synthetic_connectome(50, 20, claws=2.0, seed=1).values
    for kind in connectome_nulls.NULLS:
        once, again = (connectome_nulls._null(kind, given, 5, 2) for _ in range(2))
        np.testing.assert_array_equal(once, again)
        assert (connectome_nulls._null(kind, given, 5, 3) != once).any()


@pytest.mark.parametrize("kind", connectome_nulls.NULLS)
def test_cells_keep_their_numbers_of_synapses(kind):
    given = olfaction.synthetic_connectome(200, 30, claws=3.0, seed=1).values
    null = connectome_nulls._null(kind, given, 5, 0)
    np.testing.assert_array_equal(np.sort(null, axis=1), np.sort(given, axis=1))
    same = np.array_equal((null > 0).sum(axis=0), (given > 0).sum(axis=0))
    assert same is (kind == "degrees")
    assert (null != given).any(axis=1).mean() > 0.5


@pytest.mark.parametrize(
    "name",
    [
        "uniform_theory", "degrees_theory", "frequency_spread_theory", "mean_square_theory", "dimension", "null_spread",
        "null_mean_square", "z_score",
    ],
)  # fmt: skip
def test_claims_fail_when_one_number_is_off(small, name):
    assert all(row.verdict.startswith("holds") for row in connectome_nulls.claims(small))
    wrong = small.assign({name: 1.3 * small[name]})
    assert any(row.verdict == "fails" for row in connectome_nulls.claims(wrong))


def test_synthetic_wirings_are_random_given_their_degrees():
    """Ranks of 60 wirings among 9 curveball ones are uniform: chi square of 10 cells below 32 (false alarm 2e-4)."""
    ranks = []
    for seed in range(60):
        wiring = (olfaction.synthetic_connectome(60, 20, claws=2.5, fan_out_spread=0.6, seed=seed) > 0).values
        # Pairs of cells with several glomeruli in common: what curveball keeps on average only.
        count = [((w := m.astype(int)) @ w.T >= 2).sum() for m in (wiring, *_shuffled(wiring, seed))]
        noise = np.random.default_rng(seed).random(10)
        ranks.append(int(np.sum(np.array(count) + noise < count[0] + noise[0])))
    expected = len(ranks) / 10.0
    assert np.square(np.bincount(ranks, minlength=10) - expected).sum() / expected < 32.0


def _shuffled(wiring, seed):
    return [olfaction.nulls.curveball(wiring, seed=100 * seed + k) for k in range(9)]


def test_synthetic_wirings_have_the_degrees_they_are_asked_for():
    wiring = (olfaction.synthetic_connectome(seed=2) > 0).values
    inputs, fan_out = wiring.sum(axis=1), wiring.sum(axis=0)
    assert inputs.min() >= 1
    assert inputs.mean() == pytest.approx(5.26, abs=5.0 * 2.06 / np.sqrt(1750))  # false alarm 6e-7
    assert inputs.std() == pytest.approx(2.06, abs=0.2)
    assert olfaction.degree_laws.spread(fan_out) == pytest.approx(0.585, abs=0.03)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"claws": 0.5}, "claws"),
        ({"kenyon_cells": 1}, "kenyon_cells"),
        ({"fan_out_spread": -0.1}, "fan_out_spread"),
        ({"fan_out_spread": 2.0}, "fan_out_spread"),
        ({"fan_out_spread": 50.0}, "fan_out_spread"),
        ({"glomeruli": True}, "glomeruli"),
        ({"seed": -1}, "seed"),
    ],
)
def test_impossible_synthetic_wirings_are_refused(changes, name):
    with pytest.raises(ValueError, match=f"^{name}: .* is not allowed"):
        olfaction.synthetic_connectome(**changes)


@pytest.mark.parametrize("corner", [(10, 1.25), (57, 7.125), (200, 25.0)])
def test_all_that_the_study_accepts_can_be_drawn(corner):
    glomeruli, claws = corner
    for spread in (0.0, 0.01, 1.0):
        wiring = olfaction.synthetic_connectome(500, glomeruli, claws=claws, fan_out_spread=spread)
        assert wiring.shape == (500, glomeruli)


def test_the_hemibrain_has_the_published_dimensions(hemibrain):
    at = hemibrain.sel(weights="binary")
    np.testing.assert_allclose(at["dimension"], [[199.10, 127.78], [302.07, 191.61]], atol=0.0051)
    # Means of 10 wirings against published means of 8: 5 standard errors of the difference (false alarm 6e-7).
    for null, expected, deviation in (
        ("degrees", (216.9, 137.4), (1.0, 0.6)),
        ("frequency", (224.4, 142.0), (2.2, 1.3)),
        ("uniform", (316.6, 200.8), (0.7, 0.4)),
    ):
        found = at["null_dimension"].sel(null=null, inhibition="none").values
        assert np.all(np.abs(found - expected) < 5.0 * np.array(deviation) * np.sqrt(1.0 / 8.0 + 1.0 / 10.0) + 0.05)


def test_the_hemibrain_is_not_random_given_its_degrees(hemibrain):
    assert verdicts(hemibrain, "randomly wired") == {"fails"}
    assert verdicts(hemibrain, "costs about 32%") == {"holds"}
    assert verdicts(hemibrain, "a further 7-8%") == {"holds"}
    assert verdicts(hemibrain, "uniform draws have") == {"holds"}
    assert verdicts(hemibrain, "degrees determine") == {"holds"}


def test_the_hemibrain_over_converges(hemibrain):
    """Food odors' DM1, DM2, DM4 among themselves, and those of temperature and humidity; not with each other."""
    score = hemibrain["z_score"]
    np.testing.assert_array_equal(score, score.T)
    for pair in (("DM1", "DM4"), ("DM2", "DM4"), ("VP1m+VP5", "VP2")):
        assert score.sel(glomerulus=pair[0], other_glomerulus=pair[1]) > 4.0
    assert score.sel(glomerulus="DM4", other_glomerulus="VP1m") < -4.0
    assert float(connectome_nulls._mean_square(score.values)) == pytest.approx(3.30, abs=0.01)
    assert verdicts(hemibrain, "VP1m+VP5 and VP2, 12 for 0.9; VP1m+VP5 and VP4, 3 for 0.1") == {"holds"}
    assert verdicts(hemibrain, "over-convergence lowers") == {"holds"}
    assert verdicts(hemibrain, "degrees determine mean and variance") == {"holds"}


def test_fafb_has_costs_of_its_own(measured):
    ds = compared(
        connectome=str(measured(CLAWS)), glomerulus_names=str(measured(NAMES)), threshold=1, weights=["binary"],
        inhibition=["none"], trials=10,
    )  # fmt: skip
    np.testing.assert_allclose(ds["dimension"].values.ravel(), (153.26, 109.01), atol=0.0051)
    kept = ds["degrees_theory"] / ds["uniform_theory"]
    assert np.all((1.0 - kept > 0.195) & (1.0 - kept < 0.235))  # 20-23%
    np.testing.assert_allclose(1.0 - ds["dimension"] / ds["degrees_theory"], 0.05, atol=0.01)
    assert verdicts(ds, "costs about 32%") == {"fails"}
    assert verdicts(ds, "DM1 and DM4, 27 for 11.5") == {"holds"}
    assert verdicts(ds, "degrees determine") == {"holds"}


def test_captions_name_the_data(measured):
    assert "synthetic" in connectome_nulls.source(SMALL)
    given = connectome_nulls.validate(SMALL | {"connectome": str(measured(EDGES)), "neurons": str(measured(NEURONS))})
    assert "Scheffer et al. 2020, eLife 9, e57443 (hemibrain, CC BY 4.0)" in connectome_nulls.source(given)


def converging(wiring, members, sweeps, seed):
    """Trades between pairs of cells that keep all degrees; the earlier cell gets as many members as it can."""
    wiring, rng = wiring.copy(), np.random.default_rng(seed)
    for _ in range(sweeps):
        for a, b in np.sort(rng.permutation(len(wiring)).reshape(-1, 2)):
            differ = rng.permutation(np.flatnonzero(wiring[a] != wiring[b]))
            differ = differ[np.argsort(~members[differ], kind="stable")]
            count = wiring[a, differ].sum()
            wiring[a, differ], wiring[b, differ] = np.arange(len(differ)) < count, np.arange(len(differ)) >= count
    return wiring


@pytest.mark.parametrize("sweeps", [0, 5])
def test_over_convergence_is_found_and_lowers_the_dimension(sweeps, tmp_path):
    given = (olfaction.synthetic_connectome(300, 40, claws=4.0, fan_out_spread=0.5, seed=8) > 0).values
    wiring = converging(given, np.arange(40) < 12, sweeps, 1)
    for axis in (0, 1):
        np.testing.assert_array_equal(wiring.sum(axis=axis), given.sum(axis=axis))
    path = tmp_path / "wiring.csv"
    names = ",".join(f"G{k}" for k in range(40))
    rows = (f"c{k}," + ",".join(str(9 * int(v)) for v in row) for k, row in enumerate(wiring))
    path.write_text("\n".join([f"kenyon_cell,{names}", *rows]) + "\n")
    dataset = compared(connectome=str(path), weights=["binary"])
    planted = dataset["z_score"].values[:12, :12][np.triu_indices(12, 1)]
    square = float(connectome_nulls._mean_square(dataset["z_score"].values))
    lost = 1.0 - dataset["dimension"] / dataset["degrees_theory"]
    if sweeps:
        assert planted.mean() > 2.0
        assert square > 1.5
        assert np.all(lost > 0.06)
        assert verdicts(dataset, "connectomes over-converge") == {"holds"}
    else:
        assert abs(planted.mean()) < 1.0
        assert square == pytest.approx(1.0, abs=0.3)
        assert np.all(np.abs(lost) < 0.04)
        assert verdicts(dataset, "connectomes over-converge") == {"fails"}
    assert verdicts(dataset, "over-convergence lowers") == ({"holds"} if sweeps else {"fails"})
    assert verdicts(dataset, "degrees determine") == {"holds"}


def test_cells_with_one_glomerulus_share_nothing():
    dataset = compared(claws=1.0, weights=["binary"], inhibition=["none"])
    for name in ("shared_cells", "null_shared_cells", "shared_cells_theory"):
        np.testing.assert_allclose(dataset[name], np.diag(dataset["fan_out"]), atol=1e-12)
    for name in ("z_score", "mean_square_theory", "null_mean_square", "shared_cells_deviation"):
        np.testing.assert_array_equal(dataset[name], 0.0)
    assert verdicts(dataset, "mean square z-score") == {"holds"}
    plt.close(connectome_nulls.figure(dataset))


MATRIX = "kenyon_cell," + ",".join(f"G{k}" for k in range(12)) + "\n"


def write_matrix(path, seed):
    rows = np.random.default_rng(seed).random((60, 12)).argsort(axis=1) < 3
    path.write_text(MATRIX + "".join(f"c{k}," + ",".join(str(9 * v) for v in row) + "\n" for k, row in enumerate(rows)))


def block(**changes):
    raw = {"model": {name: SMALL[name] for name in ("threshold", "kenyon_cells", "glomeruli", "claws")}, "trials": 4}
    raw["model"] |= {"fan_out_spread": 0.5} | changes
    raw["grid"] = {"weights": ["binary"], "inhibition": ["none"], "coding_level": [0.05]}
    return config.parse({"studies": {"connectome_nulls": raw}})["connectome_nulls"]


def test_a_file_that_changes_makes_another_cell(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = []
    for seed in (1, 2, 1):
        write_matrix(tmp_path / "wiring.csv", seed)
        (cell,) = cells.split("connectome_nulls", block(connectome="wiring.csv"))
        names.append(cell.name)
    assert names[0] == names[2] != names[1]
    given = block(connectome="wiring.csv")
    digest = given["parameters"]["connectome_sha256"]
    assert block(connectome="wiring.csv", connectome_sha256=digest.upper()) == given
    with pytest.raises(config.ConfigError, match=r"connectome_sha256: 'a+' is not allowed: should be .*, the checksum"):
        block(connectome="wiring.csv", connectome_sha256=64 * "a")
    write_matrix(tmp_path / "wiring.csv", 3)
    with pytest.raises(ValueError, match=r"^wiring.csv: SHA-256 is"):
        stages.cell(cell.specification, tmp_path / "late.nc")


def test_a_url_needs_a_checksum_and_is_not_fetched():
    with pytest.raises(config.ConfigError, match=r"connectome_sha256: None .* the checksum of what the URL gives"):
        block(connectome="https://example.org/wiring.csv")
    assert block(connectome="https://example.org/wiring.csv", connectome_sha256=64 * "a")


def test_an_unknown_table_runs_through_the_pipeline(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_matrix(tmp_path / "wiring.csv", 1)
    given = block(connectome="wiring.csv")
    (cell,) = cells.split("connectome_nulls", given)
    stages.cell(cell.specification, tmp_path / "data" / f"{cell.name}.nc")
    stages.gather("connectome_nulls", given, tmp_path / "data", tmp_path / "all.nc")
    stages.claims("connectome_nulls", given, tmp_path / "all.nc", tmp_path / "claims.csv")
    stages.figure("connectome_nulls", given, tmp_path / "all.nc", tmp_path / "figure")
    assert "a table that is not known here, SHA-256" in stages.caption(given)
    assert "as in the hemibrain" in (tmp_path / "claims.csv").read_text()


def test_figures_of_measured_wirings_show_each_kind_and_name_each_glomerulus(hemibrain):
    figure = connectome_nulls.figure(hemibrain)
    assert [ax.get_title(loc="left") for ax in figure.axes if ax.get_title(loc="left")] == ["a", "b", "c", "d"]
    (matrix,) = (ax for ax in figure.axes if ax.get_images() and ax.get_title(loc="left"))
    named = [text.get_text() for minor in (False, True) for text in matrix.get_yticklabels(minor=minor)]
    assert sorted(named) == sorted(hemibrain["glomerulus"].values.tolist())
    shown = matrix.get_images()[0].get_array()
    names = hemibrain["glomerulus"].values.tolist()
    order = np.empty(57, int)
    order[::2], order[1::2] = ([names.index(name) for name in half] for half in (named[:29], named[29:]))
    upper, lower = np.triu_indices(57, 1), np.tril_indices(57, -1)
    for name, half in (("z_score", upper), ("null_z_score", lower)):
        np.testing.assert_array_equal(shown[half], hemibrain[name].values[np.ix_(order, order)][half])
    assert matrix.get_images()[0].get_clim() == (-5.0, 5.0)
    plt.close(figure)
