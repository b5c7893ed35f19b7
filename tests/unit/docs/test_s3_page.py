"""The page on S3 has every object that is written, and a policy that fits the requests made."""

from __future__ import annotations

import ast
import dataclasses
import fnmatch
import functools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

import pytest

from coordinator import ports
from coordinator.engine import operation
from coordinator.record import history
from coordinator.report import progress
from coordinator.sets import catalogue, rules, sealing
from coordinator.steps.checks import before_backup
from docs.generate import contents
from rehearsal import memory_store
from tests import restores, simulation

PAGE = (contents.ROOT / 'docs/reference/s3.md').read_text()
ADAPTER = contents.ROOT / 'src/coordinator/s3/object_store.py'
ANSWERS = contents.ROOT / 'src/coordinator/s3/objects.py'
REQUESTS = {
    'put_object': 's3:PutObject',
    'get_object': 's3:GetObject',
    'head_object': 's3:GetObject',
    'delete_object': 's3:DeleteObject',
    'list_objects_v2': 's3:ListBucket',
    'list_multipart_uploads': 's3:ListBucketMultipartUploads',
    'list_parts': 's3:ListMultipartUploadParts',
}
"""By method of the S3 client: the permission that it takes."""
OF_BUCKETS = {'s3:ListBucket', 's3:ListBucketMultipartUploads'}
HEADERS = {
    'ObjectLockRetainUntilDate': 's3:GetObjectRetention',
    'ObjectLockLegalHoldStatus': 's3:GetObjectLegalHold',
}
"""By what an answer of S3 holds: the permission without which it is left out."""
PLACES = {'maas': ('maas-bucket', 'maas-path'), 'postgresql': ('pg-bucket', 'pg-path')}


# --- What the adapter asks of S3 -----------------------------------------------------------------


