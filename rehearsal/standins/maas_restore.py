"""What maas-region does to restore: one region's id, preseeds and images, out of a backup.

It changes the machine as it goes: what is removed is gone, also when the rest fails. And whatever
becomes of it, the results say that the restore is finished; only the task's status tells.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import tarfile
from collections.abc import Generator

from coordinator import errors, ports
from rehearsal import clock
from rehearsal.standins import behaviour, host, installation, maas_backups, s3_parameters

DATABASE = 'maas-db'
_LARGEST = 64 << 20


class _Unfit(Exception):
    """The backup cannot be restored here; the reason goes to the debug-log alone."""


class Restores:
    """The restore half of maas-region."""

    def __init__(
        self,
        switches: behaviour.MaasBehaviour,
        below: installation.Installation,
        backups: maas_backups.Backups,
    ):
        self._switches = switches
        self._installation = below
        self._backups = backups

    def restore(self, here: host.Host, fault: behaviour.Fault) -> clock.Work:
        """Run restore-backup. A fault in its middle strikes between removal and download."""
        fields = _check(here)
        store = here.store(fields)
        backup_id = here.parameters['backup-id']
        try:
            known = yield lambda: [line[0] for line in self._backups.lines(store, fields)]
        except errors.CoordinatorError as error:
            raise host.ActionError('Failed to retrieve backups list') from error
        yield self._switches.listing * len(known)
        if backup_id not in known:
            raise host.ActionError(f'Invalid backup-id: {backup_id}')
        here.set_status('maintenance', 'Restoring from backup...')
        failure = None
        if fault.kind == 'nothing':
            yield self._switches.restore
        else:
            try:
                yield from self._run(here, store, f'backup/{backup_id}', fault)
            except host.ActionError as error:
                failure = error
        here.log('Region restore complete')
        here.results['restore-status'] = 'restore finished'
        if failure is not None:
            raise failure

    def _run(
        self, here: host.Host, store: ports.ObjectStore, folder: str, fault: behaviour.Fault
    ) -> clock.Work:
        with _failing('Failed to validate MAAS version from S3 backup.'):
            here.log('Downloading metadata from s3...')
            metadata = yield lambda: store.get(f'{folder}/{maas_backups.METADATA}')
            _check_version(self._switches.version, json.loads(metadata)['maas_snap_version'])
        with _failing('Failed to update maas-region IDs from S3 backup.'):
            here.log('Downloading controllers list from s3...')
            content = yield lambda: store.get(f'{folder}/{maas_backups.CONTROLLERS}')
            _take_id(here, content.decode().strip('\n').split('\n'))
        for kind, name in (
            ('preseeds', maas_backups.PRESEEDS),
            ('images', maas_backups.IMAGES),
        ):
            with _failing(f'Failed to download and extract {kind} from S3 backup.'):
                yield functools.partial(self._installation.clear, here, kind)
                here.save()
                if kind == 'images':
                    yield from fault.strike('middle')
                here.log(f'Downloading {name.partition(".")[0]} from s3...')
                yield self._switches.restore / 2
                packed = yield lambda name=name: store.get(f'{folder}/{name}', _LARGEST)
                files = _unpacked(packed)
                yield functools.partial(self._installation.unpack, here, kind, files)
                here.save()


def _check(here: host.Host) -> dict[str, str]:
    """Refuse what cannot be restored on this unit, or return the connection to S3."""
    try:
        fields = s3_parameters.check(here)
    except host.ActionError as error:
        raise host.ActionError(f'Restore failed: {error}') from error
    for name in ('backup-id', 'controller-id'):
        if not here.parameters[name]:
            raise host.ActionError(
                f"Restore failed: The '{name}' parameter must be specified to perform a restore"
            )
    if here.status[0] == 'blocked':
        raise host.ActionError('Restore failed: Cluster or unit is in a blocking state')
    for relation in here.relations(DATABASE):
        raise host.ActionError(
            'Restore failed: PostgreSQL relation still exists, please run:\n'
            f'juju remove-relation {here.application} {relation.application}\n'
            'then retry this action'
        )
    return fields


@contextlib.contextmanager
def _failing(message: str) -> Generator[None]:
    """Tell no more of what goes wrong within than the charm does."""
    try:
        yield
    except (
        host.ActionError,
        errors.CoordinatorError,
        tarfile.TarError,
        OSError,
        EOFError,
        ValueError,
        KeyError,
        _Unfit,
    ) as error:
        raise host.ActionError(f'{message} Check the juju debug-log for more detail.') from error


def _check_version(installed: str, backed_up: str) -> None:
    """Compare versions as the charm does: point versions as text, so that 3.6.10 < 3.6.9."""
    own, other = (text.partition('/')[0].split('.', 2) for text in (installed, backed_up))
    for index, part in enumerate(('major', 'minor')):
        if own[index] != other[index]:
            raise _Unfit(f'MAAS {part} version does not match backup {part} version')
    if own[2] < other[2]:
        raise _Unfit('MAAS point version is not greater or equal to backup point version')


def _take_id(here: host.Host, controllers: list[str]) -> None:
    """Become one of the controllers of the backup, if there are as many as regions."""
    regions = len(here.states())
    if len(controllers) != regions:
        raise _Unfit(f'{regions} maas-region units, {len(controllers)} in the backup')
    controller = here.parameters['controller-id']
    if controller not in controllers:
        raise _Unfit(f'{controller} is none of {", ".join(controllers)}')
    here.own['system-id'] = controller
    here.save()


def _unpacked(packed: bytes) -> dict[str, bytes]:
    """Return an archive's files by their names."""
    with tarfile.open(fileobj=io.BytesIO(packed), mode='r:gz') as archive:
        files: dict[str, bytes] = {}
        for member in archive:
            file = archive.extractfile(member)
            if file is not None:
                files[member.name] = file.read()
    if not files:
        raise _Unfit('the archive did not contain any files')
    return files
