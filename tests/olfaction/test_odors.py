"""Loading tables of odors: the measured ones against their counts, and invented ones that are broken in every way."""

import functools
import hashlib
import http.server
import threading

import numpy as np
import pytest

from simnn import olfaction

HALLEM_CARLSON = "hallem_carlson_2006/Hallem_Carlson_2006_drosolf.csv"
WITH_DILUTIONS = "hallem_carlson_2006/hc_data_drosolf.csv"
DOOR = "door/door_response_matrix.csv"
DOOR_NAMES = "door/odor.csv"
RAW_DOOR = "door/door_response_matrix_non_normalized.csv"
LARVA = "larval_orn_2019/log_10_EC50.csv"
SHA256 = {
    HALLEM_CARLSON: "3c8ca5e24406710fd4676341463783bd4c173a87c25b498916648ebb05f60ed7",
    WITH_DILUTIONS: "fa1d82bb668e8fa492bd98a6f7377c971e3cd9f6395c4a820188ee8a277c58ed",
    DOOR: "bc2aa5414ff54d3a1399f5fe171e154bcadc754bcf323a3c27711a54f70848e2",
    RAW_DOOR: "6e3aaebe5ab53f847c127501aa67273188b13db529e86ce032a4b9be13aac810",
    DOOR_NAMES: "a31d1841cf90ce23ec149760a5efa38eae02de7820bb2300c3a7dba221745940",
    LARVA: "0dffb0a1b37ae99091bfb27d3bdfdfef6724dfc8bd3699cf573579d52592ee39",
}

# Invented numbers, in the formats that are read.
PLAIN = """\
odor,DX1,,DX2,cas_number
odor,1x,2x,3x,
spontaneous firing rate,4,10,6,
first,100,-3,0,0-0-0
second,-5,20.5,7,
"""
CLASSES = """\
class,odor,DX1,DX2
,,1x,2x
3,first,10,20
10,second odor,-3,7
11,second odor -2,-3,7
11,first -2,11,20
11,first -6,1,2
12,plum pure,50,60
12,plum -4,5,6
,spontaneous firing rate,4,9
"""
UNITS = """\
"a1";"Or1x";"b2"
"SFR";0.1;NA;0.2
"KEY-ONE";0.5;0.25;NA
"KEY-TWO";0.4;0.75;1
"KEY-THREE";NA;0.5;0
"""
CURVES = """\
,'Or1x','Or2x '
'first',-4.5,NaN
'second ',NaN,-3.25
"""


@pytest.fixture
def load(tmp_path):
    """Load a table from its text."""

    def from_text(text, **options):
        path = tmp_path / "odors.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return olfaction.load_odors(path, **options)

    return from_text


# --- measured tables ----------------------------------------------------------------------------------------------


def test_hallem_carlson(measured):
    ds = olfaction.load_odors(measured(HALLEM_CARLSON), sha256=SHA256[HALLEM_CARLSON], negative="keep")
    change = ds.change.values
    assert dict(ds.sizes) == {"odor": 110, "receptor": 24}
    assert change.mean() == pytest.approx(26.76, abs=0.005)
    assert change.std() == pytest.approx(52.57, abs=0.005)
    assert (change.min(), change.max()) == (-52.0, 288.0)
    for level, percent in ((50, 16.97), (100, 8.90), (200, 2.61)):
        assert 100.0 * (change >= level).mean() == pytest.approx(percent, abs=0.006)
    assert 100.0 * (change < 0).mean() == pytest.approx(30.80, abs=0.006)
    assert 100.0 * (change <= -10).mean() == pytest.approx(10.49, abs=0.006)
    spontaneous = ds.spontaneous_rate.values
    assert (spontaneous.mean(), spontaneous.min(), spontaneous.max()) == (13.75, 1.0, 47.0)
    assert np.array_equal(ds.rate, ds.change + ds.spontaneous_rate)
    assert (ds.rate < 0.0).sum() == ds.attrs["negative_responses"] == 80
    totals = ds.rate.sum("receptor").values
    assert totals.mean() == pytest.approx(972.3, abs=0.05)
    assert totals.std(ddof=1) / totals.mean() == pytest.approx(0.598, abs=5e-4)
    assert ds.rate.attrs["units"] == ds.change.attrs["units"] == ds.spontaneous_rate.attrs["units"] == "spikes/s"
    assert [name for name in ds.receptor.values if not ds.glomerulus.sel(receptor=name).item()] == ["Or33b", "Or85b"]


