"""One check and its outcome, and what the outcomes of all checks mean for an operation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence

from coordinator import errors
from coordinator.engine import operation, step
from coordinator.steps import site, tasks

_BLOCKED = 'check-blocked'
"""Fact: the operation's age when a check that may pass by itself began to fail."""

OK, WARNING, LATER, BAD = 'ok', 'warning', 'wait', 'fail'


@dataclasses.dataclass(frozen=True)
class Check:
    """The outcome of one check."""

    name: str
    outcome: str
    """ok; warning, which stops nothing; wait, when time alone may fix it; or fail."""
    sentence: str
    passing: bool = False
    """Whether a failure may pass within a minute: units are blocked while their cluster changes.
    """


@dataclasses.dataclass(frozen=True)
class Warned:
    """The result of a check that has found a risk, but no reason to stop the operation."""

    sentence: str


def awaited(op: operation.Operation, outcomes: Sequence[Check]) -> step.Wait | None:
    """Return what the checks still wait for; None when all are well.

    Raises:
        StepError: a check failed, and has for a minute if that may pass; all that failed are
            named.
    """
    bad = [check for check in outcomes if check.outcome == BAD]
    passing = bool(bad) and all(check.passing for check in bad)
    patience = tasks.patience(op, _BLOCKED, site.BLOCKED_SECONDS) if passing else None
    # Several checks report a problem of S3 or the controller in the same words.
    if bad and patience is None:
        raise errors.StepError('; '.join(dict.fromkeys(check.sentence for check in bad)))
    reasons = dict.fromkeys(c.sentence for c in outcomes if c.outcome in (BAD, LATER))
    if reasons:
        over = {_BLOCKED: ''} if op.fact(_BLOCKED) else {}
        return step.Wait('; '.join(reasons), facts=patience or over)
    return None


def warnings(outcomes: Iterable[Check]) -> tuple[str, ...]:
    """Return the warnings of the checks, which the step hands to the operation."""
    return tuple(
        f'{check.name}: {check.sentence}' for check in outcomes if check.outcome == WARNING
    )


def made(name: str, check: Callable[[], str | Warned]) -> Check:
    """Make one check: what it returns is the sentence, what it raises the outcome."""
    try:
        found = check()
        if isinstance(found, Warned):
            return Check(name, WARNING, found.sentence)
        return Check(name, OK, found)
    except errors.TransientError as error:
        return Check(name, LATER, str(error))
    except errors.CoordinatorError as error:
        return Check(name, BAD, str(error), isinstance(error, errors.BlockedUnit))
