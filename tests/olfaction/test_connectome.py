"""Loading connectomes and their random counterparts: measured ones against their counts, invented ones broken."""

import itertools
import time

import numpy as np
import pytest
import xarray as xr

from simnn import olfaction
from simnn.olfaction import nulls
from tests.naive import wiring as naive

EDGES = "hemibrain_pnkc/conn_PNKC.csv"
NEURONS = "hemibrain_pnkc/neuron_PNKC.csv"
CLAWS = "zheng_fafb_pnkc/STable_201001_bouton_claw_table.csv"
CLAW_COUNTS = "zheng_fafb_pnkc/200914-glom_kc_binary_conn.csv"
SYNAPSE_COUNTS = "zheng_fafb_pnkc/200914-glom_kc_conn_w_syn.csv"
COLUMNS = "zheng_fafb_pnkc/200914-glom_seq.csv"
SYNAPSES_OF_CLAWS = "zheng_fafb_pnkc/200914-ana_rd_synapses_per_claw.csv"
CARON = "caron_2013/caron_2013_kc_glomeruli.csv"
CARON_NAMES = "caron_2013/glom_seq.csv"
SHA256 = {
    EDGES: "84fe696cac4dd9e3d6bb2f6ea8907a78872271dd6a8a59f5b21d7d07d16821b0",
    NEURONS: "299e7e372a3a3b4b2c761ec09f786d95fc3c1eed3bf6812f5ab67fe68b6aba07",
    CLAWS: "924c98b8e2e4c0bb05dbb29cdfb394e3c26acd67360443d48cd4bb629d5f538c",
    CLAW_COUNTS: "d2a6ed7b1949127bde31c9159782675c765d9b6afca8bba11438d1f5a455aa36",
    SYNAPSE_COUNTS: "99642582621eae8901ffbaafd5d091c7c8148f55a5eb574d516d9bfc4a2ae2af",
    COLUMNS: "6b05b46d758048421f3d14587640a6121deba5507062b1d8717d4d19ed452866",
    CARON: "350afeb6397bfac90c08f0bff5c74a12e812413e0b9392f271e6c8a6e375ac90",
    CARON_NAMES: "916e9a5c9662d6a9b6cbe98f4e3c91b7d03ebd65dc873b6042ea9b16fe227d40",
}
LEVELS = (0.05, 0.1)

# Invented numbers, in the formats that are read.
EDGE_LIST = """\
bodyId_pre,bodyId_post,roi,weight
11,101,CA(R),4
11,102,CA(R),1
12,101,CA(R),3
13,102,CA(R),2
"""
NEURON_LIST = """\
bodyId,type,instance
11,DX1_adPN,one
12,DX1_lPN,two
13,DX2+_lPN,three
14,DX3_lPN,four
102,KCx,five
101,KCy-m,six
"""
CLAW_LIST = """\
pn_skid,kc_skid,pn_names,kc_names,pn_type,claw_ids
21,7,a,b,DX2,7.1
21,7,a,b,DX2,7.2
22,7,c,b,DX1,7.3
22,5,c,d,DX1,5.1
"""
MATRIX = """\
kenyon_cell,DX2,DX1
a,0,3
b,1.5,2
"""
NUMBERED = """\
,0,1
0,0.0,3.0
1,0.0,0.0
2,1.0,1.0
"""
NUMBERED_NAMES = """\
,0
0,DX2
1,DX1
"""
IDENTIFIED = """\
cell_number,KC_subclass,glom_1,glom_2,glom_3,claws_filled,total_claws
1,gamma,2,1.0,,2,4
2,alpha/beta,1,1,3,3,5
"""
IDENTIFIED_NAMES = """\
glom_class,glom_number
DX2,1
DX1,2
other,3
"""


@pytest.fixture
def load(tmp_path):
    """Load a connectome from the texts of its files."""

    def from_text(text, **options):
        (tmp_path / "connectome.csv").write_text(text)
        for name in ("neurons", "glomeruli"):
            if name in options:
                (tmp_path / f"{name}.csv").write_text(options[name])
                options[name] = tmp_path / f"{name}.csv"
        return olfaction.load_connectome(tmp_path / "connectome.csv", **options)

    return from_text


@pytest.fixture(scope="module")
def hemibrain(measured):
    """The hemibrain at a threshold, without cells that lose all input."""

    def at(threshold):
        return olfaction.load_connectome(
            measured(EDGES),
            neurons=measured(NEURONS),
            threshold=threshold,
            unconnected="drop",
            sha256=SHA256[EDGES],
            neurons_sha256=SHA256[NEURONS],
        )

    return at


