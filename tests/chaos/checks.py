"""What must hold when an operation has ended; each sentence returned is a thing lost."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import itertools
import json
import pathlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from coordinator import errors, ports
from coordinator.engine import operation
from coordinator.operations import plans
from coordinator.parts import pgbackrest
from coordinator.sets import catalogue, index, manifest, sealing
from rehearsal import embedded, model, site, story
from tests.embedded import charmed_maas

Maas = charmed_maas.CharmedMaas
Json = charmed_maas.Json

LARGEST_RECORD = 16 << 10
_COORDINATOR = 'maas/coordinator/'
_OWN_SECRETS = ('coordinator-login', 'backup-identity', 's3-integrator-maas-keys',
                's3-integrator-postgresql-keys')  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Before:
    """What was there before an operation."""

    newest_task: int
    fingerprint: Json
    restarts: int
    relations: Mapping[str, int]
    config: Mapping[str, Mapping[str, Any]]
    sets: tuple[str, ...]
    database_well: bool
    """In a fresh model the buckets of another one block PostgreSQL, until it is restored."""

    @classmethod
    def of(cls, maas: Maas) -> Before:
        """Look at a site that is at rest."""

        def look() -> Before:
            return cls(
                newest_task=max(maas.model.tasks, default=0),
                fingerprint=maas.site.fingerprint(),
                restarts=maas.site.maas_restarts,
                relations=_relations(maas),
                config=_config(maas),
                sets=sets,
                database_well=well,
            )

        sets, well = tuple(maas.sets()), story.units_back(maas.running) == ''
        return maas.running.call(look)


@dataclasses.dataclass(frozen=True)
class Ended:
    """An operation that has ended, and what was known before."""

    record: Json
    before: Before
    at_backup: Mapping[str, Json]
    """Fingerprints of the site by backup id."""
    former_secrets: tuple[str, ...]
    by_hand: frozenset[int]
    """Tasks that the operator ran, as a message said."""

    @property
    def restores(self) -> bool:
        return self.record['kind'] == 'restore-all'

    @property
    def undone(self) -> bool:
        """Whether what was done was put back."""
        return self.record['undoing']

    @property
    def told(self) -> str:
        """All that the record says to the operator."""
        return ' '.join([self.record['error'], *self.record['problems']])

    @property
    def published(self) -> bool:
        return plans.published(operation.Operation.from_json(json.dumps(self.record)))


def lost(maas: Maas, ended: Ended) -> list[str]:
    """Return a sentence for everything that is not as it must be."""
    found = [
        *_record(maas, ended),
        *_postgresql(maas, ended),
        *_tasks(maas, ended),
        *_backup_set(maas, ended),
        *_site(maas, ended),
        *_left_in_model(maas),
        *_left_in_s3(maas),
        *_left_running(maas),
    ]
    return [*found, *_readable(maas, ended)]


def _readable(maas: Maas, ended: Ended) -> Iterator[str]:
    where = story.no_secret(maas.running, ended.former_secrets)
    if where:
        yield f'a secret can be read in {where}'
    words = (*story.secrets(maas.running), *ended.former_secrets)
    for name, unit in maas.running.call(lambda: maas.model.units).items():
        if any(word in unit.workload.message for word in words):
            yield f'a secret can be read in the status of {name}'


def _record(maas: Maas, ended: Ended) -> Iterator[str]:
    record = ended.record
    status = record['status']
    if status not in (operation.COMPLETE, operation.FAILED, operation.ABORTED):
        yield f'it is {status}'
    if status != operation.COMPLETE and not record['error']:
        yield f'it is {status} and does not say why'
    if status == operation.COMPLETE and (record['problems'] or record['error']):
        yield f'it is complete, and yet: {ended.told}'
    if maas.running.operation() != record:
        yield 'its record changed after its end'
    text = maas.running.peers.app_data[embedded.APP]['operation']
    if len(text.encode()) >= LARGEST_RECORD:
        yield f'its record has {len(text.encode())} bytes'


# --- PostgreSQL ----------------------------------------------------------------------------------


def _postgresql(maas: Maas, ended: Ended) -> Iterator[str]:
    if ended.undone and not ended.before.database_well:
        wanted, names = maas.running.layout.postgresql_units, maas.units(site.POSTGRESQL)
        short = '' if len(names) == wanted else f'{len(names)} of {wanted}: {names}'
    else:
        short = story.units_back(maas.running)
    if short and 'missing' not in ended.told and 'more than before' not in ended.told:
        yield f'PostgreSQL has {short}, and the operation says only: {ended.told}'
    for name in story.no_storage_left(maas.running).split(', '):
        if name not in ended.told:
            yield f'storage {name} is left, and nothing names it'


def _tasks(maas: Maas, ended: Ended) -> Iterator[str]:
    new = [
        task
        for number, task in maas.running.call(lambda: dict(maas.model.tasks)).items()
        if number > ended.before.newest_task and number not in ended.by_hand
    ]
    done: collections.Counter[tuple[str, ...]] = collections.Counter()
    for task in new:
        if task.status == 'completed' and task.name in ('create-backup', 'restore'):
            done[task.unit.partition('/')[0], task.name] += 1
        elif task.status == 'completed' and task.name == 'restore-backup':
            done[task.unit, task.name] += 1
            done[task.parameters['controller-id'], task.name] += 1
    for what, times in done.items():
        if times > 1:
            yield f'{" ".join(what)} succeeded {times} times'
    for name in ('create-backup', 'restore', 'restore-backup'):
        yield from _at_once([task for task in new if task.name == name])


def _at_once(tasks: Iterable[model.Task]) -> Iterator[str]:
    """Name the tasks of one action that ran at the same time, on the same thing."""
    now = datetime.datetime.now(datetime.UTC)
    for one, other in itertools.combinations(tasks, 2):
        regions = one.name == 'restore-backup'
        same = one.unit == other.unit or (
            not regions and one.unit.partition('/')[0] == other.unit.partition('/')[0]
        )
        if one.started is None or other.started is None or not same:
            continue
        if max(one.started, other.started) < min(one.completed or now, other.completed or now):
            yield f'{one.name} ran twice at the same time: tasks {one.id} and {other.id}'


# --- The backup set ------------------------------------------------------------------------------


def _backup_set(maas: Maas, ended: Ended) -> Iterator[str]:
    name, before = ended.record['id'], set(ended.before.sets)
    now = set(maas.sets())
    expected = {*before, name} if ended.published else before
    for backup_id in expected - now:
        yield f'backup set {backup_id} is gone'
    for backup_id in now - expected:
        yield f'backup set {backup_id} is listed, and was not published'
    if not ended.published or name not in now:
        return
    try:
        yield from _incomplete(maas, name)
    except errors.CoordinatorError as error:
        yield f'backup set {name} is not whole: {error}'


def _incomplete(maas: Maas, name: str) -> Iterator[str]:
    """Look at all that a manifest vouches for, and open its passwords."""
    store, key = maas.running.maas_store, catalogue.manifest_key(name)
    found = manifest.parse(store.get(key), key)
    for wanted in (*found.maas.objects, found.passwords.sealed):
        there = store.head(wanted.key)
        if (there.size, there.etag) != (wanted.size, wanted.etag):
            yield f'{wanted.key} is not what the manifest says'
    database = _store(maas, found.postgresql.place)
    listed = {b.label: b for b in pgbackrest.backups(database, found.postgresql.stanza)}
    pgbackrest.contents(database, found.postgresql.stanza, listed[found.postgresql.label])
    sealed = store.get(catalogue.sealed_key(name))
    opened = sealing.unseal(sealed, str(maas.running.identity), name)
    in_force = maas.running.call(lambda: dict(maas.site.passwords))
    if any(in_force.get(f'{user}-password') != password for user, password in opened.items()):
        yield f'the passwords of backup set {name} are not those in force'


def _store(maas: Maas, place: manifest.Place) -> ports.ObjectStore:
    return maas.running.store_for(maas.running.s3.connection(place.bucket, place.path))


# --- The site ------------------------------------------------------------------------------------


def _site(maas: Maas, ended: Ended) -> Iterator[str]:
    now = maas.running.call(lambda: maas.site.fingerprint())
    replaced = ended.restores and not ended.undone
    if replaced:
        restored = json.loads(ended.record['facts']['backup-set'])['backup-id']
        wanted = ended.at_backup[restored]
    else:
        wanted = ended.before.fingerprint
    for part in wanted:
        if now[part] != wanted[part]:
            yield f'{part} of the site is {now[part]}, and should be {wanted[part]}'
    relations, config = maas.running.call(lambda: (_relations(maas), _config(maas)))
    if relations != ended.before.relations:
        yield f'relations are {relations}, they were {ended.before.relations}'
    for name, options in config.items():
        if options != ended.before.config[name] and not replaced:
            yield f'config of {name} is {options}, it was {ended.before.config[name]}'
    restarts = maas.running.call(lambda: maas.site.maas_restarts)
    if not ended.restores and restarts != ended.before.restarts:
        yield f'MAAS was restarted {restarts - ended.before.restarts} times'


def _relations(maas: Maas) -> Mapping[str, int]:
    """Count relations by their endpoints."""
    return collections.Counter(
        ' '.join(sorted(f'{name}:{end.name}' for name, end in relation.endpoints.items()))
        for relation in maas.model.relations.values()
    )


def _config(maas: Maas) -> Mapping[str, Mapping[str, Any]]:
    return {
        # Schedules are set for one operation.
        name: {key: value for key, value in app.config.items() if key != 'backup-schedule'}
        for name, app in maas.model.applications.items()
    }


# --- What nobody needs any more ------------------------------------------------------------------


def _left_in_model(maas: Maas) -> Iterator[str]:
    def look() -> tuple[list[model.Secret], object]:
        users = maas.model.application(site.POSTGRESQL).config.get('system-users')
        return list(maas.model.secrets.values()), users

    secrets, in_use = maas.running.call(look)
    for secret in secrets:
        known = secret.label in _OWN_SECRETS or secret.uri == in_use
        if secret.owner.startswith('model-') and not known:
            yield f'secret {secret.label!r} is left'


def _left_in_s3(maas: Maas) -> Iterator[str]:
    sets = set(maas.sets())
    for key in sorted(maas.stored()):
        if 'coordinator/' not in key or key.endswith(f'/{index.KEY}'):
            continue
        kind, _, rest = key.removeprefix(_COORDINATOR).partition('/')
        of_a_set = kind == 'backup-sets' and rest.partition('/')[0] in sets
        if not of_a_set and kind != 'operations':
            yield f'object {key} is left'


def _left_running(maas: Maas) -> Iterator[str]:
    for name in maas.pacemakers():
        yield f'{name} still runs'
    try:
        # What runs in passing, such as update-status, is gone a moment later.
        maas.running.until(lambda: not processes(maas.running.root), 15)
    except TimeoutError:
        yield f'processes are left: {", ".join(processes(maas.running.root))}'


def processes(root: pathlib.Path) -> list[str]:
    """Return the command lines of processes of units below this folder."""
    mark, found = f'{root}/model-'.encode(), list[str]()
    for path in pathlib.Path('/proc').glob('[0-9]*/cmdline'):
        try:
            line = path.read_bytes()
        except OSError:
            # It has ended meanwhile.
            continue
        if mark in line:
            found.append(line.replace(b'\0', b' ').decode(errors='replace').strip())
    return found
