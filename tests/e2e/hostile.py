"""A TCP proxy between a board and its broker that does one bad thing at one byte of a connection."""

import contextlib
import random
import socket
import struct
import threading
import time
from dataclasses import dataclass
from typing import Literal

Deed = Literal["none", "reset", "truncate", "garbage", "silence", "late", "drip"]
Way = Literal["up", "down"]
LATE_S = 3.0  # long after a board has given up; what it sent still arrives
DRIP_S = 0.1


@dataclass(frozen=True)
class Plan:
    """What is done after so many bytes in one direction."""

    deed: Deed = "none"
    way: Way = "up"
    after: int = 0


class HostileProxy:
    """Listens on `port`; each connection is treated as `plan` says when it comes. `met`: the plan's byte was reached."""

    def __init__(self, broker_port: int, seed: int = 1) -> None:
        self.plan = Plan()
        self.met = False
        self.connections = 0
        self.passed = {"up": 0, "down": 0}  # bytes of the last connection
        self._broker_port = broker_port
        self._random = random.Random(seed)
        self._server = socket.create_server(("127.0.0.1", 0), backlog=32)
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def set(self, plan: Plan) -> None:
        self.plan, self.met, self.connections = plan, False, 0

    def close(self) -> None:
        self._server.close()

    def _serve(self) -> None:
        while True:
            try:
                board, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            try:
                broker = socket.create_connection(("127.0.0.1", self._broker_port))
            except OSError:
                board.close()
                continue
            self.passed = {"up": 0, "down": 0}
            plan = self.plan
            for way, source, target in (("up", board, broker), ("down", broker, board)):
                threading.Thread(target=self._pump, args=(way, source, target, plan), daemon=True).start()

    def _pump(self, way: Way, source: socket.socket, target: socket.socket, plan: Plan) -> None:
        done, chosen = 0, plan.deed != "none" and plan.way == way
        try:
            while chunk := source.recv(4096):
                if chosen and done + len(chunk) > plan.after:
                    target.sendall(chunk[: plan.after - done])
                    self.met = True
                    self._do(plan.deed, source, target, chunk[plan.after - done :])
                    return
                done += len(chunk)
                self.passed[way] = done
                target.sendall(chunk)
        except OSError:
            pass  # the other direction closed it
        _end(source, target)

    def _do(self, deed: Deed, source: socket.socket, target: socket.socket, rest: bytes) -> None:
        if deed == "silence":
            while source.recv(4096):
                continue
        if deed == "late":
            time.sleep(LATE_S)
            target.sendall(rest)
        while deed == "drip" and rest:
            for byte in rest:
                target.sendall(bytes((byte,)))
                time.sleep(DRIP_S)
            rest = source.recv(4096)
        if deed == "garbage":
            target.sendall(self._random.randbytes(64))
        if deed == "reset":
            for each in (source, target):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        _end(source, target)


def _end(*sockets: socket.socket) -> None:
    for each in sockets:
        # As long as the other direction waits in it, close() alone sends nothing.
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RD)
        each.close()
