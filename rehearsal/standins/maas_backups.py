"""What maas-region does with S3: the files that MAAS keeps outside its database."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from coordinator import errors, ports
from rehearsal import clock
from rehearsal.standins import behaviour, host, installation, s3_parameters

METADATA = 'backup_metadata.json'
CONTROLLERS = 'controllers.txt'
IMAGES = 'image-storage.tar.gz'
PRESEEDS = 'preseeds.tar.gz'
CHANNEL = '3.6/stable'
_ID_FORMAT = '%Y-%m-%dT%H:%M:%SZ'
_SEE_LOG = ' Please check the juju debug-log for more details.'


class Backups:
    """The backup half of maas-region."""

    def __init__(self, switches: behaviour.MaasBehaviour, below: installation.Installation):
        self._switches = switches
        self._installation = below

    def create(self, here: host.Host, fault: behaviour.Fault) -> clock.Work:
        """Run create-backup."""
        if not here.is_leader():
            raise host.ActionError('Unit is not the leader')
        if here.status[0] == 'blocked':
            raise host.ActionError('Unit is in a blocking state')
        fields = s3_parameters.check(here)
        store = here.store(fields)
        probe = s3_parameters.probe(here, here.now().strftime(_ID_FORMAT))
        try:
            yield lambda: store.put('backup/latest', probe)
        except errors.CoordinatorError as error:
            raise host.ActionError(
                f'Failed to upload metadata to provided S3.{_SEE_LOG}'
            ) from error
        here.set_status('maintenance', 'creating backup')
        backup_id = here.now().strftime(_ID_FORMAT)
        if fault.kind == 'nothing':
            yield self._switches.backup
        else:
            yield from self._archive(here, store, backup_id, fault)
        here.log(f'Backup succeeded with backup-id {backup_id}')
        here.results['backups'] = f'backup created with id {backup_id}'

    def _archive(
        self, here: host.Host, store: ports.ObjectStore, backup_id: str, fault: behaviour.Fault
    ) -> clock.Work:
        """Upload the archives, then the metadata that says whether they are good."""
        folder = f'backup/{backup_id}'
        success = True
        try:
            yield from self._upload(here, store, folder, fault)
        except (host.ActionError, errors.CoordinatorError):
            success = False
        here.log('Uploading backup metadata to S3...')
        metadata = json.dumps(self._metadata(here, success)).encode()
        try:
            yield lambda: store.put(f'{folder}/{METADATA}', metadata)
        except errors.CoordinatorError as error:
            raise host.ActionError(
                f'Failed to upload backup metadata to S3 for backup-id {backup_id}.{_SEE_LOG}'
            ) from error
        if not success:
            raise host.ActionError(f'Failed to archive and upload MAAS files to S3.{_SEE_LOG}')

    def _upload(
        self, here: host.Host, store: ports.ObjectStore, folder: str, fault: behaviour.Fault
    ) -> clock.Work:
        here.log('Retrieving region ids from MAAS...')
        if not here.own.get('endpoints'):
            raise host.ActionError('Failed to retrieve region ids from the MAAS API')
        try:
            known = yield functools.partial(self._installation.controllers, here)
        except installation.Unreachable as error:
            raise host.ActionError('Failed to retrieve region ids from the MAAS API') from error
        there = controllers(here) if known is None else known
        ids = '\n'.join(sorted({*there, *self._switches.gone})).encode()
        here.log('Uploading region ids to S3...')
        yield lambda: store.put(f'{folder}/{CONTROLLERS}', ids)
        here.log('Creating image archive for S3 backup...')
        yield self._switches.backup / 2
        yield from fault.strike('middle')
        here.log('Uploading image archive to S3, see debug-log for progress...')
        images = yield functools.partial(self._installation.archive, here, 'images')
        yield lambda: store.put(f'{folder}/{IMAGES}', images)
        here.log('Creating preseed archive for S3 backup...')
        yield self._switches.backup / 2
        here.log('Uploading preseed archive to S3...')
        preseeds = yield functools.partial(self._installation.archive, here, 'preseeds')
        yield lambda: store.put(f'{folder}/{PRESEEDS}', preseeds)

    def _metadata(self, here: host.Host, success: bool) -> dict[str, Any]:
        return {
            'maas_snap_version': self._switches.version,
            'maas_snap_channel': CHANNEL,
            'unit_name': here.unit,
            'juju_version': here.juju_version,
            'success': success,
        }

    def list(self, here: host.Host, fault: behaviour.Fault) -> clock.Work:
        """Run list-backups."""
        fields = s3_parameters.check(here)
        store = here.store(fields)
        try:
            lines = yield functools.partial(self.lines, store, fields)
        except errors.CoordinatorError as error:
            raise host.ActionError(f'Failed to list MAAS backups with error: {error}') from error
        here.results['backups'] = _table(fields, lines)

    def lines(self, store: ports.ObjectStore, fields: Mapping[str, str]) -> list[tuple[str, ...]]:
        """Return a line for each backup that the charm sees, which a restore asks first as well.

        Raises:
            HookError: one of them is such that the charm fails with an exception of its own.
        """
        if not fields['path'].strip('/'):
            # Without a path it writes below `backup/`, and lists below `/backup/`.
            return []
        try:
            return [
                (self._id(fields['path'], name), *_cells(store, fields, name))
                for name in store.folders('backup/')
            ]
        except ValueError as error:
            raise host.HookError(repr(error)) from error

    def _id(self, path: str, name: str) -> str:
        """Return the id that the charm makes of a folder's name."""
        beginning = f'{path.strip("/")}/backup/'
        return f'{beginning}{name}'.lstrip(beginning) if self._switches.strips_ids else name


def controllers(here: host.Host) -> list[str]:
    """Return the system ids of the region controllers."""
    return [state['system-id'] for state in here.states().values() if 'system-id' in state]


def _cells(store: ports.ObjectStore, fields: Mapping[str, str], name: str) -> tuple[str, ...]:
    prefix = f'backup/{name}/'
    found = {
        item.key.removeprefix(prefix): item.size
        for item in store.list(prefix)
        if '/' not in item.key.removeprefix(prefix)
    }
    metadata = json.loads(store.get(prefix + METADATA)) if METADATA in found else {}
    ids = store.get(prefix + CONTROLLERS).decode().split() if CONTROLLERS in found else []
    whole = set(found) == {METADATA, CONTROLLERS, IMAGES, PRESEEDS}
    return (
        'full backup',
        'finished' if whole and metadata.get('success') else 'failed',
        str(metadata.get('maas_snap_version', '')),
        _as_size(sum(found.values())),
        ', '.join(ids),
        f'{fields["path"]}/backup/{name}',
    )


def _table(fields: Mapping[str, str], lines: Sequence[tuple[str, ...]]) -> str:
    header = ('backup-id', 'action', 'status', 'maas', 'size', 'controllers', 'backup-path')
    widths = (20, 11, 8, 8, 10, 22, 0)
    first, *rows = (
        ' | '.join(f'{cell:<{width}s}' for cell, width in zip(line, widths, strict=True))
        for line in [header, *lines]
    )
    return '\n'.join(
        [
            f'Storage bucket name: {fields["bucket"]}',
            f'Backups base path: {fields["path"]}/backup/\n',
            first,
            '-' * len(first),
            *rows,
        ]
    )


def _as_size(size: int) -> str:
    # As the charm does: of nothing there is no logarithm.
    power = int(math.log(size, 1024))
    return f'{size / 1024**power:.1f}{("", "Ki", "Mi", "Gi", "Ti")[power]}B'
