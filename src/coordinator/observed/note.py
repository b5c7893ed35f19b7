"""The note that dispatches leave on the unit's disk for the exporter: small, and no secret in it.

Every dispatch makes it out of what it has read anyway, and writes it only if it differs. It is
what this unit knows: what comes out of the peer databag is the same on all units; what failed and
whether it leads are its own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import os
import pathlib
from collections.abc import Mapping, Sequence, Set
from typing import Any

from coordinator import times
from coordinator.engine import facts, operation, settings
from coordinator.record import ended, schedules

FILE = '.observed.json'
"""In the charm's folder."""
_SCALE_DOWN, _SCALE_BACK = 'scale-down-postgresql', 'restore-postgresql-scale'
"""Names of steps and facts. The steps themselves would be costly to import in each dispatch."""
RUNNING, WAITING, UNDOING, HELD = 'running', 'waiting', 'undoing', 'held'


@dataclasses.dataclass(frozen=True)
class UnderWay:
    """The operation that is open or held."""

    id: str
    kind: str
    step: str
    state: str
    """RUNNING, WAITING, UNDOING or HELD."""


@dataclasses.dataclass(frozen=True)
class Last:
    """The last operation of a kind that has ended."""

    id: str
    status: str
    ended: int
    """Seconds since 1970."""
    seconds: int
    """How long it took."""
    left: bool
    """Whether it is complete with something left to do."""
    steps: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """Seconds of each step; none if this unit has not read its record."""


@dataclasses.dataclass(frozen=True)
class Period:
    """Something that began, and may be over; in seconds since 1970."""

    since: int
    until: int = 0
    """0 while it lasts."""


@dataclasses.dataclass(frozen=True)
class Scheduled:
    """A schedule."""

    due: int = 0
    """When its next run is due, in seconds since 1970; 0 if none is."""
    missed: int = 0
    """How many of its runs were ever missed."""
    missed_last: bool = False
    """Whether its last run was missed, and nothing has made up for it."""


@dataclasses.dataclass(frozen=True)
class Note:
    """What there is to say. What has a default may be missing in a note of an older revision."""

    version: str
    """Of the charm's code."""
    since: int
    """When this unit left its first note."""
    leads: bool
    generation: int = 0
    """Of the newest record that this unit has read."""
    progress: int = 0
    """When it read that record first; 0 if there is none."""
    under_way: UnderWay | None = None
    last: Mapping[str, Last] = dataclasses.field(default_factory=dict)
    """By kind of operation."""
    last_complete: str = ''
    """Backup id of the newest complete set that this application made."""
    sets: str = ''
    """What the leader has found in the repository, as `sets` stores it."""
    missing_units: int = 0
    """Of PostgreSQL."""
    degraded: Period | None = None
    """When PostgreSQL had fewer units than before, in the newest operation that scaled it."""
    down: Period | None = None
    """When MAAS was down, in the newest restore."""
    failures: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """Failures that this unit's dispatches have met, by kind: see `errors.met`."""
    max_age: int = 0
    """Seconds after which the newest complete set is too old; 0 if it never is."""
    schedules: Mapping[str, Scheduled] = dataclasses.field(default_factory=dict)
    """By kind of operation."""

    def to_json(self) -> str:
        """Return the note as stored."""
        return json.dumps(dataclasses.asdict(self), separators=(',', ':'))

    @classmethod
    def from_json(cls, text: str) -> Note:
        """Read what `to_json` made; fields that are not known are ignored.

        Raises:
            ValueError: it is no note.
        """
        try:
            raw: dict[str, Any] = json.loads(text)
            known = {field.name for field in dataclasses.fields(cls)}
            values = {key: value for key, value in raw.items() if key in known}
            for key, made in (('under_way', UnderWay), ('degraded', Period), ('down', Period)):
                values[key] = made(**values[key]) if values.get(key) else None
            values['schedules'] = {
                kind: Scheduled(**kept) for kind, kept in raw.get('schedules', {}).items()
            }
            values['last'] = {kind: Last(**last) for kind, last in raw.get('last', {}).items()}
            return cls(**values)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise ValueError(f'this is not a note of the coordinator: {error}') from None


@dataclasses.dataclass(frozen=True)
class Seen:
    """What a dispatch has read, of which the note is made."""

    version: str
    leads: bool
    op: operation.Operation | None
    earlier: Sequence[ended.Ended] = ()
    last_complete: str = ''
    sets: str = ''
    max_age: int = 0
    failures: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """Those of this dispatch."""
    settled: Set[str] = frozenset()
    """Ids of operations that have left nothing to do any more."""
    schedules: str = ''
    """As the databag has them."""


class Notes:
    """The note of one unit."""

    def __init__(self, path: pathlib.Path):
        self._path = path

    def read(self) -> Note | None:
        """Return the note; None if there is none, or none that can be used."""
        try:
            return Note.from_json(self._path.read_text())
        except (OSError, ValueError):
            return None

    def update(self, seen: Seen, now: datetime.datetime) -> None:
        """Leave a note of what was seen, unless the note there says the same."""
        before = self.read()
        note = of(seen, before, int(now.timestamp()))
        if note == before:
            return
        # Whole or not at all; a disk that is full must not stop an operation.
        with contextlib.suppress(OSError):
            fresh = self._path.with_suffix('.new')
            fresh.write_text(note.to_json())
            # The exporter runs as nobody, whatever the agent's umask is.
            fresh.chmod(0o644)
            os.replace(fresh, self._path)


