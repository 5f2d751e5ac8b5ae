"""A node of a simulated fleet: it keeps what it has no receipt for, and sends it again."""

from derb_gateway.downlink import Range, encode_downlink
from derb_gateway.frame import decode_uplink
from derb_tools.load_node import LoadNode

NODE, KEY = "240ac4a1b2c3", bytes(range(32))


def receipt(*ranges: Range, key: bytes = KEY) -> bytes:
    return encode_downlink(NODE, key, time_s=1, synchronised=True, ranges=ranges)


def test_a_receipt_takes_what_it_names_and_no_more() -> None:
    node = LoadNode(NODE, KEY, boot=7)
    for i in range(5):
        assert decode_uplink(NODE, KEY, node.new_frame(float(i))).sequence == i
    node.took(receipt(Range(7, 0, 1), Range(7, 3, 3), Range(6, 0, 99)), 10.0)
    assert node.waiting == 2
    assert sorted(node.latencies_s) == [7.0, 9.0, 10.0]
    assert node.made_keys() == {f"{NODE}:7:{i}" for i in range(5)}


def test_what_is_overdue_goes_again_with_its_age() -> None:
    node = LoadNode(NODE, KEY, boot=7)
    node.new_frame(0.0)
    node.new_frame(2.0)
    assert node.overdue_frame(4.0, after_s=3.0) is None
    again = node.overdue_frame(5.0, after_s=3.0)
    assert again is not None
    assert [(r.sequence, r.age_s) for r in decode_uplink(NODE, KEY, again).readings] == [(1, 3), (0, 5)]
    assert node.overdue_frame(6.0, after_s=3.0) is None  # it was sent just now
    node.took(receipt(Range(7, 0, 1)), 6.0)
    assert node.overdue_frame(60.0, after_s=3.0) is None


def test_a_downlink_that_is_not_for_us_is_counted() -> None:
    node = LoadNode(NODE, KEY, boot=7)
    node.new_frame(0.0)
    node.took(receipt(Range(7, 0, 0), key=bytes(32)), 1.0)
    node.took(b"junk", 1.0)
    assert (node.bad_downlinks, node.waiting) == (2, 1)


def test_a_frame_again_holds_one_run_and_not_too_much() -> None:
    node = LoadNode(NODE, KEY, boot=7)
    for i in range(100):
        node.new_frame(float(i))
    node.took(receipt(Range(7, 2, 3)), 100.0)
    again = node.overdue_frame(200.0, 1.0)
    assert again is not None
    assert [r.sequence for r in decode_uplink(NODE, KEY, again).readings] == [1, 0]
    node.took(receipt(Range(7, 0, 3)), 200.0)
    again = node.overdue_frame(300.0, 1.0)
    assert again is not None
    assert len(decode_uplink(NODE, KEY, again).readings) == 40
    assert len(again) <= 240


def test_after_16383_a_new_boot_is_taken() -> None:
    node = LoadNode(NODE, KEY, boot=7)
    for i in range(16_386):
        node.new_frame(float(i))
    node.took(receipt(Range(7, 0, 16_381)), 20_000.0)
    frames = []
    while again := node.overdue_frame(30_000.0 + 10 * len(frames), 1.0):
        uplink = decode_uplink(NODE, KEY, again)
        frames.append([(uplink.boot, reading.sequence) for reading in uplink.readings])
        node.took(receipt(Range(uplink.boot, uplink.oldest, uplink.sequence)), 30_000.0)
    assert frames == [[(7, 16_383), (7, 16_382)], [(8, 1), (8, 0)]]
    assert {f"{NODE}:7:16383", f"{NODE}:8:0"} < node.made_keys()
