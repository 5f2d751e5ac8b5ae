"""A node's console in words; what comes over the line can neither command the terminal nor stop the monitor."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from derb_gateway.frame import decode_unsigned
from derb_tools.board.usb import UsbCable
from derb_tools.console_words import explain
from derb_tools.monitor import Lines, listen
from gateway.kit import DEADLINE_S, frame
from hypothesis import given
from hypothesis import strategies as st
from tools.desk import SETTINGS, at_desk, bay_board


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        ("rst:0x1 (POWERON_RESET),boot:0x13 (SPI_FAST_FLASH_BOOT)", "RTC memory is new"),
        ("rst:0xf (RTCWDT_BROWN_OUT_RESET),boot:0x13", "supply broke down"),
        ("rst:0x99 (NEW_RESET)", "does not know"),
        (
            "Guru Meditation Error: Core  1 panic'ed (LoadProhibited). Exception was unhandled.",
            "panic on core 1",
        ),
        ("Guru Meditation Error: Core  0 panic'ed (Something new)", "Something new"),
        ("E (65011) task_wdt: Task watchdog got triggered. The following tasks", "did not come to its end"),
        ("invalid header: 0xffffffff", "derb flash"),
        ("OSError: [Errno 19] ENODEV", "I2C"),
        ("MemoryError: memory allocation failed, allocating 512 bytes", "heap"),
        ("ZeroDivisionError: divide by zero", "exception"),
        ("derb wake 4 4", "after deep sleep by timer"),
        ("derb level 2 9 1", "the last failure was in exchange, it died"),
        ("derb rest 3 7 4", "in sense (7 failures so far, 4 cold starts"),
        ("derb kept 12020 0 1 77ff 8", "reading 12020:0, parking: state=free"),
        ("derb sent 5 17 3 22", "22 bytes with 3 readings"),
        ("derb done 5 17", "receipt for 5:17"),
        ("derb failed no Wi-Fi: status 201", "no Wi-Fi: status 201"),
        ("derb sleep 57000", "57 s"),
        (f"frame {frame(3, 4).hex()}", "uplink, parking, boot 1: 4: state=occupied"),
    ],
)
def test_lines_are_explained(line: str, meaning: str) -> None:
    assert meaning in " / ".join(explain(line))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "hello",
        "derb",
        "derb kept 1",
        "derb kept 1 2 9 zz 4",
        "derb kept 1 2 1 ff 4",
        "derb level 99 99 99",
        "derb rest x y z",
        "derb wake -9 x",
        "a" * 60,
        frame(3).hex()[:-2],
        "Error",
    ],
)
def test_damaged_and_other_lines_are_left_as_they_are(line: str) -> None:
    assert list(explain(line)) == []


def test_a_frame_is_shown_without_its_key_and_never_taken_for_checked() -> None:
    assert decode_unsigned(frame(3)).readings[0].sequence == 3


def test_no_line_commands_the_terminal_and_none_is_endless(capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines()
    assert list(lines.take(b"\x1b[2J\x1b]0;title\x07ok\x9b\r\nab")) == ["]0;titleok�"]
    assert list(lines.take(b"c\n")) == ["abc"]
    cut = list(lines.take(b"x" * 5000))
    assert [len(each) for each in cut] == [2000, 2000]
    assert [len(each) for each in lines.rest()] == [1000]
    assert list(lines.take(bytes(range(128, 256)) + b"\n"))
    assert "115200" in capsys.readouterr().err


def test_a_node_is_followed_through_resets_and_a_pulled_cable(tmp_path: Path) -> None:
    board = bay_board(tmp_path, config={**SETTINGS, "log": 1})
    with at_desk(board, tmp_path) as desk, desk.running("monitor", "--json") as process:
        desk.wait_for(lambda: "listening" in desk.said)
        desk.plugged.press_reset()
        desk.wait_for(lambda: desk.ends() == ["deepsleep"])
        desk.cable.unplug()
        desk.wait_for(lambda: "port is gone" in desk.said)
        desk.cable.plug()
        desk.wait_for(lambda: desk.said.count("listening") == 2)
        desk.plugged.press_reset()
        desk.wait_for(lambda: len(desk.ends()) == 2 and not desk.cable.unread())
        process.send_signal(2)
        assert process.stdout
        heard = [json.loads(line) for line in process.stdout]
        assert process.wait(DEADLINE_S) == 0
    lines = [each["line"] for each in heard]
    assert sum("POWERON_RESET" in line for line in lines) == 2
    means = [each["means"][0] for each in heard if each["line"].startswith("derb ") and each["means"]]
    assert any("reading " in told and "state=free" in told for told in means)
    assert any("it could not deliver" in told for told in means)
    assert desk.cable.counts["to_board"] == 0, "a monitor sends nothing"


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_whatever_comes_is_cut_into_lines_without_a_command_for_the_terminal(chunks: list[bytes]) -> None:
    lines = Lines()
    said = [line for chunk in chunks for line in lines.take(chunk)] + list(lines.rest())
    for line in said:
        assert len(line) <= 2000
        assert not any(ord(each) < 32 or 127 <= ord(each) < 160 for each in line.replace("\t", ""))
        list(explain(line))


@given(
    st.sampled_from(["wake", "level", "rest", "kept", "sent", "done", "sleep", "odd", "failed"]),
    st.text(max_size=40),
)
def test_damaged_words_of_a_node_stop_nothing(name: str, rest: str) -> None:
    list(explain(f"derb {name} {rest}"))


def test_it_ends_when_its_time_is_over(tmp_path: Path) -> None:
    with UsbCable(tmp_path / "port") as cable:
        threading.Timer(0.3, cable.say, [b"one\ntw"]).start()
        assert list(listen(str(tmp_path / "port"), 1)) == ["one", "tw"]
    assert list(listen(str(tmp_path / "port"), 0.3)) == []
