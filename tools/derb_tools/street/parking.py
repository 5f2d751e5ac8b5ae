"""A day at one bay: everything that makes a field, seen by one node."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from derb_tools.street import metro
from derb_tools.street.chips import CHIPS, Mounting, mount
from derb_tools.street.electric import cable_field_ut, charger_field_ut, metro_field_ut, tram_field_ut
from derb_tools.street.faults import kept_samples, restarts, spoil
from derb_tools.street.field import earth_field_ut
from derb_tools.street.layout import Layout
from derb_tools.street.radio import rssi_dbm
from derb_tools.street.sampling import on_change, sample_times_s
from derb_tools.street.scenario import EITHER, ON_CHANGE, PERPENDICULAR, Mix, Street
from derb_tools.street.scenarios import scenario
from derb_tools.street.schedule import bay_visits
from derb_tools.street.site import event_times_s, magnets_ut, remagnetised_ut, walk_ut
from derb_tools.street.streams import Streams
from derb_tools.street.trace import Trace
from derb_tools.street.traffic import double_parked_visits, passes_field_ut, queue_visits
from derb_tools.street.truth import bay_truth, under_vehicle
from derb_tools.street.types import Floats, Ints, drawn
from derb_tools.street.vehicles import Fleet, draw_fleet, draw_kinds
from derb_tools.street.visits import Visit, add_motion, add_visits, standing_field_ut
from derb_tools.street.weather import Temperatures, minute_grid_s, temperatures

DAY_S = 86400.0
FLEET_SIZE = 256
START_H = (5.0, 12.0)
NEIGHBOURS = (-2, -1, 1, 2)
CROSSING_FROM_UT = 3.0


@dataclass(frozen=True)
class _Bay:
    """What is fixed before the first second."""

    street: Street
    streams: Streams
    span_s: float
    start_h: float
    layout: Layout
    earth_ut: Floats
    mounting: Mounting
    fleet: Fleet
    beside_fleet: Fleet
    lane_fleet: Fleet


def parking_trace(
    name: str | Street,
    seed: int,
    days: float = 1.0,
    *,
    rssi: bool = False,
    chip: str | None = None,
    period_s: float | None = None,
) -> Trace:
    """One labelled recording; the same arguments give the same one, bit for bit.

    `chip` and `period_s` replace the scenario's, on the same street.
    """
    street = _altered(scenario(name) if isinstance(name, str) else name, chip, period_s)
    bay = _bay(street, seed, days * DAY_S)
    t_s, period = sample_times_s(bay.streams["times"], street, bay.span_s)
    weather_grid = minute_grid_s(bay.span_s)
    own = _own_visits(bay)
    warmth = temperatures(
        bay.streams["weather"], street.weather, weather_grid, under_vehicle(own, weather_grid), bay.start_h
    )
    if street.zero_crossing:
        own = [_crossing(bay, visit, warmth) for visit in own]
    return _recorded(bay, seed, t_s, period, own, warmth, rssi)


def _altered(street: Street, chip: str | None, period_s: float | None) -> Street:
    if chip is not None:
        street = replace(street, chips=(chip,))
    if period_s is not None:
        street = replace(street, period_s=(period_s, period_s))
    return street


def _bay(street: Street, seed: int, span_s: float) -> _Bay:
    streams = Streams(street.name, seed)
    rng = streams["site"]
    across = street.layout == PERPENDICULAR or (street.layout == EITHER and bool(rng.random() < 0.5))
    pitch = drawn(rng, street.pitch_across_m if across else street.pitch_along_m)
    lane = drawn(rng, street.aisle_m if across else street.lane_beside_m)
    chip = CHIPS[str(streams["chip"].choice(list(street.chips)))]
    return _Bay(
        street, streams, span_s, drawn(rng, START_H), Layout(across, pitch, lane),
        earth_field_ut(rng.uniform(0, 2 * np.pi)), mount(streams["mount"], chip, street.drift_ut_per_k),
        _fleet(streams["own fleet"], street.mix), _fleet(streams["beside fleet"], street.neighbour_mix),
        _fleet(streams["lane fleet"], street.lane_mix),
    )  # fmt: skip


def _fleet(rng: np.random.Generator, mix: Mix) -> Fleet:
    return draw_fleet(rng, draw_kinds(rng, mix, FLEET_SIZE))


def _own_visits(bay: _Bay) -> list[Visit]:
    rng = bay.streams["own visits"]
    return list(bay_visits(rng, bay.layout, bay.fleet, bay.street.habit, bay.span_s, bay.start_h))


def _recorded(
    bay: _Bay, seed: int, t_s: Floats, period: float, own: list[Visit], warmth: Temperatures, rssi: bool
) -> Trace:
    beside = _beside_visits(bay)
    chip_c = warmth.chip_at(t_s)
    ideal = bay.mounting.ideal_ut(_bay_field_ut(bay, t_s, own, beside), chip_c, warmth.battery_at(t_s))
    ideal += _ground_ut(bay, t_s)
    readings = bay.mounting.readings_nt(bay.streams["noise"], ideal)
    faults = spoil(
        bay.streams["faults"], t_s, readings, bay.street.faults, int(bay.mounting.chip.full_scale_ut * 1000)
    )
    kept = kept_samples(bay.streams["loss"], t_s, bay.street.faults)
    if bay.street.sampling == ON_CHANGE:
        kept &= on_change(t_s, readings, period)
    t_s, readings, chip_c = t_s[kept], readings[kept], chip_c[kept]
    return Trace(
        scenario=bay.street.name,
        seed=seed,
        t_ms=np.rint(t_s * 1000.0).astype(np.int64),
        field_nt=readings,
        temp_c100=_thermometer_c100(bay.streams["thermometer"], chip_c),
        rssi_dbm=rssi_dbm(bay.streams["radio"], t_s, bay.fleet, own, beside) if rssi else None,
        restart=restarts(bay.streams["restarts"], t_s, bay.street.faults),
        truth=bay_truth(bay.fleet, own, faults, bay.span_s),
    )


def _beside_visits(bay: _Bay) -> list[Visit]:
    visits: list[Visit] = []
    for number in NEIGHBOURS if bay.layout.across else (-1, 1):
        rng = bay.streams[f"beside {number}"]
        visits += bay_visits(
            rng, bay.layout, bay.beside_fleet, bay.street.neighbour_habit, bay.span_s, bay.start_h, number
        )
    return visits


def _bay_field_ut(bay: _Bay, t_s: Floats, own: Sequence[Visit], beside: Sequence[Visit]) -> Floats:
    """Earth, vehicles and currents in the bay's frame."""
    total = bay.earth_ut + _lane_ut(bay, t_s)
    add_visits(total, t_s, bay.fleet, own, bay.earth_ut)
    add_visits(total, t_s, bay.beside_fleet, beside, bay.earth_ut)
    _add_drive_overs(bay, total, t_s, own)
    street, streams = bay.street, bay.streams
    if street.tram_m is not None:
        total += tram_field_ut(streams["tram"], t_s, street.tram_m, bay.start_h)
    if street.cable is not None:
        total += cable_field_ut(streams["cable"], t_s, street.cable, bay.start_h)
    if street.metro is not None:
        total += metro_field_ut(streams["metro"], t_s, street.metro, metro.segments(), bay.start_h)
    if street.charger is not None:
        total += charger_field_ut(streams["charger"], t_s, street.charger, own)
    return total


