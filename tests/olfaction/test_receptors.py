"""Divisive normalisation against its published points, and on the measured table."""

import numpy as np
import pytest
import xarray as xr

from simnn import olfaction
from simnn.olfaction import receptors

HALLEM_CARLSON = "hallem_carlson_2006/Hallem_Carlson_2006_drosolf.csv"
NAMES = ("mean", "odor_correlation", "channel_correlation", "first_component", "dimension")
DIGITS = np.array([5, 4, 4, 4, 4])


@pytest.fixture(scope="module")
def table(measured):
    return olfaction.load_odors(measured(HALLEM_CARLSON), negative="keep")


def statistics(rates):
    found = olfaction.layer_statistics(rates)
    return np.array([found[name] for name in NAMES])


def test_one_active_receptor():
    assert olfaction.projection_neurons([100.0] + 23 * [0.0])[0] == pytest.approx(156.4274, abs=5.1e-5)


@pytest.mark.parametrize(
    ("total", "expected"),
    [
        (0.0, (71.2886, 147.6410, 158.4148, 162.6101)),
        (500.0, (23.5943, 107.4183, 138.7111, 154.6383)),
        (1000.0, (10.6124, 71.7017, 113.0103, 141.9171)),
        (2000.0, (4.1516, 36.9510, 74.1508, 115.1292)),
    ],
)
def test_published_points(total, expected):
    rates = np.array([10.0, 50.0, 100.0, 200.0])
    # Other receptors bring the sum to the total; a total of zero is what no inhibition means.
    padded = np.column_stack([rates, total - rates if total else np.zeros(4)])
    found = olfaction.projection_neurons(padded, inhibition="input gain" if total else "none")[:, 0]
    assert found == pytest.approx(expected, abs=5.1e-5)


def test_layers_of_the_measured_table(table):
    rates = table.rate.clip(0.0, keep_attrs=True)
    layers = [
        (rates, (40.67197, 0.2081, 0.3085, 0.4071, 4.8082)),
        (olfaction.projection_neurons(rates, input_gain=0.0), (107.18329, 0.1960, 0.3132, 0.3892, 5.4720)),
        (olfaction.projection_neurons(table.rate, negative="clip"), (48.10157, 0.2433, 0.1689, 0.2019, 10.1311)),
        (
            olfaction.projection_neurons(table.change, negative="sum then clip"),
            (39.60405, 0.3549, 0.1434, 0.1634, 11.2519),
        ),
    ]
    for layer, expected in layers:
        assert np.all(np.abs(statistics(layer) - expected) <= 0.51 * 10.0**-DIGITS)


def test_conventions_differ_as_they_should(table):
    before = olfaction.projection_neurons(table.rate, negative="clip").mean()
    after = olfaction.projection_neurons(table.rate, negative="sum then clip").mean()
    changes = olfaction.projection_neurons(table.change, negative="sum then clip").mean()
    assert float(after / before - 1.0) == pytest.approx(0.004, abs=5e-4)
    assert float(changes / before - 1.0) == pytest.approx(-0.18, abs=0.005)


def test_no_inhibition_is_zero_gain():
    rates = np.random.default_rng(0).uniform(0.0, 200.0, (5, 7))
    without = olfaction.projection_neurons(rates, inhibition="none")
    assert np.array_equal(without, olfaction.projection_neurons(rates, input_gain=0.0))
    assert without == pytest.approx(165.0 * rates**1.5 / (rates**1.5 + 12.0**1.5), rel=1e-14)


def test_response_gain_scales_what_input_gain_shifts():
    rates = np.array([[40.0, 100.0, 50.0]])
    found = olfaction.projection_neurons(rates, inhibition="response gain")
    without = olfaction.projection_neurons(rates, inhibition="none")
    assert without / found == pytest.approx(np.full((1, 3), 1.0 + 0.164**1.5), rel=1e-14)


def test_each_glomerulus_may_have_its_gain():
    gains = olfaction.heterogeneous_gains(3, seed=1)
    rates = np.array([40.0, 100.0, 50.0])
    found = olfaction.projection_neurons(rates, input_gain=gains)
    each = [olfaction.projection_neurons(rates, input_gain=gain)[k] for k, gain in enumerate(gains)]
    assert found == pytest.approx(each, rel=1e-14)


