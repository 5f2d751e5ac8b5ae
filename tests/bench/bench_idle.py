"""What a gateway takes that has nothing to do: 10,000 nodes in its registry, each heard once, then silence.

`idle_cpu`: of one core, over 20 s. `idle_wakes`: how often a thread of it woke up. `yardstick`: the same of a Python that does
nothing but sleep once a second, for what the machine adds by itself.

    bench_idle.py [NODES]
"""

import subprocess
import sys
import time

from derb_gateway.reader import read_only
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from street import Gateway, cpu_s, gateway, pause, status_field, tell, wait_until

QUIET_S = 20.0
_SLEEPER = "import time\nwhile True:\n    time.sleep(1)\n"


def hear_all(bench: Gateway) -> None:
    """Have each node say one thing, and wait until all is stored and handed on."""
    client = Client(CallbackAPIVersion.VERSION2, "bench-fleet")
    client.max_inflight_messages_set(1000)
    client.connect("127.0.0.1", bench.street.port)
    client.loop_start()
    for node in bench.keys:
        told = client.publish(f"d/{node}/u", bench.frame(node, 0), 1)
    told.wait_for_publish(120)
    client.disconnect()
    client.loop_stop()
    wait_until(lambda: forwarded(bench) >= len(bench.keys), 120)


def forwarded(bench: Gateway) -> int:
    with read_only(bench.store) as db:
        row = db.execute("SELECT value FROM counter WHERE name = 'forwarded.city'").fetchone()
        return int(row[0]) if row else 0


def quiet(pid: int) -> tuple[float, float]:
    """Return the percentage of a core that a process takes, and its wake-ups a second."""
    cpu, wakes, began_s = cpu_s(pid), status_field(pid, "voluntary_ctxt_switches"), time.monotonic()
    pause(QUIET_S)
    took_s = time.monotonic() - began_s
    return 100 * (cpu_s(pid) - cpu) / took_s, (status_field(pid, "voluntary_ctxt_switches") - wakes) / took_s


def main(nodes: int) -> None:
    with gateway(nodes) as bench, bench.running() as process:
        hear_all(bench)
        pause(15)  # housekeeping has had its turn
        cpu, wakes = quiet(process.pid)
        resident_kb = status_field(process.pid, "VmRSS")
    sleeper = subprocess.Popen([sys.executable, "-c", _SLEEPER])
    pause(1)
    yardstick_cpu, yardstick_wakes = quiet(sleeper.pid)
    sleeper.kill()
    sleeper.wait()
    figures = {
        "idle_cpu": (cpu, "% of a core"),
        "idle_wakes": (wakes, "/s"),
        "resident": (resident_kb / 1024, "MB"),
        "yardstick_cpu": (yardstick_cpu, "% of a core"),
        "yardstick_wakes": (yardstick_wakes, "/s"),
    }
    tell("idle", figures, nodes=nodes)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
