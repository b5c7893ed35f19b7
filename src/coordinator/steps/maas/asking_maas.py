"""Questions to MAAS that no operation depends on: without an answer it goes on, and says why."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeVar

from coordinator import errors, plain, ports
from coordinator.engine import operation, step
from coordinator.ports import maas_port
from coordinator.steps import tasks
from coordinator.steps.maas import finding_maas

T = TypeVar('T')

NO_KEY = 'no API key of MAAS is configured (option maas-api-key)'
PATIENCE_SECONDS = 600
"""How long MAAS may not answer before the operation goes on without it."""
_SILENT = 'MAAS cannot be asked: '


@dataclasses.dataclass(frozen=True)
class Unknown:
    """MAAS gave no answer."""

    why: str
    refused: bool = False
    """Whether MAAS refuses the API key."""

    def __post_init__(self) -> None:
        # It becomes a fact, and nothing shortens the facts of a record that is too large.
        object.__setattr__(self, 'why', plain.one_line(self.why))


def ask(
    op: operation.Operation,
    world: ports.World,
    phase: str,
    question: Callable[[maas_port.Maas], T],
    patience_seconds: int = PATIENCE_SECONDS,
) -> T | step.Wait | Unknown:
    """Return MAAS' answer, what to wait for until it comes, or why there is none.

    Args:
        op: the operation.
        world: the world.
        phase: names the question among the facts: each one has its own patience.
        question: asks it; it may be called again.
        patience_seconds: how long to wait for a MAAS that does not answer.
    """
    waiting = _elsewhere(op, world, phase)
    if waiting is not None:
        return waiting
    try:
        maas = finding_maas.reach(world, op.settings.maas)
        return Unknown(NO_KEY) if maas is None else question(maas)
    except (errors.MaasUnavailable, errors.MaasUnintelligible) as error:
        facts = tasks.patience(op, f'{phase}-unanswered', patience_seconds)
        if facts is None:
            return Unknown(str(error))
        # The first error is kept: texts that vary would make every look a checkpoint.
        former = op.current.reason
        reason = former if former.startswith(_SILENT) else f'{_SILENT}{error}'
        return step.Wait(reason, facts=facts | finding_maas.doubt(op, world, phase))
    except (errors.MaasRefused, errors.Lacking) as error:
        return Unknown(str(error), isinstance(error, errors.MaasKeyRefused))


def _elsewhere(op: operation.Operation, world: ports.World, phase: str) -> step.Wait | None:
    """Have another region asked; None to ask the one that is known."""
    try:
        return finding_maas.another(op, world, phase)
    except errors.ShutOut:
        raise
    except errors.StepError:
        return None


def find(op: operation.Operation, world: ports.World) -> step.Wait | None:
    """Have a region say where MAAS is; None if it is known, or if nobody can say it.

    What keeps it from being known is among the answers of `ask`.
    """
    try:
        if finding_maas.is_known(op, world):
            return None
        outcome = finding_maas.find(op, world)
    except errors.ShutOut:
        raise
    except (errors.Lacking, errors.StepError):
        return None
    return outcome if isinstance(outcome, step.Wait) else None