def test_gains_follow_the_truncated_normal():
    """Means within 5 standard errors (false alarm 6e-7); the untruncated mean 11.24 is 15 of them away."""
    from scipy import stats

    law = stats.truncnorm(-11.24 / 5.43, np.inf, 11.24, 5.43)
    gains = olfaction.heterogeneous_gains(100_000, seed=3)
    assert gains.min() >= 0.0
    assert abs(gains.mean() - law.mean()) < 5.0 * law.std() / np.sqrt(gains.size)
    assert abs(11.24 - law.mean()) > 10.0 * law.std() / np.sqrt(gains.size)


def test_noise_saturates():
    assert receptors.noise([0.0, 40.0, 1e4]) == pytest.approx([0.0, 10.0 * np.tanh(1.0), 10.0], rel=1e-14)


def test_labels_are_kept():
    rates = xr.DataArray([[1.0, 2.0]], {"receptor": ["a", "b"]}, ("odor", "receptor"), attrs={"units": "spikes/s"})
    found = olfaction.projection_neurons(rates)
    assert found.dims == ("odor", "receptor")
    assert found.attrs["units"] == "spikes/s"
    assert list(found.receptor.values) == ["a", "b"]
    assert rates.values.tolist() == [[1.0, 2.0]]


def test_statistics_of_a_layer_by_hand():
    values = np.array([[1.0, 2.0, 4.0], [2.0, 1.0, 0.0], [0.0, 5.0, 1.0], [3.0, 3.0, 3.5]])
    centred = values - values.mean(axis=0)
    variances = np.linalg.svd(centred, compute_uv=False) ** 2
    found = olfaction.layer_statistics(values)
    assert found["dimension"] == pytest.approx(variances.sum() ** 2 / (variances**2).sum(), rel=1e-12)
    assert found["first_component"] == pytest.approx(variances.max() / variances.sum(), rel=1e-12)
    pairs = [np.corrcoef(values[a], values[b])[0, 1] for a in range(4) for b in range(a)]
    assert found["odor_correlation"] == pytest.approx(np.mean(pairs), rel=1e-12)
    pairs = [abs(np.corrcoef(values[:, a], values[:, b])[0, 1]) for a in range(3) for b in range(a)]
    assert found["channel_correlation"] == pytest.approx(np.mean(pairs), rel=1e-12)


@pytest.mark.parametrize(
    ("rates", "options", "message"),
    [
        ([1.0, -2.0], {}, "rates: -2 at (1,), like 0 others, is negative"),
        ([1.0, np.nan], {}, "rates: nan at (1,) is not allowed"),
        (3.0, {}, "rates: a single number is not allowed"),
        ([1.0, 2.0], {"inhibition": "strong"}, "inhibition: 'strong' is not allowed"),
        ([1.0, 2.0], {"negative": "drop"}, "negative: 'drop' is not allowed"),
        ([1.0, 2.0], {"input_gain": -1.0}, "input_gain: -1.0 is not allowed"),
        ([1.0, 2.0], {"input_gain": [1.0, 2.0, 3.0]}, "input_gain: [1.0, 2.0, 3.0] is not allowed"),
        ([1.0, 2.0], {"half": 0.0}, "half: 0.0 is not allowed"),
        (
            xr.DataArray([[1.0]], dims=("receptor", "odor")),
            {},
            "rates: dimensions ('receptor', 'odor') are not allowed",
        ),
        (xr.DataArray([1.0], dims="receptor", name="response", attrs={"units": "1"}), {}, "rates: 'response' is in"),
    ],
)
def test_bad_input_is_one_line(rates, options, message):
    with pytest.raises(ValueError, match=r"not allowed|negative|units") as raised:
        olfaction.projection_neurons(rates, **options)
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ([[1.0, 2.0]], "rates: shape (1, 2) is not allowed"),
        ([[1.0, 1.0], [1.0, 2.0]], "rates: odor 0 has no variance"),
        ([[1.0, 2.0], [1.0, 3.0]], "rates: channel 0 has no variance"),
    ],
)
def test_layers_without_variance_are_refused(rates, message):
    with pytest.raises(ValueError, match=r"not allowed|variance") as raised:
        olfaction.layer_statistics(rates)
    assert str(raised.value).startswith(message)
