"""What real dispatches leave for the exporter, and where systemd is to listen for it."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from coordinator.observed import note, sets
from rehearsal import story
from tests.embedded import charmed_maas, conftest

Maas = charmed_maas.CharmedMaas

pytestmark = pytest.mark.long


@pytest.fixture(scope='module')
def maas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Maas]:
    """A site of its own: its coordinator is removed."""
    root = tmp_path_factory.mktemp('observed')
    with charmed_maas.CharmedMaas(root, conftest.LAYOUTS['three-coordinators']) as running:
        yield running


def notes(maas: Maas) -> dict[str, note.Note]:
    """Return the note of each unit."""
    root = pathlib.Path(maas.running.root)
    found = {
        path.parents[1].name: note.Note.from_json(path.read_text())
        for path in root.rglob(note.FILE)
    }
    assert len(found) == 3
    return found


def sockets(maas: Maas) -> list[str]:
    return sorted(name for _, name in maas.running.agent.systemd.sockets)


def test_all_units_tell_of_a_backup_and_listen_until_they_are_removed(maas: Maas):
    assert sockets(maas) == [f'{charmed_maas.APP}-{n}-metrics.socket' for n in range(3)]
    backup_id = maas.begin()
    assert maas.until_ended()['status'] == 'complete'

    def told() -> bool:
        # The leader ends it; the others hear of that in hooks of their own.
        return all(each.under_way is None and each.last for each in notes(maas).values())

    maas.running.until(told)
    for each in notes(maas).values():
        assert each.last['backup-all'].status == 'complete'
        assert each.last['backup-all'].steps['back-up-postgresql'] >= 1
        found = sets.Sets.from_json(each.sets)
        assert found is not None
        assert found.newest == {'complete': backup_id}
        assert found.states['complete'] == 1
        assert found.database_bytes > 0
        assert found.files_bytes > 0
    assert sum(each.leads for each in notes(maas).values()) == 1
    secrets = story.secrets(maas.running)
    for path in pathlib.Path(maas.running.root).rglob(note.FILE):
        assert not [secret for secret in secrets if secret in path.read_text()]

    juju = maas.model
    maas.running.call(lambda: juju.remove_application(charmed_maas.APP))
    maas.running.until(lambda: charmed_maas.APP not in juju.applications)
    assert sockets(maas) == []
