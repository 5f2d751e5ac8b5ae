"""The gateway's HTTP door: /metrics for Prometheus, /healthz and /readyz for whoever must decide about it.

It runs in the gateway's own event loop, so an answer proves that the loop turns. Nobody logs in here: it says nothing secret,
but how many nodes there are and how they fare, so it listens on this machine only unless `bind` says otherwise.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator, Sequence

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from derb_gateway.config import HttpSettings
from derb_gateway.errors import ConfigError

Reasons = Callable[[], Sequence[str]]
_UNAVAILABLE = 503
_MOST_CONNECTIONS = 32
_IDLE_S = 15
_STOP_S = 2


def http_app(stalls: Reasons, obstacles: Reasons, registry: CollectorRegistry) -> Starlette:
    """Return the routes; `stalls` and `obstacles` say why not, and nothing when all is well."""

    async def metrics(_: Request) -> Response:
        told = await asyncio.to_thread(generate_latest, registry)  # it reads the store
        return Response(told, media_type=CONTENT_TYPE_LATEST)

    async def healthz(_: Request) -> Response:
        return _verdict("alive", stalls())

    async def readyz(_: Request) -> Response:
        return _verdict("ready", obstacles())

    routes = [Route("/metrics", metrics), Route("/healthz", healthz), Route("/readyz", readyz)]
    return Starlette(routes=routes)


def _verdict(word: str, why_not: Sequence[str]) -> Response:
    told = {word: not why_not, "why_not": list(why_not)}
    return JSONResponse(
        told, status_code=_UNAVAILABLE if why_not else 200, headers={"Cache-Control": "no-store"}
    )


class HttpDoor:
    """Serves an application at a socket that `listen` has opened, until it is told to stop."""

    def __init__(self, listener: socket.socket, app: Starlette) -> None:
        self._listener = listener
        self._server = _Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                server_header=False,
                date_header=False,
                limit_concurrency=_MOST_CONNECTIONS,
                timeout_keep_alive=_IDLE_S,
                timeout_graceful_shutdown=_STOP_S,
            )
        )

    async def run(self) -> None:
        """Answer until `stop`."""
        await self._server.serve([self._listener])

    def stop(self) -> None:
        """Take no more; answers that are under way are finished."""
        self._server.stopping.set()


class _Server(uvicorn.Server):
    """uvicorn as a guest: signals are the gateway's, and there is no tick ten times a second on a machine that should idle."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.stopping = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self.stopping.wait()


def listen(settings: HttpSettings) -> socket.socket:
    """Take the port, before anything else is opened; ConfigError if it cannot be had."""
    listener = socket.socket(socket.AF_INET6 if ":" in settings.bind else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.bind, settings.port))
    except OSError as error:
        listener.close()
        msg = f"http.bind, http.port: cannot listen at {settings.bind}:{settings.port}: {error.strerror}"
        raise ConfigError([msg]) from error
    listener.listen()
    listener.setblocking(False)
    return listener