@functools.cache
def methods() -> dict[str, ast.FunctionDef]:
    tree = ast.parse(ADAPTER.read_text())
    return {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@functools.cache
def requests(method: str) -> frozenset[str]:
    """Return the client's methods that a method of the adapter leads to."""
    found: set[str] = set()
    for node in ast.walk(methods()[method]):
        if isinstance(node, ast.Attribute):
            owner = ast.unparse(node.value)
            if owner == 'self._client' and node.attr != 'get_paginator':
                found.add(node.attr)
            elif owner == 'self' and node.attr in methods() and node.attr != method:
                found |= requests(node.attr)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == 'self._client.get_paginator':
            found.add(ast.literal_eval(node.args[0]))
    return frozenset(found)


@functools.cache
def port() -> list[str]:
    """Return the methods of the port that make requests."""
    kinds = [name for name, value in vars(ports.ObjectStore).items() if callable(value)]
    return [name for name in kinds if not name.startswith('_') and name in methods()]


# --- What operations ask of the adapter ----------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Asked:
    """One call of a store."""

    method: str
    place: str
    path: str
    key: str


class Recorder:
    """Stands before S3 in memory, and notes what the coordinator asks of it."""

    def __init__(self, s3: memory_store.MemoryS3, asked: list[Asked]):
        self.s3 = s3
        self.asked = asked

    def store_for(self, fields: Mapping[str, str]) -> ports.ObjectStore:
        return cast(
            ports.ObjectStore, RecordedStore(self.s3.store_for(fields), fields, self.asked)
        )


class RecordedStore:
    """A store that notes its calls."""

    def __init__(
        self, store: ports.ObjectStore, fields: Mapping[str, str], asked: list[Asked]
    ) -> None:
        self._store = store
        self._fields = fields
        self._asked = asked

    def __getattr__(self, name: str) -> Any:
        if name in port():
            return functools.partial(self._call, name)
        return getattr(self._store, name)

    def _call(self, method: str, key: str | ports.Upload, *rest: Any, **named: Any) -> Any:
        place = self._fields['bucket'].removesuffix('-backups')
        name = key if isinstance(key, str) else key.key
        self._asked.append(Asked(method, place, self._fields['path'], name))
        return getattr(self._store, method)(key, *rest, **named)


@pytest.fixture(scope='module')
def asked() -> list[Asked]:
    """Return what all operations ask, on a site and on the one that it is restored to."""
    with pytest.MonkeyPatch.context() as patch:
        # Nobody attacks the hashes of these passwords, so they may be quick.
        patch.setattr(sealing, 'COST', 2)
        return everything()


def everything() -> list[Asked]:
    asked: list[Asked] = []
    sim = recorded(
        restores.simulate(regions=1, postgresql_units=1, maas_key=simulation.MAAS_KEY), asked
    )
    run(sim, 'backup-all')
    watch(sim)
    sim.config = dataclasses.replace(sim.config, retention=rules.Policy(last=1))
    run(sim, 'backup-all')
    run(sim, 'verify-backup', backup_id='latest', deep='true')
    run(sim, 'verify-backup', backup_id='latest', deep='false')
    store = sim.world.maas_store
    (backup_id,) = catalogue.ids(store)
    asked += rehearsed(sim)
    catalogue.pin(store, backup_id)
    catalogue.entries(store, heal=True)
    history.write(sim.op, sim.world)
    fresh = recorded(
        restores.simulate(regions=1, postgresql_units=1, maas_key=simulation.MAAS_KEY, after=sim),
        asked,
    )
    run(fresh, 'restore-all', backup_id=backup_id, identity=restores.IDENTITY)
    fresh.api.set(tags=['one that the set has not'])
    run(fresh, 'prove-restore', operation.FAILED, backup_id=backup_id)
    list(before_backup.writing_checks(fresh.world))
    run(fresh, 'backup-all')
    catalogue.unpin(store, backup_id)
    return asked


def watch(sim: simulation.Simulation) -> None:
    """Show how far a backup has come whose parts are being uploaded."""
    (stanza,) = sim.world.postgresql_store.folders('backup/')
    for place, key in (
        ('postgresql', f'backup/{stanza}/99990101-000000F/pg_data/1.gz'),
        ('maas', 'backup/2026-08-22T10:16:00Z/images.tar.gz'),
    ):
        sim.s3.bucket(f'{place}-backups').upload_part(f'{place}/{key}', 7)
    for name in ('back-up-postgresql', 'back-up-maas'):
        op = dataclasses.replace(sim.op, status=operation.OPEN).moving_to(name)
        found = progress.of(op, progress.Before(), sim.world.now(), sim.world)
        assert found is not None
        assert found.bytes
    for place in ('postgresql', 'maas'):
        sim.s3.bucket(f'{place}-backups').uploads.clear()


def rehearsed(lives: simulation.Simulation) -> list[Asked]:
    """Return what a rehearsal asks of the repository; its PostgreSQL has a bucket of its own."""
    asked: list[Asked] = []
    sim = recorded(restores.throwaway(lives, regions=1, postgresql_units=1), asked)
    restores.rehearse(sim, lives)
    sim.run()
    assert sim.op.status == operation.COMPLETE, sim.op.error
    return [item for item in asked if item.place == 'maas']


def recorded(sim: simulation.Simulation, asked: list[Asked]) -> simulation.Simulation:
    sim.world.s3 = cast(memory_store.MemoryS3, Recorder(sim.s3, asked))
    return sim


def run(
    sim: simulation.Simulation, kind: str, status: str = operation.COMPLETE, **given: str
) -> None:
    sim.clock.advance(60)
    sim.begin(kind, **given)
    sim.run()
    assert sim.op.status == status, sim.op.error


# --- The layout ----------------------------------------------------------------------------------


def forms(place: str) -> dict[str, re.Pattern[str]]:
    """Return the keys that the page says the coordinator writes below a path."""
    table = PAGE[PAGE.index(f'below the path of `s3-{place}` |') :].partition('\n\n')[0]
    keys = re.findall(r'^\| `([^`]+)` \| .* \| coordinator \|$', table, re.MULTILINE)
    return {key: re.compile(re.sub('<[^>]+>', '[^/]+', re.escape(key))) for key in keys}


@pytest.mark.parametrize('place', PLACES)
def test_the_page_has_every_object_that_is_written(asked: list[Asked], place: str):
    written = {item.key for item in asked if item.method == 'put' and item.place == place}
    known = forms(place)
    assert [
        key for key in sorted(written) if not any(f.fullmatch(key) for f in known.values())
    ] == []
    assert [key for key, form in known.items() if not any(map(form.fullmatch, written))] == []


# --- The policy ----------------------------------------------------------------------------------


@functools.cache
def policy() -> list[dict[str, Any]]:
    return json.loads(PAGE.partition('```json\n')[2].partition('```')[0])['Statement']


def many(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def needed(item: Asked) -> Iterator[tuple[str, str, str]]:
    """Yield permission, resource and prefix that a call takes, in the names of the page."""
    bucket, path = PLACES[item.place]
    path = item.path.replace(item.place, path, 1)
    for request in requests(item.method):
        action = REQUESTS[request]
        if action in OF_BUCKETS:
            yield action, f'arn:aws:s3:::{bucket}', f'{path}/{item.key}'
        else:
            yield action, f'arn:aws:s3:::{bucket}/{path}/{item.key}', ''


def allows(statement: Mapping[str, Any], action: str, resource: str, prefix: str) -> bool:
    condition = statement.get('Condition', {}).get('StringLike', {}).get('s3:prefix', ['*'])
    return (
        action in many(statement['Action'])
        and any(fnmatch.fnmatchcase(resource, form) for form in many(statement['Resource']))
        and any(fnmatch.fnmatchcase(prefix, form) for form in condition)
    )


def test_every_request_of_every_operation_is_allowed(asked: list[Asked]):
    refused = {
        need
        for item in asked
        for need in needed(item)
        if not any(allows(statement, *need) for statement in policy())
    }
    assert refused == set()


def test_no_statement_is_there_for_nothing(asked: list[Asked]):
    needs = {need for item in asked for need in needed(item)}
    idle = [
        f'{statement["Sid"]}: {action}'
        for statement in policy()
        for action in many(statement['Action'])
        if action not in HEADERS.values()
        if not any(allows({**statement, 'Action': action}, *need) for need in needs)
    ]
    assert idle == []


def test_the_policy_has_the_permissions_that_the_adapter_takes():
    source = ANSWERS.read_text()
    made = set[str]().union(*(requests(name) for name in port()))
    taken = {REQUESTS[name] for name in made}
    taken |= {action for header, action in HEADERS.items() if header in source}
    assert taken == {action for statement in policy() for action in many(statement['Action'])}


def test_the_adapter_makes_no_request_but_those_of_its_port():
    made = set[str]().union(*(requests(name) for name in port()))
    named = set(
        re.findall(r"self\._client\.(\w+_object\w*)|get_paginator\('(\w+)'\)", ADAPTER.read_text())
    )
    assert made == {name for pair in named for name in pair if name}
    assert made <= set(REQUESTS)
    for name in made:
        words = ''.join(word.capitalize() for word in name.split('_'))
        assert f'`{words}`' in PAGE
