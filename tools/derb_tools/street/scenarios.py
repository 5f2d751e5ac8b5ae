"""The table of parking scenarios: the 28 of the field notes (section F), then further fears."""

from collections.abc import Mapping

from derb_tools.street.electric import Cable, Charger, Metro
from derb_tools.street.faults import Faults
from derb_tools.street.scenario import EITHER, IRREGULAR, ON_CHANGE, PARALLEL, PERPENDICULAR, Street
from derb_tools.street.schedule import BRIEF, LONG, ORDINARY, SWAPS, occupied_at_start
from derb_tools.street.traffic import Lane
from derb_tools.street.weather import Weather

HOT = Weather(mean_c=(21.0, 24.0), air_swing_c=(5.0, 6.5), sun_c=(18.0, 26.0))
COLD_FRONT = Weather(mean_c=(11.0, 15.0), front_c=(8.0, 13.0))
PRODUCT_DRIFT = (1.0, 2.0)
"""A whole node with battery and case, measured on nine commercial units."""
BUSY = Lane(peak_per_h=(300.0, 600.0), speed_m_s=(5.0, 12.0))
BUSES = {"sedan": 0.5, "suv": 0.15, "van": 0.10, "light_truck": 0.05, "bus": 0.20}
QUEUES = Lane(peak_per_h=(300.0, 600.0), queues_per_h=20.0)
SECOND_ROW = Lane(peak_per_h=(150.0, 300.0), double_parked_per_day=15.0)
HEAVY_MIX = {"sedan": 0.3, "suv": 0.3, "van": 0.3, "light_truck": 0.1}
TRUCKS_VANS = {"van": 0.6, "light_truck": 0.4}
HELL_LANE = Lane(peak_per_h=(300.0, 600.0), queues_per_h=10.0, double_parked_per_day=8.0)
HELL_MIX = {
    "sedan": 0.40, "suv": 0.24, "van": 0.14, "ev": 0.12, "light_truck": 0.05, "high_clearance": 0.05,
}  # fmt: skip
REBOOTS = Faults(loss=0.15, lost_runs_per_day=8.0, cold_restarts_per_day=1.5, warm_restarts_per_day=4.0)

FROM_NOTES = (
    Street("nominal_perp", "an ordinary street, bays across the kerb", PERPENDICULAR, family="ordinary"),
    Street("nominal_parallel", "an ordinary street, bays along the kerb", PARALLEL, family="ordinary"),
    Street("rm3100_clean", "a quiet chip, more drift", chips=("RM3100",), drift_ut_per_k=(0.3, 0.8),
           family="ordinary"),
    Street("bmm150_noisy", "the noisiest chip", chips=("BMM150",)),
    Street("hot_asphalt_drift", "summer sun, a whole product's drift", weather=HOT,
           drift_ut_per_k=PRODUCT_DRIFT),
    Street("cold_front_drift", "ten degrees in two hours", weather=COLD_FRONT, drift_ut_per_k=PRODUCT_DRIFT),
    Street("tight_neighbours", "bays 2.25 m wide, restless neighbours with heavy vehicles", PERPENDICULAR,
           pitch_across_m=(2.2, 2.3), neighbour_mix=HEAVY_MIX),
    Street("bus_lane", "a bus lane at 2.7 m", PARALLEL, lane=BUSY, lane_mix=BUSES, lane_beside_m=(2.5, 2.8)),
    Street("double_parking", "vehicles in the second row for 1 to 20 minutes", lane=SECOND_ROW),
    Street("traffic_queue", "a signal's queue stands beside the bay", PARALLEL, lane=QUEUES),
    Street("weak_high_clearance", "only vehicles with their iron high and at the ends",
           mix={"high_clearance": 1.0}, family="weak"),
    Street("evs", "only small electric cars", mix={"ev": 1.0}),
    Street("trucks_vans", "vans and light trucks, in the neighbours' bays too",
           mix=TRUCKS_VANS, neighbour_mix=TRUCKS_VANS),
    Street("motorcycles", "only motorcycles", mix={"motorcycle": 1.0}, family="weak"),
    Street("tram_12m", "a tram line 12 m away", tram_m=12.0),
    Street("tram_30m", "a tram line 30 m away", tram_m=30.0),
    Street("hv_cable", "a mains cable under the kerb", cable=Cable()),
    Street("boot_occupied", "installed under a car", habit=occupied_at_start(ORDINARY)),
    Street("boot_occupied_drift", "installed under a car, a whole product's drift",
           habit=occupied_at_start(ORDINARY), weather=HOT, drift_ut_per_k=PRODUCT_DRIFT),
    Street("brief_stops", "stops of 20 to 180 s", habit=BRIEF),
    Street("repark_swap", "a car replaced by the next within seconds", habit=SWAPS),
    Street("drive_over", "cars drive straight through the empty bay", PERPENDICULAR, drive_over_per_day=40.0),
    Street("long_stay_drift", "stays of half a day and more under drift", habit=LONG, weather=HOT,
           drift_ut_per_k=PRODUCT_DRIFT),
    Street("remagnetised", "the ground or the chip takes a magnetic step", remagnetised_per_day=3.0),
    Street("lossy_reboots", "samples lost, cold and warm restarts", faults=REBOOTS),
    Street("street_hell", "everything at once", EITHER, pitch_across_m=(2.2, 2.35), mix=HELL_MIX,
           neighbour_mix=HELL_MIX, habit=BRIEF, lane=HELL_LANE, lane_mix=BUSES, weather=HOT,
           drift_ut_per_k=PRODUCT_DRIFT, walk_ut_per_root_day=(0.5, 2.0), drive_over_per_day=8.0, tram_m=20.0,
           remagnetised_per_day=0.7, cable=Cable((0.3, 1.0)), family="all",
           faults=Faults(loss=0.05, lost_runs_per_day=3.0, warm_restarts_per_day=2.0)),
    Street("fast_10hz", "ten samples a second", period_s=(0.1, 0.1)),
    Street("slow_0p2hz", "a sample each 5 s", period_s=(5.0, 5.0)),
)  # fmt: skip

