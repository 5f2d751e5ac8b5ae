"""Updates on a real littlefs: only what is signed, newer and for this board; cut anywhere, and whole in the end."""

import json

import slots
from derb import frame, update
from derb.links import LinkError
from derb.update import Update
from fakes_lfs import MODES, ROOT, Board, Cut, Meter

INTERPRETERS = ("unix64",)  # the others have no littlefs
TIMEOUT_S = 600
HEAP_KB = 4096

CHUNK = 192
WINDOW = 6
LATE = 1795000000
slots.FOLDERS = (ROOT + "/none", ROOT + "/a", ROOT + "/b")


def _releases():
    with open("tests/vectors/releases.json") as file:
        return {each["name"]: each for each in json.load(file)}


RELEASES = _releases()
GOOD = RELEASES["good"]


class Gateway:
    """Gives pieces; `breaks_at`: the link breaks at so many; `changed`: this byte of file 1 is another."""

    def __init__(self, release, breaks_at=0, changed=None):
        self._files = [bytes.fromhex(release["head"])]
        self._files += [bytes.fromhex(content) for _, content in release["files"]]
        if changed is not None:
            self._files[1] = bytes([self._files[1][0] ^ changed]) + self._files[1][1:]
        self._breaks_at = breaks_at
        self.given = 0

    def __call__(self, file, offset, size):
        count = min(WINDOW, (size - offset + CHUNK - 1) // CHUNK)
        for i in range(count):
            self.given += 1
            if self.given == self._breaks_at:
                raise LinkError("gone")
            at = offset + i * CHUNK
            piece = self._files[file][at : at + CHUNK]
            if not piece:
                return
            yield piece


class Nothing:
    def __call__(self, file, offset, size):
        return iter(())


def board(key=GOOD["public"]):
    made = Board()
    made.kept["upd_key"] = bytes.fromhex(key)
    return made


def ordered(nvs, release, name="esp32-devkitc-v4"):
    node = Update(nvs, name)
    node.begin(release["version"], 77, LATE)
    return node


def fetched(nvs, source, name="esp32-devkitc-v4", now_s=0, wakes=9):
    """The end of an update: 0 or the reason; each wake begins anew from what is on flash."""
    for _ in range(wakes):
        node = Update(nvs, name)
        if not node.wanted:
            return -node.state
        try:
            return node.fetch(source, now_s)
        except (LinkError, frame.FrameError):
            continue
    raise AssertionError("it does not end")


def whole(made, release, folder="/a"):
    have = made.files(folder)
    want = {folder + "/" + path: len(content) // 2 for path, content in release["files"]}
    want[folder + "/head"] = len(release["head"]) // 2
    assert have == want, have
    return slots.intact(ROOT + folder)


def test_a_good_release_is_fetched_and_tried():
    made = board()
    nvs = made.on()
    node = ordered(nvs, GOOD)
    assert node.state == update.FETCHING and node.wanted
    assert node.fetch(Gateway(GOOD), LATE - 1) == 0
    assert whole(made, GOOD)
    assert slots.load(nvs)[:4] == [1, 0, slots.TRIAL, 0]
    assert Update(nvs, "").state == update.ON_TRIAL and not Update(nvs, "").wanted
    made.off()


def test_what_is_not_ours_is_refused_before_any_of_its_files_is_asked_for():
    for name, reason in (
        ("by another key", update.BAD_SIGNATURE),
        ("for another board", update.OTHER_BOARD),
        ("other bytecode", update.OTHER_BYTECODE),
        ("a name that leaves the slot", update.MALFORMED),
        ("newer", update.MALFORMED),  # not the version that was ordered
    ):
        made = board()
        nvs = made.on()
        ordered(nvs, GOOD)
        gateway = Gateway(RELEASES[name])
        assert fetched(nvs, gateway) == reason, name
        assert gateway.given <= 1 + len(RELEASES[name]["head"]) // 2 // CHUNK + 1
        assert slots.load(nvs)[0] == 0
        assert Update(nvs, "").state == 16 + reason
        assert "/main.py" not in made.files()
        made.off()


def test_every_changed_byte_of_the_head_is_refused():
    cases = 0
    for at in range(0, len(GOOD["head"]) // 2, 41):
        made = board()
        nvs = made.on()
        ordered(nvs, GOOD)
        head = bytearray(bytes.fromhex(GOOD["head"]))
        head[at] ^= 0x10
        bad = dict(GOOD)
        bad["head"] = bytes(head).hex()
        reason = fetched(nvs, Gateway(bad))
        assert reason in (update.BAD_SIGNATURE, update.MALFORMED, update.NOT_THERE), (at, reason)
        assert slots.load(nvs)[0] == 0
        cases += 1
        made.off()
    print(cases, "changed bytes refused")
    assert cases > 30


def test_an_old_release_is_refused_when_ordered_and_when_it_comes_in_place_of_another():
    made = board()
    nvs = made.on()
    old = RELEASES["old"]
    assert Update(nvs, "").begin(old["version"], 1, LATE) == update.NOT_NEWER
    nvs.set_i32("upd_top", 201)
    nvs.commit()
    assert Update(nvs, "").begin(200, 2, LATE) == update.NOT_NEWER
    assert Update(nvs, "").begin(201, 3, LATE) == 0  # what was confirmed before may come again
    assert fetched(nvs, Gateway(GOOD)) == update.MALFORMED
    made.off()


def test_a_node_without_a_key_takes_nothing():
    made = Board()
    nvs = made.on()
    assert Update(nvs, "").begin(200, 1, LATE) == update.NO_KEY
    made.off()


def test_a_file_that_is_not_what_was_signed_is_fetched_again_and_then_given_up():
    made = board()
    nvs = made.on()
    ordered(nvs, GOOD)
    assert fetched(nvs, Gateway(GOOD, changed=1)) == update.BAD_FILE
    assert slots.load(nvs)[0] == 0
    ordered(nvs, GOOD)
    try:
        Update(nvs, "").fetch(Gateway(GOOD, changed=1), 0)
        raise AssertionError("taken")
    except frame.FrameError:
        pass
    assert fetched(nvs, Gateway(GOOD)) == 0
    made.off()


def test_a_gateway_that_has_nothing_is_asked_three_times():
    made = board()
    nvs = made.on()
    ordered(nvs, GOOD)
    assert fetched(nvs, Nothing()) == update.NOT_THERE
    made.off()


def test_after_its_deadline_it_is_given_up():
    made = board()
    nvs = made.on()
    ordered(nvs, GOOD)
    assert fetched(nvs, Gateway(GOOD), now_s=LATE + 1) == update.TOO_LATE
    made.off()


def test_a_flash_without_room_refuses_and_is_cleared():
    made = Board(blocks=6)
    made.kept["upd_key"] = bytes.fromhex(GOOD["public"])
    nvs = made.on()
    ordered(nvs, GOOD)
    with open(ROOT + "/ballast", "wb") as file:
        try:
            while True:
                file.write(bytes(64))
                file.flush()
        except OSError:
            pass
    assert fetched(nvs, Gateway(GOOD)) == update.NO_ROOM
    assert not [path for path in made.files() if path[:3] == "/a/"]
    made.off()


def test_the_link_breaks_at_every_chunk_and_it_goes_on_where_it_was():
    most = Gateway(GOOD)
    made = board()
    nvs = made.on()
    ordered(nvs, GOOD)
    assert fetched(nvs, most) == 0
    made.off()
    for at in range(1, most.given + 1):
        made = board()
        nvs = made.on()
        ordered(nvs, GOOD)
        gateway = Gateway(GOOD, breaks_at=at)
        assert fetched(nvs, gateway) == 0
        assert whole(made, GOOD)
        assert gateway.given <= most.given + WINDOW + 1, (at, gateway.given)
        made.off()
    print("link broken at", most.given, "chunks")


def test_every_wake_may_bring_one_chunk_only():
    made = board()
    nvs = made.on()
    ordered(nvs, GOOD)
    gateway = Gateway(GOOD)
    wakes = 0
    to_fetch = []
    while not slots.load(nvs)[0]:
        left = [1]

        def source(file, offset, size):
            if not left:
                raise LinkError("time is up")
            left.pop()
            return [next(gateway(file, offset, size))]

        one = Update(nvs, "")
        try:
            one.fetch(source, 0)
        except LinkError:
            pass
        wakes += 1
        to_fetch.append(one.left)
    assert whole(made, GOOD) and wakes > 5
    known = [left for left in to_fetch if left]
    assert known == sorted(known, reverse=True) and known[0] > known[-1] > 0 == to_fetch[-1]
    made.off()


def test_power_goes_at_every_write_and_the_release_is_whole_in_the_end():
    """Cut before, in the middle of and after every program, every erase and every entry of NVS."""
    pristine = board()
    ordered(pristine.on(), GOOD)
    pristine.off()
    cases = 0
    for mode in MODES:
        at = 0
        while True:
            at += 1
            made = pristine.copy()
            meter = Meter(at, mode)
            try:
                fetched(made.on(meter), Gateway(GOOD))
                if not meter.over:
                    break  # it was over before so many writes
            except (Cut, OSError, LinkError, frame.FrameError):
                assert meter.over, (mode, at)
            cases += 1
            nvs = made.on()
            choice = slots.load(nvs)
            assert choice[0] in (0, 1)
            if choice[0]:
                assert slots.intact(slots.FOLDERS[1]), (mode, at)  # never switched to what is not whole
            else:
                assert fetched(nvs, Gateway(GOOD)) == 0, (mode, at)
            assert whole(made, GOOD), (mode, at)
            made.off()
    print("power cut at", cases, "writes of a fetch")
    assert cases > 100, cases


def test_power_goes_at_every_write_of_confirming_and_falling_back():
    started = board()
    nvs = started.on()
    ordered(nvs, GOOD)
    fetched(nvs, Gateway(GOOD))
    started.off()
    cases = 0
    for step in ("prove", "try", "left"):
        for mode in MODES:
            for at in range(1, 20):
                made = started.copy()
                nvs = made.on(Meter(at, mode))
                try:
                    update.VERSION = 200 if step == "prove" else 100
                    _step(step, nvs)
                    break
                except Cut:
                    cases += 1
                made.on()
                nvs = made.on()
                _step(step, nvs)
                choice = slots.load(nvs)
                if step == "prove":
                    assert choice[:3] == [1, 0, slots.SETTLED] and Update(nvs, "").state == update.CONFIRMED
                    assert nvs.get_i32("upd_top") == 200
                elif step == "left":
                    assert choice[:3] == [0, 0, slots.RETURNED] and Update(nvs, "").state == update.RETURNED
                made.off()
    update.VERSION = 100
    print("power cut at", cases, "writes of trials")
    assert cases >= 12, cases


def _step(step, nvs):
    node = Update(nvs, "")
    if step == "prove":
        node.prove()
        Update(nvs, "").news()
    elif step == "try":
        slots.enter(nvs, False, [])
    else:
        for _ in range(slots.TRIES + 1):
            slots.enter(nvs, False, [])
        Update(nvs, "").news()


def test_an_update_without_a_receipt_is_left_after_its_trial_and_said_once():
    made = board()
    nvs = made.on()
    ordered(nvs, GOOD)
    fetched(nvs, Gateway(GOOD))
    for _ in range(slots.TRIES):
        path = [""]
        slots.enter(nvs, True, path)
        assert path[0] == slots.FOLDERS[1]
        assert Update(nvs, "").news() is None
    path = [""]
    slots.enter(nvs, True, path)
    assert path == [""]
    node = Update(nvs, "")
    assert node.news() == update.NOT_PROVEN and Update(nvs, "").news() is None
    assert node.state == update.RETURNED
    assert Update(nvs, "").begin(200, 78, LATE) == 0  # a person may order it again
    assert Update(nvs, "").news() is None
    assert fetched(nvs, Gateway(GOOD)) == 0
    made.off()


def test_the_next_update_goes_to_the_other_slot_and_fetches_only_what_changed():
    made = board()
    nvs = made.on()
    ordered(nvs, GOOD)
    full = Gateway(GOOD)
    fetched(nvs, full)
    update.VERSION = 200
    assert Update(nvs, "").prove()
    newer = RELEASES["newer"]
    ordered(nvs, newer)
    gateway = Gateway(newer)
    assert fetched(nvs, gateway) == 0
    assert whole(made, newer, "/b") and slots.load(nvs)[:3] == [2, 1, slots.TRIAL]
    changed = 1200 // CHUNK + 1 + len(newer["head"]) // 2 // CHUNK + 2
    assert gateway.given <= changed < full.given, (gateway.given, full.given)
    update.VERSION = 100
    assert not Update(nvs, "").prove()  # the receipt did not come to the new version
    made.off()


def test_a_corrupt_slot_is_left_at_the_next_cold_start_or_crash():
    cases = 0
    for path in ("/a/derb/node.mpy", "/a/derb/deep/er/x.mpy", "/a/head"):
        for how in ("changed", "short", "gone"):
            if (path, how) == ("/a/head", "short"):
                continue  # a signature that lost its end: what it signed was proven when it came
            made = board()
            nvs = made.on()
            ordered(nvs, GOOD)
            fetched(nvs, Gateway(GOOD))
            slots.confirm(nvs)
            _harm(ROOT + path, how)
            assert slots.suspect(nvs) and slots.load(nvs)[0] == 0
            made.kept["slot"] = b"\x01\x00\x00\x00\x00\x00\x00\x00"
            put = [""]
            slots.enter(nvs, False, put)
            assert put == [slots.FOLDERS[1], ""]  # the end of a sleep: no time to look
            put = [""]
            slots.enter(nvs, True, put)
            assert put == [""] and not slots.suspect(nvs)
            cases += 1
            made.off()
    print(cases, "corrupt slots left")


def _harm(path, how):
    import os

    with open(path, "rb") as file:
        content = file.read()
    if how == "gone":
        os.remove(path)
        return
    with open(path, "wb") as file:
        file.write(content[:-1] if how == "short" else bytes([content[0] ^ 1]) + content[1:])


def test_garbage_in_nvs_runs_what_was_flashed():
    made = board()
    nvs = made.on()
    for garbage in (b"", b"\xff" * 8, b"\x03" + bytes(7), bytes(7), b"\x01\x09" + bytes(6)):
        made.kept["slot"] = garbage
        assert slots.load(nvs)[0] == 0, garbage
        path = [""]
        slots.enter(nvs, True, path)
        assert path == [""]
    made.kept["upd"] = b"\xff" * 13
    assert Update(nvs, "").state == update.NONE
    made.off()
