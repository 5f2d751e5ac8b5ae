"""A configuration from afar: as a whole or not at all, never an old one, and back to the last that worked."""

from derb import config as configuration
from derb import reading
from derb.remote import KNOWN, OLD, REFUSED, TAKEN, Remote, read
from fakes_nvs import FakeNvs, NvsCut

USB = {"kind": "level", "wake_s": 300, "broker": "home"}
TRIES = 4


def body(version, *fields):
    out = bytearray()
    reading.put_varint(out, version)
    for name, value in fields:
        out.append(configuration.REMOTE.index(name) + 1)
        if isinstance(value, int):
            reading.put_svarint(out, value)
        else:
            out.append(len(value))
            out.extend(value)
    return bytes(out)


def remote(nvs):
    return Remote(nvs, USB)


def test_the_next_wake_has_it_and_what_it_does_not_name_stays():
    nvs = FakeNvs()
    first = remote(nvs)
    assert first.offer(body(3, ("wake_s", 60), ("broker", b"town"))) == TAKEN
    assert first.config.wake_s == 300 and first.version == 0
    second = remote(nvs)
    assert (second.config.wake_s, second.config.broker, second.config.kind) == (60, "town", "level")
    assert second.on_trial and second.version == 3


def test_what_a_later_version_does_not_name_goes_back_to_what_was_provisioned():
    nvs = FakeNvs()
    remote(nvs).offer(body(1, ("wake_s", 60)))
    remote(nvs).offer(body(2, ("pings", 5)))
    config = remote(nvs).config
    assert (config.wake_s, config.pings) == (300, 5)


def test_every_field_in_bounds_or_none_is_taken():
    for bad in (
        body(2, ("wake_s", 4)),
        body(2, ("pings", 5), ("wake_s", 86401)),
        body(2, ("pings", 5), ("empty_mm", 200)),  # below the brim
        body(2, ("pings", 5), ("pings", 5)),
        body(2, ("broker", b"x" * 65)),
        body(2, ("broker", b"\xff\xfe")),
        body(2) + b"\x63\x02",
        body(2) + b"\x00\x02",
        body(2, ("pings", 5))[:-1],
        body(2, ("broker", b"home"))[:-1],
        body(2) + b"\x0d",
    ):
        nvs = FakeNvs()
        first = remote(nvs)
        assert first.offer(bad) == REFUSED, bad
        assert first.refused() == 2
        again = remote(nvs)
        assert again.config.pings == 9 and again.version == 0 and again.refused() == 2
        assert again.offer(body(2, ("pings", 5))) == KNOWN  # a version is judged once


def test_an_old_version_is_refused_for_ever():
    nvs = FakeNvs()
    remote(nvs).offer(body(7, ("wake_s", 60)))
    late = remote(nvs)
    assert late.offer(body(6, ("wake_s", 900))) == OLD
    late.confirm()
    assert remote(nvs).offer(body(6, ("wake_s", 900))) == OLD
    assert remote(nvs).offer(body(7, ("wake_s", 900))) == KNOWN
    assert remote(nvs).config.wake_s == 60


def test_after_tries_that_failed_it_goes_back_to_the_last_that_worked():
    nvs = FakeNvs()
    remote(nvs).offer(body(1, ("wake_s", 60)))
    assert remote(nvs).confirm()
    assert not remote(nvs).confirm()
    remote(nvs).offer(body(2, ("broker", b"nowhere")))
    for _ in range(TRIES - 1):
        node = remote(nvs)
        assert node.config.broker == "nowhere"
        assert node.attempt() == 0 and node.failed() == 0
    node = remote(nvs)
    assert node.attempt() == 0 and node.failed() == 2
    back = remote(nvs)
    assert (back.config.broker, back.config.wake_s, back.version, back.refused()) == ("home", 60, 1, 2)
    assert back.offer(body(2, ("broker", b"nowhere"))) == KNOWN


def test_crashes_in_the_connection_count_too():
    nvs = FakeNvs()
    remote(nvs).offer(body(2, ("broker", b"nowhere")))
    gave_up = [remote(nvs).attempt() for _ in range(TRIES + 1)]
    assert gave_up == [0] * TRIES + [2]
    assert remote(nvs).config.broker == "home"


def test_one_success_is_proof():
    nvs = FakeNvs()
    remote(nvs).offer(body(2, ("wake_s", 60)))
    for _ in range(TRIES):
        remote(nvs).attempt()
    node = remote(nvs)
    assert node.confirm()
    for _ in range(9):
        node = remote(nvs)
        assert node.attempt() == 0 and node.failed() == 0
    assert remote(nvs).version == 2


def test_power_may_go_at_every_write_of_every_step():
    cases = 0
    for step in ("offer", "confirm", "attempt", "give_up"):
        for cut_at in range(1, 9):
            kept = {}
            remote(FakeNvs(kept)).offer(body(1, ("wake_s", 60)))
            remote(FakeNvs(kept)).confirm()
            kept["cfg_tries"] = 3
            if step != "offer":
                remote(FakeNvs(kept)).offer(body(2, ("wake_s", 120)))
            node = remote(FakeNvs(kept, cut_at))
            try:
                node.offer(body(2, ("wake_s", 120))) if step == "offer" else getattr(node, step)()
            except NvsCut:
                cases += 1
            after = remote(FakeNvs(kept))
            assert after.damaged == 0
            assert after.config.wake_s in (60, 120), (step, cut_at)
            assert after.config.wake_s == {1: 60, 2: 120}[after.version]
            # Whatever was cut, the same downlink comes again, and the newer version is in force or given up in the end.
            after.offer(body(2, ("wake_s", 120)))
            assert remote(FakeNvs(kept)).top == 2
            assert remote(FakeNvs(kept)).offer(body(1, ("wake_s", 60))) == OLD
    assert cases == 3 + 2 + 1 + 1, cases


def test_garbage_in_flash_is_counted_and_left_aside():
    for name in ("cfg_try", "cfg_ok"):
        for garbage in (b"\x05\x63", b"\xff" * 12, b"\x80", b"\x01\x01\x02"):
            node = remote(FakeNvs({name: garbage}))
            assert node.config.wake_s == 300 and node.damaged == 1
    assert remote(FakeNvs({"cfg_try": 5, "cfg_top": b"x"})).config.wake_s == 300


def test_what_is_read_is_what_was_written():
    fields = [(name, b"b" if configuration.is_text(name) else 77) for name in configuration.REMOTE]
    version, settings = read(body(1 << 30, *fields))
    assert version == 1 << 30 and len(settings) == len(configuration.REMOTE)
    assert settings["broker"] == "b" and settings["wake_s"] == 77
    assert read(body(1, ("wake_s", -5)))[1] == {"wake_s": -5}