def test_hallem_carlson_needs_a_rule_for_negative_rates(measured):
    path = measured(HALLEM_CARLSON)
    with pytest.raises(ValueError, match="79 others of 2640 are negative; choose negative='clip' or 'keep'"):
        olfaction.load_odors(path)
    clipped = olfaction.load_odors(path, negative="clip")
    assert clipped.rate.min() == 0.0
    assert clipped.rate.mean() == pytest.approx(40.67197, abs=5e-6)
    assert clipped.change.min() == -52.0


def test_hallem_carlson_with_dilutions(measured):
    ds = olfaction.load_odors(measured(WITH_DILUTIONS), sha256=SHA256[WITH_DILUTIONS], negative="keep")
    plain = olfaction.load_odors(measured(HALLEM_CARLSON), negative="keep")
    assert dict(ds.sizes) == {"odor": 186, "receptor": 24}
    classes, counts = np.unique(ds.chemical_class, return_counts=True)
    expected = {
        "amines": 3, "lactones": 5, "acids": 15, "sulfur compounds": 2, "terpenes": 16, "aldehydes": 8, "ketones": 6,
        "aromatics": 13, "alcohols": 18, "esters": 24, "dilutions": 40, "fruits": 36,
    }  # fmt: skip
    assert dict(zip(classes.tolist(), counts.tolist(), strict=True)) == expected
    main = ds.sel(odor=~ds.chemical_class.isin(["dilutions", "fruits"]))
    assert np.array_equal(main.change, plain.change)
    assert list(main.odor.values) == list(plain.odor.values)
    assert np.array_equal(ds.receptor, plain.receptor)
    assert (ds.repeats != "").sum() == 10
    assert set(ds.log10_dilution.values[(ds.repeats != "").values]) == {-2.0}
    assert len(np.unique(ds.change.sel(odor=ds.repeats == ""), axis=0)) == 176
    by_receptor = ds.glomerulus.to_series()
    assert by_receptor[by_receptor == "DM3"].index.tolist() == ["Or33b", "Or47a"]
    assert by_receptor["Or85b"] == "VM5d"


@pytest.mark.parametrize("name", [DOOR, RAW_DOOR])
def test_door(measured, name):
    path = measured(name)
    with pytest.raises(ValueError, match=r"row 3, column ac1B: missing, like 46513 others of 53820"):
        olfaction.load_odors(path)
    ds = olfaction.load_odors(path, sha256=SHA256[name], missing="keep")
    assert dict(ds.sizes) == {"odor": 690, "receptor": 78}
    measured_here = ds.response.notnull()
    assert measured_here.sum() + ds.spontaneous_response.notnull().sum() == 7379  # of 691 x 78
    assert 100.0 * measured_here.values.mean() == pytest.approx(13.57, abs=0.006)
    assert (~measured_here.any("receptor")).sum() == 45
    nowhere = ds.receptor.values[~(measured_here.any("odor") | ds.spontaneous_response.notnull()).values]
    assert nowhere.tolist() == ["Or22c", "Or24a", "Or67d", "pb2A"]
    everything = np.fmax(ds.response.max("odor"), ds.spontaneous_response)
    assert (ds.response.min(), float(everything.max())) == (0.0, 1.0)
    assert ds.response.attrs["units"] == "1"
    if name == DOOR:
        assert float(everything.min()) == pytest.approx(0.035, abs=5e-4)
    else:
        assert np.array_equal(everything.dropna("receptor"), np.ones(74))


def test_door_leaves_nothing_that_is_complete(measured):
    path = measured(DOOR)
    for policy in ("drop odors", "drop receptors"):
        with pytest.raises(ValueError, match=f"missing='{policy}' leaves nothing: 46514 of 53820"):
            olfaction.load_odors(path, missing=policy)
    ds = olfaction.load_odors(path, missing="drop odors", receptors=["Or22a", "Or10a", "Or7a"])
    assert ds.receptor.values.tolist() == ["Or22a", "Or10a", "Or7a"]
    assert not ds.response.isnull().any()
    assert ds.attrs["dropped_odors"] + ds.sizes["odor"] == 690


