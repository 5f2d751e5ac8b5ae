"""All sinks' tasks: started, changed while the gateway runs, drained at the end. Sinks know nothing of each other."""

from collections.abc import Iterable, Iterator

from derb_gateway.config import SinkSettings
from derb_gateway.parts import Parts
from derb_gateway.progress import Progress
from derb_gateway.sinks.forwarder import Forwarder
from derb_gateway.sinks.kinds import SinkSurroundings, make_sink
from derb_gateway.writer import Writer


class Forwarding:
    """The forwarders of the moment."""

    def __init__(
        self,
        parts: Parts,
        around: SinkSurroundings,
        writer: Writer,
        progress: Progress,
    ) -> None:
        self._parts = parts
        self._around = around
        self._writer = writer
        self._progress = progress
        self._running: dict[str, tuple[SinkSettings, Forwarder]] = {}

    def names(self) -> list[str]:
        """Return the sinks' names."""
        return list(self._running)

    def forwarders(self) -> Iterator[Forwarder]:
        """Yield the forwarders of the moment."""
        for _, forwarder in list(self._running.values()):
            yield forwarder

    def start(self, settings: SinkSettings) -> None:
        """Begin to forward to a sink, from where it stopped."""
        self._begin(settings, self._forwarder(settings))

    def _begin(self, settings: SinkSettings, forwarder: Forwarder) -> None:
        self._running[settings.name] = settings, forwarder
        self._parts.start(_task(settings.name), forwarder.run())

    async def change(self, gone: Iterable[str], settings: Iterable[SinkSettings], deadline_s: float) -> None:
        """End sinks, and begin or begin anew with others: each goes on behind the last batch that was handed over."""
        new = {
            each.name: (each, self._forwarder(each)) for each in settings
        }  # one that cannot be made ends none
        ending = [name for name in (*gone, *new) if name in self._running]
        for name in ending:
            self._running[name][1].halt()
        await self._parts.finish(deadline_s, *map(_task, ending))
        await self._parts.cancel(*map(_task, ending))
        for name in ending:
            if name not in new:
                del self._running[name]
        for each in new.values():
            self._begin(*each)

    async def drain(self, deadline_s: float) -> None:
        """Deliver what there is, as far as the time allows."""
        for forwarder in self.forwarders():
            forwarder.drain()
        await self._parts.finish(deadline_s, *(_task(name) for name in self._running))

    def _forwarder(self, settings: SinkSettings) -> Forwarder:
        return Forwarder(
            settings.name,
            make_sink(settings, self._around),
            settings,
            (settings.retry_base_s, settings.retry_max_s),
            path=self._around.store,
            writer=self._writer,
            progress=self._progress,
            registry=self._around.registry,
        )


def _task(sink: str) -> str:
    return f"sink {sink}"
