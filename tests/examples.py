"""Example documents that several tests read: a whole backup set, and a key pair to seal for."""

from __future__ import annotations

import pyrage

from coordinator.sets import manifest, rehearsal

IDENTITY = pyrage.x25519.Identity.generate()
RECIPIENT = str(IDENTITY.to_public())
BACKUP_ID = '2026-08-22T10:15:00Z'
_MAAS_FOLDER = 'backup/2026-08-22T10:25:00Z/'


def backup_set(backup_id: str = BACKUP_ID) -> manifest.Manifest:
    """Return the manifest of a set of three regions and three database units."""
    return manifest.Manifest(
        backup_id=backup_id,
        started=backup_id,
        verified='2026-08-22T10:40:00Z',
        coordinator_version='0.1.0',
        strategy='scale-down',
        model=manifest.Model(
            name='maas', uuid='deadbeef-0bad-400d-8000-4b1d0d06f00d', juju_version='3.6.26'
        ),
        maas=manifest.Maas(
            charm=manifest.Charm(application='maas-region', charm='maas-region', units=3),
            backup_id='2026-08-22T10:25:00Z',
            version='3.6.1',
            place=manifest.Place(bucket='backups', path='maas'),
            controllers=('4y3h7n', '8kpx6c', 'aqd3bw'),
            objects=(
                manifest.Object(key=f'{_MAAS_FOLDER}backup_metadata.json', size=200),
                manifest.Object(key=f'{_MAAS_FOLDER}image-storage.tar.gz', size=3 << 30),
            ),
        ),
        postgresql=manifest.PostgreSQL(
            charm=manifest.Charm(
                application='postgresql',
                charm='postgresql',
                channel='16/stable',
                revision=843,
                workload_version='16.9',
                units=3,
            ),
            backup_id='2026-08-22T10:20:00Z',
            label='20260822-102000F',
            stanza='maas.postgresql',
            place=manifest.Place(bucket='backups', path='postgresql'),
            archive='16-1',
            wal_start='000000010000000000000003',
            wal_stop='000000010000000000000004',
            lsn_start='0/3000028',
            lsn_stop='0/4000440',
            objects=900,
            bytes=1 << 30,
            database_bytes=7 << 30,
            manifest=manifest.Object(
                key='backup/maas.postgresql/20260822-102000F/backup.manifest', size=240_341
            ),
        ),
        passwords=manifest.Passwords(
            sealed=manifest.Object(
                key=f'coordinator/backup-sets/{backup_id}/secrets.age', size=700
            ),
            recipients=(RECIPIENT,),
            hashes={'operator': 'scrypt$c2FsdA==$aGFzaA=='},
        ),
        seconds={'back-up-postgresql': 300},
    )


def rehearsal_of(backup_id: str = BACKUP_ID) -> rehearsal.Result:
    """Return what a rehearsal of the set has shown."""
    found = backup_set(backup_id)
    return rehearsal.Result(
        backup_id=backup_id,
        operation_id='2026-11-20T08:00:00Z',
        model=manifest.Model(
            name='maas-rehearsal',
            uuid='feedface-0bad-400d-8000-4b1d0d06f00d',
            juju_version='3.6.26',
        ),
        started='2026-11-20T08:00:00Z',
        ended='2026-11-20T08:33:30Z',
        total_seconds=2010,
        downtime_seconds=1500,
        seconds={'restore-maas': 600},
        proof=rehearsal.PROVEN,
        told='proven: 0 differences',
        coordinator_version='0.1.0',
        maas=found.maas.charm,
        postgresql=found.postgresql.charm,
    )