def dimensions(weights):
    return [naive.dimension(weights, level) for level in LEVELS]


def occupied(connectome):
    return connectome[:, (connectome > 0).any("kenyon_cell")]


# --- measured connectomes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("threshold", "cells", "glomeruli", "inputs", "spread", "expected"),
    [
        (1, 1776, 58, 6.15, 0.591, (179.35, 114.05)),
        (3, 1754, 58, 5.44, 0.606, (195.10, 124.78)),
        (5, 1749, 57, 5.26, 0.585, (199.10, 127.78)),
        (10, 1717, 56, 4.57, 0.571, (202.86, 133.47)),
    ],
)
def test_hemibrain(hemibrain, threshold, cells, glomeruli, inputs, spread, expected):
    """Spreads are over the glomeruli that are left at the threshold: VP5+Z goes at 5, VP4 too at 10."""
    connectome = hemibrain(threshold)
    assert connectome.shape == (cells, 58)
    assert connectome.attrs["dropped_kenyon_cells"] == 1776 - cells
    wiring = occupied(connectome) > 0
    assert wiring.sizes["glomerulus"] == glomeruli
    assert float(wiring.sum("glomerulus").mean()) == pytest.approx(inputs, abs=0.005)
    fan_out = wiring.sum("kenyon_cell").values
    assert fan_out.std() / fan_out.mean() == pytest.approx(spread, abs=5.1e-4)
    assert dimensions(wiring) == pytest.approx(expected, abs=0.0051)


def test_hemibrain_synapses(hemibrain, measured):
    neuron, _, synapses = np.loadtxt(measured(EDGES), int, delimiter=",", skiprows=1, usecols=(0, 1, 3)).T
    assert (len(synapses), len(set(neuron))) == (11479, 119)
    assert float(hemibrain(1).sum()) == synapses.sum()
    strong = synapses[synapses >= 3]
    assert float(hemibrain(3).sum()) == strong.sum()
    assert (strong.mean(), strong.std(), np.log(strong).std()) == pytest.approx((17.49, 8.77, 0.569), abs=0.0051)
    assert hemibrain(3).attrs["neurons_sha256"] == SHA256[NEURONS]
    types = hemibrain(1).kenyon_cell_type.values
    assert len(types) == 1776
    assert all(name.startswith("KC") for name in types)
    assert {"VP1m+VP5", "VP3+VP1l", "VP5+Z", "VP2", "VP1m"} <= set(hemibrain(1).glomerulus.values)


def test_hemibrain_balanced_weighted_and_olfactory(hemibrain):
    connectome = hemibrain(5)
    assert dimensions(connectome) == pytest.approx((190.21, 127.33), abs=0.0051)
    # A column without connections matters here: the mean is over all entries.
    wiring = (occupied(connectome) > 0).values.astype(float)
    assert dimensions(wiring - wiring.mean()) == pytest.approx((302.07, 191.61), abs=0.0051)
    wiring = (connectome > 0).values.astype(float)
    assert dimensions(wiring - wiring.mean()) == pytest.approx((300.30, 190.66), abs=0.0051)
    odors = connectome[:, [not name.startswith("VP") for name in connectome.glomerulus.values]] > 0
    odors = odors[odors.any("glomerulus")]
    assert odors.shape == (1739, 51)
    assert dimensions(odors) == pytest.approx((187.18, 120.67), abs=0.0051)


@pytest.mark.parametrize(
    ("null", "expected", "deviation"),
    [
        (nulls.curveball, (216.9, 137.4), (1.0, 0.6)),
        (nulls.frequency_weighted, (224.4, 142.0), (2.2, 1.3)),
        (nulls.uniform, (316.6, 200.8), (0.7, 0.4)),
    ],
)
def test_nulls_of_the_hemibrain(hemibrain, null, expected, deviation):
    """Means of 8 draws within 5 standard errors of the difference of two such means (false alarm 6e-7)."""
    wiring = occupied(hemibrain(5)) > 0
    found = np.mean([dimensions(null(wiring, seed=seed)) for seed in range(8)], axis=0)
    assert np.all(np.abs(found - expected) < 5.0 * np.array(deviation) * np.sqrt(2.0 / 8.0) + 0.05)


