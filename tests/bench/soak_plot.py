"""The plot of a soak: memory, open files, the store's size and what each sink has not had, with the faults as lines."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from soak_rig import CITY, FILES
from soak_samples import Line

_PANELS = (
    ("resident, MB", ("resident_mb",)),
    ("open files", ("files_open",)),
    ("store and log, MB", ("store_mb",)),
    ("readings not\nforwarded yet", (f"behind_{CITY}", f"behind_{FILES}")),
)


def plot(lines: Sequence[Line], title: str, path: Path) -> None:
    """Write an SVG; a gap is where the gateway was dead."""
    mpl.rcParams["svg.fonttype"] = "none"
    mpl.rcParams["svg.hashsalt"] = "derb"  # the same samples make the same file
    samples = [line for line in lines if line["kind"] == "sample"]
    minutes = [line["t_s"] / 60 for line in samples]
    figure, axes = plt.subplots(len(_PANELS), sharex=True, figsize=(10, 8), layout="constrained")
    for axis, (label, columns) in zip(axes, _PANELS, strict=True):
        for column in columns:
            values = [line.get(column, float("nan")) for line in samples]
            axis.plot(minutes, values, linewidth=1, label=column.removeprefix("behind_"))
        axis.set_ylabel(label)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
        if len(columns) > 1:
            axis.legend(loc="upper right")
    axes[0].set_title(title)
    axes[-1].set_xlabel("minutes")
    _mark_faults(figure, axes, [line for line in lines if line["kind"] == "fault"])
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    plt.close(figure)


def _mark_faults(figure: Figure, axes: Sequence[plt.Axes], faults: Sequence[Line]) -> None:
    colours: dict[str, str] = {}
    for line in faults:
        colour = colours.setdefault(line["fault"], f"C{2 + len(colours)}")
        for axis in axes:
            axis.axvline(line["t_s"] / 60, color=colour, linewidth=0.7, alpha=0.7)
    if colours:
        handles = [Line2D([], [], color=colour, label=fault) for fault, colour in colours.items()]
        figure.legend(handles=handles, loc="outside lower center", ncols=5, fontsize=8)
