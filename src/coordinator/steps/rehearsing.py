"""The last step of a rehearsal: its result is written beside the set. Nothing else is, anywhere.

A rehearsal leaves no mark on the set. The site that made it may delete it meanwhile: then the
restore in the throw-away model fails, and nobody loses anything. A mark would have to be deleted,
which a rehearsal never does, and would keep the set for a week after the model was destroyed.
"""

from __future__ import annotations

import coordinator
from coordinator import ports, times
from coordinator.engine import facts, operation, step
from coordinator.record import repository
from coordinator.sets import catalogue, manifest, rehearsal
from coordinator.steps.backup_set import chosen_set
from coordinator.steps.checks import before_backup
from coordinator.steps.maas import proving

_STEP = 'record-rehearsal'


def record(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Write the result; all of it comes out of the record, so that a repeated PUT is the same."""
    store = repository.of(op, world)
    found = result(op)
    if not catalogue.note_rehearsal(store, found):
        return step.Done(
            left=f'backup set {found.backup_id} was deleted in the meantime, '
            'so the result of the rehearsal was not stored: '
            'rehearse another set (list-backups)'
        )
    return step.Done()


def result(op: operation.Operation) -> rehearsal.Result:
    """Return what a rehearsal has shown so far."""
    proof, told = _proof(op)
    ended = max((entry.ended for entry in op.steps if entry.name != _STEP), default='')
    return rehearsal.Result(
        backup_id=chosen_set.of(op).backup_id,
        operation_id=op.id,
        model=manifest.Model.model_validate(facts.MODEL.of(op)),
        started=op.started,
        ended=ended,
        total_seconds=times.between(op.started, ended) or 0,
        downtime_seconds=times.between(facts.DOWN_SINCE.of(op), facts.UP_SINCE.of(op)),
        seconds=op.seconds,
        proof=proof,
        told=told,
        left=tuple(problem for problem in op.problems if told not in problem),
        coordinator_version=coordinator.VERSION,
        maas=before_backup.remembered_charm(op, op.settings.maas),
        postgresql=before_backup.remembered_charm(op, op.settings.postgresql),
    )


def _proof(op: operation.Operation) -> tuple[str, str]:
    """Return the outcome of the proof in a word and in a sentence."""
    entry, told = op.entry('prove'), op.fact(proving.PROOF)
    if entry.state == operation.DONE:
        return rehearsal.PROVEN if told == proving.PROVEN else rehearsal.UNPROVEN, told
    if entry.reason.startswith(proving.DIFFERS):
        # How many things there are, and not their names: anybody may read it.
        return rehearsal.DIFFERENT, entry.reason.partition(': ')[0]
    return rehearsal.UNPROVEN, entry.reason
