"""amqtt as a broker where there is no Mosquitto: `python -m derb_gateway.fallback_broker HOST:PORT`.

For demonstrations. It speaks MQTT 3.1.1 only and keeps everything in memory: when it restarts it has lost
what it acknowledged, and the street must send it again (receipts see to that).
"""

import asyncio
import contextlib
import logging
import signal
import sys

from amqtt.broker import Broker  # type: ignore[import-untyped]
from amqtt.plugins.base import BaseAuthPlugin  # type: ignore[import-untyped]
from amqtt.session import Session  # type: ignore[import-untyped]


class EveryoneHasASession(BaseAuthPlugin):  # type: ignore[misc]
    """Lets everyone in under their client id; amqtt's own anonymous plugin would keep nothing for anyone."""

    async def authenticate(self, *, session: Session) -> bool | None:
        """Return True."""
        return True


async def serve(bind: str) -> None:
    """Run the broker on host:port until SIGTERM or SIGINT."""
    broker = Broker(
        {
            "listeners": {"default": {"type": "tcp", "bind": bind}},
            "plugins": {f"{EveryoneHasASession.__module__}.{EveryoneHasASession.__name__}": {}},
        }
    )
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await broker.start()
    await stop.wait()
    with contextlib.suppress(Exception):  # it is going, and it has nothing to save
        await broker.shutdown()


if __name__ == "__main__":
    logging.basicConfig(level=logging.CRITICAL)  # it logs each connection that ends in an odd way
    from derb_gateway import fallback_broker  # amqtt finds its plugins by their module's name

    asyncio.run(fallback_broker.serve(sys.argv[1]))
