"""What must hold of a backup set in the moment in which it is published."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Sequence

from coordinator import errors
from coordinator.engine import operation
from coordinator.operations import plans
from coordinator.parts import maas_backup, pgbackrest
from coordinator.sets import catalogue, manifest, sealing, signing
from coordinator.steps.backup_set import chosen_set
from rehearsal.standins import backup_manifest as standin_manifest
from rehearsal.standins import installation, maas_backups, modelled, pgbackrest_repository
from tests import examples, restores, simulation
from tests.exploration import scene

_IDENTITIES = {
    str(identity.to_public()): str(identity) for identity in (examples.IDENTITY, restores.KEY)
}


def wrong(sim: simulation.Simulation, before: scene.Scene, content: bytes) -> Iterator[str]:
    """Yield what is wrong with a set that is about to be published, whoever meddled."""
    try:
        published = manifest.parse(content, 'manifest')
        _assert_complete(sim, published)
    except errors.CoordinatorError as error:
        yield f'published too early: {error}'
        return
    if why := _signature(content, sim.world.signer.keys()):
        yield f'published with {why}'
    if sim.op.kind == 'backup-all':
        yield from _older(before, published)
        yield from _of_another_site(sim, published)
        yield from _lacking_images(sim, published)
    yield from _other_passwords(sim, published)


def not_vouched(sim: simulation.Simulation) -> Iterator[str]:
    """Yield why a set that a restore has just accepted is of nobody whom the site trusts."""
    trusted = sim.op.settings.trusted_signers
    if trusted:
        chosen = chosen_set.of(sim.op).backup_id
        content = sim.world.maas_store.get(catalogue.manifest_key(chosen))
        if why := _signature(content, trusted):
            yield f'accepted {chosen} with {why}'


def _signature(content: bytes, keys: Sequence[str]) -> str:
    """Return what is wrong with the signature of a manifest, without the code that is tested."""
    document = json.loads(content)
    made = document.pop('signature') or {'key': '', 'value': ''}
    del document['checksum']
    covered = json.dumps(document, sort_keys=True, separators=(',', ':')).encode()
    digest = hashlib.sha256(covered).hexdigest()
    if made['key'] not in keys:
        return 'a signature by a key that does not count'
    good = signing.holds(made['key'], 'backup-set', digest, made['value'])
    return '' if good else 'a signature that does not hold'


def of_two(
    sims: Iterable[simulation.Simulation], neighbour: simulation.Simulation
) -> Iterator[str]:
    """Yield what is wrong at the end with the sets of models in one repository."""
    if neighbour.op.status != operation.COMPLETE:
        yield f'the neighbour ended {neighbour.op.status}: {neighbour.op.error}'
    for each in sims:
        if not plans.published(each.op):
            continue
        content = each.world.maas_store.get(catalogue.manifest_key(each.op.backup_id))
        published = manifest.parse(content, 'manifest')
        if published.model.uuid != each.model.uuid:
            yield f'the set {each.op.backup_id} has become that of another model'
            continue
        _assert_complete(each, published)
        yield from _of_another_site(each, published)
        yield from _other_passwords(each, published)


def _assert_complete(sim: simulation.Simulation, published: manifest.Manifest) -> None:
    """Raise what is missing of a set."""
    maas_backup.read(sim.world.maas_store, published.maas.backup_id)
    listed = pgbackrest.backups(sim.world.postgresql_store, published.postgresql.stanza)
    label = published.postgresql.label
    backup = next((b for b in listed if b.label == label and not b.error), None)
    if backup is None:
        raise errors.StepError(f'{label} is not listed')
    pgbackrest.contents(sim.world.postgresql_store, published.postgresql.stanza, backup)
    sim.world.maas_store.head(published.passwords.sealed.key)


def _lacking_images(sim: simulation.Simulation, published: manifest.Manifest) -> Iterator[str]:
    """Compare the uploaded images that the database knows with those in the files."""
    if published.images is None or published.images.state != manifest.SYNCHRONISED:
        return
    cluster = standin_manifest.Cluster(published.postgresql.stanza, 0)
    store = sim.world.postgresql_store
    database = (
        pgbackrest_repository.Repository(store, cluster)
        .restore(published.postgresql.label)
        .database
    )
    key = f'{maas_backup.folder(published.maas.backup_id)}{maas_backups.IMAGES}'
    with tarfile.open(fileobj=io.BytesIO(sim.world.maas_store.get(key))) as packed:
        there = set(packed.getnames())
    for image in database.get('images', []):
        if image.startswith(installation.CUSTOM) and image not in there:
            yield f'published as synchronised, and the files lack image {image}'


def _older(before: scene.Scene, published: manifest.Manifest) -> Iterator[str]:
    for part, older in (
        (published.postgresql.label, before.labels),
        (published.maas.backup_id, before.files),
    ):
        if part in older:
            yield f'published with {part}, which is older than the operation'


def _of_another_site(sim: simulation.Simulation, published: manifest.Manifest) -> Iterator[str]:
    own = scene.controllers(sim)
    if own.isdisjoint(published.maas.controllers):
        yield f'published with the files of {published.maas.controllers}, here are {own}'


def _other_passwords(sim: simulation.Simulation, published: manifest.Manifest) -> Iterator[str]:
    """Compare the sealed passwords with the roles that the database backup holds."""
    sealed = sim.world.maas_store.get(published.passwords.sealed.key)
    identity = _IDENTITIES[published.passwords.recipients[0]]
    opened = sealing.unseal(sealed, identity, published.backup_id)
    cluster = standin_manifest.Cluster(published.postgresql.stanza, 0)
    store = sim.world.postgresql_store
    roles = (
        pgbackrest_repository.Repository(store, cluster).restore(published.postgresql.label).roles
    )
    for user in opened.keys() & roles.keys():
        if modelled.digest(user, opened[user]) != roles[user]:
            yield f'published with a password of {user} that its database does not know'
