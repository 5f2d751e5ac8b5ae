"""Cold starts in a row that came to no sleep, counted in flash: power may be failing."""

from micropython import const

_MOST = const(1000)  # more say no more


def count(nvs):
    """Count this one; return how many there were."""
    try:
        starts = min(nvs.get_i32("starts"), _MOST) + 1
    except OSError:
        starts = 1  # the first ever
    _note(nvs, starts)
    return starts


def forget(nvs):
    """A wake came to its end."""
    _note(nvs, 0)


def _note(nvs, starts):
    nvs.set_i32("starts", starts)
    nvs.commit()
