"""What may wake the board from deep sleep besides its clock. The ESP32's descendants differ in the call."""


def wake_on_high(chip, pin):
    """Let a high level at `pin` wake the board; `chip` is the module `esp32`. Return False if this chip cannot."""
    if hasattr(chip, "wake_on_ext0"):
        chip.wake_on_ext0(pin=pin, level=chip.WAKEUP_ANY_HIGH)
    elif hasattr(chip, "wake_on_ext1"):
        chip.wake_on_ext1(pins=(pin,), level=chip.WAKEUP_ANY_HIGH)
    elif hasattr(chip, "wake_on_gpio"):
        chip.wake_on_gpio(pins=(pin,), level=chip.WAKEUP_ANY_HIGH)
    else:
        return False
    return True