def test_curveball_is_fast(hemibrain):
    wiring = (hemibrain(3) > 0).values
    assert wiring.shape == (1754, 58)
    start = time.process_time()
    nulls.curveball(wiring, sweeps=30)
    assert time.process_time() - start < 1.0


def test_fafb_claws(measured):
    connectome = olfaction.load_connectome(measured(CLAWS), sha256=SHA256[CLAWS])
    assert connectome.shape == (1354, 54)
    assert float(connectome.sum()) == 6468.0
    claws = connectome.sum("glomerulus").values
    assert (claws.mean(), claws.std()) == pytest.approx((4.78, 1.51), abs=0.0051)
    distinct = (connectome > 0).sum("glomerulus").values
    assert (distinct.mean(), distinct.std()) == pytest.approx((4.49, 1.38), abs=0.0051)


def test_fafb_synapses_of_a_claw(measured):
    synapses = np.loadtxt(measured(SYNAPSES_OF_CLAWS), delimiter=",", skiprows=1, usecols=1)
    assert (len(synapses), synapses.min(), synapses.max()) == (2228, 3.0, 50.0)
    assert (synapses.mean(), synapses.std(ddof=1), np.log(synapses).std()) == pytest.approx(
        (16.64, 8.46, 0.565), abs=0.0051
    )


def test_fafb_matrices(measured):
    options = {"glomeruli": measured(COLUMNS), "glomeruli_sha256": SHA256[COLUMNS]}
    with pytest.raises(ValueError, match="Kenyon cell 413, like 0 others of 440, has no input of weight 1 or more"):
        olfaction.load_connectome(measured(CLAW_COUNTS), **options)
    options["unconnected"] = "keep"
    claws = olfaction.load_connectome(measured(CLAW_COUNTS), sha256=SHA256[CLAW_COUNTS], **options)
    synapses = olfaction.load_connectome(measured(SYNAPSE_COUNTS), sha256=SHA256[SYNAPSE_COUNTS], **options)
    assert claws.shape == synapses.shape == (440, 54)
    assert (float(claws.sum()), float(claws.max())) == (2227.0, 3.0)
    assert (float(synapses.sum()), float(synapses.max())) == (37738.0, 62.0)
    assert ((synapses > 0) & (claws == 0)).sum() == 159
    assert synapses.values[claws.values > 0].min() >= 3.0
    assert float((claws > 0).sum("glomerulus").mean()) == pytest.approx(4.72, abs=0.005)
    assert float((synapses > 0).sum("glomerulus").mean()) == pytest.approx(5.08, abs=0.005)
    table = olfaction.load_connectome(measured(CLAWS)).sum("kenyon_cell")
    both = np.corrcoef(claws.sum("kenyon_cell"), table.sel(glomerulus=claws.glomerulus))[0, 1]
    assert both == pytest.approx(0.96, abs=0.005)


def test_nulls_of_fafb(measured):
    """As `test_nulls_of_the_hemibrain`; the sheet gives no deviation for uniform wiring, 0.8 and 0.6 here."""
    connectome = olfaction.load_connectome(measured(CLAW_COUNTS), glomeruli=measured(COLUMNS), unconnected="drop")
    wiring = connectome > 0
    assert wiring.shape == (439, 54)
    assert dimensions(wiring) == pytest.approx((153.26, 109.01), abs=0.0051)
    for null, expected, deviation in (
        (nulls.curveball, (161.3, 114.1), (1.1, 0.8)),
        (nulls.uniform, (203.0, 148.0), (0.8, 0.6)),
    ):
        found = np.mean([dimensions(null(wiring, seed=seed)) for seed in range(8)], axis=0)
        assert np.all(np.abs(found - expected) < 5.0 * np.array(deviation) * np.sqrt(2.0 / 8.0) + 0.5)


