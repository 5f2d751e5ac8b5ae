"""TLS at the street's broker: a second listener, by pre-shared keys or by a certificate, and what a board needs to know of it."""

import ssl
from pathlib import Path
from typing import Literal

import trustme
from derb_gateway.broker_access import psk_lines
from derb_tools.board import SimBoard
from derb_tools.board.nvs import write_nvs
from derb_tools.demo.plan import BROKER_NAME, PlannedNode

Tls = Literal["off", "psk", "ca"]
TLS: tuple[Tls, ...] = ("off", "psk", "ca")


def listen_with_tls(conf: Path, tls: Tls, port: int, node: PlannedNode, board: SimBoard) -> None:
    """Add a listener on `port` to a Mosquitto's configuration, and to the board what it must know to use it."""
    folder = conf.parent
    lines = [f"listener {port} 127.0.0.1", "allow_anonymous true"]
    if tls == "psk":
        keys = folder / "psk"
        keys.write_text("\n".join(psk_lines({node.id: node.key})) + "\n")
        lines += ["psk_hint derb", f"psk_file {keys}"]
    else:
        authority = trustme.CA()
        certificate = authority.issue_cert(BROKER_NAME)
        certificate.cert_chain_pems[0].write_to_path(folder / "broker.pem")
        certificate.private_key_pem.write_to_path(folder / "broker.key")
        lines += [f"certfile {folder / 'broker.pem'}", f"keyfile {folder / 'broker.key'}"]
        der = ssl.PEM_cert_to_DER_cert(authority.cert_pem.bytes().decode())
        write_nvs(board.dir / "nvs", "derb", {"ca": der})
    with conf.open("a") as file:
        file.write("\n".join(lines) + "\n")
