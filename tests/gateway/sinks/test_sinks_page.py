"""The sink that docs/sinks.md shows is short, and it works, in the forwarder's hands."""

import re
import types
from pathlib import Path

from derb_gateway.progress import Progress
from derb_gateway.registry import Registry
from derb_gateway.sinks.forwarder import Forwarder
from derb_gateway.sinks.refused import RefusedBook, refused_path
from derb_gateway.store import NewReading, Store
from derb_gateway.writer import Writer
from gateway.fake_upstream import fake_upstream, http
from gateway.kit import NODE, NOW_MS, OTHER, registry

PAGE = (Path(__file__).parents[3] / "docs" / "sinks.md").read_text(encoding="utf-8")
SHOWN = PAGE.partition("```python\n")[2].partition("```")[0]
PARKED, FILLED = (
    '{"state":"occupied","confidence":95,"previous_state_s":60}',
    '{"status":"ok","distance_mm":875}',
)


def shown_module() -> types.ModuleType:
    module = types.ModuleType("influx_sink")
    exec(compile(SHOWN, "docs/sinks.md", "exec"), module.__dict__)
    return module


def test_it_is_about_sixty_lines() -> None:
    assert len([line for line in SHOWN.splitlines() if line.strip()]) <= 60


def test_every_class_that_the_page_names_exists() -> None:
    from derb_gateway import errors

    assert set(re.findall(r"`(Sink[A-Z]\w+)\(", PAGE)) <= set(dir(errors))


async def test_it_forwards(tmp_path: Path) -> None:
    module = shown_module()
    store = Store(tmp_path / "derb.sqlite3")
    writer = Writer(store, lambda: None)
    rows = [
        NewReading(NODE, 1, 0, 1, PARKED, NOW_MS, 0, False, NOW_MS, True),
        NewReading(OTHER, 1, 0, 2, FILLED, NOW_MS + 1, 0, False, NOW_MS, True),
        NewReading("0" * 12, 1, 0, 1, PARKED, NOW_MS + 2, 0, False, NOW_MS, True),
        NewReading(NODE, 1, 1, 3, '{"fields":{}}', NOW_MS + 3, 0, False, NOW_MS, True),
    ]
    last_id = await writer.do(lambda store: (store.insert(rows), store.last_id())[1])
    async with fake_upstream() as upstream:
        upstream.script = [http(503), http(204)]
        values = {
            "type": "influx",
            "name": "influx",
            "url": f"http://127.0.0.1:{upstream.port}",
            "org": "city",
        }
        settings = module.InfluxSinkSettings.model_validate({**values, "bucket": "street"})
        places: Registry = registry()
        forwarder = Forwarder(
            "influx",
            module.InfluxSink(settings, "casa"),
            settings,
            (0.001, 0.01),
            path=store.path,
            writer=writer,
            progress=Progress(last_id),
            registry=lambda: places,
        )
        forwarder.drain()
        await forwarder.run()
    lines = [line for asked in upstream.asked[1:] for line in asked.body.decode().splitlines()]
    assert lines == [
        f"parking,site=casa,node={NODE},zone=maarif occupied=1i {NOW_MS}",
        f"level,site=casa,node={OTHER},zone=maarif level_pct=50.0 {NOW_MS + 1}",
    ]
    assert upstream.asked[0].path == "/api/v2/write?org=city&bucket=street&precision=ms"
    (kept,) = RefusedBook(refused_path(store.path)).listed()
    assert "no place" in kept.why
    writer.close()
    store.close()
