"""What MAAS holds: recorded in a backup set, and compared with the site later."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from coordinator import errors, ports, times
from coordinator.engine import operation, step
from coordinator.ports import maas_port
from coordinator.sets import catalogue, differences, inventory, manifest
from coordinator.steps.backup_set import beside
from coordinator.steps.maas import asking_maas, finding_maas

_TAKEN = 'inventory'
"""Fact: what the manifest says of the inventory."""


def take(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Record what MAAS holds now; without an answer the set says why there is no inventory."""

    def write(maas: maas_port.Maas) -> inventory.Writer:
        writer = inventory.Writer(op.backup_id, times.stamp(world.now()))
        for item in inventory.items(maas):
            writer.add(item)
        return writer

    writer = asking_maas.ask(op, world, 'inventory', write)
    if isinstance(writer, step.Wait):
        return writer
    if isinstance(writer, asking_maas.Unknown):
        return _done(manifest.Inventory(why=writer.why))
    content = writer.content(op.settings.recipients)
    entry = beside.put(op, world, catalogue.inventory_key(op.backup_id), content)
    return _done(manifest.Inventory(stored=entry, counts=writer.counts))


def _done(taken: manifest.Inventory) -> step.Done:
    return step.Done({_TAKEN: taken.model_dump_json(by_alias=True)})


def taken(op: operation.Operation) -> manifest.Inventory | None:
    """Return what the manifest says of the inventory; None if no step took one."""
    text = op.fact(_TAKEN)
    return manifest.Inventory.model_validate_json(text) if text else None


def discard(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Undo: delete the inventory."""
    beside.delete(op, world, catalogue.inventory_key(op.backup_id))
    return step.Done({_TAKEN: ''})


def remains(op: operation.Operation) -> list[str]:
    """Return what may be in S3 when an operation ends as it is."""
    if op.entry('take-inventory').state in (operation.TO_DO, operation.UNDONE):
        return []
    return [f'{catalogue.inventory_key(op.backup_id)} may be left in the repository']


# --- Comparison ------------------------------------------------------------------------------


def lacking(found: manifest.Manifest) -> str:
    """Return that and why a set has no inventory; '' if it has one."""
    why = _why_not(found)
    return f'backup set {found.backup_id} has no inventory of MAAS: {why}' if why else ''


def _why_not(found: manifest.Manifest) -> str:
    taken = found.inventory
    if taken is not None and taken.stored is not None:
        return ''
    return (taken.why if taken else '') or 'MAAS was not asked when it was made'


def stored(found: manifest.Manifest, store: ports.ObjectStore) -> inventory.Known:
    """Return the inventory of a set.

    Raises:
        StepError: there is none, it is gone, or it is not the one of the set; says why.
    """
    taken = found.inventory
    if taken is None or taken.stored is None:
        raise errors.StepError(lacking(found))
    # The manifest lies where others may write, so it names no keys.
    key = catalogue.inventory_key(found.backup_id)
    content = store.get(key, inventory.LARGEST)
    if hashlib.sha256(content).hexdigest() != taken.stored.sha256:
        raise errors.StepError(
            f'{key} is not what was stored for this set: it was changed or swapped'
        )
    return inventory.parse(content, key)


def names(known: inventory.Known, backup_id: str, identity: str) -> Mapping[tuple[str, str], str]:
    """Return the names of the things in a set; none without the identity that opens them."""
    try:
        return inventory.names(known, identity, backup_id) if identity else {}
    except errors.StepError:
        return {}


def differing(
    known: inventory.Known, maas: maas_port.Maas, named: Mapping[tuple[str, str], str]
) -> list[differences.Difference]:
    """Return what a site has other than a set.

    Args:
        known: the inventory of the set.
        maas: the site's MAAS.
        named: the names of the things in the set, as far as they are known.

    Raises:
        MaasUnavailable, MaasRefused, MaasUnintelligible: MAAS does not answer.
    """
    return differences.between(known, inventory.items(maas), named)


def foreseen(found: manifest.Manifest, world: ports.World, application: str) -> str:
    """Return whether a restore of a set can be proven here, for its checks."""
    why = _why_not(found)
    if why:
        return f'the restore cannot be proven: the set has no inventory ({why})'
    if not _has_key(world, application):
        return f'the restore cannot be proven: {asking_maas.NO_KEY}'
    return 'after the restore MAAS is compared with the inventory of the set'


def _has_key(world: ports.World, application: str) -> bool:
    try:
        return finding_maas.reach(world, application) is not None
    except errors.MaasNotFound:
        return True
    except errors.Lacking:
        return False


def preview(found: manifest.Manifest, world: ports.World, application: str) -> str:
    """Return what a restore of a set would change of what MAAS holds now, for people."""
    try:
        known = stored(found, world.maas_store)
        maas = finding_maas.reach(world, application)
        if maas is None:
            return f'not compared: {asking_maas.NO_KEY}'
        # A restore lays out the files of every region anew.
        there = [each for each in differing(known, maas, {}) if each.what != differences.LACKING]
    except errors.CoordinatorError as error:
        return f'not compared: {error}'
    if not there:
        return f'MAAS holds the same as backup set {found.backup_id}: 0 differences'
    effects = (
        ('removes {} added after the backup', differences.ADDED),
        ('restores {} deleted since', differences.MISSING),
        ('reverts {} changed since', differences.CHANGED),
    )
    texts = [
        text.format(counted)
        for text, what in effects
        if (counted := differences.counted(there, what))
    ]
    return f'this restore {", ".join(texts)}: {differences.short(there)}'