def test_caron(measured):
    connectome = olfaction.load_connectome(
        measured(CARON), glomeruli=measured(CARON_NAMES), sha256=SHA256[CARON], glomeruli_sha256=SHA256[CARON_NAMES]
    )
    assert connectome.shape == (200, 54)
    claws, types = connectome.total_claws, connectome.kenyon_cell_type
    for name, cells, mean, deviation in (
        ("alpha'/beta'", 14, 4.57, 1.34),
        ("alpha/beta", 84, 5.89, 1.12),
        ("gamma", 102, 7.85, 1.46),
    ):
        some = claws.values[(types == name).values]
        assert len(some) == cells
        assert (some.mean(), some.std(ddof=1)) == pytest.approx((mean, deviation), abs=0.0051)
    assert (claws.min(), claws.max()) == (2, 11)
    assert (claws.values.mean(), claws.values.std(ddof=1)) == pytest.approx((6.80, 1.73), abs=0.0051)
    assert connectome.sum() == 683
    fan_out = connectome.sum("kenyon_cell").to_series()
    assert fan_out[fan_out == 0].index.tolist() == ["DA3", "VL1"]
    assert fan_out.drop(["cold", "heat", "other"]).sum() == 654
    assert fan_out.nlargest(2).to_dict() == {"DA1": 35.0, "DC3": 35.0}
    assert (connectome.max("glomerulus") == 2).sum() == 11
    inputs, counts = np.unique(connectome.sum("glomerulus"), return_counts=True)
    assert dict(zip(inputs.tolist(), counts.tolist(), strict=True)) == {2: 48, 3: 64, 4: 54, 5: 26, 6: 7, 7: 1}


def test_hemibrain_meets_hallem_carlson(hemibrain, measured):
    odors = olfaction.load_odors(measured("hallem_carlson_2006/hc_data_drosolf.csv"), negative="clip")
    connectome = hemibrain(5)
    with pytest.raises(ValueError, match="columns Or33b and Or47a: both have glomerulus DM3; select one of them"):
        olfaction.match(connectome, odors)
    odors = odors.sel(receptor=odors.receptor != "Or33b")
    with pytest.raises(ValueError, match=r"and 33 more have no receptor in .*; receptor Or35a \(VC3\) has no column"):
        olfaction.match(connectome, odors)
    wiring, rates = olfaction.match(connectome, odors, unmatched="drop", unconnected="drop")
    assert np.array_equal(wiring.glomerulus, rates.glomerulus)
    assert wiring.sizes["glomerulus"] == 22
    assert (wiring > 0).any("glomerulus").all()
    assert wiring.attrs["dropped_glomeruli"] == 36
    assert rates.attrs["unmatched_receptors"] == 1
    assert rates.receptor.sel(glomerulus="DM3").item() == "Or47a"
    assert np.array_equal(rates.rate.sel(glomerulus="DL5"), odors.rate.sel(receptor="Or7a"))


# --- formats, on invented numbers ---------------------------------------------------------------------------------


def test_edge_list(load):
    connectome = load(EDGE_LIST, neurons=NEURON_LIST)
    assert connectome.glomerulus.values.tolist() == ["DX1", "DX2", "DX3"]
    assert connectome.kenyon_cell.values.tolist() == [101, 102]
    assert connectome.kenyon_cell_type.values.tolist() == ["KCy-m", "KCx"]
    assert connectome.values.tolist() == [[7.0, 0.0, 0.0], [1.0, 2.0, 0.0]]
    assert connectome.attrs["units"] == "synapses"


def test_thresholds_are_of_pairs_of_neurons(load):
    connectome = load(EDGE_LIST, neurons=NEURON_LIST, threshold=2)
    assert connectome.values.tolist() == [[7.0, 0.0, 0.0], [0.0, 2.0, 0.0]]
    connectome = load(EDGE_LIST, neurons=NEURON_LIST, threshold=4, unconnected="drop")
    assert connectome.values.tolist() == [[4.0, 0.0, 0.0]]
    assert connectome.attrs["dropped_kenyon_cells"] == 1
    kept = load(EDGE_LIST, neurons=NEURON_LIST, threshold=4, unconnected="keep")
    assert kept.values.tolist() == [[4.0, 0.0, 0.0], [0.0, 0.0, 0.0]]


def test_long_identifiers_are_exact(load):
    connectome = load(
        EDGE_LIST.replace("101", "9007199254740993"), neurons=NEURON_LIST.replace("101", "9007199254740993")
    )
    assert connectome.kenyon_cell.values.tolist() == [102, 9007199254740993]


def test_claw_list(load):
    connectome = load(CLAW_LIST)
    assert connectome.glomerulus.values.tolist() == ["DX1", "DX2"]
    assert connectome.kenyon_cell.values.tolist() == [5, 7]
    assert connectome.values.tolist() == [[1.0, 0.0], [1.0, 2.0]]


