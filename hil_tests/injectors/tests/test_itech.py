"""The driver of the IT8600 against a simulated one over TCP, through pyvisa: what it sends, and that it is off."""

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.errors import ConfigurationError, GewuError
from hil_tests.hil.bench_file import InjectorTable, ReferenceTable
from hil_tests.hil.hands import Person
from hil_tests.hil.reference import open_reference
from hil_tests.injectors.choice import open_injector
from hil_tests.injectors.injector import Injector, InstrumentTrouble
from hil_tests.injectors.tests.simulated_load import MOST_A, SimulatedLoad

pytestmark = pytest.mark.integration
READING_S = 0.02


def table(load: SimulatedLoad, **more: Any) -> InjectorTable:
    settings: dict[str, Any] = {"circuits": {"b1": 1}, "amps_at_most": 35.0, "reading_s": READING_S, **more}
    return InjectorTable(kind="scpi", resource=load.resource, **settings)


@pytest.fixture
def load() -> Iterator[SimulatedLoad]:
    with SimulatedLoad() as load:
        yield load


@pytest.fixture
def injector(load: SimulatedLoad) -> Iterator[Injector]:
    injector = open_injector(table(load), None)
    yield injector
    injector.close()


def test_it_is_taken_over_switched_off_and_says_who_it_is(load: SimulatedLoad, injector: Injector) -> None:
    """The paper gets maker, model and serial number; the first thing that is set is off."""
    about = injector.describe()
    assert (about["maker"], about["model"], about["serial"]) == ("ITECH Ltd.", "IT8615", "800001020767210042")
    assert next(line for line in load.heard if "INP" in line or "CURR" in line) == "INP:STAT OFF"
    assert not load.on


def test_a_trip_is_clocked_within_its_own_uncertainty(load: SimulatedLoad, injector: Injector) -> None:
    """The true time lies in the interval that is stated, however busy the machine is; afterwards it is off."""
    load.trips_after = 0.25
    found = injector.trip_time("b1", quantity="amps", value=32.0, timeout_s=20.0)
    assert found.seconds is not None
    assert found.seconds - found.uncertainty_s <= 0.25 <= found.seconds + found.uncertainty_s
    assert (found.value, found.value_uncertainty) == (32.0, 0.32)
    assert not load.on


def test_a_breaker_that_holds_is_none(load: SimulatedLoad, injector: Injector) -> None:
    """No trip within the time allowed; afterwards it is off."""
    assert injector.trip_time("b1", quantity="amps", value=18.0, timeout_s=0.2).seconds is None
    assert not load.on


def test_what_flows_flows_until_rest(load: SimulatedLoad, injector: Injector) -> None:
    """`apply` lets it flow, `rest` ends it, and so does nought."""
    injector.apply("b1", amps=6.0)
    assert (load.on, load.amps) == (True, 6.0)
    injector.rest("b1")
    assert not load.on
    injector.apply("b1", amps=5.0)
    injector.apply("b1", amps=0.0)
    assert not load.on


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ({"amps": 36.0}, "amps_at_most"),
        ({"amps": -1.0}, "amps_at_most"),
        ({"volts": 300.0}, "amperes only"),
        ({"residual": 0.03}, "amperes only"),
    ],
)
def test_no_more_than_the_bench_file_allows(
    load: SimulatedLoad, injector: Injector, wanted: dict[str, float], sentence: str
) -> None:
    """Refused before anything is sent."""
    before = list(load.heard)
    with pytest.raises(InstrumentTrouble, match=sentence):
        injector.apply("b1", **wanted)
    assert load.heard == before


def test_a_circuit_to_which_it_is_not_wired(load: SimulatedLoad, injector: Injector) -> None:
    """Named in the sentence; nothing is sent."""
    before = list(load.heard)
    with pytest.raises(InstrumentTrouble, match="not wired to b7"):
        injector.trip_time("b7", quantity="amps", value=10.0, timeout_s=1.0)
    assert load.heard == before