def test_door_shares_names_with_hallem_carlson(measured):
    door = olfaction.load_odors(
        measured(DOOR), names=measured(DOOR_NAMES), names_sha256=SHA256[DOOR_NAMES], missing="keep"
    )
    ours = olfaction.load_odors(measured(HALLEM_CARLSON), negative="keep")
    assert len(set(door.name.values)) == 690
    assert len(set(door.name.values) & set(ours.odor.values)) == 97


def test_larva(measured):
    ds = olfaction.load_odors(measured(LARVA), sha256=SHA256[LARVA], missing="keep")
    assert dict(ds.sizes) == {"odor": 34, "receptor": 21}
    assert ds.attrs["missing_responses"] == int(ds.log10_ec50.isnull().sum()) == 455
    assert (float(ds.log10_ec50.min()), float(ds.log10_ec50.max())) == pytest.approx((-9.045, -1.374), abs=5e-4)
    assert float(ds.log10_ec50.mean()) == pytest.approx(-4.167, abs=5e-4)
    assert "4-methylcyclohexanol" in ds.odor.values


# --- formats, on invented numbers ---------------------------------------------------------------------------------


def test_plain_table(load):
    ds = load(PLAIN, negative="keep")
    assert ds.receptor.values.tolist() == ["Or1x", "Or2x", "Or3x"]
    assert ds.glomerulus.values.tolist() == ["DX1", "", "DX2"]
    assert ds.odor.values.tolist() == ["first", "second"]
    assert ds.rate.values.tolist() == [[104.0, 7.0, 6.0], [-1.0, 30.5, 13.0]]
    assert ds.attrs["sha256"] == hashlib.sha256(PLAIN.encode()).hexdigest()
    clipped = load(PLAIN, negative="clip")
    assert clipped.rate.values.tolist() == [[104.0, 7.0, 6.0], [0.0, 30.5, 13.0]]
    assert clipped.change.identical(ds.change)
    assert clipped.attrs["negative_responses"] == 1
    assert load(PLAIN, receptors=["Or3x", "Or2x"]).rate.values.tolist() == [[6.0, 7.0], [13.0, 30.5]]


def test_line_ends_and_byte_order_marks_are_no_matter(load):
    ds = load(PLAIN, negative="keep")
    assert load(PLAIN.replace("\n", "\r\n"), negative="keep").change.identical(ds.change)
    assert load(b"\xef\xbb\xbf" + PLAIN.encode(), negative="keep").change.identical(ds.change)
    assert load(PLAIN.rstrip(), negative="keep").change.identical(ds.change)


def test_table_with_classes(load):
    ds = load(CLASSES)
    assert ds.chemical_class.values.tolist() == ["acids", "esters"] + 3 * ["dilutions"] + 2 * ["fruits"]
    assert ds.log10_dilution.values.tolist() == [-2.0, -2.0, -2.0, -2.0, -6.0, 0.0, -4.0]
    assert ds.repeats.values.tolist() == ["", "", "second odor", "", "", "", ""]
    assert ds.rate.values[5].tolist() == [54.0, 69.0]


def test_units_with_gaps(load):
    kept = load(UNITS, missing="keep")
    assert kept.odor.values.tolist() == ["KEY-ONE", "KEY-TWO", "KEY-THREE"]
    assert np.isnan(kept.response.values).sum() == kept.attrs["missing_responses"] == 2
    assert np.isnan(kept.spontaneous_response.values).tolist() == [False, True, False]
    odors = load(UNITS, missing="drop odors")
    assert odors.odor.values.tolist() == ["KEY-TWO"]
    assert (odors.attrs["dropped_odors"], odors.attrs["dropped_receptors"]) == (2, 0)
    receptors = load(UNITS, missing="drop receptors")
    assert receptors.response.values.tolist() == [[0.25], [0.75], [0.5]]
    assert (receptors.attrs["dropped_odors"], receptors.attrs["dropped_receptors"]) == (0, 2)
    assert load(UNITS, receptors=["Or1x"]).response.identical(receptors.response)


NAMES = """\
"Class";"Name";"InChIKey"
"1";"x";"first; best";"KEY-ONE"
"2";NA;"spontaneous";"SFR"
"3";"y";"second";"KEY-TWO"
"4";"x";"third";"KEY-THREE"
"""