def test_matrices(load):
    connectome = load(MATRIX)
    assert connectome.kenyon_cell.values.tolist() == ["a", "b"]
    assert connectome.glomerulus.values.tolist() == ["DX2", "DX1"]
    assert connectome.values.tolist() == [[0.0, 3.0], [1.5, 2.0]]
    assert load(MATRIX, threshold=2).values.tolist() == [[0.0, 3.0], [0.0, 2.0]]
    numbered = load(NUMBERED, glomeruli=NUMBERED_NAMES, unconnected="drop")
    assert numbered.kenyon_cell.values.tolist() == [0, 2]
    assert numbered.sel(glomerulus="DX1").values.tolist() == [3.0, 1.0]


def test_identified_inputs(load):
    connectome = load(IDENTIFIED, glomeruli=IDENTIFIED_NAMES)
    assert connectome.values.tolist() == [[1.0, 1.0, 0.0], [2.0, 0.0, 1.0]]
    assert connectome.total_claws.values.tolist() == [4, 5]


def test_connectomes_can_be_written(load, tmp_path):
    for text, options in (
        (EDGE_LIST, {"neurons": NEURON_LIST}),
        (CLAW_LIST, {}),
        (MATRIX, {}),
        (IDENTIFIED, {"glomeruli": IDENTIFIED_NAMES}),
    ):
        connectome = load(text, **options)
        connectome.to_netcdf(tmp_path / "connectome.nc")
        with xr.open_dataarray(tmp_path / "connectome.nc") as again:
            assert again.load().equals(connectome)
        for array in (connectome, *connectome.coords.values()):
            assert array.attrs["units"]
            assert array.attrs["long_name"]


# --- bad input ----------------------------------------------------------------------------------------------------

WITH_NEURONS = {"neurons": NEURON_LIST}
WITH_NAMES = {"glomeruli": NUMBERED_NAMES, "unconnected": "keep"}
WITH_CLASSES = {"glomeruli": IDENTIFIED_NAMES}
BROKEN = [
    (EDGE_LIST, {}, "connectome.csv: this format needs neurons=, a second file"),
    (EDGE_LIST, WITH_NEURONS | {"threshold": 4}, "connectome.csv: Kenyon cell 102, like 0 others of 2, has no input"),
    (EDGE_LIST + "11,101,CA(L),1\n", WITH_NEURONS, "connectome.csv: row 6: the connection 11 -> 101 stands already i"),
    (EDGE_LIST.replace("13,", "99,"), WITH_NEURONS, "connectome.csv: row 5, column bodyId_pre: neuron 99 is not in "),
    (EDGE_LIST.replace("13,", "102,"), WITH_NEURONS, "connectome.csv: row 5, column bodyId_pre: neuron 102 is 'KCx',"),
    (EDGE_LIST.replace("12,101", "12,14"), WITH_NEURONS, "connectome.csv: row 4, column bodyId_post: neuron 14 is 'D"),
    (EDGE_LIST.replace("R),4", "R),-4"), WITH_NEURONS, "connectome.csv: row 2, column weight: '-4' is negative"),
    (EDGE_LIST.replace("R),4", "R),"), WITH_NEURONS, "connectome.csv: row 2, column weight: '' is missing"),
    (EDGE_LIST.replace("R),4", "R),4.5"), WITH_NEURONS, "connectome.csv: row 2, column weight: '4.5' is not an integ"),
    (EDGE_LIST.replace("12,101", "12;101"), WITH_NEURONS, "connectome.csv: row 4: has 3 fields, and should have 4"),
    (EDGE_LIST.replace(",", ";"), WITH_NEURONS, "connectome.csv: row 1: fields are separated by ';', and should be b"),
    (EDGE_LIST.splitlines()[0], WITH_NEURONS, "connectome.csv: has a header and no rows"),
    ("", WITH_NEURONS, "connectome.csv: is empty"),
    (EDGE_LIST, {"neurons": NEURON_LIST.replace(",", ";")}, "neurons.csv: row 1: fields are separated by ';'"),
    (EDGE_LIST, {"neurons": NEURON_LIST.replace("type", "kind")}, "neurons.csv: row 1, column type: there is no such"),
    (EDGE_LIST, {"neurons": NEURON_LIST.replace("14,", "11,")}, "neurons.csv: row 5, column bodyId: '11' stands alre"),
    (CLAW_LIST.replace("d,DX1", "d,DX2"), {}, "connectome.csv: row 5, column pn_type: neuron 22 is in 'DX2' here, an"),
    (CLAW_LIST, WITH_NEURONS, "connectome.csv: this format has no use for neurons=; leave it out"),
    (CLAW_LIST.replace("d,DX1", "d,"), {}, "connectome.csv: row 5, column pn_type: the glomerulus is missing"),
    (CLAW_LIST.replace("22,5", "22,x"), {}, "connectome.csv: row 5, column kc_skid: 'x' is not a finite number"),
    (MATRIX.replace("1.5", "-1.5"), {}, "connectome.csv: row 3, column DX2: '-1.5' is negative"),
    (MATRIX.replace("1.5", "NA"), {}, "connectome.csv: row 3, column DX2: 'NA' is missing"),
    (MATRIX.replace("DX2", "DX1"), {}, "connectome.csv: row 1, column DX1: column 'DX1' stands twice"),
    (MATRIX.replace("\nb", "\na"), {}, "connectome.csv: row 3, column kenyon_cell: 'a' stands already in row 2"),
    (MATRIX.replace("kenyon_cell", "cell"), {}, "connectome.csv: row 1: the header starts with 'cell,DX2,DX1', which"),
    (MATRIX, {"glomeruli": NUMBERED_NAMES}, "connectome.csv: this format has no use for glomeruli=; leave it out"),
    (NUMBERED, {}, "connectome.csv: this format needs glomeruli=, a second file"),
    (NUMBERED, {"glomeruli": NUMBERED_NAMES}, "connectome.csv: Kenyon cell 1, like 0 others of 3, has no input of we"),
    (NUMBERED, WITH_NAMES | {"glomeruli": NUMBERED_NAMES + "2,DX3"}, "connectome.csv: row 1: has 2 glomeruli, and "),
    (NUMBERED, WITH_NAMES | {"glomeruli": NUMBERED_NAMES.replace("1,", "5,")}, "glomeruli.csv: row 3, column 1: '5'"),
    (IDENTIFIED, {}, "connectome.csv: this format needs glomeruli=, a second file"),
    (IDENTIFIED.replace("2,1.0", "2,9"), WITH_CLASSES, "connectome.csv: row 2, column glom_2: '9' is no number of a"),
    (IDENTIFIED.replace("2,1.0", "2,1.5"), WITH_CLASSES, "connectome.csv: row 2, column glom_2: '1.5' is no number"),
    (IDENTIFIED, {"glomeruli": NUMBERED_NAMES}, "glomeruli.csv: row 1: the header should be glom_class,glom_number"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "options", "message"), BROKEN)
