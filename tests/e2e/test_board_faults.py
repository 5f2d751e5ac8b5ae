"""What can be wrong within a board: its file system, its clock, what NVS keeps of a configuration. Every wake ends in sleep."""

import itertools
import random
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from derb_tools.board import BoardBroken, SimBoard, WakeResult
from derb_tools.board.nvs import write_nvs
from derb_tools.demo.plan import Ports, make_board
from derb_tools.thirdparty import umqtt_dir

from tests.e2e.rig import free_port, planned

SEED = 20_261_128
MARK = 0xD5  # of a record on flash
RECORD_AT = 1008  # the second of the two places for a record in RTC memory
RECORD_MAGIC = b"DRB\x05"
WAKE_S = 600
HOUR_US = 3_600_000_000
LEAST_WAKES = 14  # most of them only try to send again


@pytest.fixture
def board(tmp_path: Path) -> SimBoard:
    """A container's board without an access point: what it keeps goes to flash."""
    node = planned(tmp_path, 1, "level", wake_s=WAKE_S, hold=0, backoff_max_s=60, health_every_s=86_400)
    made = make_board(tmp_path / "boards", node, Ports(free_port(), free_port()), speed=0)
    made.site = replace(made.site, ap_up=False)
    return made


def going_on(board: SimBoard) -> list[WakeResult]:
    """Its next wakes, for as long as two readings take by its clock: how often it tries to send meanwhile is left to chance."""
    until_ms = board.now_ms + 2 * WAKE_S * 1000
    results: list[WakeResult] = []
    while len(results) < LEAST_WAKES or board.now_ms < until_ms:
        results.append(board.wake())
    return results


def identities(result: WakeResult, word: str) -> set[tuple[int, int]]:
    lines = [line.split() for line in result.log]
    return {(int(line[2]), int(line[3])) for line in lines if line[:2] == ["derb", word]}


def periods_s(results: list[WakeResult]) -> list[int]:
    """The seconds between levels, by the grid on which they are read."""
    lines = [line.split() for result in results for line in result.log]
    times = [int(line[6]) for line in lines if line[:2] == ["derb", "kept"] and line[4] == "2"]
    return [round((late - early) / 10) * 10 for early, late in itertools.pairwise(times)]


def sound(result: WakeResult) -> bool:
    return result.end == "deepsleep" and not result.said("Traceback") and (result.sleep_ms or 0) > 0


def told(capsys: pytest.CaptureFixture[str], cases: int, what: str) -> None:
    with capsys.disabled():
        print(f"\n  {cases} cases of {what}")


