"""Facts that are shared: one name each, written by a step, and read as in records that exist."""

from __future__ import annotations

import pathlib
import re
from typing import Any

import pytest

from coordinator.engine import facts
from coordinator.operations import plans
from tests import worlds

SOURCES = sorted((pathlib.Path(facts.__file__).parents[1]).rglob('*.py'))
FACTS: list[facts.Fact[Any]] = [
    value for value in vars(facts).values() if isinstance(value, facts.Fact)
]
WRITTEN = {
    'answers-requests': ('7:ab 9:cd', ['7:ab', '9:cd']),
    'requested-by': ('risky, other', 'risky, other'),
    'postgresql-units': ('{"pg/0": "3"}', {'pg/0': '3'}),
    'postgresql-storage': ('{"pg/0": ["data/0"]}', {'pg/0': ['data/0']}),
    'region-controllers': ('{"maas/0": "abc"}', {'maas/0': 'abc'}),
    'aimed-before': ('{"s3": {"path": "x"}}', {'s3': {'path': 'x'}}),
    'restore-former-system-id': ('7 8', ['7', '8']),
    'postgresql-new-path': ('pg-restored-1', 'pg-restored-1'),
    'model': ('{"name": "m"}', {'name': 'm'}),
    'password-hashes': ('{"operator": "h"}', {'operator': 'h'}),
    'repository': ('{"bucket": "b"}', {'bucket': 'b'}),
    'own-postgresql-place': ('{"bucket": "b"}', {'bucket': 'b'}),
    'agents-lost': ('{"7": 60}', {'7': 60}),
    'images-lost': ('["jammy"]', ['jammy']),
    'files-backups-replaced': ('["2026-08-22T10:15:00Z"]', ['2026-08-22T10:15:00Z']),
    'database-endpoints': ('maas:db pg:database', ['maas:db', 'pg:database']),
    'relation-being-removed': ('7', '7'),
    'maas-down-since': ('2026-08-22T10:15:00Z', '2026-08-22T10:15:00Z'),
    'maas-up-since': ('2026-08-22T10:15:00Z', '2026-08-22T10:15:00Z'),
}
"""By name: the text in records that exist, and what it says."""


def test_every_fact_is_known_by_one_name():
    names = [fact.name for fact in FACTS]
    assert sorted(names) == sorted(WRITTEN)


@pytest.mark.parametrize('fact', FACTS, ids=lambda fact: fact.name)
def test_a_fact_is_written_and_read_as_it_always_was(fact: facts.Fact[Any]):
    text, value = WRITTEN[fact.name]
    op = worlds.new_operation('check')

    assert fact.put(value) == {fact.name: text}
    assert fact.of(op.remembering({fact.name: text})) == value
    assert not fact.known(op)
    assert not fact.of(op)


@pytest.mark.parametrize('fact', FACTS, ids=lambda fact: fact.name)
def test_the_writer_of_a_fact_is_a_step(fact: facts.Fact[Any]):
    steps = {name for plan in plans.PLANS.values() for name in plan.names}
    assert fact.writer in {*steps, ''}


@pytest.mark.parametrize('path', SOURCES, ids=lambda path: path.name)
def test_no_module_decodes_a_fact_by_itself(path: pathlib.Path):
    source = path.read_text()
    assert not re.search(r'json\.loads\(\w+\.fact\(', source)
    if path.name != 'facts.py':
        named = rf"^\w+ = '({'|'.join(WRITTEN.keys() - {'model', 'repository'})})'$"
        assert not re.search(named, source, re.MULTILINE)
