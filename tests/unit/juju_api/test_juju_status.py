"""FullStatus answers that the embedded controller never gives, but Juju does."""

from __future__ import annotations

from typing import Any

import pytest

from coordinator import errors, ports
from coordinator.juju_api import answers, facades, status

ACTIVE = {'status': 'active', 'info': 'Primary', 'life': ''}
IDLE = {'status': 'idle', 'info': '', 'life': ''}


def read(applications: dict[str, Any] | None, **more: Any) -> ports.ModelStatus:
    response = {'model': {'name': 'prod'}, 'applications': applications, **more}
    return status.model_status(
        answers.read(facades.client.FullStatus, response, 'Client.FullStatus')
    )


def application(charm: str = 'ch:amd64/postgresql-553', **more: Any) -> dict[str, Any]:
    return {'charm': charm, 'units': None, 'status': ACTIVE, **more}


def unit(machine: str = '0', agent: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {
        'machine': machine,
        'workload-status': ACTIVE,
        'agent-status': agent or IDLE,
        'subordinates': None,
        **more,
    }


def test_null_is_the_same_as_nothing():
    seen = read(None, machines=None, relations=None, offers=None)

    assert (seen.applications, seen.machines, list(seen.relations)) == ({}, {}, [])
    assert seen.juju_version == ''


def test_subordinate_units_are_found_below_their_principals():
    beside = {'agent/1': unit('', leader=True)}
    seen = read(
        {
            'pg': application(units={'pg/0': unit('0/lxd/2', subordinates=beside)}),
            'agent': application('ch:amd64/grafana-agent-7'),
        }
    )

    (subordinate,) = seen.applications['agent'].units.values()
    assert (subordinate.name, subordinate.machine, subordinate.leader) == (
        'agent/1',
        '0/lxd/2',
        True,
    )
    assert list(seen.applications['pg'].units) == ['pg/0']


def test_containers_are_machines():
    inner = {'id': '0/lxd/2', 'instance-id': 'juju-0-lxd-2'}
    seen = read({}, machines={'0': {'id': '0', 'containers': {'0/lxd/2': inner}}})

    assert seen.machines == {
        '0': ports.Machine('0', ''),
        '0/lxd/2': ports.Machine('0/lxd/2', 'juju-0-lxd-2'),
    }


@pytest.mark.parametrize(
    ('life', 'alive'), [('', True), ('alive', True), ('dying', False), ('dead', False)]
)
def test_life_is_that_of_the_agent(life: str, alive: bool):
    seen = read({'pg': application(units={'pg/0': unit(agent={**IDLE, 'life': life})})})

    assert seen.applications['pg'].units['pg/0'].alive is alive


@pytest.mark.parametrize(
    ('url', 'more', 'name', 'revision'),
    [
        ('ch:amd64/postgresql-553', {'charm-rev': 553}, 'postgresql', 553),
        ('ch:amd64/jammy/postgresql-553', {'charm-rev': 553}, 'postgresql', 553),
        ('ch:amd64/maas-region-0', {}, 'maas-region', 0),
        ('local:maas-region-7', {}, 'maas-region', 7),
        ('local:noble/maas-backup-coordinator-0', {}, 'maas-backup-coordinator', 0),
        ('plain', {}, 'plain', 0),
    ],
)
def test_a_charm_is_named_in_its_url(url: str, more: dict[str, Any], name: str, revision: int):
    seen = read({'app': application(url, **more)}).applications['app']

    assert (seen.charm, seen.revision) == (name, revision)


@pytest.mark.parametrize(
    'response', [None, [], {}, {'model': {}}, {'model': {'name': 'prod'}, 'applications': []}]
)
def test_an_answer_of_another_shape_is_refused(response: object):
    with pytest.raises(errors.UnexpectedAnswer, match=r'Client\.FullStatus'):
        answers.read(facades.client.FullStatus, response, 'Client.FullStatus')


def test_a_secret_that_cannot_be_read_is_not_quoted():
    response = {'results': [{'uri': 'secret:d0q1', 'value': {'data': {'operator': 'p4ssword!'}}}]}

    with pytest.raises(errors.UnexpectedAnswer) as caught:
        answers.read(facades.secrets.SecretResults, response, 'Secrets.ListSecrets')

    error: BaseException | None = caught.value
    while error is not None:
        assert 'p4ssword' not in str(error)
        error = error.__cause__ or error.__context__