def test_bad_connectomes_are_one_line(load, tmp_path, text, options, message):
    with pytest.raises(ValueError, match=r"\.csv: ") as raised:
        load(text, **options)
    assert str(raised.value).startswith(f"{tmp_path}/{message}")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 0}, "threshold: 0 is not allowed"),
        ({"threshold": True}, "threshold: True is not allowed"),
        ({"unconnected": "zero"}, "unconnected: 'zero' is not allowed"),
    ],
)
def test_bad_options_are_one_line(load, options, message):
    with pytest.raises(ValueError, match="not allowed") as raised:
        load(MATRIX, **options)
    assert str(raised.value).startswith(message)


# --- matching -----------------------------------------------------------------------------------------------------


def odors_of(receptors, glomeruli=None):
    coordinates = {"odor": ["first", "second"], "receptor": list(receptors)}
    if glomeruli is not None:
        coordinates["glomerulus"] = ("receptor", list(glomeruli))
    rates = np.arange(2.0 * len(receptors)).reshape(2, -1)
    return xr.Dataset({"rate": (("odor", "receptor"), rates)}, coordinates, {"source": "odors.csv"})


def test_columns_come_into_one_order(load):
    wiring, odors = olfaction.match(load(MATRIX), odors_of(["Or1x", "Or2x"], ["DX1", "DX2"]))
    assert wiring.glomerulus.values.tolist() == odors.glomerulus.values.tolist() == ["DX2", "DX1"]
    assert odors.receptor.values.tolist() == ["Or2x", "Or1x"]
    assert odors.rate.dims == ("odor", "glomerulus")
    assert (odors.rate @ wiring).dims == ("odor", "kenyon_cell")
    by_map, _ = olfaction.match(load(MATRIX), odors_of(["Or1x", "Or2x"]), {"Or1x": "DX1", "Or2x": "DX2", "Or3x": "DX1"})
    assert by_map.identical(wiring)


