"""What befalls an operation: drawn from a seed and the operation's number, and nothing else."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping

from coordinator.operations import plans
from rehearsal import embedded
from rehearsal.controller import faults

BACKUP, REPLICA, RESTORE, FRESH = 'backup', 'backup-on-replica', 'restore', 'restore-afresh'
_PLANS = {BACKUP: plans.BACKUP_ALL, REPLICA: plans.BACKUP_ALL}
"""By kind of operation; the others restore."""

SITES = {
    'three-coordinators': embedded.Layout(
        version='3.6.26', regions=1, postgresql_units=2, coordinators=3, update_status_seconds=10
    ),
    'juju-4.0': embedded.Layout(
        version='4.0.15', regions=2, postgresql_units=3, s3_track=2, update_status_seconds=10
    ),
}
"""Operations go to them in turn."""

# Kinds of faults.
PACEMAKER = 'pacemaker-killed'
STOPPED = 'process-stopped'
CONTROLLER = 'controller-gone'
REQUEST = 'request-lost'
S3_GONE, S3_ANSWERS = 's3-killed', 's3-answers'
DISK_FULL = 'disk-full'
LEADER = 'leader-moved'
CLOCK = 'clock-wrong'
AGENT = 'agent-restarted'

FULL = ('full', 'quota')
"""Answers of an S3 that takes nothing more for a while."""
ELSEWHERE = 'led-elsewhere'
AWAY, RESTARTED = 'away', 'restarted'
TO_THE_END = 3600.0
"""Seconds that no operation lasts."""


@dataclasses.dataclass(frozen=True)
class Kind:
    """One kind of fault."""

    details: tuple[str, ...]
    weight: int
    seconds: tuple[float, float] = (0.0, 0.0)
    """How long it lasts: from, to."""
    away: bool = False
    """It lasts as long as is asked for: beyond the client's timeouts."""
    again: bool = False
    """It may strike more than once in an operation."""


_REQUEST_FAULTS = (
    *(faults.Kind.DROP_AFTER,) * 4, faults.Kind.DROP_BEFORE, faults.Kind.HANG, faults.Kind.BUSY,
)  # fmt: skip

KINDS: Mapping[str, Kind] = {
    PACEMAKER: Kind(('',), 3, again=True),
    STOPPED: Kind(('', ELSEWHERE), 3, away=True),
    CONTROLLER: Kind((AWAY, RESTARTED), 4, away=True),
    REQUEST: Kind(tuple(kind.value for kind in _REQUEST_FAULTS), 4),
    S3_GONE: Kind(('',), 3, (0.0, 4.0)),
    S3_ANSWERS: Kind(
        tuple(
            f'{kind} {count}'
            for kind in ('500', '503', 'slow-down', 'cut', 'truncate')
            for count in (1, 3, 12)
        )
        + FULL * 3,
        5,
        (2.0, 8.0),
    ),
    DISK_FULL: Kind(('',), 2, (2.0, 8.0)),
    LEADER: Kind(('',), 4, again=True),
    CLOCK: Kind(('+1', '-1'), 3, (2.0, 12.0)),
    AGENT: Kind((embedded.APP, 'postgresql', 'maas-region'), 3, again=True),
}

_REQUESTS: Mapping[str, tuple[str, ...]] = {
    'scale-down-postgresql': ('Application.DestroyUnit', 'Action.EnqueueOperation'),
    'back-up-postgresql': ('Action.EnqueueOperation',),
    'request-postgresql-units': ('Application.AddUnits',),
    'back-up-maas': ('Action.EnqueueOperation',),
    'restore-postgresql-scale': ('Storage.Remove',),
    'apply-passwords': ('Secrets.*', 'Application.SetConfigs'),
    'detach-maas': ('Application.DestroyRelation',),
    'restore-postgresql': ('Action.EnqueueOperation',),
    'restore-maas': ('Action.EnqueueOperation',),
    'renew-repository': ('Application.SetConfigs',),
    'attach-maas': ('Application.AddRelation',),
    'forget-passwords': ('Secrets.*',),
}
"""What the steps ask the controller to change."""


@dataclasses.dataclass(frozen=True)
class Fault:
    """One fault, which happens this number of seconds after the start of a step."""

    kind: str
    detail: str
    step: str
    delay: float
    seconds: float

    @property
    def name(self) -> str:
        """What it counts as."""
        return ' '.join([self.kind, *self.detail.split()[:1]])

    def __str__(self) -> str:
        lasts = f' for {self.seconds:.1f} s' if 0 < self.seconds < TO_THE_END else ''
        name = ' '.join(filter(None, (self.kind, self.detail)))
        return f'{name}{lasts}, {self.delay:.1f} s into {self.step}'


