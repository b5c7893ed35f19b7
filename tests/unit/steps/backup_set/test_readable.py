"""Backup sets of which S3 keeps objects in an archive: there, whole, and not to be read."""

from __future__ import annotations

import pytest

from coordinator.engine import operation
from coordinator.sets import catalogue, manifest, retention
from coordinator.steps import checking
from coordinator.steps.checks import before_restore
from tests import restores, simulation

TIERED = 'INTELLIGENT_TIERING ARCHIVE_ACCESS'


def backed_up() -> tuple[simulation.Simulation, manifest.Manifest]:
    sim = restores.backed_up()
    found = catalogue.entries(sim.world.maas_store)[-1].backup_id
    return sim, catalogue.opened(sim.world.maas_store, found)


def archive(sim: simulation.Simulation, bucket: str, part: str, named: str) -> list[str]:
    """Move the objects whose key has a part into an archive; return their keys."""
    there = sim.s3.bucket(bucket)
    keys = [key for key in there.objects if part in key]
    assert keys
    there.archived |= dict.fromkeys(keys, named)
    return keys


CASES = [
    ('maas-backups', 'image-storage', 'GLACIER'),
    ('maas-backups', 'secrets.age', 'DEEP_ARCHIVE'),
    ('postgresql-backups', '/backup.manifest', 'GLACIER'),
    ('postgresql-backups', 'pg_data', TIERED),
    ('postgresql-backups', 'archive/maas.postgresql/16-1/0', 'DEEP_ARCHIVE'),
]


@pytest.mark.parametrize(('bucket', 'part', 'named'), CASES)
def test_a_restore_of_archived_objects_is_refused_with_what_to_thaw(
    bucket: str, part: str, named: str
):
    sim, wanted = backed_up()
    keys = archive(sim, bucket, part, named)
    sim.begin('restore-all', backup_id=wanted.backup_id, identity=restores.IDENTITY)
    assert sim.run().status == operation.FAILED
    assert f'({named}). Thaw ' in sim.op.error
    assert any(f'--bucket {bucket} --key {key} ' in sim.op.error for key in keys)
    assert sim.tasks('restore') == []


@pytest.mark.parametrize(('bucket', 'part', 'named'), CASES)
@pytest.mark.parametrize('deep', ['false', 'true'])
def test_verify_backup_marks_such_a_set_archived(bucket: str, part: str, named: str, deep: str):
    sim, wanted = backed_up()
    archive(sim, bucket, part, named)
    sim.begin('verify-backup', backup_id=wanted.backup_id, deep=deep)
    assert sim.run().status == operation.FAILED
    assert (
        f'backup set {wanted.backup_id} has no damage, but cannot be restored now' in sim.op.error
    )
    (entry,) = catalogue.entries(sim.world.maas_store)
    assert entry.state == retention.ARCHIVED
    assert entry.verified is not None
    assert str(entry.verified).endswith(': archived')
    assert sim.world.reading.started == []


def test_a_set_that_was_thawed_is_complete_again():
    sim, wanted = backed_up()
    keys = archive(sim, 'maas-backups', 'image-storage', 'GLACIER')
    sim.begin('verify-backup', backup_id=wanted.backup_id)
    sim.run()
    for key in keys:
        del sim.s3.bucket('maas-backups').archived[key]
    sim.clock.advance(60)
    sim.begin('verify-backup', backup_id=wanted.backup_id)
    assert sim.run().status == operation.COMPLETE
    (entry,) = catalogue.entries(sim.world.maas_store)
    assert entry.state == retention.COMPLETE


def test_an_object_that_is_missing_is_left_to_the_checks_that_name_it():
    sim, wanted = backed_up()
    there = sim.s3.bucket('maas-backups')
    (key,) = (key for key in there.objects if 'image-storage' in key)
    del there.objects[key]
    made = before_restore.restore_checks(wanted, {}, sim.config, sim.world)
    outcomes = {check.name: check for check in made}
    assert outcomes['archive'].outcome == checking.OK
    assert outcomes['maas-objects'].outcome == checking.BAD


def test_an_object_that_may_not_be_read_ends_a_verification_at_once():
    sim, wanted = backed_up()
    there = sim.s3.bucket('maas-backups')
    there.forbidden |= {key for key in there.objects if 'image-storage' in key}
    sim.begin('verify-backup', backup_id=wanted.backup_id, deep='true')
    began = sim.clock.now()
    assert sim.run().status == operation.FAILED
    assert 'AccessDenied' in sim.op.error
    assert (sim.clock.now() - began).total_seconds() < 60
    (entry,) = catalogue.entries(sim.world.maas_store)
    # Nothing is known of the set.
    assert (entry.state, entry.verified) == (retention.COMPLETE, None)
