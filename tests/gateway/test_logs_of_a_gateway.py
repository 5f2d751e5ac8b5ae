"""A gateway for which everything goes wrong says a lot, and no secret of it."""

import signal
from pathlib import Path

from gateway.daemon import Daemon, Nodes
from gateway.kit import Mosquitto, free_port, wait_until
from gateway.test_registry import NODES

SECRET = "pa55-of-the-city"


def test_no_secret_is_in_the_log_when_everything_fails(
    tmp_path: Path, broker: Mosquitto, nodes: Nodes
) -> None:
    (tmp_path / "token").write_text(SECRET)
    port = free_port()
    sinks = (
        f'[[sink]]\ntype = "http"\nname = "web"\nurl = "http://127.0.0.1:{port}/in"\ntoken_file = "token"\n'
        f'[[sink]]\ntype = "mqtt"\nname = "city"\nport = {port}\nusername = "u"\npassword = "{SECRET}"\n'
        '[log]\nlevel = "debug"\n'
    )
    daemon = Daemon(tmp_path, broker.port, sinks)
    daemon.start()
    wait_until(lambda: daemon.logged("connected") > 0)
    nodes.send()
    nodes.finish()
    wait_until(lambda: daemon.logged("sink is away") == 2)
    registry = tmp_path / "registry.toml"
    registry.write_text(NODES.replace("id =", "idd ="))
    assert daemon.process is not None
    daemon.process.send_signal(signal.SIGHUP)
    wait_until(lambda: daemon.logged("registry not taken") == 1)
    broker.stop(kill=True)
    wait_until(lambda: daemon.logged("connection lost") > 0)
    assert daemon.end(signal.SIGTERM) == 0
    log = daemon.log.read_text().lower()
    assert SECRET not in log
    assert bytes(range(32)).hex() not in log
