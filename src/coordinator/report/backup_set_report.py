"""What show-backup prints: everything in a manifest that a person needs."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from coordinator import figures, plain, this
from coordinator.report import operation_report, status, tables
from coordinator.sets import manifest, rehearsal, signing
from coordinator.steps import checking

_WIDEST = 4000
"""Bytes of a line: a set may be sealed for many."""
_NONE: Mapping[str, str] = {}


@dataclasses.dataclass(frozen=True)
class Standing:
    """What is known of a set beside what its manifest says."""

    state: str
    """A word of `retention`."""
    pinned: bool
    signature: str = ''
    """A word of `signing`; '' if nobody knows."""
    rehearsed: rehearsal.Result | None = None
    """The last rehearsal of its restore."""


def set_text(found: manifest.Manifest, standing: Standing) -> str:
    """Return a backup set, and the last rehearsal of its restore, for people."""
    maas, database, model = found.maas, found.postgresql, found.model
    took = ', '.join(f'{name} {_span(seconds)}' for name, seconds in found.seconds.items())
    kept = ', pinned' if standing.pinned else ''
    blocks = [
        _block(
            f'backup set {found.backup_id}: {standing.state}{kept}',
            (
                ('model', f'{model.name} ({model.uuid}), Juju {model.juju_version}'),
                ('begun', found.started),
                ('verified', found.verified),
                ('signature', _signature(found, standing.signature)),
                ('made by', f'coordinator {found.coordinator_version}, {found.strategy}'),
                ('took', took),
                ('rehearsed', _rehearsal(found, standing.rehearsed)),
            ),
        ),
        _block(
            f'MAAS {maas.version}: files backup {maas.backup_id}, {figures.size(maas.bytes)}',
            (
                ('application', _charm(maas.charm)),
                ('place', _place(maas.place)),
                ('controllers', ', '.join(maas.controllers)),
                ('images', _images(found)),
            ),
        ),
        tables.table(
            ('object', 'size'), [(item.key, figures.size(item.size)) for item in maas.objects]
        ),
        _block(
            f'PostgreSQL {database.charm.workload_version}: database backup '
            f'{database.backup_id}, {figures.size(database.bytes)}',
            (
                ('application', _charm(database.charm)),
                ('place', _place(database.place)),
                ('stanza, label', f'{database.stanza}, {database.label}'),
                ('database', f'{figures.size(database.database_bytes)} uncompressed'),
                ('objects', str(database.objects)),
                ('WAL', f'{database.archive}: {database.wal_start} to {database.wal_stop}'),
                ('LSN', f'{database.lsn_start} to {database.lsn_stop}'),
            ),
        ),
        _block(
            f'passwords: of {", ".join(found.passwords.hashes)}',
            (('sealed for', ', '.join(found.passwords.recipients)),),
        ),
    ]
    return '\n\n'.join(blocks)


def _block(head: str, lines: Iterable[tuple[str, str]]) -> str:
    cells = [(name, plain.one_line(value, _WIDEST)) for name, value in lines]
    width = max(len(name) for name, _ in cells) + 1
    rows = [f'  {name + ":":<{width}} {value}'.rstrip() for name, value in cells]
    return '\n'.join([plain.one_line(head), *rows])


def _rehearsal(found: manifest.Manifest, result: rehearsal.Result | None) -> str:
    if result is None:
        how = f'{this.command("restore-all")} backup-id={found.backup_id} rehearsal=true'
        return f'never: {how}, in a throw-away model'
    down = result.downtime_seconds
    parts = [
        str(result.outcome),
        f'MAAS was down for {_span(down)}' if down is not None else '',
        f'in model {result.model.name}',
        result.told if not result.outcome.good else '',
        *result.left,
    ]
    return '; '.join(filter(None, parts))


def _images(found: manifest.Manifest) -> str:
    if found.images is None:
        return 'unknown: MAAS was not asked'
    return ': '.join(filter(None, (found.images.state, found.images.why)))


def _signature(found: manifest.Manifest, standing: str) -> str:
    by = f', key {signing.fingerprint(found.signature.key)}' if found.signature else ''
    return f'{standing or "not checked"}{by}'


def _charm(charm: manifest.Charm) -> str:
    source = f'{charm.channel or "a local file"}, revision {charm.revision}'
    return f'{charm.application}: charm {charm.charm} from {source}, {charm.units} unit(s)'


def _place(place: manifest.Place) -> str:
    return f'{place.bucket}/{place.path} at {place.endpoint or "AWS"}'


def _span(seconds: int) -> str:
    return status.span(datetime.timedelta(seconds=seconds))


def for_programs(found: manifest.Manifest, standing: Standing, form: str) -> str:
    """Return a backup set as JSON or YAML: its manifest without what is of the passwords."""
    told: dict[str, Any] = json.loads(found.model_dump_json(by_alias=True))
    # Hashes are for comparison within the charm, and action results are kept by Juju.
    del told['passwords']['hashes']
    told = {**told, 'status': standing.state, 'pinned': standing.pinned}
    if standing.signature:
        told['signature-status'] = standing.signature
    rehearsed = standing.rehearsed
    if rehearsed is not None:
        told['rehearsed'] = rehearsed.outcome.for_programs() | {
            'downtime-seconds': rehearsed.downtime_seconds,
            'seconds': rehearsed.seconds,
            'told': rehearsed.told,
        }
    return json.dumps(told) if form == 'json' else yaml.safe_dump(told, sort_keys=False)


def restore_command(
    found: manifest.Manifest,
    outcomes: Sequence[checking.Check],
    app: str,
    parameters: Mapping[str, str] = _NONE,
) -> str:
    """Return the command that restores a set; with an identity unless the passwords are known.

    Args:
        found: the set.
        outcomes: of the checks of a restore of it.
        app: this application's name.
        parameters: what was given already.
    """
    known = any(check.name == 'passwords' and check.outcome == checking.OK for check in outcomes)
    given = {**parameters, 'backup-id': found.backup_id}
    if not known:
        given.setdefault('identity', operation_report.OWN_SECRET)
    return operation_report.command(app, 'restore-all', given)
