"""`derb selftest`: a node tries all it has, once, and says pass or what to do."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import typer
from rich.console import Console

from derb_tools.at_node import (
    WAIT_DEFAULT_S,
    JsonOption,
    PortOption,
    ResetOption,
    WaitOption,
    at_prompt,
    tell,
)
from derb_tools.errors import NodeRaised
from derb_tools.prompt import Prompt
from derb_tools.selftest_verdicts import (
    Check,
    of_battery,
    of_chips,
    of_echoes,
    of_field,
    of_identity,
    of_wake,
)

_FIELD_SAMPLES = 12
_SENSE_S = 60.0
_WAKE_S = 240.0  # the longest episode and the longest connection that settings allow are longer; a self-test's are not

Judge = Callable[[Any], Iterator[Check]]


def selftest(
    port: PortOption = None,
    wait: WaitOption = WAIT_DEFAULT_S,
    may_reset: ResetOption = True,
    as_json: JsonOption = False,
) -> None:
    """Test a node at the serial port: settings, chips, noise or echoes, battery, radio, broker, receipt, sleep.

    \b
    derb selftest                        the only ESP32 on USB
    derb selftest --port /dev/ttyUSB1    this one
    derb selftest --json                 for scripts

    Exit code 0: all passed; 1: something is to be done, and it says what. The node speaks once to the gateway, as in any wake.
    """
    with at_prompt(port, wait, may_reset=may_reset) as prompt:
        node, checks = run_selftest(prompt, None if as_json else _print)
    passed = all(check.passed for check in checks)
    if as_json:
        print(json.dumps({"node": node, "pass": passed, "checks": [check.to_json() for check in checks]}))
    else:
        _sum_up(node, checks)
    if not passed:
        raise typer.Exit(1)


def run_selftest(prompt: Prompt, found: Callable[[Check], None] | None = None) -> tuple[str, list[Check]]:
    """The node's id and every check, in order; `found` is called with each as it comes. LineBroken."""
    prompt.load("selftest")
    identity: dict[str, Any] = prompt.call("identity()")
    checks: list[Check] = []
    for check in _checks(prompt, identity):
        checks.append(check)
        if found:
            found(check)
    return identity["node"], checks


def _checks(prompt: Prompt, identity: dict[str, Any]) -> Iterator[Check]:
    yield from of_identity(identity)
    if "problem" in identity:
        return
    chips = list(_step(prompt, "chips", "chips()", of_chips))
    yield from chips
    if all(chip.passed for chip in chips):
        yield from _sensing(prompt, identity)
    yield from _step(prompt, "battery", "battery()", lambda mv: of_battery(mv, identity["batt_low_mv"]))
    if identity["key"]:
        tell("it makes one wake now: measures, speaks to the gateway, would sleep")
        yield from _step(prompt, "wake", "wake()", of_wake, _WAKE_S)


def _sensing(prompt: Prompt, identity: dict[str, Any]) -> Iterator[Check]:
    if identity["kind"] == "parking":
        return _step(prompt, "noise", f"field({_FIELD_SAMPLES})", of_field, _SENSE_S)
    return _step(prompt, "echoes", "echoes()", lambda found: of_echoes(found, identity["empty_mm"]), _SENSE_S)


def _step(prompt: Prompt, name: str, ask: str, judge: Judge, timeout_s: float = _SENSE_S) -> Iterator[Check]:
    """One question to the node; what raised there is a check that failed, and the next step goes on."""
    try:
        found = prompt.call(ask, timeout_s)
    except NodeRaised as raised:
        yield Check(
            name,
            str(raised),
            "look at the part it names; if nothing is wrong there, `derb flash` the node anew",
        )
    else:
        yield from judge(found)


def _print(check: Check) -> None:
    console = Console(highlight=False, soft_wrap=True)
    sign = "[green]pass[/]" if check.passed else "[red]FAIL[/]"
    console.print(f"{sign}  {check.check:13} ", end="")
    console.print(check.value, markup=False)


def _sum_up(node: str, checks: list[Check]) -> None:
    failed = [check for check in checks if not check.passed]
    print(f"\n{node}: " + ("pass" if not failed else f"{len(failed)} of {len(checks)} checks failed"))
    for check in failed:
        print(f"  {check.check}: {check.do}")
