"""The proof of a restore: what MAAS itself says that it holds is compared with the set."""

from __future__ import annotations

import datetime
import logging

from coordinator import errors, ports, this
from coordinator.engine import operation, settings, step
from coordinator.ports import maas_port
from coordinator.record import repository
from coordinator.sets import catalogue, differences, manifest
from coordinator.steps.backup_set import beside, chosen_set
from coordinator.steps.maas import asking_maas, fence, inventories

logger = logging.getLogger(__name__)

PROOF = operation.PROOF
PROVEN = 'proven: 0 differences'
DIFFERS = 'MAAS is up, and differs from backup set'
_PATIENCE_SECONDS = 1800
"""A restored MAAS initialises, and may migrate its database."""


class Differs(errors.StepError):
    """MAAS holds other things than the set."""


def deadline(config: settings.Settings) -> datetime.timedelta:
    """Return the deadline of the step, which stops waiting by itself."""
    return datetime.timedelta(hours=2) + config.image_sync_deadline


def prove(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Compare what the restored MAAS holds with the set; say what could not be proven.

    Raises:
        Differs: it holds other things.
    """
    return _proven(op, world, patient=True)


def _proven(op: operation.Operation, world: ports.World, *, patient: bool) -> step.Outcome:
    found = chosen_set.of(op)
    outcome = _compared(op, world, found, patient=patient)
    if isinstance(outcome, step.Wait):
        return outcome
    if isinstance(outcome, str):
        return step.Done({PROOF: f'{operation.NOT_PROVEN}: {outcome}'})
    if not outcome:
        # The result of a rehearsal says so, and is all that it leaves there.
        if not op.rehearses:
            _remember(op, world, found.backup_id)
        return step.Done({PROOF: PROVEN})
    raise Differs(_told(op, world, found, outcome))


def _remember(op: operation.Operation, world: ports.World, backup_id: str) -> None:
    """Mark the set as proven; it is no less proven if that fails."""
    try:
        catalogue.note_proof(repository.of(op, world), backup_id, world.model_uuid, op.id)
    except errors.CoordinatorError as error:
        logger.warning('%s: backup set %s is not marked as proven: %s', op.at, backup_id, error)


def _compared(
    op: operation.Operation, world: ports.World, found: manifest.Manifest, *, patient: bool
) -> list[differences.Difference] | step.Wait | str:
    """Return the differences, what to wait for, or why nothing can be compared.

    Args:
        op: the operation.
        world: the world.
        found: the set.
        patient: wait for images that the regions still synchronise.
    """
    lacking = inventories.lacking(found)
    waiting = None if lacking else fence.too_soon(op, world) or asking_maas.find(op, world)
    if waiting is not None:
        return waiting

    def compare(maas: maas_port.Maas) -> list[differences.Difference] | step.Wait | str:
        # While MAAS starts, the inventory of a large site is not read at every beat.
        maas.whoami()
        waiting = fence.await_uploaded(op, maas) if patient else None
        if waiting is not None:
            return waiting
        try:
            known = inventories.stored(found, repository.of(op, world))
        except (errors.ForeignRecordError, errors.StepError) as error:
            return str(error)
        names = inventories.names(known, found.backup_id, _identity(op, world))
        return inventories.differing(known, maas, names)

    answer = lacking or asking_maas.ask(op, world, 'proof', compare, _PATIENCE_SECONDS)
    if not isinstance(answer, asking_maas.Unknown):
        return answer
    if not answer.refused:
        return answer.why
    if op.rehearses:
        return (
            f'{answer.why}. Rehearse again in a new model, '
            'with a key of the MAAS of the site as api-key that is older than backup set '
            f'{found.backup_id}'
        )
    app = this.application()
    return (
        f'{answer.why}. A restore also returns the API keys to the time of the backup: '
        'create a key in MAAS, put it into the secret of maas-api-key, '
        f'and run juju run {app}/leader prove-restore backup-id={found.backup_id}'
    )


def _identity(op: operation.Operation, world: ports.World) -> str:
    """Return the identity that was given for the restore, to name what is missing."""
    reference = op.parameters.get('identity', '')
    try:
        return world.secret(reference).get('identity', '') if reference else ''
    except errors.CoordinatorError:
        return ''


def _told(
    op: operation.Operation,
    world: ports.World,
    found: manifest.Manifest,
    outcome: list[differences.Difference],
) -> str:
    """Store all differences beside the set, and return the first ones.

    A rehearsal stores nothing there but its result, which has the first ones.
    """
    told = f'{DIFFERS} {found.backup_id} in {len(outcome)} thing(s): {differences.short(outcome)}'
    if op.rehearses:
        return told
    key = catalogue.differences_key(found.backup_id, op.id)
    whole = f'All of them are in {key}'
    if catalogue.exists(repository.of(op, world), found.backup_id):
        beside.put(op, world, key, differences.to_json(outcome, op.settings.recipients))
    else:
        whole = (
            'The backup set was deleted in the meantime, so the other differences are not stored'
        )
    return f'{told}. {whole}'


# --- prove-restore ---------------------------------------------------------------------------


def choose(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Remember the set that MAAS is compared with."""
    found = chosen_set.named(op.parameters['backup-id'], world)
    return step.Done(
        {chosen_set.BACKUP_SET: chosen_set.essence(found), **repository.remembered(world)}
    )


def prove_again(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Compare once more: here nothing else counts.

    Raises:
        StepError: MAAS differs, or nothing can be compared.
    """
    outcome = _proven(op, world, patient=False)
    if isinstance(outcome, step.Done) and outcome.facts[PROOF] != PROVEN:
        raise errors.StepError(outcome.facts[PROOF])
    return outcome
