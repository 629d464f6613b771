"""What every part of the local GitHub is handed: world, clock, permissions, budgets, faults, log."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trackeep.sandbox.requestlog import RequestLog
from trackeep.sandbox.world import World

if TYPE_CHECKING:
    from trackeep.sandbox.faults import Faults
    from trackeep.sandbox.oauth import Authority
    from trackeep.sandbox.quota import Clock, Quota


@dataclass(slots=True)
class SandboxState:
    """`url` is the address people use, without a slash at the end; `latency_s` is added to every answer."""

    world: World
    clock: "Clock"
    authority: "Authority"
    quota: "Quota"
    faults: "Faults"
    log: RequestLog
    url: str
    latency_s: float = 0.0
