"""The coordinator is removed in mid-operation, and another one deployed: as Juju would do it."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import pytest

from coordinator.engine import operation
from coordinator.operations import leaving, taking_over
from coordinator.record import history
from rehearsal import site, story
from tests.embedded import charmed_maas, conftest

Maas = charmed_maas.CharmedMaas

pytestmark = pytest.mark.long


def removed(running: Maas, *, force: bool) -> None:
    """Remove the coordinator, and wait until it is gone."""
    juju = running.model
    running.running.call(lambda: juju.remove_application(charmed_maas.APP, force=force))
    running.running.until(lambda: charmed_maas.APP not in juju.applications)


def deployed_again(running: Maas) -> operation.Operation:
    """Deploy it again; return what it has taken over once it shows it."""

    def shown() -> bool:
        units = running.model.application(charmed_maas.APP).units.values()
        return any('is held at' in unit.workload.message for unit in units)

    embedded = running.running
    embedded.call(lambda: embedded.deploy_coordinator(running.login))
    embedded.until(shown)
    task = embedded.run_action(charmed_maas.LEADER, 'show-operation', format='json')
    assert task.status == 'completed', task.message
    assert running.record()['status'] == operation.HELD
    return operation.Operation.from_json(
        running.running.peers.app_data[charmed_maas.APP]['operation']
    )


@pytest.fixture(params=['juju-3.6', 'juju-4.0'])
def maas(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[Maas]:
    """A site of its own: what another test shares must keep its coordinator."""
    with charmed_maas.CharmedMaas(tmp_path, conftest.LAYOUTS[request.param]) as running:
        yield running


@pytest.mark.parametrize('force', [False, True], ids=['in good order', 'by force'])
def test_a_backup_whose_coordinator_is_removed_is_taken_over_and_undone(maas: Maas, force: bool):
    operation_id = maas.begin()
    maas.until_step('back-up-postgresql')
    assert len(maas.units(site.POSTGRESQL)) == 1

    removed(maas, force=force)

    assert maas.pacemakers() == []
    assert len(maas.units(site.POSTGRESQL)) == (1 if force else 3)
    told = history.read(operation_id, maas.running.maas_store, maas.model.uuid).operation
    assert told.status == (operation.OPEN if force else operation.HELD)
    op = deployed_again(maas)
    assert op.id == operation_id
    reason = taking_over.REASON if force else leaving.REMOVED
    assert reason in op.current.reason
    task = maas.running.run_action(charmed_maas.LEADER, 'abort-operation')
    assert task.status == 'completed', task.message
    ended = maas.until_ended()
    assert ended['status'] == 'aborted', ended
    assert story.units_back(maas.running) == ''
    assert maas.sets() == []
