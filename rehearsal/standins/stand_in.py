"""The frame of every stand-in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from rehearsal import clock, model
from rehearsal.standins import behaviour, host

Hook = Callable[[host.Host], clock.Work]
Action = Callable[[host.Host, behaviour.Fault], clock.Work]


class StandIn(Protocol):
    """One charm's stand-in. It keeps its switches, and nothing else."""

    @property
    def charm(self) -> model.CharmSpec:
        """What the charm declares."""
        ...

    @property
    def behaviour(self) -> behaviour.Behaviour:
        """Its switches."""
        ...

    @property
    def peers(self) -> str:
        """Name of the peer relation that keeps `Host.shared` and `Host.own`."""
        ...

    def hook(self, here: host.Host, name: str) -> clock.Work:
        """Run a hook such as `config-changed`; one that means nothing to the charm is fine."""
        ...

    def action(self, here: host.Host, name: str) -> clock.Work:
        """Run an action; raise `ActionError` when it fails."""
        ...

    def removed(self, model_uuid: str, unit: str) -> None:
        """Delete what a removed unit had on its machine."""
        ...


def run_action(
    actions: Mapping[str, Action], here: host.Host, name: str, switches: behaviour.Behaviour
) -> clock.Work:
    """Run one of a stand-in's actions, with the fault that a test has set for it."""
    fault = switches.take(name)
    yield switches.action
    yield from fault.strike('start')
    yield from actions[name](here, fault)
    yield from fault.strike('end')