def test_units_with_names(load, tmp_path):
    path = tmp_path / "names.csv"
    path.write_text(NAMES)
    ds = load(UNITS, names=path, missing="drop odors", receptors=["a1"])
    assert ds.name.values.tolist() == ["first; best", "second"]
    with pytest.raises(ValueError, match=r"odors\.csv: has names itself; leave out names="):
        load(PLAIN, names=path)
    for text, message in (
        (
            NAMES.replace("KEY-TWO", "KEY-FOUR"),
            r"odors\.csv: row 4, column of row names: 'KEY-TWO' is not in .*names\.csv",
        ),
        (NAMES.replace('"Name"', '"Nom"'), r"names\.csv: row 1, column Name: there is no such column"),
        (NAMES.replace("second", "third"), r"names\.csv: row 5, column Name: 'third' stands already in row 4"),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            load(UNITS, names=path, missing="keep")


def test_curves(load):
    ds = load(CURVES, missing="keep")
    assert ds.odor.values.tolist() == ["first", "second"]
    assert ds.receptor.values.tolist() == ["Or1x", "Or2x"]
    assert ds.log10_ec50.values[0, 0] == -4.5


def test_datasets_can_be_written(load, tmp_path):
    import xarray as xr

    for text in (PLAIN, CLASSES, UNITS, CURVES):
        ds = load(text, missing="keep", negative="keep")
        ds.to_netcdf(tmp_path / "odors.nc")
        with xr.open_dataset(tmp_path / "odors.nc") as again:
            assert again.load().equals(ds)
        for name in (*ds.data_vars, *ds.coords):
            assert ds[name].attrs["units"]
            assert ds[name].attrs["long_name"]


# --- bad input ----------------------------------------------------------------------------------------------------

BROKEN = [
    (PLAIN, "row 5, column Or1x: the absolute response is -1, and 0 others of 6 are negative"),
    (PLAIN.replace("20.5", ""), "row 5, column Or2x: missing, like 0 others of 6 responses; choose missing="),
    (PLAIN.replace("20.5", "NA"), "row 5, column Or2x: missing"),
    (PLAIN.replace("20.5", '"20,5"'), "row 5, column 2x: '20,5' is not a finite number"),
    (PLAIN.replace("20.5", "inf"), "row 5, column 2x: 'inf' is not a finite number"),
    (PLAIN.replace("20.5", "2_0"), "row 5, column 2x: '2_0' is not a finite number"),
    (PLAIN.replace("20.5", "many"), "row 5, column 2x: 'many' is not a finite number"),
    (PLAIN.replace("20.5,", ""), "row 5: has 4 fields, and should have 5"),
    (PLAIN.replace("20.5", "20;5"), "row 5, column 2x: '20;5' is not a finite number"),
    (PLAIN.replace(",", ";"), "row 1: fields are separated by ';', and should be by ','"),
    (PLAIN.replace(",", "\t"), "row 1: fields are separated by tabs, and should be by ','"),
    (PLAIN.replace(",", " "), "row 1: the header starts with 'odor DX1  DX2 cas_number', which is no known table"),
    (PLAIN.replace("second", "first"), "row 5, column odor: 'first' stands already in row 4"),
    (PLAIN.replace("second", ""), "row 5, column odor: the name is empty"),
    (PLAIN.replace("\nfirst", "\n\nfirst"), "row 4: is blank"),
    (PLAIN.replace("2x", "1x"), "row 2, column 1x: receptor '1x' stands twice"),
    (PLAIN.replace("2x", ""), "row 2: receptor number 2 has no name"),
    (PLAIN.replace("rate,4", "rate,-4"), "row 3, column 1x: the spontaneous rate -4 is negative"),
    (PLAIN.replace("rate,4", "rate,"), "row 3, column 1x: the spontaneous rate is missing"),
    (PLAIN.replace("spontaneous firing rate", "third"), "has no row 'spontaneous firing rate'"),
    (PLAIN.replace("odor,1x", "first,1x"), "row 2: should be the second row of the header"),
    ("\n".join(PLAIN.splitlines()[:3]), "has no odors"),
    (PLAIN.splitlines()[0], "has a header and no rows"),
    (PLAIN.replace("second", '"sec"ond'), "row 5: "),
    ("", "is empty"),
    ("\n \n", "is empty"),
    (b"odor,\xff", "is not UTF-8 text (byte 5)"),
    (CLASSES.replace("3,first", "30,first"), "row 3, column class: '30' is no class from 1 to 12"),
    (CLASSES.replace("pure", "raw"), "row 8, column odor: 'plum raw' does not end in a dilution"),
    (UNITS, "row 3, column b2: missing, like 1 others of 9 responses; choose missing='drop odors'"),
    (UNITS.replace("0.4", "-0.4").replace("NA", "0"), "row 4, column a1: the absolute response is -0.4"),
    (UNITS.replace("0.4", "0,4"), "row 4, column a1: '0,4' is not a finite number"),
    (UNITS.replace(";", ","), "row 1: fields are separated by ',', and should be by ';'"),
    (UNITS.replace("SFR", "KEY-FOUR"), "row 1: the header starts with 'a1;Or1x;b2', which is no known table of odors"),
    (UNITS.replace("KEY-TWO", "KEY-ONE"), "row 4, column of row names: 'KEY-ONE' stands already in row 3"),
    (CURVES, "row 2, column Or2x: missing, like 1 others of 4"),
    (CURVES.replace("-4.5", "weak"), "row 2, column Or1x: 'weak' is not a finite number"),
]


@pytest.mark.parametrize(("text", "message"), BROKEN)
def test_bad_tables_are_one_line(load, tmp_path, text, message):
    with pytest.raises(ValueError, match=r"odors\.csv: ") as raised:
        load(text)
    assert str(raised.value).startswith(f"{tmp_path / 'odors.csv'}: {message}")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"missing": "zero"}, "missing: 'zero' is not allowed: should be one of 'error', 'drop odors'"),
        ({"negative": "drop"}, "negative: 'drop' is not allowed: should be one of 'error', 'clip', 'keep'"),
        ({"receptors": []}, "receptors: [] is not allowed"),
        ({"receptors": ["Or1x", "Or1x"]}, "receptors: ['Or1x', 'Or1x'] is not allowed"),
    ],
)
def test_bad_options_are_one_line(load, options, message):
    with pytest.raises(ValueError, match="not allowed") as raised:
        load(PLAIN, **options)
    assert str(raised.value).startswith(message)