def test_what_does_not_match_is_left_out_when_asked(load):
    connectome = load(MATRIX)
    odors = odors_of(["Or1x", "Or2x"], ["DX2", "DX9"])
    wiring, matched = olfaction.match(connectome, odors, unmatched="drop", unconnected="keep")
    assert wiring.values.tolist() == [[0.0], [1.5]]
    assert matched.rate.values.tolist() == [[0.0], [2.0]]
    assert (wiring.attrs["dropped_glomeruli"], wiring.attrs["unconnected_kenyon_cells"]) == (1, 1)
    wiring, _ = olfaction.match(connectome, odors, unmatched="drop", unconnected="drop")
    assert wiring.kenyon_cell.values.tolist() == ["b"]
    assert "dropped_glomeruli" not in connectome.attrs


@pytest.mark.parametrize(
    ("odors", "options", "message"),
    [
        (odors_of(["Or1x"]), {}, "odors.csv: names no glomeruli; give receptor_map="),
        (odors_of(["Or1x"], [""]), {}, "odors.csv: column Or1x: has no glomerulus"),
        (odors_of(["Or1x", "Or2x"], ["DX1", "DX1"]), {}, "odors.csv: columns Or1x and Or2x: both have glomerulus DX1"),
        (odors_of(["Or1x"], ["DX1"]), {}, "{path}: column DX2 has no receptor in odors.csv; no receptor has no column"),
        (
            odors_of(["Or1x", "Or2x", "Or3x"], ["DX1", "DX2", "DX3"]),
            {},
            "{path}: no column has no receptor in odors.csv; receptor Or3x (DX3) has no column; choose unmatched='dro",
        ),
        (odors_of(["Or1x"], ["DX9"]), {"unmatched": "drop"}, "{path}: has no glomerulus of odors.csv: columns are DX"),
        (odors_of(["Or1x"], ["DX2"]), {"unmatched": "drop"}, "{path}: Kenyon cell a, like 0 others of 2, has no inpu"),
        (odors_of(["Or1x"], ["DX1"]), {"unmatched": "keep"}, "unmatched: 'keep' is not allowed"),
        (odors_of(["Or1x"], ["DX1"]), {"unconnected": "zero"}, "unconnected: 'zero' is not allowed"),
    ],
)  # fmt: skip
def test_what_does_not_match_is_one_line(load, tmp_path, odors, options, message):
    with pytest.raises(ValueError, match=r"odors|allowed") as raised:
        olfaction.match(load(MATRIX), odors, **options)
    assert str(raised.value).startswith(message.format(path=tmp_path / "connectome.csv"))
    assert "\n" not in str(raised.value)


# --- random wirings -----------------------------------------------------------------------------------------------


def random_wiring(cells, glomeruli, seed):
    rng = np.random.default_rng(seed)
    return rng.random((cells, glomeruli)) < rng.uniform(0.05, 0.6, glomeruli)


def test_curveball_keeps_all_degrees():
    for cells in (40, 41):
        wiring = random_wiring(cells, 12, cells)
        found = nulls.curveball(wiring, sweeps=30, seed=1)
        assert set(np.unique(found)) == {0.0, 1.0}
        assert np.array_equal(found.sum(axis=0), wiring.sum(axis=0))
        assert np.array_equal(found.sum(axis=1), wiring.sum(axis=1))
        assert not np.array_equal(found, wiring)
        assert np.array_equal(found, nulls.curveball(wiring, sweeps=30, seed=1))
        assert not np.array_equal(found, nulls.curveball(wiring, sweeps=30, seed=2))
    assert np.array_equal(nulls.curveball(wiring, sweeps=0), wiring)


def test_curveball_reaches_every_wiring_equally_often():
    """Chi-square over all 3 x 3 wirings with degrees (2, 1, 1) both ways, false alarm 1e-7; one left out would show."""
    from scipy import stats

    states = [
        np.array(rows)
        for rows in itertools.product(itertools.product((0, 1), repeat=3), repeat=3)
        if np.sum(rows, axis=1).tolist() == [2, 1, 1] and np.sum(rows, axis=0).tolist() == [2, 1, 1]
    ]
    assert len(states) == 5
    draws = 2000
    found = np.array([nulls.curveball(states[0], sweeps=12, seed=seed) for seed in range(draws)])
    counts = np.array([(found == state).all(axis=(1, 2)).sum() for state in states])
    assert counts.sum() == draws
    assert stats.chisquare(counts).pvalue > 1e-7


