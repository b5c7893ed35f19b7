"""A small sample of `make chaos`: an operation with faults that are soon over."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import datetime
import itertools
import pathlib
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator

import pytest

from coordinator.engine import operation
from coordinator.record import schedules
from rehearsal import embedded, site
from tests.chaos import checks, crew, due_run, faults, figures, operator, schedule
from tests.embedded import charmed_maas

Maas = charmed_maas.CharmedMaas

pytestmark = [pytest.mark.long, pytest.mark.xdist_group('chaos')]

_SEED = 1
_AWAY = 2.0
_QUICK = (schedule.PACEMAKER, schedule.STOPPED, schedule.CONTROLLER, schedule.S3_GONE,
          schedule.S3_ANSWERS, schedule.DISK_FULL, schedule.AGENT)  # fmt: skip
"""Kinds that cost no minute: a lost request is in doubt for half of one."""


def drawn() -> schedule.Operation:
    """Return the first backup that nobody aborts, and in which not every process is killed."""
    every = (schedule.draw(_SEED, number, _AWAY, _QUICK) for number in itertools.count(1))
    return next(o for o in every if (o.kind, o.killer, o.abort_at) == (schedule.BACKUP, '', ''))


@pytest.fixture(scope='module')
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[operator.Operator]:
    layout = embedded.Layout(
        version='4.0.15', s3_track=2, regions=1, postgresql_units=2, update_status_seconds=5
    )
    with crew.deployed(layout, tmp_path_factory.mktemp('chaos')) as maas:
        yield operator.Operator(maas, print)


def assert_nothing_lost(result: operator.Result) -> None:
    assert result.lost == ()
    assert result.status in (operation.COMPLETE, operation.FAILED)
    assert result.struck.total() > 0


def test_nothing_is_lost_and_what_is_lost_is_noticed(person: operator.Operator):
    disturbed = drawn()
    result = person.perform(disturbed)
    assert_nothing_lost(result)
    if result.status != operation.COMPLETE:
        # S3 was away while a charm needed it. There must be a set before it can be lost.
        result = person.perform(schedule.undisturbed(disturbed))
    assert (result.status, result.lost) == (operation.COMPLETE, ())
    assert person.ended is not None
    name = person.ended.record['id']

    with spoiled(person.maas, name):
        noticed = checks.lost(person.maas, person.ended)

    for sentence in (
        'postgresql create-backup succeeded 2 times',
        'create-backup ran twice at the same time: tasks ',
        f'backup set {name} is gone',
        'database of the site is {',
        'config of maas-backup-coordinator is {',
        'MAAS was restarted 1 times',
        "secret 'stray' is left",
        'object maas/coordinator/stray is left',
        f'object maas/coordinator/backup-sets/{name}/secrets.age is left',
        'a secret can be read in results',
    ):
        assert [text for text in noticed if text.startswith(sentence)], (sentence, noticed)


@contextlib.contextmanager
def spoiled(maas: Maas, name: str) -> Generator[None]:
    """Lose one thing of each kind for a while."""
    store, key = maas.running.maas_store, f'coordinator/backup-sets/{name}/manifest.json'
    published = store.get(key)
    store.delete(key)
    store.put('coordinator/stray', b'')
    put_back = maas.running.call(_spoil, maas)
    yield
    maas.running.call(put_back)
    store.delete('coordinator/stray')
    store.put(key, published)


def _spoil(maas: Maas) -> Callable[[], None]:
    """Spoil the model, on its thread; return what puts it back."""
    juju, (region,) = maas.model, maas.site.maas.states
    config = juju.application(charmed_maas.APP).config
    recipients, database = config['recipients'], maas.site.database
    restarts = maas.site.maas.states[region].get('restarts', 0)
    secret = juju.add_secret(f'model-{juju.uuid}', {'key': 'value'}, 'stray')
    backups = [task for task in juju.tasks.values() if task.name == 'create-backup']
    of_database = next(t for t in backups if t.unit.startswith(f'{site.POSTGRESQL}/'))
    number, password = max(juju.tasks) + 1, next(iter(maas.site.passwords.values()))
    juju.tasks[number] = dataclasses.replace(of_database, id=number, output={'told': password})
    maas.site.add_machine('that-nobody-added')
    maas.site.maas.update_unit(region, restarts=restarts + 1)
    config['recipients'] = ''

    def put_back() -> None:
        config['recipients'] = recipients
        maas.site.maas.update_unit(region, restarts=restarts)
        maas.site.postgresql.update(database=database)
        del juju.tasks[number], juju.secrets[secret.id]

    return put_back


# --- A machine that is not well ------------------------------------------------------------------

_LOOKING = """
import datetime, pathlib, sys, time
there = pathlib.Path(__file__).with_name('written')
try:
    there.write_text('something')
