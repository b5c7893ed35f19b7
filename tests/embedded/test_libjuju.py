"""A client that nobody here wrote, python-libjuju, at the controller of Juju 3.6."""

from __future__ import annotations

import asyncio
import functools
import json
import pathlib
import warnings
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from coordinator.juju_api import connection
from tests import served_model
from tests.embedded import charmed_maas
from tests.recordings import pointing

# python-libjuju uses names that websockets and others have deprecated.
pytestmark = pytest.mark.filterwarnings('ignore')

with warnings.catch_warnings():
    warnings.simplefilter('ignore')
    from juju import errors
    from juju import model as libjuju

Served = served_model.ServedModel
WithModel = Callable[[libjuju.Model], Coroutine[Any, Any, Any]]


@pytest.fixture
def served() -> Iterator[Served]:
    yield from served_model.serve('3.6.26')


def endpoint(served: Served, user: str = 'boss', password: str = '') -> connection.Endpoint:
    """Return how a user reaches the served model."""
    return connection.Endpoint(
        addresses=tuple(served.controller.addresses),
        ca_cert=served.authority.ca_pem,
        model_uuid=served.juju.uuid,
        username=user,
        password=password or f'{user}-password',
    )


def connected(to: connection.Endpoint, what: WithModel, seconds: float = 30.0) -> Any:
    """Connect python-libjuju, in an event loop of its own, and do something with its model."""

    async def run() -> Any:
        model = libjuju.Model()
        await model.connect(
            endpoint=to.addresses[0],
            uuid=to.model_uuid,
            username=to.username,
            password=to.password,
            cacert=to.ca_cert,
        )
        try:
            return await what(model)
        finally:
            await model.disconnect()

    return asyncio.run(asyncio.wait_for(run(), seconds))


def test_libjuju_sees_the_model(served: Served):
    async def look(model: libjuju.Model) -> None:
        assert model.name == 'prod'
        assert set(model.applications) == {'pg', 'app'}
        assert set(model.units) == {'pg/0', 'pg/1', 'pg/2', 'app/0'}
        unit = model.units['pg/1']
        assert (unit.workload_status, unit.workload_status_message) == ('active', 'ready')
        assert unit.agent_status == 'idle'
        assert unit.machine is not None
        assert unit.machine.status == 'running'
        assert model.applications['pg'].status == 'active'
        assert {relation.key for relation in model.relations} >= {'app:db pg:database'}

    connected(endpoint(served), look)


def test_libjuju_reads_the_status_and_finds_the_leader(served: Served):
    async def look(model: libjuju.Model) -> tuple[Any, list[str]]:
        status = await model.get_status()
        units = model.applications['pg'].units
        return status, [unit.name for unit in units if await unit.is_leader_from_status()]

    status, leaders = connected(endpoint(served), look)
    assert status.applications['pg'].charm_channel == '16/stable'
    assert status.applications['pg'].units['pg/0'].workload_status.info == 'ready'
    assert leaders == ['pg/0']


def test_libjuju_runs_an_action_to_its_end(served: Served):
    async def run(model: libjuju.Model) -> tuple[str, Any]:
        action = await model.units['pg/1'].run_action('echo', text='ahoy')
        action = await action.wait()
        return action.status, action.results

    assert connected(endpoint(served), run) == (
        'completed',
        {'said': {'text': 'ahoy'}, 'return-code': 0},
    )


def test_libjuju_hears_of_changes(served: Served):
    async def change(model: libjuju.Model) -> None:
        await model.applications['pg'].add_unit()
        await model.block_until(lambda: 'pg/3' in model.units, timeout=served_model.TIMEOUT)
        await model.units['pg/3'].destroy()
        await model.block_until(lambda: 'pg/3' not in model.units, timeout=served_model.TIMEOUT)
        await model.applications['pg'].set_config({'profile': 'testing'})
        config = await model.applications['pg'].get_config()
        assert config['profile']['value'] == 'testing'

    connected(endpoint(served), change)


def test_libjuju_keeps_user_secrets(served: Served):
    async def keep(model: libjuju.Model) -> list[Any]:
        await model.add_secret('passwords', ['operator=s3cret'])
        await model.grant_secret('passwords', 'pg')
        return list(await model.list_secrets(show_secrets=True))

    (secret,) = connected(endpoint(served), keep)
    assert secret.label == 'passwords'
    assert secret.value.data == {'operator': 'czNjcmV0'}


def test_libjuju_is_turned_away_with_a_wrong_password(served: Served):
    async def nothing(model: libjuju.Model) -> None:
        pass

    with pytest.raises(errors.JujuAPIError, match='invalid entity name or password'):
        connected(endpoint(served, password='guess'), nothing)


@pytest.mark.long
def test_libjuju_runs_backup_all_and_follows_it_to_its_end(maas36: charmed_maas.CharmedMaas):
    maas36.use_replicas()
    sets = maas36.sets()

    async def run(model: libjuju.Model, action: str, **parameters: str) -> dict[str, str]:
        (leader,) = model.applications[charmed_maas.APP].units
        task = await (await leader.run_action(action, **parameters)).wait()
        assert task.status == 'completed', task.message
        return task.results

    def tells_more(leader: Any, told: str) -> bool:
        return leader.workload_status_message != told

    async def back_up(model: libjuju.Model) -> tuple[str, list[str], Any]:
        (leader,) = model.applications[charmed_maas.APP].units
        begun = await run(model, 'backup-all')
        steps: list[str] = []
        while True:
            told = str(leader.workload_status_message)
            shown = json.loads((await run(model, 'show-operation', format='json'))['operation'])
            steps.append(shown['step'])
            if shown['status'] != 'open':
                return begun['backup-id'], steps, await model.get_status()
            await model.block_until(functools.partial(tells_more, leader, told))

    backup_id, steps, status = connected(maas36.running.endpoint(), back_up, seconds=180.0)

    assert maas36.sets() == [*sets, backup_id]
    assert {'back-up-postgresql', 'back-up-maas'} <= set(steps)
    assert steps[-1] == 'expire-backups'
    assert set(status.applications) >= {'maas-region', 'postgresql', charmed_maas.APP}


def test_what_a_juju_client_is_given_leads_to_the_model_that_is_up(
    maas36: charmed_maas.CharmedMaas, tmp_path: pathlib.Path
):
    maas36.running.write_connection_file(tmp_path / 'connection.json')

    written = json.loads((tmp_path / 'connection.json').read_text())
    login = pointing.login(pathlib.Path(written['juju-data']))

    to = maas36.running.endpoint()
    assert (login.model_uuid, login.user, login.password) == (
        to.model_uuid, to.username, to.password
    )  # fmt: skip
    assert login.address in to.addresses
    assert login.ca_pem == to.ca_cert