def test_an_unknown_receptor_is_named(load):
    with pytest.raises(ValueError, match=r"has no receptor 'Or9x'; it has Or1x, Or2x, Or3x"):
        load(PLAIN, receptors=["Or9x"])


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"odors\.csv"):
        olfaction.load_odors(tmp_path / "odors.csv")


# --- checksums and downloads --------------------------------------------------------------------------------------


def test_a_checksum_is_checked(load):
    digest = hashlib.sha256(PLAIN.encode()).hexdigest()
    assert load(PLAIN, negative="keep", sha256=digest.upper()).attrs["sha256"] == digest
    with pytest.raises(ValueError, match=rf"odors\.csv: SHA-256 is {digest}, and should be 00"):
        load(PLAIN, negative="keep", sha256=64 * "0")


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serve a folder on this machine; nothing leaves it."""
    folder = tmp_path / "served"
    folder.mkdir()
    asked = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            asked.append(self.path)

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("SIMNN_CACHE_DIR", str(tmp_path / "cache"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=folder)) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}", folder, asked
        running.shutdown()
        thread.join()


def test_a_url_is_fetched_once_and_checked(server):
    address, folder, asked = server
    (folder / "odors.csv").write_text(PLAIN)
    url = f"{address}/odors.csv"
    with pytest.raises(ValueError, match="a URL needs sha256"):
        olfaction.load_odors(url)
    assert asked == []
    digest = hashlib.sha256(PLAIN.encode()).hexdigest()
    first = olfaction.load_odors(url, sha256=digest, negative="keep")
    assert first.attrs["source"] == url
    assert olfaction.load_odors(url, sha256=digest, negative="keep").identical(first)
    assert asked == ["/odors.csv"]
    with pytest.raises(ValueError, match=r"odors\.csv: SHA-256 of what it gives is not 00") as raised:
        olfaction.load_odors(url, sha256=64 * "0")
    assert "\n" not in str(raised.value)
    with pytest.raises(OSError, match=r"absent\.csv: cannot be fetched") as failed:
        olfaction.load_odors("http://127.0.0.1:1/absent.csv", sha256=digest)
    assert "\n" not in str(failed.value)
