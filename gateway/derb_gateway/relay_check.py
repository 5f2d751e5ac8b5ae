"""What `derb gateway check` says of the relays: plugged in, ours to open, the right one, on the right channel."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from derb_gateway import relay_ports
from derb_gateway.clock import Clock
from derb_gateway.config import RelaySettings
from derb_gateway.ending import end
from derb_gateway.errors import RelayAway
from derb_gateway.findings import Finding, Verdict
from derb_gateway.relay_connection import RelayConnection
from derb_gateway.relay_line import Ended
from derb_gateway.relay_messages import RelayUplink, SelfDescription
from derb_gateway.relay_ports import Lister

_WAIT_S = 6.0  # a relay alone speaks every 2 seconds, one that has just started after a few


class _Listener:
    """Takes nothing: what comes stays with the relay for the gateway."""

    def __init__(self) -> None:
        self.spoke = asyncio.Event()

    def heard(self, relay: RelayConnection, uplink: RelayUplink, waited_s: float) -> bool:
        return False

    def ended(self, relay: RelayConnection, order: Ended) -> None:
        pass

    def described(self, relay: RelayConnection) -> None:
        self.spoke.set()


async def check_relays(
    relays: Sequence[RelaySettings], clock: Clock, *, running: bool, ports: Lister = relay_ports.usb_ports
) -> AsyncIterator[Finding]:
    """Look for each relay and, unless a running gateway has it, hear what it says of itself."""
    claimed: set[str] = set()
    for settings in relays:
        yield await _one(settings, clock, claimed, running, ports)


async def _one(
    settings: RelaySettings, clock: Clock, claimed: set[str], running: bool, ports: Lister
) -> Finding:
    what = f"relay {settings.name}"
    try:
        found = await asyncio.to_thread(relay_ports.candidates, settings, ports)
    except RelayAway as away:
        return Finding(Verdict.BAD, what, str(away))
    free = [device for device in found if relay_ports.device_of(device) not in claimed]
    if not free:
        there = (
            ", ".join(map(relay_ports.described, await asyncio.to_thread(lambda: list(ports())))) or "none"
        )
        return Finding(
            Verdict.BAD,
            what,
            f"not plugged in: {relay_ports.wanted(settings)}; USB serial ports here: {there}",
        )
    if running:
        return Finding(
            Verdict.OK, what, f"at {free[0]}; the running gateway has it: see relays in the status"
        )
    return await _listen(settings, clock, claimed, ports)


async def _listen(settings: RelaySettings, clock: Clock, claimed: set[str], ports: Lister) -> Finding:
    what, listener = f"relay {settings.name}", _Listener()
    connection = RelayConnection(settings, listener, clock, set(claimed), ports)
    life = asyncio.create_task(connection.run())
    try:
        async with asyncio.timeout(_WAIT_S):
            await listener.spoke.wait()
    except TimeoutError:
        why = connection.trouble or "nothing there speaks as a relay: is the relay's firmware on it?"
        return Finding(Verdict.BAD, what, why)
    finally:
        await end(life)
    assert connection.description is not None
    if connection.device is not None:
        claimed.add(relay_ports.device_of(connection.device))
    return _judged(what, connection.description, settings)


def _judged(what: str, found: SelfDescription, settings: RelaySettings) -> Finding:
    told = f"{found.relay}, {found.chip}, firmware {found.firmware_version}, channel {found.channel}"
    if settings.id is None and settings.serial is None and settings.port is None:
        return Finding(
            Verdict.WARN, what, f'{told}; any relay would be taken: pin it with id = "{found.relay}"'
        )
    return Finding(Verdict.OK, what, told)
