"""`derb flash`: from a blank board to one that runs Derb."""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from derb_gateway.errors import ConfigError
from derb_gateway.registry import load_registry, node_id

from derb_tools.at_node import JsonOption, PortOption, tell
from derb_tools.errors import AskedWrong, ToolError
from derb_tools.flash.at_loader import mode_of
from derb_tools.flash.batch import boards_in_turn
from derb_tools.flash.choice import asked_board, port_of
from derb_tools.flash.flashing import Flashed, Wish, flash, image_without_board
from derb_tools.flash.image_store import ImageStore, default_store
from derb_tools.flash.node_file import NodeFile, read_node_file
from derb_tools.flash.steps import Steps
from derb_tools.flash.trial import Checks, try_it
from derb_tools.whole_file import write_whole_secret

BoardArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="BOARD",
        help="A name from `derb boards`, or a board file; without it the chip and the USB say it, where they can.",
    ),
]
RegistryOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The gateway's registry: who the node is, and its key.")
]
SettingsOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="What all nodes of the street have: Wi-Fi, broker.")
]
BareOption = Annotated[
    bool, typer.Option("--bare", help="Without key and place; `derb provision` gives them.")
]
ImageOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="A MicroPython image that you bring; no network is needed."),
]
LockOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The lock file of fetched images, if not that in the cache."),
]
ChannelOption = Annotated[int, typer.Option(min=0, max=13, help="Of a relay: its Wi-Fi channel; 0: as told.")]
ForgetOption = Annotated[
    bool, typer.Option("--forget-readings", help="Do not save what a node has not been told is safe.")
]
BatchOption = Annotated[bool, typer.Option("--batch", help="One board after the other, until Ctrl-C.")]
TestOption = Annotated[
    bool, typer.Option("--test/--no-test", help="Whether the self-test is run at the end.")
]
OutOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Only build the image, for --node; no board is needed.")
]
NodeOption = Annotated[str | None, typer.Option(metavar="ID", help="The factory id, with --out.")]


def flash_command(
    board: BoardArgument = None,
    port: PortOption = None,
    registry: RegistryOption = None,
    settings: SettingsOption = None,
    bare: BareOption = False,
    image: ImageOption = None,
    lock: LockOption = None,
    channel: ChannelOption = 0,
    forget_readings: ForgetOption = False,
    batch: BatchOption = False,
    test: TestOption = True,
    out: OutOption = None,
    node: NodeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Flash a board: build one image, write it in one go, verify it, start it, test it.

    \b
    derb flash firebeetle2-esp32-e --registry registry.toml --settings street.toml
    derb flash --batch --registry registry.toml --settings street.toml      a box of boards
    derb flash xiao-esp32c3 --bare --image ESP32_GENERIC_C3.bin             no network, identity later
    derb flash olimex-esp32-poe --channel 6                                 a relay
    derb flash BOARD --bare --out board.bin                                 only the image

    Readings that a node still holds are saved first, in NODE-TIME.json, as by `derb pull`.
    A pulled cable costs nothing: plug it in again, or run the same command again; it goes on where it stopped.
    Exit code 0: written, verified and passed; 1: not, and the last line says what to do; 2: misused.
    """
    try:
        wish = _wish(
            board, registry, settings, image, channel, bare=bare, forget_readings=forget_readings, port=port
        )
        store = default_store(lock)
        if out is not None:
            _only_build(wish, node, store, out)
            return
        ports = (
            boards_in_turn(port, tell)
            if batch
            else iter([port_of(port, wish.board[1] if wish.board else None)])
        )
        passed = _each(ports, wish, store, as_json=as_json, test=test, batch=batch)
    except AskedWrong as error:
        raise typer.BadParameter(str(error)) from None
    if not passed:
        raise typer.Exit(1)


def _wish(
    board: str | None,
    registry: Path | None,
    settings: Path | None,
    image: Path | None,
    channel: int,
    *,
    bare: bool,
    forget_readings: bool,
    port: str | None,
) -> Wish:
    chosen = asked_board(board) if board else None
    is_relay = chosen is not None and chosen[1].role == "relay"
    if not is_relay and bare == (registry is not None):
        raise AskedWrong("give --registry FILE and --settings FILE, or --bare for a node without identity")
    if registry is not None and settings is None and not is_relay:
        raise AskedWrong("give --settings FILE too: without Wi-Fi and broker nobody will hear the node")
    try:
        known = load_registry(registry) if registry else None
    except ConfigError as error:
        raise ToolError(str(error)) from None
    nodes = read_node_file(settings) if settings else NodeFile()
    return Wish(chosen, image, nodes, known, channel, forget_readings, mode_of(port))


def _only_build(wish: Wish, node: str | None, store: ImageStore, out: Path) -> None:
    if wish.board is None:
        raise AskedWrong("--out needs the name of a BOARD")
    if wish.registry is not None and node is None:
        raise AskedWrong("--out with --registry needs --node ID: whose image shall it be?")
    try:
        who = node_id(node) if node else ""
    except ValueError as error:
        raise AskedWrong(f"--node {node}: {error}") from None
    made = image_without_board(*wish.board, who, wish, store)
    write_whole_secret(out, made.whole[made.begin :])
    print(f"{out}: {made.size} bytes of content; write it at {made.begin:#x}")


def _each(
    ports: Iterator[str], wish: Wish, store: ImageStore, *, as_json: bool, test: bool, batch: bool
) -> bool:
    """Flash the board at each port; return whether all passed. Ctrl-C ends a batch."""
    done = failed = 0
    try:
        for port in ports:
            try:
                passed = _one(port, wish, store, as_json=as_json, test=test)
            except ToolError as error:
                if not batch:
                    raise
                print(f"derb: {error}", file=sys.stderr)
                passed = False
            done, failed = done + passed, failed + (not passed)
    except KeyboardInterrupt:
        if not batch:
            raise
    if batch and not as_json:
        print(f"{done} flashed, {failed} failed")
    return not failed


def _one(port: str, wish: Wish, store: ImageStore, *, as_json: bool, test: bool) -> bool:
    steps = Steps(quiet=as_json)
    made = flash(port, wish, store, steps, tell)
    passed = True
    checks: Checks = []
    bare = made.role == "node" and wish.registry is None
    if test and not bare:
        with steps.step("test") as said:
            passed, checks = try_it(port, made.role)
            said.append("passed" if passed else "failed")
    if as_json:
        print(
            json.dumps(
                {
                    **asdict(made),
                    "seconds": steps.seconds,
                    "pass": passed if checks else None,
                    "checks": checks,
                }
            )
        )
    else:
        _sum_up(made, checks, passed=passed, bare=bare)
    return passed


def _sum_up(made: Flashed, checks: Checks, *, passed: bool, bare: bool) -> None:
    if bare:
        print(f"{made.node}: flashed, without key and place; `derb provision` gives them")
    elif not checks:
        print(f"{made.node}: flashed, not tested")
    else:
        print(f"{made.node}: " + ("flashed, pass" if passed else "flashed, but the test failed"))
    for check in checks:
        if not check["pass"]:
            print(f"  {check['check']}: {check['do']}")