def _lane_ut(bay: _Bay, t_s: Floats) -> Floats:
    lane, fleet, layout = bay.street.lane, bay.lane_fleet, bay.layout
    rng = bay.streams["lane"]
    total = passes_field_ut(
        rng, t_s, fleet, layout, lane, drawn(rng, lane.peak_per_h), bay.start_h, bay.earth_ut
    )
    for visits in (queue_visits, double_parked_visits):
        add_visits(total, t_s, fleet, visits(rng, fleet, layout, lane, bay.span_s, bay.start_h), bay.earth_ut)
    return total


def _add_drive_overs(bay: _Bay, total: Floats, t_s: Floats, own: Sequence[Visit]) -> None:
    """Only through an empty bay."""
    rng = bay.streams["drive over"]
    for at_s in event_times_s(rng, t_s, bay.street.drive_over_per_day):
        motion = bay.layout.drive_over(rng)
        if all(at_s + motion.duration_s < visit.enter_s or at_s > visit.end_s for visit in own):
            vehicle = int(rng.integers(len(bay.fleet.kind)))
            add_motion(total, t_s, bay.fleet, vehicle, float(at_s), motion, bay.earth_ut)


def _ground_ut(bay: _Bay, t_s: Floats) -> Floats:
    """What the ground and what lies on it add, in any frame: directions are random."""
    street, streams = bay.street, bay.streams
    walk_rng = streams["walk"]
    return (
        walk_ut(walk_rng, t_s, drawn(walk_rng, street.walk_ut_per_root_day))
        + remagnetised_ut(streams["remagnetised"], t_s, street.remagnetised_per_day)
        + magnets_ut(streams["magnets"], t_s, street.magnets_per_day)
    )


def _crossing(bay: _Bay, visit: Visit, warmth: Temperatures) -> Visit:
    """The same visit by the vehicle of the fleet whose field the drift cancels best half-way through."""
    at = np.array([visit.stop_s, 0.5 * (visit.stop_s + visit.leave_s)])
    warmer = np.diff(warmth.battery_at(at))[0]
    drift = bay.mounting.to_bay(warmer * bay.mounting.drift_ut_per_k[None, :])[0]
    standing = np.array(
        [standing_field_ut(bay.fleet, replace(visit, vehicle=v), bay.earth_ut) for v in range(FLEET_SIZE)]
    )
    left = np.linalg.norm(standing + drift, axis=1)
    left[np.linalg.norm(standing, axis=1) < CROSSING_FROM_UT] = np.inf
    return replace(visit, vehicle=int(np.argmin(left)))


def _thermometer_c100(rng: np.random.Generator, chip_c: Floats) -> Ints:
    """A chip's thermometer: offset by up to 2 C, 0.1 C noise."""
    read = chip_c + rng.uniform(-2.0, 2.0) + 0.1 * rng.normal(size=len(chip_c))
    return np.rint(read * 100.0).astype(np.int64)