def test_curveball_agrees_with_trades_one_by_one():
    """Mean overlap of two cells within 5 standard errors (false alarm 6e-7)."""
    wiring = random_wiring(30, 15, 4)

    def overlap(matrix):
        return float((np.asarray(matrix)[0] * np.asarray(matrix)[1]).sum())

    ours = np.array([overlap(nulls.curveball(wiring, 30, seed)) for seed in range(400)])
    theirs = np.array([overlap(naive.trades(wiring, 240, seed)) for seed in range(200)])
    error = np.sqrt(ours.var(ddof=1) / 400 + theirs.var(ddof=1) / 200)
    assert abs(ours.mean() - theirs.mean()) < 5.0 * error


def test_shared_cells_are_counted():
    wiring = random_wiring(30, 8, 3)
    found = nulls.shared_cells(wiring)
    expected = [[sum(row[i] and row[j] for row in wiring) for j in range(8)] for i in range(8)]
    np.testing.assert_array_equal(found, expected)
    named = xr.DataArray(
        wiring, {"glomerulus": ("glomerulus", list("abcdefgh"), {"units": "1"})}, ("kenyon_cell", "glomerulus")
    )
    shared = nulls.shared_cells(named)
    np.testing.assert_array_equal(shared, expected)
    assert shared.sel(glomerulus="c", other_glomerulus="e") == expected[2][4]
    assert shared.dims == ("glomerulus", "other_glomerulus")
    assert shared.other_glomerulus.attrs == {"units": "1"}
    assert shared.attrs["units"] == "1"
    assert nulls.shared_cells(named.drop_vars("glomerulus")).dims == shared.dims
    with pytest.raises(ValueError, match=r"^connections: 2 at \(0, 1\) is not allowed"):
        nulls.shared_cells([[1, 2]])


@pytest.mark.parametrize("null", [nulls.frequency_weighted, nulls.uniform])
def test_draws_keep_the_degrees_of_cells(null):
    wiring = random_wiring(200, 12, 5)
    found = null(wiring, seed=1)
    assert np.array_equal(found.sum(axis=1), wiring.sum(axis=1))
    assert np.array_equal(found, null(wiring, seed=1))
    assert not np.array_equal(found.sum(axis=0), wiring.sum(axis=0))


def test_draws_follow_their_probabilities():
    """Cells with two inputs: pairs by draws without replacement, chi-square with a false alarm of 1e-7."""
    from scipy import stats

    wiring = np.zeros((6000, 3))
    for cells, pair in ((slice(0, 3600), [0, 1]), (slice(3600, 5400), [0, 2]), (slice(5400, 6000), [1, 2])):
        wiring[cells, pair[0]] = wiring[cells, pair[1]] = 1.0
    weight = wiring.sum(axis=0) / wiring.sum()
    left_out = {
        2: weight[0] * weight[1] / (1 - weight[0]) + weight[1] * weight[0] / (1 - weight[1]),
        1: weight[0] * weight[2] / (1 - weight[0]) + weight[2] * weight[0] / (1 - weight[2]),
        0: weight[1] * weight[2] / (1 - weight[1]) + weight[2] * weight[1] / (1 - weight[2]),
    }
    expected = 6000.0 * np.array([left_out[k] for k in range(3)])
    for null, law in ((nulls.frequency_weighted, expected), (nulls.uniform, np.full(3, 2000.0))):
        counts = (null(wiring, seed=2) == 0.0).sum(axis=0)
        assert stats.chisquare(counts, law).pvalue > 1e-7
    assert stats.chisquare((nulls.uniform(wiring, seed=2) == 0.0).sum(axis=0), expected).pvalue < 1e-7


def test_labels_are_kept(load):
    connectome = load(MATRIX) > 0
    for found in (nulls.curveball(connectome), nulls.frequency_weighted(connectome), nulls.uniform(connectome)):
        assert found.coords.equals(connectome.coords)
        assert found.attrs["units"] == "1"


@pytest.mark.parametrize("null", [nulls.curveball, nulls.frequency_weighted, nulls.uniform])
def test_weights_are_refused(null):
    with pytest.raises(ValueError, match=r"connections: 2\.0 at \(1, 0\) is not allowed: should be 0 or 1"):
        null([[1.0, 0.0], [2.0, 1.0]])
    with pytest.raises(ValueError, match=r"connections: shape \(2,\) is not allowed"):
        null([1.0, 0.0])


def test_sweeps_are_checked():
    with pytest.raises(ValueError, match="sweeps: -1 is not allowed"):
        nulls.curveball(np.eye(2), sweeps=-1)