def of(seen: Seen, before: Note | None, now: int) -> Note:
    """Return the note of what was seen.

    Args:
        seen: what this dispatch has read.
        before: the note so far.
        now: the time, in seconds since 1970.
    """
    op = seen.op
    generation = op.generation if op is not None else 0
    same = before is not None and before.generation == generation
    failures = dict(before.failures) if before is not None else {}
    for kind, count in seen.failures.items():
        failures[kind] = failures.get(kind, 0) + count
    degraded = _degraded(op) if op is not None else None
    down = _down(op) if op is not None else None
    if before is not None:
        degraded, down = degraded or before.degraded, down or before.down
    last = _last(seen, before.last if before is not None else {})
    return Note(
        version=seen.version,
        since=before.since if before is not None else now,
        leads=seen.leads,
        generation=generation,
        progress=0 if op is None else before.progress if before is not None and same else now,
        under_way=_under_way(op) if op is not None else None,
        last=last,
        last_complete=seen.last_complete,
        sets=seen.sets,
        missing_units=_missing(op) if op is not None and op.id not in seen.settled else 0,
        degraded=degraded,
        down=down,
        failures=failures,
        max_age=seen.max_age,
        schedules=_schedules(seen, last),
    )


def _schedules(seen: Seen, last: Mapping[str, Last]) -> dict[str, Scheduled]:
    kept = schedules.from_json(seen.schedules)
    completed = {kind: each.id for kind, each in last.items() if each.status == operation.COMPLETE}
    return {
        kind: Scheduled(
            _seconds(each.due), each.missed, schedules.missed({kind: each}, completed) is not None
        )
        for kind, each in kept.items()
    }


def _under_way(op: operation.Operation) -> UnderWay | None:
    if op.terminal:
        return None
    state = WAITING if op.current.reason else RUNNING
    if op.status == operation.HELD:
        state = HELD
    elif op.undoing:
        state = UNDOING
    return UnderWay(op.id, op.kind, op.step, state)


def _last(seen: Seen, before: Mapping[str, Last]) -> dict[str, Last]:
    """Return the last operation of each kind that has ended, whole where its record was read."""
    found = dict(before)
    for past in reversed(seen.earlier):
        known = found.get(past.kind)
        if known is None or known.id < past.id:
            last = _ended(past)
            found |= {past.kind: last} if last is not None else {}
    if seen.op is not None and seen.op.terminal:
        whole = _ended(ended.of(seen.op))
        if whole is not None:
            found[seen.op.kind] = dataclasses.replace(whole, steps=_steps(seen.op))
    return {
        kind: dataclasses.replace(last, left=last.left and last.id not in seen.settled)
        for kind, last in found.items()
    }


def _ended(past: ended.Ended) -> Last | None:
    began, end = _seconds(past.started), _seconds(past.ended)
    if not began or not end:
        return None
    left = past.status == operation.COMPLETE and bool(past.error)
    return Last(past.id, past.status, end, max(end - began, 0), left)


def _steps(op: operation.Operation) -> dict[str, int]:
    return {
        entry.name: max(_seconds(entry.ended) - _seconds(entry.started), 0)
        for entry in op.steps
        if entry.started and entry.ended
    }


def _missing(op: operation.Operation) -> int:
    """Return how many units of PostgreSQL are removed, and not known to be back."""
    period = _degraded(op)
    if period is None or (period.until and not _gave_up(op)):
        return 0
    return len(_units(op)) - 1


def _units(op: operation.Operation) -> Mapping[str, str]:
    """Return PostgreSQL's units as they were before the operation scaled down."""
    units = facts.UNITS.of(op)
    return units


def _gave_up(op: operation.Operation) -> bool:
    """Whether the operation ended without all units."""
    return any(_state(op, name) == operation.BROKEN for name in (_SCALE_DOWN, _SCALE_BACK))


def _degraded(op: operation.Operation) -> Period | None:
    """Return when an operation has had fewer units of PostgreSQL than before; None if never."""
    steps = {entry.name: entry for entry in op.steps}
    down, back = steps.get(_SCALE_DOWN), steps.get(_SCALE_BACK)
    if down is None or not down.started or len(_units(op)) < 2:
        return None
    if op.strategy != settings.SCALE_DOWN:
        return None
    over = down.ended if down.state == operation.UNDONE else back.ended if back else ''
    return Period(_seconds(down.started), _seconds(over or op.ended))


def _down(op: operation.Operation) -> Period | None:
    since = _seconds(facts.DOWN_SINCE.of(op))
    if not since or not facts.RELATION_REMOVED.of(op):
        return None
    detached = next((entry for entry in op.steps if entry.name == 'detach-maas'), None)
    undone = detached.ended if detached and detached.state == operation.UNDONE else ''
    return Period(since, _seconds(facts.UP_SINCE.of(op) or undone))


def _state(op: operation.Operation, name: str) -> str:
    return next((entry.state for entry in op.steps if entry.name == name), '')


def _seconds(stamp: str) -> int:
    """Return a time in seconds since 1970; 0 for none, or for what is no time."""
    try:
        return int(times.parse_stamp(stamp).timestamp())
    except ValueError:
        return 0