def test_bytes_that_rot_on_flash_cost_no_wake_and_no_other_reading(
    board: SimBoard, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = random.Random(f"{SEED} rot")
    kept: set[tuple[int, int]] = set()
    while len(kept) < 8:
        kept |= identities(board.wake(), "kept")
    flash = bytearray(board.flash.read_bytes())
    (boot,) = {each for each, _ in kept}
    # Where the records of these readings lie, older copies of them too.
    heads = [
        at
        for at in range(len(flash) - 8)
        if flash[at] == MARK and flash[at + 3 : at + 7] == struct.pack("<I", boot)
    ]
    assert len(heads) >= 8
    cases = 12
    for _ in range(cases):
        for at in rng.sample(heads, 4):
            flash[at + rng.randrange(20)] ^= 1 << rng.randrange(8)
        board.flash.write_bytes(flash)
        result = board.wake()
        assert sound(result), result
        flash = bytearray(board.flash.read_bytes())
    assert any(identities(result, "kept") for result in going_on(board)), "it goes on"
    told(capsys, cases, "rot in the outbox's files")


def fill(board: SimBoard, junk: Path) -> None:
    """Make the board new with all of its flash taken by junk."""
    junk.mkdir()
    fits, too_much = 0, 512
    while too_much - fits > 1:
        tried = (fits + too_much) // 2
        if makes(board, junk, tried):
            fits = tried
        else:
            too_much = tried
    assert makes(board, junk, fits)


def makes(board: SimBoard, junk: Path, blocks: int) -> bool:
    """Whether so many blocks of junk find room, in files of 16."""
    for file in junk.iterdir():
        file.unlink()
    for number in range(0, blocks, 16):
        (junk / f"{number}.mpy").write_bytes(bytes(min(16, blocks - number) * 4096))
    try:
        board.factory([umqtt_dir(), junk])
    except BoardBroken:
        return False
    return True


def test_a_full_flash_ends_no_wake_and_is_counted(
    board: SimBoard, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board.config = {**board.config, "wake_s": 5}
    fill(board, tmp_path / "junk")
    results = [board.wake() for _ in range(50)]
    for result in results:
        assert sound(result), result
    refused = sum(result.said("derb flash") for result in results)
    shed = sum(
        line.split()[5].startswith("06")
        for result in results
        for line in result.log
        if line.startswith("derb kept")
    )
    assert refused or shed, "the flash was never full"
    assert any(identities(result, "kept") for result in results[-5:]), "it goes on"
    told(capsys, len(results), f"a full flash: {refused} refused writes, {shed} alarms of shed readings")


@pytest.mark.parametrize("hours", [0, 1, 24 * 30, 24 * 365 * 20], ids=["to zero", "1 h", "30 d", "20 years"])
def test_a_clock_that_jumps_ends_no_wake_and_loses_nothing(hours: int, board: SimBoard) -> None:
    before = board.wake()
    kept = identities(before, "kept")
    while board.now_ms < 1_200_000:
        board.wake()
    board.state = replace(board.state, rtc_us=hours and board.state.rtc_us + hours * HOUR_US)
    results = going_on(board)
    for result in results:
        assert sound(result), result
        assert (result.sleep_ms or 0) <= WAKE_S * 1000, result
    assert kept <= identities(before, "safe"), "what was kept is on flash"
    boots = {each for result in results for each, _ in identities(result, "kept")}
    (former,) = {each for each, _ in kept}
    assert boots, "it goes on measuring"
    assert (former in boots) is (hours > 0), "a time line that went back is a former boot's"


@pytest.mark.parametrize(
    "record", [b"\0", bytes(64), b"\xff" * 65, b"\xff" * 992], ids=["1", "64", "65", "992"]
)
def test_a_record_in_rtc_memory_that_is_whole_and_makes_no_sense_stops_no_node(
    record: bytes, board: SimBoard
) -> None:
    board.wake()
    image = bytearray(board.rtc_memory())
    assert RECORD_MAGIC in bytes(image)
    saves = 999
    crc = zlib.crc32(record, zlib.crc32(struct.pack("<IH", saves, len(record))))
    struct.pack_into("<4sIHxxI", image, RECORD_AT, RECORD_MAGIC, saves, len(record), crc)
    image[RECORD_AT + 16 : RECORD_AT + 16 + len(record)] = record
    (board.dir / "rtc").write_bytes(len(image).to_bytes(2, "little") + image)
    results = going_on(board)
    for result in results:
        assert sound(result), result
        assert (result.sleep_ms or 0) <= 86_400_000, result
    assert any(identities(result, "kept") for result in results[2:]), "it goes on"


@pytest.mark.parametrize(
    ("name", "value"), [("boot", 2**31 - 1), ("boot", -9), ("starts", 2**31 - 1), ("door_pin", 99)]
)
def test_a_number_in_nvs_that_makes_no_sense_stops_no_node(name: str, value: int, board: SimBoard) -> None:
    write_nvs(board.dir / "nvs", "derb", {name: value})
    results = [board.wake() for _ in range(3)]
    board.power_cut()
    results += [board.wake() for _ in range(3)]
    for result in results:
        assert sound(result), result
    assert any(identities(result, "kept") for result in results[3:]), "it goes on"


def test_a_damaged_configuration_from_afar_leaves_the_one_below(
    board: SimBoard, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = random.Random(f"{SEED} configuration")
    wake_s = bytes([1]) + bytes([1, 0xC8, 0x01])  # version 1: wake_s is 100
    bodies = [b"", b"\x00", b"\x80", wake_s[:-1], wake_s + b"\x63\x02", b"\xff" * 200]
    bodies += [bytes([2]) + rng.randbytes(rng.randrange(1, 60)) for _ in range(12)]
    board.wake()
    results = []
    for number, body in enumerate(bodies):
        names = {"cfg_try": body} if number % 2 else {"cfg_try": body, "cfg_ok": body}
        write_nvs(board.dir / "nvs", "derb", {"cfg_top": 3, "cfg_tries": 0, **names})
        results += [board.wake() for _ in range(3)]
    assert all(map(sound, results)), next(result for result in results if not sound(result))
    assert set(periods_s(results)[1:]) == {WAKE_S}, "it lives by what was provisioned"
    # One that is whole is still taken.
    write_nvs(board.dir / "nvs", "derb", {"cfg_try": b"", "cfg_ok": wake_s})
    assert 100 in periods_s([board.wake() for _ in range(12)])
    told(capsys, len(bodies), "damaged entries of a configuration")
