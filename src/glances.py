"""What a dispatch leaves for the next beat, out of what Juju tells this unit: see `glance`."""

from __future__ import annotations

import contextlib
import os

import given
from coordinator import errors
from coordinator.engine import glance, operation
from coordinator.juju_api import access
from coordinator.record import databag
from coordinator.unit import usual


class Glances:
    """The note of this dispatch, and that of the one before it."""

    def __init__(self, given_to_unit: given.Given, kept: databag.Record):
        self._given = given_to_unit
        self._record = kept
        self._note = glance.Note(given_to_unit.folder)
        self._usual = usual.Usual(given_to_unit.folder / usual.FILE)
        # Here, before the dispatch does anything: if it dies, the next beat must look at all.
        self._before = self._note.take()

    def leave(self, op: operation.Operation) -> None:
        """Note what an operation waits for, if that is a task.

        Without a login, or if the agent's configuration cannot be read, nothing is noted.
        """
        if op.current.task is None or op.current.state != operation.DOING:
            return
        with contextlib.suppress(errors.CoordinatorError):
            found = access.endpoint(
                self._given.credentials(), self._given.model.uuid, '', os.environ
            )
            relation, text = self._record.raw
            waiting = glance.Waiting(
                operation=op.id,
                age=op.age,
                record=glance.digest(text),
                relation=relation,
                application=self._given.app.name,
                task=op.current.task,
                login=str(self._given.config.get('juju-credentials', '')),
                addresses=list(found.addresses),
                ca_cert=found.ca_cert,
                model=found.model_uuid,
                ends=self._ends(op),
            )
            self._note.keep(waiting, self._before)

    def _ends(self, op: operation.Operation) -> int:
        lasts = self._usual.seconds(_what(op))
        return (op.current.began or 0) + lasts if lasts else 0

    def learn(self, op: operation.Operation, moved: operation.Operation) -> None:
        """Note how long a step took that waited for a task, if this dispatch ended it."""
        ended = (
            op.current.state == operation.DOING and moved.entry(op.step).state == operation.DONE
        )
        if ended and op.current.task is not None and op.current.began is not None:
            self._usual.note(_what(op), moved.age - op.current.began)


def _what(op: operation.Operation) -> str:
    return f'{op.kind} {op.step}'
