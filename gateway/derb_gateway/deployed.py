"""The files that are shipped to be put elsewhere on a machine: units, rules, dashboards."""

from pathlib import Path

from derb_gateway.errors import StopError

_PLACES = (Path(__file__).parent / "deploy", Path(__file__).parents[1] / "deploy")  # a wheel's, a checkout's


def deployed(name: str) -> str:
    """Return the text of a shipped file; StopError if this installation lacks it."""
    for place in _PLACES:
        if (place / name).is_file():
            return (place / name).read_text(encoding="utf-8")
    msg = f"{name} is not in this installation of derb: install derb again"
    raise StopError(msg)
