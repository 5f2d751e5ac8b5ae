"""Whether a board that was just flashed runs: a node's self-test, a relay's word."""

import asyncio

from derb_gateway.clock import Clock
from derb_gateway.config import RelaySettings
from derb_gateway.findings import Verdict
from derb_gateway.relay_check import check_relays

from derb_tools.at_node import tell
from derb_tools.prompt import Prompt
from derb_tools.selftest import run_selftest

Checks = list[dict[str, object]]


def try_it(port: str, role: str) -> tuple[bool, Checks]:
    """Whether it passed, and each check as JSON has it. NodeSilent, LineBroken, PortError."""
    return asyncio.run(_try_relay(port)) if role == "relay" else _try_node(port)


def _try_node(port: str) -> tuple[bool, Checks]:
    with Prompt.open(port, tell) as prompt:
        _, checks = run_selftest(prompt)
    return all(check.passed for check in checks), [check.to_json() for check in checks]


async def _try_relay(port: str) -> tuple[bool, Checks]:
    settings = RelaySettings.model_validate({"name": "flashed", "port": port}, strict=False)
    checks: Checks = []
    async for finding in check_relays([settings], Clock(), running=False):
        passed = finding.verdict is not Verdict.BAD
        checks.append({"check": finding.what, "pass": passed, "value": finding.detail, "do": finding.detail})
    return all(check["pass"] for check in checks), checks
