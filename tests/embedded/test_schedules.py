"""Schedules of the real charm, whose timers the embedded systemd rings: by the wall's clock."""

from __future__ import annotations

import datetime
import itertools
import json
import shutil

import pytest

from coordinator import times
from coordinator.record import schedules
from tests.embedded import charmed_maas

Maas = charmed_maas.CharmedMaas
APP = charmed_maas.APP
_SOON = datetime.timedelta(seconds=30)
_PATIENCE = 120.0
"""Seconds in which a run that is due soon has begun."""
_CHANGES = 9
"""Of leaders, at the moment when a run is due."""

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        shutil.which('systemd-analyze') is None, reason='systemd-analyze is not installed'
    ),
]


def schedule(maas: Maas, **values: str) -> None:
    config: dict[str, str] = {f'{key}-schedule': text for key, text in values.items()}
    maas.change(lambda: maas.model.set_config(APP, config))


def schedule_soon(maas: Maas) -> None:
    """Have a backup run once, after all units have set their timers."""
    # A unit that is busy with other hooks would read the time too late.
    maas.settle()
    due = datetime.datetime.now(datetime.UTC) + _SOON
    schedule(maas, backup=f'{due:%Y-%m-%d %H:%M:%S} UTC')


def kept(maas: Maas) -> schedules.Schedule:
    text = maas.running.peers.app_data[APP].get('schedules', '')
    return schedules.from_json(text).get('backup-all', schedules.Schedule())


def timers(maas: Maas) -> list[str]:
    return sorted(name for _, name in tuple(maas.running.agent.systemd.timers))


def shown(maas: Maas) -> dict[str, charmed_maas.Json]:
    task = maas.running.run_action(charmed_maas.LEADER, 'show-schedule', format='json')
    assert task.status == 'completed', task.message
    return json.loads(task.output['schedules'])


def test_a_due_run_begins_once_and_ends_as_a_backup_set(trio: Maas):
    before = trio.sets()
    schedule_soon(trio)
    # A test before this one may have removed a unit.
    numbers = sorted(name.partition('/')[2] for name in trio.units(APP))
    assert len(numbers) > 1
    expected = [f'{APP}-{number}-backup-all.timer' for number in numbers]
    trio.running.until(lambda: timers(trio) == expected)
    trio.running.until(lambda: bool(kept(trio).runs), _PATIENCE)
    op = trio.until_ended()
    assert (op['kind'], op['status']) == ('backup-all', 'complete')
    trio.running.until(lambda: kept(trio).runs[0].outcome == 'complete')
    (run,) = shown(trio)['backup-all']['runs']
    assert (run['operation'], run['due'] <= op['id']) == (op['id'], True)
    assert len(trio.sets()) == len(before) + 1
    for number in numbers:
        copy = trio.running.root.glob(f'**/agents/unit-{APP}-{number}/charm/{schedules.FILE}')
        (text,) = [path.read_text() for path in copy]
        assert schedules.from_json(text)['backup-all'].text == kept(trio).text
    schedule(trio, backup='')
    trio.running.until(lambda: timers(trio) == [])


def test_leaders_that_change_at_that_moment_begin_one_backup(trio: Maas):
    before = trio.sets()
    turns = itertools.cycle(trio.units(APP))
    schedule_soon(trio)
    due = trio.running.until(lambda: kept(trio).due)
    changes = 0

    def another_leads() -> bool:
        nonlocal changes
        if changes < _CHANGES and times.stamp(datetime.datetime.now(datetime.UTC)) >= due:
            changes += 1
            trio.model.set_leader(next(turns))
        return bool(kept(trio).runs)

    trio.running.until(another_leads, _PATIENCE)
    assert changes
    trio.until_ended()
    trio.running.until(lambda: kept(trio).runs[0].outcome == 'complete')
    assert len(kept(trio).runs) == 1
    assert len(trio.sets()) == len(before) + 1


def test_a_run_that_meets_a_held_operation_is_missed_and_shown(trio: Maas):
    op = trio.begin()
    trio.until_ended()
    record = {**trio.record(), 'status': 'held', 'generation': trio.record()['generation'] + 1}
    bag = {'operation': json.dumps(record)}
    peers = trio.running.peers
    trio.running.call(lambda: trio.model.set_app_data(peers, APP, bag))
    schedule_soon(trio)
    trio.running.until(lambda: bool(kept(trio).runs), _PATIENCE)
    assert kept(trio).runs[0].reason == f'backup-all {op} is held'
