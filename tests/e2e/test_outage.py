"""Three days of a broken link, and a normal week: nothing is shed, nothing is sent twice, and flash is hardly written."""

from collections import Counter

import pytest

from tests.life.lived import BAY, BIN, CHANGES, Lived, live

DAY_S = 86_400
HOURS = 72
BROKEN = (DAY_S + 1_800, DAY_S + 1_800 + HOURS * 3_600)
NORMAL_HOURS_BROKEN = 2  # of a week
FLASH_WRITES_A_DAY = 10
PARKING, LEVEL = 1, 2


def within(lived: Lived, span: tuple[int, int]) -> int:
    """How many readings were kept in it."""
    return sum(span[0] <= second < span[1] for second in lived.kept.values())


@pytest.mark.parametrize("link", ["wifi", "espnow"])
@pytest.mark.parametrize(("node", "kind", "at_least"), [(BIN, LEVEL, HOURS), (BAY, PARKING, 3 * CHANGES)])
def test_72_hours_without_a_link_are_kept_entire_and_sent_once(
    node: dict[str, object],
    kind: int,
    at_least: int,
    link: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lived = live({**node, "link": link}, 6, outages=[BROKEN])
    assert within(lived, BROKEN) >= at_least
    assert lived.kinds[kind] >= 2 * at_least - CHANGES
    assert lived.counts["failed"] > 10, "the link was tried"
    assert not [sent for sent in lived.sent if BROKEN[0] <= sent.second < BROKEN[1]]
    assert lived.counts["shed"] == 0
    unsent = lived.kept.keys() - lived.times_sent().keys()
    assert len(unsent) == lived.counts["waiting"] <= 4, "only what waits for company is not yet sent"
    assert Counter(lived.times_sent().values()).keys() == {1}
    assert max(map(abs, lived.age_errors_s())) <= 1
    with capsys.disabled():
        print(
            f"\n  {node['kind']} over {link}, link broken for {HOURS} h: {within(lived, BROKEN)} readings kept in it,"
            f" 0 shed, each sent once, in {lived.counts['failed']} failed attempts, {lived.counts['file_writes']} writes of files"
        )


@pytest.mark.parametrize("link", ["wifi", "espnow"])
@pytest.mark.parametrize("node", [BIN, BAY])
def test_a_normal_week_writes_flash_less_than_ten_times_a_day(
    node: dict[str, object], link: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two hours of a normal week the link is broken, in the busy part of a day."""
    noon_s = 2 * DAY_S + 43_200
    lived = live({**node, "link": link}, 7, outages=[(noon_s, noon_s + NORMAL_HOURS_BROKEN * 3_600)])
    files, blocks = (lived.counts[name] / lived.days for name in ("file_writes", "block_writes"))
    with capsys.disabled():
        print(
            f"\n  {node['kind']} over {link}: {files:.1f} writes of files a day, {blocks:.1f} of blocks and NVS"
        )
    assert lived.counts["failed"] > 0
    assert files < FLASH_WRITES_A_DAY
    assert blocks < FLASH_WRITES_A_DAY
    assert lived.counts["shed"] == 0
