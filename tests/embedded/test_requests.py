"""A charm requests a backup of the real coordinator, with the real library, over a relation."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator

import pytest

from tests import requirers
from tests.embedded import charmed_maas, killers

Maas = charmed_maas.CharmedMaas
_PATIENCE = 180.0
"""Seconds in which a backup is done."""

pytestmark = pytest.mark.long


class Risky:
    """An application that requests backups."""

    def __init__(self, maas: Maas, name: str, folder: pathlib.Path):
        self._maas = maas
        self.name = name
        running, juju = maas.running, maas.model
        agent = running.thread.run(running.cloud.models[juju.name].new_agent(folder))
        running.call(lambda: juju.deploy(name, agent.charm, agent, 1))
        running.call(lambda: juju.integrate(f'{name}:backup', f'{charmed_maas.APP}:backup'))
        maas.settle()

    def request(self) -> str:
        task = self._maas.running.run_action(f'{self.name}/leader', 'request')
        assert task.status == 'completed', task.message
        return task.output['request']

    def shown(self) -> charmed_maas.Json:
        task = self._maas.running.run_action(f'{self.name}/leader', 'show')
        assert task.status == 'completed', task.message
        return json.loads(task.output['shown'])

    def until_answered(self, request: str) -> charmed_maas.Json:
        """Wait until the charm has noted the answer to a request; return what it shows."""
        running = self._maas.running
        (relation,) = [
            each for each in self._maas.model.relations.values() if self.name in each.endpoints
        ]
        # With the note that it was told, the library commits whose answer that was.
        running.until(lambda: relation.app_data[self.name].get('answered') == request, _PATIENCE)
        return self.shown()

    def remove(self) -> None:
        running, juju = self._maas.running, self._maas.model
        running.call(lambda: juju.remove_application(self.name))
        running.until(lambda: self.name not in juju.applications)


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    return requirers.lay_out(tmp_path / 'risky')


@pytest.fixture
def risky(trio: Maas, folder: pathlib.Path) -> Iterator[Risky]:
    made = Risky(trio, requirers.NAME, folder)
    yield made
    made.remove()


def test_a_charm_gets_the_set_that_it_requests_and_sees_its_age(trio: Maas, risky: Risky):
    before = trio.sets()
    request = risky.request()
    shown = risky.until_answered(request)
    trio.until_ended()
    (made,) = trio.sets()[len(before) :]
    assert shown['told'] == [{'request': request, 'ready': made}]
    newest = risky.shown()['newest']
    assert newest == {'backup-id': made, 'verified': 'objects', 'proven': False}


def test_requests_are_answered_once_although_dispatches_die_and_leaders_change(
    trio: Maas, risky: Risky, folder: pathlib.Path
):
    before, tasks = trio.sets(), len(trio.backup_tasks())
    killers.CheckpointKiller(trio)
    other = Risky(trio, 'other', folder)
    requests = [each.request() for each in (risky, other)]
    for name in trio.units(charmed_maas.APP):
        trio.running.call(trio.model.set_leader, name)
        trio.running.until(lambda: bool(trio.record()))
    answers = [
        each.until_answered(request)['told']
        for each, request in zip((risky, other), requests, strict=True)
    ]
    trio.until_ended()
    made = trio.sets()[len(before) :]
    assert [[told['request'] for told in each] for each in answers] == [[r] for r in requests]
    # The second request may have come when the backup for the first had begun.
    assert sorted({told['ready'] for each in answers for told in each}) == made
    assert len(trio.backup_tasks()) - tasks == 2 * len(made)
    other.remove()


def test_a_request_that_cannot_be_served_is_refused_with_the_command_that_helps(
    trio: Maas, risky: Risky
):
    before = trio.sets()
    trio.change(lambda: trio.model.reset_config(charmed_maas.APP, ['recipients']))
    request = risky.request()
    (told,) = risky.until_answered(request)['told']
    assert told['request'] == request
    assert f'juju config {charmed_maas.APP} recipients=' in told['failed']
    assert trio.sets() == before
