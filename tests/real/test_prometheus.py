"""A real Prometheus scrapes the exporter, and says itself which alerts fire in which situation."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import os
import pathlib
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from coordinator.observed import alerts, note, sets
from tests import exporters

SELECTOR = 'job="maas-backup"'
BEGAN = '2026-08-22T10:15:00Z'
SECONDS = 60.0


@pytest.fixture(scope='module')
def program() -> str:
    found = shutil.which('prometheus')
    if found is None:
        if os.environ.get('CI') == 'true':
            raise AssertionError('there is no prometheus on PATH: make packages installs it')
        pytest.skip('there is no prometheus on PATH: make packages installs it')
    return found


def rules() -> dict[str, Any]:
    """Return the alert rules, which fire at once: how long they wait is for promtool's tests."""
    made = alerts.groups(SELECTOR, 'maas-backup', {})
    for each in made['groups'][0]['rules']:
        each['for'] = '0s'
    return made


class Watched:
    """A unit's note, its exporter, and a Prometheus that scrapes it every second."""

    def __init__(self, root: pathlib.Path, program: str):
        self._notes = root / note.FILE
        self.say()
        self._open = contextlib.ExitStack()
        target = f'127.0.0.1:{self._open.enter_context(exporters.activated(self._notes))}'
        with exporters.listening() as free:
            self._port = free.getsockname()[1]
        (root / 'rules.yaml').write_text(yaml.safe_dump(rules()))
        every = {'scrape_interval': '1s', 'evaluation_interval': '1s'}
        job = {'job_name': 'maas-backup', 'static_configs': [{'targets': [target]}]}
        (root / 'prometheus.yaml').write_text(
            yaml.safe_dump(
                {'global': every, 'rule_files': ['rules.yaml'], 'scrape_configs': [job]}
            )
        )
        self._prometheus = subprocess.Popen(
            [
                program,
                f'--config.file={root / "prometheus.yaml"}',
                f'--storage.tsdb.path={root / "data"}',
                f'--web.listen-address=127.0.0.1:{self._port}',
                '--log.level=error',
            ]
        )

    def say(self, **changes: Any) -> None:
        """Leave another note, as a dispatch does."""
        now = int(time.time())
        found = sets.Sets({'complete': 1, 'damaged': 0}, {'complete': stamp(now - 60)})
        made = note.Note('0.1.0', since=now, leads=True, sets=found.to_json(), max_age=3600)
        fresh = self._notes.with_suffix('.new')
        fresh.write_text(dataclasses.replace(made, **changes).to_json())
        fresh.replace(self._notes)

    def lose_the_note(self) -> None:
        self._notes.unlink()

    def fires(self, *names: str) -> None:
        """Wait until exactly these alerts fire."""
        end, firing = time.monotonic() + SECONDS, None
        while time.monotonic() < end:
            firing = self._firing()
            if firing == set(names):
                return
            threading.Event().wait(0.2)
        raise AssertionError(f'{firing} fire, not {names}')

    def value(self, query: str) -> float:
        (found,) = self._ask(f'query?query={query}')['result']
        return float(found['value'][1])

    def stop(self) -> None:
        self._prometheus.terminate()
        self._prometheus.wait(20)
        self._open.close()

    def _firing(self) -> set[str] | None:
        try:
            # Before the first scrape there is nothing to judge by.
            if not self._ask('query?query=up')['result']:
                return None
            found = self._ask('alerts')['alerts']
        except (OSError, ValueError):
            # It listens before it is ready, and answers with a word.
            return None
        return {each['labels']['alertname'] for each in found if each['state'] == 'firing'}

    def _ask(self, what: str) -> Any:
        client = http.client.HTTPConnection('127.0.0.1', self._port, timeout=5)
        client.request('GET', f'/api/v1/{what}')
        answer = json.loads(client.getresponse().read())
        client.close()
        return answer['data']


def stamp(seconds: int) -> str:
    return time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(seconds))


@pytest.fixture(scope='module')
def watched(program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    made = Watched(tmp_path_factory.mktemp('prometheus'), program)
    yield made
    made.stop()


def last(kind: str, status: str) -> dict[str, note.Last]:
    return {kind: note.Last(BEGAN, status, int(time.time()), 60, left=False)}


def under_way(state: str) -> note.UnderWay:
    return note.UnderWay(BEGAN, 'backup-all', 'verify', state)


def test_prometheus_says_what_the_situation_is(watched: Watched):
    watched.fires()
    assert watched.value('maas_backup_build_info') == 1
    assert 60 <= watched.value('time()-maas_backup_newest_set_timestamp_seconds') < 600

    watched.say(last=last('backup-all', 'failed'), missing_units=2)
    watched.fires('MaasBackupFailed', 'MaasBackupPostgresqlUnitsMissing')

    watched.say(last=last('backup-all', 'complete'))
    watched.fires()

    old = sets.Sets({'complete': 1, 'damaged': 1, 'database-expired': 1}, {'complete': BEGAN})
    watched.say(sets=old.to_json(), since=0)
    watched.fires(
        'MaasBackupTooOld',
        'MaasBackupVerificationFailed',
        'MaasBackupDatabaseExpired',
        'MaasBackupNeverVerified',
    )

    watched.say(under_way=under_way(note.HELD))
    watched.fires('MaasBackupOperationHeld')

    watched.say(under_way=under_way(note.WAITING), progress=int(time.time()) - 3600)
    watched.fires('MaasBackupNoProgress')

    missed = note.Scheduled(due=int(time.time()) + 3600, missed=1, missed_last=True)
    watched.say(schedules={'backup-all': missed})
    watched.fires('MaasBackupRunMissed')
    assert watched.value('maas_backup_schedule_missed_runs_total') == 1

    watched.lose_the_note()
    watched.fires('MaasBackupExporterDown')