FURTHER = (
    Street("metro_0p3", "real metro disturbance, a third of its size", metro=Metro(0.3)),
    Street("metro_1", "real metro disturbance", metro=Metro(1.0)),
    Street("metro_2", "real metro disturbance, doubled", metro=Metro(2.0)),
    Street("magnet_left", "magnetic things put down near the node", magnets_per_day=4.0),
    Street("stuck_saturated", "readings freeze or run into full scale",
           faults=Faults(stuck_per_day=4.0, saturated_per_day=4.0)),
    Street("zero_crossing", "drift carries the field through the empty value while a car stands",
           zero_crossing=True, weather=HOT, drift_ut_per_k=PRODUCT_DRIFT),
    Street("slow_walk", "the empty field wanders by microteslas a day", walk_ut_per_root_day=(2.0, 5.0)),
    Street("ev_chargers", "cars that charge: contactors, leads, ripple", PERPENDICULAR, charger=Charger(),
           mix={"ev": 0.6, "sedan": 0.2, "suv": 0.2}),
    Street("irregular_times", "samples a tenth of a second to many seconds apart", sampling=IRREGULAR,
           period_s=(0.5, 4.0)),
    Street("wake_on_change", "a sample each half minute, and each second after a change", sampling=ON_CHANGE,
           period_s=(30.0, 30.0)),
    Street("fast_4hz", "four samples a second", period_s=(0.25, 0.25)),
    Street("slow_10s", "a sample each 10 s", period_s=(10.0, 10.0)),
    Street("slow_30s", "a sample each 30 s", period_s=(30.0, 30.0)),
    Street("cold_restarts", "power lost several times a day, also under a car",
           faults=Faults(cold_restarts_per_day=3.0)),
    Street("warm_restarts", "the watchdog bites several times a day",
           faults=Faults(warm_restarts_per_day=8.0)),
    Street("lis3mdl", "the board's usual chip", chips=("LIS3MDL",), family="ordinary"),
    Street("qmc5883l", "the cheapest chip", chips=("QMC5883L",), family="ordinary"),
    Street("mmc5983ma", "a chip with set and reset", chips=("MMC5983MA",), family="ordinary"),
    Street("hot_queue_tight", "queue, tight bays and a product's drift together", PERPENDICULAR,
           pitch_across_m=(2.2, 2.3), lane=QUEUES, weather=HOT, drift_ut_per_k=PRODUCT_DRIFT),
)  # fmt: skip

_NOTES_NAMES = frozenset(street.name for street in FROM_NOTES)
SCENARIOS: Mapping[str, Street] = {street.name: street for street in (*FROM_NOTES, *FURTHER)}


def scenario(name: str) -> Street:
    """The scenario of that name. Raises KeyError listing the known names."""
    if name not in SCENARIOS:
        raise KeyError(f"no parking scenario {name!r}; known: {', '.join(SCENARIOS)}")
    return SCENARIOS[name]


def from_notes(name: str) -> bool:
    """Whether the scenario is one of the 28 in the field notes."""
    return name in _NOTES_NAMES
