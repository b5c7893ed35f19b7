"""What one run of the charm has written: seen by the run itself, and by others once committed."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from typing import Any

from rehearsal import model
from rehearsal.agent import home

_numbers = itertools.count(1)


class ToolError(Exception):
    """A hook tool refuses: its message goes to stderr after `ERROR`."""

    def __init__(self, message: str, code: int = 1):
        super().__init__(message)
        self.code = code


class CommitError(Exception):
    """The controller refused what a run has written, all of it."""


@dataclasses.dataclass(frozen=True)
class _Change:
    apply: Callable[[], object]
    as_leader: bool


@dataclasses.dataclass
class Context:
    """One run of a unit: a hook, an action or a juju-exec."""

    model: model.Model
    unit: model.Unit
    event: model.Event
    home: home.Home
    results: dict[str, Any] = dataclasses.field(default_factory=dict)
    """What action-set was given, nested; sent when the action ends, even if it fails."""
    failure: str | None = None
    """What action-fail was given."""
    peak_rss_bytes: int = 0
    """The most memory that the charm's process was seen to have had."""
    relation_writes: dict[tuple[int, bool], dict[str, str]] = dataclasses.field(
        default_factory=dict
    )
    """Buffered by relation id and whether it is the application's bag; '' deletes a key."""
    state_writes: dict[str, str | None] = dataclasses.field(default_factory=dict)
    new_secrets: dict[str, model.Secret] = dataclasses.field(default_factory=dict)
    new_revisions: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)
    """Content that this run gave to secrets that exist, by secret id."""
    _changes: list[_Change] = dataclasses.field(default_factory=list)

    def __post_init__(self) -> None:
        self.id = f'{self.unit.name}-{self.event.name.split()[0]}-{next(_numbers)}'

    def log(self, level: str, source: str, text: str) -> None:
        """Write to the unit's log, and to that of the model."""
        module = f'unit.{self.unit.name}.{source}'
        self.home.log(self.model.clock.now(), level, module, text)
        self.model.log(self.unit.tag, level, module, text)
        self.model.changed()

    def relation_of(self, reference: str) -> model.Relation:
        """Return the relation that `-r` names (`peers:0` or `0`), or the event's own."""
        if not reference:
            if self.event.relation is None:
                raise ToolError('no relation id specified', 2)
            return self.event.relation
        number = reference.rpartition(':')[2]
        relation = self.model.relations.get(int(number)) if number.isdecimal() else None
        if relation is None or self.unit.application.name not in relation.endpoints:
            raise ToolError(f'invalid value "{reference}" for option -r: relation not found')
        return relation

    def check_leader(self) -> None:
        """Refuse what only the leader may do."""
        if not self.unit.leader:
            raise ToolError('this unit is not the leader')

    def buffer(self, apply: Callable[[], object], as_leader: bool = False) -> None:
        """Keep a change for the commit."""
        self._changes.append(_Change(apply, as_leader))

    def commit(self) -> None:
        """Apply everything that was buffered, or nothing.

        Leadership is looked at again: whoever lost it meanwhile loses the whole commit.
        """
        as_leader = any(change.as_leader for change in self._changes) or any(
            of_application for _, of_application in self.relation_writes
        )
        if as_leader and not self.unit.leader:
            raise CommitError(f'{self.unit.name} is not leader of {self.unit.application.name}')
        for relation_id in {relation_id for relation_id, _ in self.relation_writes}:
            if relation_id not in self.model.relations:
                raise CommitError(f'relation {relation_id} not found')
        for (relation_id, of_application), values in self.relation_writes.items():
            relation = self.model.relations[relation_id]
            if of_application:
                self.model.set_app_data(relation, self.unit.application.name, values)
            else:
                self.model.set_unit_data(relation, self.unit, values)
        for key, value in self.state_writes.items():
            if value is None:
                self.home.state.pop(key, None)
            else:
                self.home.state[key] = value
        for change in self._changes:
            change.apply()
