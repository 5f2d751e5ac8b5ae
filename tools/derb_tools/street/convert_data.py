"""Makes the excerpts in data/ from the full recordings: `python -m derb_tools.street.convert_data SOURCE`.

SOURCE holds `metro_noise/subway_noise_segments.csv` and `bins/edinburgh_enevo_collections_2016.csv`
(data/README.md says where they come from).
"""

import csv
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

METRO_SEGMENTS = 48
BINS = 12
HERE = Path(__file__).parent / "data"


def convert_metro(source: Path, target: Path) -> None:
    """Every n-th segment in order of its peak-to-peak, so that the excerpt has the spread of the whole."""
    by_segment: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for row in _rows(source):
        by_segment[int(row["segment"])].append((int(row["noise_s1"]), int(row["noise_s2"])))
    ranked = sorted(by_segment, key=lambda number: _peak_to_peak(by_segment[number]))
    step = len(ranked) / METRO_SEGMENTS
    chosen = sorted(ranked[int((index + 0.5) * step)] for index in range(METRO_SEGMENTS))
    lines = [f"{number},{s1},{s2}" for number in chosen for s1, s2 in by_segment[number]]
    _write(target, "segment,noise_s1,noise_s2", lines)


def convert_bins(source: Path, target: Path) -> None:
    """The collections of the containers that have most of them."""
    by_site: dict[str, list[str]] = defaultdict(list)
    for row in _rows(source):
        by_site[row["site"]].append(f"{row['site']},{row['time']},{row['fill_before']},{row['fill_after']}")
    busiest = sorted(by_site, key=lambda site: (-len(by_site[site]), site))[:BINS]
    lines = [line for site in sorted(busiest) for line in sorted(by_site[site])]
    _write(target, "site,time,fill_before_pct,fill_after_pct", lines)


def _peak_to_peak(pairs: Sequence[tuple[int, int]]) -> int:
    channels = ([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    return max(max(channel) - min(channel) for channel in channels)


def _rows(path: Path) -> Iterable[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


def _write(path: Path, header: str, lines: Sequence[str]) -> None:
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    convert_metro(folder / "metro_noise" / "subway_noise_segments.csv", HERE / "metro_noise.csv")
    convert_bins(folder / "bins" / "edinburgh_enevo_collections_2016.csv", HERE / "edinburgh_bins.csv")
