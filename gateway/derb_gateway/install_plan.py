"""What a gateway needs on a machine: a user, its configuration, a service that starts at boot, a port that is free.

The broker is the gateway's child: each start writes Mosquitto's configuration anew from gateway.toml and the registry (limits
raised, persistence, TLS by pre-shared keys, an ACL line a node), so none of it is installed. Debian's own Mosquitto service
holds the port, so it is kept from starting.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from derb_gateway.deployed import deployed
from derb_gateway.errors import ConfigError, StopError
from derb_gateway.install_changes import Before, Change, File, Folder, Link, Unlink, digest, under
from derb_gateway.install_manifest import MANIFEST, Manifest

USER = "derb"
UNIT = "derb-gateway.service"
STATE = "/var/lib/derb"
CONFIG = "/etc/derb/gateway.toml"
REGISTRY = "/etc/derb/registry.toml"
_WANTS = "/etc/systemd/system/multi-user.target.wants"
_BROKER_UNIT = f"{_WANTS}/mosquitto.service"
_EXEC = "/opt/derb/bin/derb"
_SITE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_HOMES = ("home", "root")  # at the top of the machine

_SYSUSERS = f"""# The user that the gateway runs as; dialout: the relays' USB ports.
u {USER} - "Derb gateway" {STATE}
m {USER} dialout
"""
_TMPFILES = f"""# The registry holds the nodes' keys: nobody else may read it.
d /etc/derb 0750 root {USER}
z {CONFIG} 0600 {USER} {USER}
z {REGISTRY} 0600 {USER} {USER}
"""
_REGISTRY = """# Which node is bolted to what, and the nodes' keys. `derb gateway registry add --help` writes here.
"""


def own_command() -> str:
    """Return the path of the derb that runs now; StopError if it is not an installed one."""
    asked = Path(sys.argv[0])
    if asked.is_file() and asked.resolve().name == "derb":
        return str(asked.resolve())
    beside = Path(sys.executable).parent / "derb"
    if sys.prefix != sys.base_prefix and beside.is_file():  # else another program of that name
        return str(beside)
    raise StopError("give --command: the path of an installed derb")


def config_text(site: str) -> str:
    """Return a configuration to begin with."""
    return f"""# Every key is in docs/configuration.md. `derb gateway check --config {CONFIG}` says what is wrong;
# `systemctl reload derb-gateway` takes most of it without a restart.
site = "{site}"
registry = "{REGISTRY}"

[broker]
manage = true                 # Mosquitto as a child of the gateway
psk_port = 8883               # nodes connect here, by TLS with a key made from their own
directory = "{STATE}/broker"

[store]
path = "{STATE}/derb.sqlite3"

[http]                        # /metrics, /healthz, /readyz on this machine

[[sink]]                      # where readings go: docs/sinks.md
type = "file"
name = "files"
directory = "{STATE}/forwarded"
"""


def plan(root: Path, site: str, command: str) -> Manifest:
    """Return what is to be done below a root; `command`: the derb to be run. StopError."""
    if not _SITE.fullmatch(site):
        raise ConfigError(["--site: letters, digits, dots and dashes, 64 at most, as in casablanca-maarif"])
    if PurePosixPath(command).parts[1:2] in [(home,) for home in _HOMES]:
        msg = (
            f"{command} is in somebody's home, where a service may not look: install derb elsewhere, for example\n"
            "  sudo PIPX_HOME=/opt/pipx PIPX_BIN_DIR=/usr/local/bin pipx install 'derb[gateway]'"
        )
        raise StopError(msg)
    texts = {
        "/etc/sysusers.d/derb-gateway.conf": (_SYSUSERS, 0o644),
        "/etc/tmpfiles.d/derb-gateway.conf": (_TMPFILES, 0o644),
        f"/etc/systemd/system/{UNIT}": (deployed(UNIT).replace(_EXEC, command), 0o644),
    }
    kept = {CONFIG: config_text(site), REGISTRY: _REGISTRY}
    texts |= {path: (text, 0o600) for path, text in kept.items() if not under(root, path).exists()}
    changes: list[Change] = [*_folders(root, [MANIFEST, *texts, f"{_WANTS}/{UNIT}"])]
    changes += [_file(root, path, text, mode) for path, (text, mode) in texts.items()]
    changes.append(Link(path=f"{_WANTS}/{UNIT}", target=f"/etc/systemd/system/{UNIT}"))
    if under(root, _BROKER_UNIT).is_symlink():
        target = str(under(root, _BROKER_UNIT).readlink())
        changes.append(Unlink(path=_BROKER_UNIT, target=target))
        return Manifest(changes=changes, stopped=["mosquitto.service"])
    return Manifest(changes=changes)


def _folders(root: Path, paths: list[str]) -> Iterator[Folder]:
    """Yield the folders that are not there yet, the outer ones first; the manifest's own even if it is."""
    seen: set[str] = set()
    for path in paths:
        for folder in reversed(PurePosixPath(path).parents):
            name = str(folder)
            is_new = name != "/" and name not in seen and not under(root, name).is_dir()
            seen.add(name)
            if is_new:
                yield Folder(path=name)


def _file(root: Path, path: str, text: str, mode: int) -> File:
    before = Before.of(under(root, path))
    return File(path=path, mode=mode, text=text, sha256=digest(text.encode()), before=before)
