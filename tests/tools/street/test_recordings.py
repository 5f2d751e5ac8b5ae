import struct
from pathlib import Path

import numpy as np
from derb_tools.street import demo_street, level_trace, parking_trace, read_truth, write_echo, write_mag
from derb_tools.street.level_truth import read_level_truth


def test_mag_records_are_the_samples_at_their_instants(tmp_path: Path) -> None:
    trace = parking_trace("nominal_perp", 1, 0.01)
    path = tmp_path / "x.mag"
    write_mag(trace, path)
    whole = path.read_bytes()
    magic, period_ms, count = struct.unpack_from("<8sII", whole)
    assert (magic, period_ms, count) == (b"DERBMAG1", 1000, len(trace.t_ms))
    assert len(whole) == 16 + 14 * count
    for index in (0, 1, 500, count - 1):
        x, y, z, temp = struct.unpack_from("<iiih", whole, 16 + 14 * index)
        assert [x, y, z] == trace.field_nt[index].tolist()
        assert temp == trace.temp_c100[index]


def test_lost_samples_are_held_in_a_mag_recording(tmp_path: Path) -> None:
    trace = parking_trace("lossy_reboots", 1, 0.1)
    path = tmp_path / "x.mag"
    write_mag(trace, path)
    assert struct.unpack_from("<8sII", path.read_bytes())[2] * 1000 > trace.t_ms[-1]


def test_echo_records_carry_every_ping(tmp_path: Path) -> None:
    trace = level_trace("unplugged", 1, days=2.0)
    path = tmp_path / "x.echo"
    write_echo(trace, path, 1_800_000)
    whole = path.read_bytes()
    magic, period_ms, pings, reserved, count = struct.unpack_from("<8sIHHI", whole)
    assert (magic, period_ms, pings, reserved, count) == (b"DERBECH1", 1_800_000, 15, 0, len(trace.t_ms))
    assert len(whole) == 20 + count * (2 + 4 * pings)
    temp, *echoes = struct.unpack_from(f"<h{pings}i", whole, 20 + 7 * (2 + 4 * pings))
    assert temp == trace.temp_c100[7]
    assert echoes == trace.echo_us[7].tolist()


def test_the_demo_street_is_busy_and_empties_a_container_within_half_an_hour(tmp_path: Path) -> None:
    places = demo_street(tmp_path, seed=1, hours=1.0)
    assert [place.kind for place in places] == ["bay"] * 6 + ["container"] * 6
    assert all(place.recording.is_file() and place.truth.is_file() for place in places)
    for place in places[:6]:
        truth = read_truth(place.truth)
        arrivals = (np.diff(truth.state) != 0) & (truth.t_ms[1:] < 1_800_000)
        assert arrivals.sum() >= 2
    for place in places[6:]:
        level = read_level_truth(place.truth)
        half_hour = level.t_ms < 1_800_000
        assert (level.collected[half_hour] != "").any()
        assert np.ptp(level.fill_pct[half_hour]) > 20.0
        assert (level.empty_mm, level.full_mm) == (place.empty_mm, place.full_mm)