def test_its_own_limit_holds_too(load: SimulatedLoad) -> None:
    """A bench file that allows more than the instrument can."""
    injector = open_injector(table(load, amps_at_most=100.0), None)
    try:
        with pytest.raises(InstrumentTrouble, match=f"{MOST_A:g} A at most"):
            injector.apply("b1", amps=50.0)
        assert not load.on
    finally:
        injector.close()


def test_a_breaker_that_is_open_before_is_the_benchs_trouble(load: SimulatedLoad, injector: Injector) -> None:
    """No voltage at the load: nothing is switched on."""
    load.closed = False
    with pytest.raises(InstrumentTrouble, match="close the breaker"):
        injector.trip_time("b1", quantity="amps", value=10.0, timeout_s=1.0)
    assert "INP:STAT ON" not in load.heard


@pytest.mark.parametrize("answer", ['-222,"Data out of range"', "what?"])
def test_any_error_switches_it_off(load: SimulatedLoad, injector: Injector, answer: str) -> None:
    """An error from the instrument, or nonsense in place of one."""
    injector.apply("b1", amps=6.0)
    load.answers["SYST:ERR?"] = answer
    with pytest.raises(InstrumentTrouble):
        injector.apply("b1", amps=7.0)
    assert not load.on


def test_a_load_that_stopped_by_itself_judges_no_breaker(load: SimulatedLoad, injector: Injector) -> None:
    """No current and full voltage, the input off: its own protection, and no trip time."""
    load.answers["MEAS:CURR:RMS?"] = "0.001"
    load.answers["INP:STAT?"] = "0"
    with pytest.raises(InstrumentTrouble, match="switched itself off"):
        injector.trip_time("b1", quantity="amps", value=10.0, timeout_s=5.0)


def test_a_lost_connection_is_made_anew_to_switch_it_off(load: SimulatedLoad, injector: Injector) -> None:
    """The cable is pulled while current flows: off over a new connection, and then the sentence."""
    injector.apply("b1", amps=6.0)
    load.drops_at = "SOUR:CURR"
    with pytest.raises(InstrumentTrouble, match="did not answer"):
        injector.apply("b1", amps=7.0)
    assert not load.on
    assert load.connections == 2


def test_when_nothing_helps_the_person_is_told(load: SimulatedLoad, injector: Injector) -> None:
    """It does not say that it is off: somebody has to go there."""
    injector.apply("b1", amps=6.0)
    load.answers["INP:STAT?"] = "1"
    with pytest.raises(InstrumentTrouble, match="BY HAND NOW"):
        injector.rest("b1")
    del load.answers["INP:STAT?"]


def test_something_else_at_the_address_is_refused(load: SimulatedLoad) -> None:
    """An oscilloscope is no load, and is not given commands."""
    load.idn = "RIGOL TECHNOLOGIES,DS1104Z,DS1ZA000,00.04"
    with pytest.raises(InstrumentTrouble, match="not a load of ITECH"):
        open_injector(table(load), None)
    assert load.heard == ["*IDN?"]


def test_nobody_there_is_a_sentence() -> None:
    """Where to look; and what is missing in the file."""
    nowhere = InjectorTable(kind="scpi", resource="TCPIP::127.0.0.1::1::SOCKET")
    with pytest.raises(InstrumentTrouble, match="look at its power"):
        open_injector(nowhere, None)
    with pytest.raises(ConfigurationError, match="resource"):
        open_injector(InjectorTable(kind="scpi"), None)


def test_its_measuring_side_is_a_reference_meter(load: SimulatedLoad) -> None:
    """Voltage, current, power and frequency with the uncertainty of the file; nonsense is a sentence."""
    meter = open_reference(
        ReferenceTable(kind="scpi", resource=load.resource, uncertainty_percent=0.1), None, Person("nobody")
    )
    load.amps, load.on = 10.0, True
    known = meter.read("b1")
    assert known.values == {"voltage": 230.0, "current": 10.0, "power": 2300.0, "frequency": 50.01}
    assert known.uncertainties["voltage"] == pytest.approx(0.23)
    assert meter.describe()["model"] == "IT8615"
    load.answers["MEAS:POW?"] = "overrange"
    with pytest.raises(GewuError, match="overrange"):
        meter.read("b1")