@dataclasses.dataclass(frozen=True)
class Operation:
    """One operation, and all that is to befall it."""

    number: int
    site: str
    kind: str
    killer: str
    """What kills the charm's processes: random, checkpoints, or nothing."""
    killed_at: int
    """The request that begins it is killed at its so-many-th hook tool; 0 spares it."""
    abort_at: str
    """The operator aborts it in this step; empty: never."""
    aborts_when_held: bool
    earlier_set: bool
    """It restores not the newest set, if there is another."""
    seed: int
    """For all that is drawn while it runs."""
    faults: tuple[Fault, ...]
    scheduled: bool = False
    """A schedule begins it, and not the operator."""

    @property
    def restores(self) -> bool:
        return self.kind in (RESTORE, FRESH)

    def __str__(self) -> str:
        notes = [
            f'processes killed ({self.killer})' if self.killer else '',
            'the request killed' if self.killed_at else '',
            'begun by a schedule' if self.scheduled else '',
            f'aborted in {self.abort_at}' if self.abort_at else '',
            *map(str, self.faults),
        ]
        return f'{self.number} {self.kind} on {self.site}: {"; ".join(filter(None, notes))}'


def undisturbed(operation: Operation) -> Operation:
    """Return an operation that nothing befalls."""
    return dataclasses.replace(
        operation, killer='', killed_at=0, abort_at='', faults=(), scheduled=False
    )


def draw(seed: int, number: int, away: float, kinds: tuple[str, ...] = tuple(KINDS)) -> Operation:
    """Return the operation of this number.

    Args:
        seed: of the whole run.
        number: counted from 1.
        away: seconds that a controller or a process is away.
        kinds: of faults to choose from.
    """
    dice = random.Random(f'{seed}/{number}')
    names = tuple(SITES)
    site = names[(number - 1) % len(names)]
    kind = dice.choices((BACKUP, REPLICA, RESTORE, FRESH), (5, 2, 3, 3))[0]
    steps = _PLANS.get(kind, plans.RESTORE_ALL).names
    return Operation(
        number=number,
        site=site,
        kind=kind,
        killer=dice.choices(('random', 'checkpoints', ''), (4, 2, 4))[0],
        killed_at=dice.randint(1, 8) if dice.random() < 0.15 else 0,
        abort_at=dice.choice(steps) if dice.random() < 0.15 else '',
        aborts_when_held=dice.random() < 0.5,
        earlier_set=dice.random() < 0.3,
        seed=dice.randrange(1 << 32),
        faults=tuple(_faults(dice, steps, SITES[site].coordinators, away, kinds)),
        scheduled=kind in _PLANS and dice.random() < 0.5,
    )


def _faults(
    dice: random.Random,
    steps: tuple[str, ...],
    coordinators: int,
    away: float,
    kinds: tuple[str, ...],
) -> list[Fault]:
    possible = [kind for kind in kinds if kind != LEADER or coordinators > 1]
    drawn: list[Fault] = []
    for _ in range(dice.randint(2, 5)):
        name = dice.choices(possible, [KINDS[kind].weight for kind in possible])[0]
        kind = KINDS[name]
        if not kind.again:
            possible.remove(name)
        drawn.append(_fault(dice, name, steps, coordinators, away))
        if not possible:
            break
    return sorted(drawn, key=lambda fault: steps.index(fault.step))


def _fault(
    dice: random.Random, name: str, steps: tuple[str, ...], coordinators: int, away: float
) -> Fault:
    kind = KINDS[name]
    detail, delay = dice.choice(kind.details), dice.uniform(0, 2)
    # Early ones more often: an operation that turns back never comes to the late ones.
    step = steps[min(dice.randrange(len(steps)), dice.randrange(len(steps)))]
    seconds = dice.uniform(*kind.seconds)
    if detail == ELSEWHERE and coordinators == 1:
        detail = ''
    if name == REQUEST:
        # It waits for the request: so it must be there when the step begins.
        step, delay = dice.choice([step for step in steps if step in _REQUESTS]), 0.0
        detail = f'{detail} {dice.choice(_REQUESTS[step])}'
    if kind.away and detail != RESTARTED:
        seconds = away
    waits = name == REQUEST or (name == S3_ANSWERS and detail not in FULL)
    if waits or (name == CLOCK and dice.random() < 0.5):
        seconds = TO_THE_END
    return Fault(name, detail, step, delay, seconds)