except OSError:
    pass
now = datetime.datetime.now(datetime.UTC)
assert isinstance(now, datetime.datetime)
assert isinstance(now + datetime.timedelta(1), datetime.date)
assert abs(now.timestamp() - time.time()) < 60
print(round(now.timestamp()), there.exists() and there.read_text())
"""


@pytest.mark.parametrize(
    ('options', 'hours', 'written'),
    [((), 0, 'something'), (('--hours=-1',), -1, 'something'), (('--hours=1', '--full'), 1, '')],
)
def test_a_bent_machine_deceives_the_script_that_it_runs(
    tmp_path: pathlib.Path, options: tuple[str, ...], hours: int, written: str
):
    script = tmp_path / 'looking.py'
    script.write_text(_LOOKING)
    now = datetime.datetime.now(datetime.UTC).timestamp()

    ran = subprocess.run(
        [sys.executable, '-P', faults.BENT, *options, str(script)],
        capture_output=True, check=True, text=True,
    )  # fmt: skip

    seconds, _, found = ran.stdout.removesuffix('\n').partition(' ')
    assert round((int(seconds) - now) / 3600) == hours
    assert found == written


# --- What is drawn -------------------------------------------------------------------------------


def test_a_seed_gives_the_same_operations_again():
    first, again, other = (
        [schedule.draw(seed, number, 35.0) for number in range(1, 30)] for seed in (7, 7, 8)
    )

    assert first == again
    assert first != other


def test_every_kind_of_fault_and_of_operation_is_drawn():
    every = [schedule.draw(1, number, 35.0) for number in range(1, 200)]

    assert {fault.kind for each in every for fault in each.faults} == set(schedule.KINDS)
    assert {each.kind for each in every} == {
        schedule.BACKUP,
        schedule.REPLICA,
        schedule.RESTORE,
        schedule.FRESH,
    }
    assert {each.site for each in every} == set(schedule.SITES)
    assert {each.kind for each in every if each.scheduled} == {schedule.BACKUP, schedule.REPLICA}


def test_a_run_that_is_due_is_noticed_if_it_vanishes_or_begins_twice():
    record = {'id': '2026-08-22T10:00:09Z', 'status': operation.COMPLETE}
    run = schedules.Run('2026-08-22T10:00:00Z', 'complete', operation=record['id'])

    def wrong(found: schedules.Run | None) -> bool:
        return bool(due_run.wrong(run.due, found, record))

    assert not wrong(run)
    assert not wrong(dataclasses.replace(run, outcome='missed', reason='x is held'))
    assert wrong(None)
    assert wrong(dataclasses.replace(run, outcome='missed'))
    assert wrong(dataclasses.replace(run, outcome='running'))
    assert wrong(dataclasses.replace(run, operation='2026-08-22T10:01:09Z'))


def test_the_figures_count_what_was_lost():
    drawn_first = schedule.draw(1, 1, 35.0)
    struck = collections.Counter({'s3-killed': 2})
    good = operator.Result(drawn_first, operation.COMPLETE, 1.0, 0, struck, ())
    bad = dataclasses.replace(good, status='', lost=('this', 'and that'))
    clean = dataclasses.replace(good, status=operation.FAILED)

    line = figures.summary(7, [good, clean, bad])

    assert line == ('seed 7: 3 operations, 6 faults, 1 ended well, 1 cleanly, things lost: 2')
    assert 's3-killed                             6' in list(figures.table([good, clean, bad]))
