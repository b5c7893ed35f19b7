"""The Application facade and FullStatus: units, relations and config."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import served_model

Served = served_model.ServedModel
Refused = served_model.Refused


@pytest.fixture(params=served_model.VERSIONS)
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    yield from served_model.serve(request.param)


def status_of(client: served_model.Client, *patterns: str, **params: bool) -> served_model.Json:
    return client.call('Client', 'FullStatus', {'patterns': list(patterns), **params})


def test_status_shows_units_with_each_jujus_word_for_alive(served: Served):
    with served.connect('reader') as client:
        status = status_of(client)

    alive = 'alive' if served.juju.juju4 else ''
    pg = status['applications']['pg']
    unit = pg['units']['pg/0']
    assert (pg['life'], unit['agent-status']['life']) == (alive, alive)
    assert unit['workload-status']['life'] == ''
    assert (pg['charm'], pg['charm-rev'], pg['charm-channel']) == (
        'ch:amd64/toy-553',
        553,
        '16/stable',
    )
    assert pg['workload-version'] == unit['workload-version'] == '1.2'
    assert unit['leader'] is True
    assert 'leader' not in pg['units']['pg/1']
    assert pg['relations'] == {'peers': ['pg'], 'database': ['app']}
    assert unit['machine'] in status['machines']
    keys = {relation['key'] for relation in status['relations']}
    assert keys == {'pg:peers', 'app:peers', 'app:db pg:database'}
    assert ('sla' in status['model']) is not served.juju.juju4


def test_status_leaves_out_what_go_leaves_out_and_writes_empty_maps_as_null(served: Served):
    local = served_model.model.CharmSpec('bare')
    served.thread.call(served.juju.deploy, 'bare', local, served.agent, 1)
    served.until(lambda: not served.juju.application('bare').units['bare/0'].queue)
    with served.connect() as client:
        bare = status_of(client)['applications']['bare']

    assert not {'charm-rev', 'charm-channel'} & bare.keys()
    assert bare['relations'] is None
    assert bare['units']['bare/0']['subordinates'] is None


def test_status_of_a_pattern_shows_only_what_matches_and_in_4_nothing(served: Served):
    with served.connect() as client:
        if served.juju.juju4:
            with pytest.raises(Refused, match='patterns are not implemented') as refused:
                status_of(client, 'pg')
            assert refused.value.code == 'not implemented'
            return
        assert set(status_of(client, 'p*')['applications']) == {'pg'}
        assert set(status_of(client, 'app/0')['applications']) == {'app'}
        assert status_of(client, 'x')['applications'] == {}
        assert status_of(client, 'x')['relations'] is None


def test_status_of_a_pattern_shows_what_is_beside_it_and_nothing_without_units():
    served = next(stopping := served_model.serve('3.6.26'))
    juju = served.juju
    served.thread.call(juju.deploy, 'bare', served_model.CHARM, served.agent, 0)
    served.thread.call(setattr, juju.unit('app/0'), 'machine', juju.machines['1'])
    with served.connect() as client:
        shown = status_of(client, 'app', 'bare')['applications']
        assert {name: list(app['units']) for name, app in shown.items()} == {
            'app': ['app/0'],
            'pg': ['pg/1'],
        }
    next(stopping, None)


def test_status_of_a_lost_agent_hides_the_workload(served: Served):
    unit = served.juju.unit('pg/1')
    served.thread.call(served.juju.set_agent_status, unit, 'lost')
    with served.connect() as client:
        shown = status_of(client)['applications']['pg']['units']['pg/1']

    assert shown['agent-status']['info'] == 'agent is not communicating with the server'
    assert shown['workload-status']['status'] == 'unknown'
    hint = '`juju show-status-log`' if served.juju.juju4 else 'juju show-status-log pg/1'
    assert hint in shown['workload-status']['info']


def test_status_includes_storage_on_request(served: Served):
    with served.connect() as client:
        shown = status_of(client, **{'include-storage': True})

    assert {item['storage-tag'] for item in shown['storage']} >= {'storage-pg-data-0'}


def test_added_units_are_named_at_once_and_placed(served: Served):
    machine = served.thread.call(served.juju.add_machine).id
    with served.connect() as client:
        placement = [{'scope': '#', 'directive': machine}]
        answer = client.call(
            'Application',
            'AddUnits',
            {'application': 'pg', 'num-units': 2, 'placement': placement},
        )

    assert answer == {'units': ['pg/3', 'pg/4']}
    assert served.juju.unit('pg/3').machine.id == machine


def test_a_unit_without_placement_reuses_an_empty_machine_in_3_6_only(served: Served):
    machine = served.thread.call(served.juju.add_machine).id
    with served.connect() as client:
        params = {'application': 'pg', 'num-units': 1, 'placement': []}
        client.call('Application', 'AddUnits', params)

    assert (served.juju.unit('pg/3').machine.id == machine) is not served.juju.juju4


def test_units_that_cannot_be_added_are_refused(served: Served):
    with served.connect() as client:
        nowhere = {'placement': [{'scope': '#', 'directive': '99'}]}
        attached = {'num-units': 2, 'attach-storage': ['storage-pg-data-0']}
        for change, words, codes in (
            ({'application': 'x'}, 'application "x" not found', ('not found', 'not found')),
            ({'num-units': 0}, 'at least one unit', ('', 'not valid')),
            (nowhere, 'machine.*99', ('not found', '')),
            (attached, 'NumUnits is 2', ('', 'bad request')),
        ):
            params = {'application': 'pg', 'num-units': 1, 'placement': [], **change}
            with pytest.raises(Refused, match=words) as refused:
                client.call('Application', 'AddUnits', params)
            assert refused.value.code == codes[served.juju.juju4]


def destroy(client: served_model.Client, unit: str, **options: bool) -> served_model.Json:
    item = {'unit-tag': f'unit-{unit.replace("/", "-")}', **options}
    return client.call('Application', 'DestroyUnit', {'units': [item]})['results'][0]


def test_a_destroyed_unit_goes_through_dying_and_leaves_its_storage(served: Served):
    wait = ('pg/2', 'wait', {}, False, '')
    served.thread.call(served.juju.enqueue, [wait])
    with served.connect() as client:
        answer = destroy(client, 'pg/2')
        again = destroy(client, 'pg/2')
        dying = status_of(client)['applications']['pg']['units']['pg/2']
        served.agent.released = True
        served.until(lambda: 'pg/2' not in served.juju.units)

    left_behind = {'detached-storage': [{'tag': 'storage-pg-data-2'}]}
    assert answer == {'info': {} if served.juju.juju4 else left_behind}
    assert 'error' not in again
    assert dying['agent-status']['life'] == 'dying'
    assert served.juju.storage['pg-data/2'].owner == ''


def test_a_machine_that_goes_with_its_last_unit_is_listed_and_used_by_no_other(served: Served):
    served.juju.release_after = 3600.0
    machine = served.juju.unit('pg/2').machine.id
    params: served_model.Json = {'application': 'pg', 'num-units': 1, 'placement': []}
    placed = {**params, 'placement': [{'scope': '#', 'directive': machine}]}
    with served.connect() as client:
        destroy(client, 'pg/2')
        served.until(lambda: 'pg/2' not in served.juju.units)
        listed = status_of(client)['machines'][machine]
        with pytest.raises(Refused, match=f'machine {machine}: machine is not found or not alive'):
            client.call('Application', 'AddUnits', placed)
        client.call('Application', 'AddUnits', params)

    assert listed['agent-status']['life'] == 'dying'
    assert served.juju.unit('pg/3').machine.id != machine


def test_a_unit_can_be_destroyed_with_its_storage(served: Served):
    with served.connect() as client:
        destroy(client, 'pg/2', **{'destroy-storage': True})
        served.until(lambda: 'pg/2' not in served.juju.units)

    assert 'pg-data/2' not in served.juju.storage


def test_storage_left_behind_can_be_attached_to_a_new_unit(served: Served):
    with served.connect() as client:
        destroy(client, 'pg/2')
        served.until(lambda: 'pg/2' not in served.juju.units)
        params = {
            'application': 'pg',
            'num-units': 1,
            'placement': [],
            'attach-storage': ['storage-pg-data-2'],
        }
        client.call('Application', 'AddUnits', params)

    owners = {item.id: item.owner for item in served.juju.storage.values()}
    assert [name for name, owner in owners.items() if owner == 'pg/3'] == ['pg-data/2']


def test_a_dry_run_destroys_nothing(served: Served):
    with served.connect() as client:
        answer = destroy(client, 'pg/2', **{'dry-run': True})

    assert ('detached-storage' in answer['info']) is not served.juju.juju4
    assert served.juju.unit('pg/2').life == 'alive'


def test_a_unit_that_is_not_there_is_told_in_each_jujus_way(served: Served):
    juju4 = served.juju.juju4
    with served.connect() as client:
        error = destroy(client, 'pg/9')['error']
        dry_run = destroy(client, 'pg/9', **{'dry-run': True})

    words = 'not found' if juju4 else 'does not exist'
    assert error == {'message': f'unit "pg/9" {words}', 'code': 'not found' if juju4 else ''}
    assert ('error' in dry_run) is not juju4


def test_relations_are_removed_and_made_again(served: Served):
    ends = ['app:db', 'pg:database']
    with served.connect() as client:
        with pytest.raises(Refused, match='already exists'):
            client.call('Application', 'AddRelation', {'endpoints': ends})
        client.call('Application', 'DestroyRelation', {'endpoints': ends, 'relation-id': 0})
        served.until(lambda: len(served.juju.relations) == 2)
        answer = client.call('Application', 'AddRelation', {'endpoints': ['app', 'pg:database']})

    assert answer['endpoints']['app']['name'] == 'db'
    assert answer['endpoints']['pg']['interface'] == 'toy_db'


def test_a_relation_is_removed_by_its_id(served: Served):
    number = next(r.id for r in served.juju.relations.values() if not r.peer)
    with served.connect() as client:
        client.call('Application', 'DestroyRelation', {'relation-id': number})
        served.until(lambda: number not in served.juju.relations)
        with pytest.raises(Refused, match='not found') as refused:
            client.call('Application', 'DestroyRelation', {'relation-id': number})

    assert refused.value.code == 'not found'


@pytest.mark.parametrize(
    ('endpoints', 'words'),
    [
        (['app', 'pg'], 'ambiguous relation'),
        (['app:db'], 'two applications'),
        (['app:db', 'pg:db'], 'no relations found|no compatible endpoints found'),
        (
            ['app:nonsense', 'pg:database'],
            'has no "nonsense" relation|relation endpoint not found',
        ),
    ],
)
def test_relations_that_cannot_be_are_refused(served: Served, endpoints: list[str], words: str):
    with served.connect() as client, pytest.raises(Refused, match=words):
        client.call('Application', 'AddRelation', {'endpoints': endpoints})


def configure(client: served_model.Client, **values: str) -> served_model.Json:
    item = {'application': 'pg', 'generation': '', 'config': values, 'config-yaml': ''}
    return client.call('Application', 'SetConfigs', {'Args': [item]})['results'][0]


def test_config_is_set_as_text_and_read_with_types(served: Served):
    with served.connect() as client:
        assert configure(client, size='7', profile='') == {}
        config = client.call('Application', 'Get', {'application': 'pg', 'branch': 'master'})
        options = {'Args': [{'application': 'pg', 'options': ['size']}]}
        client.call('Application', 'UnsetApplicationsConfig', options)
        again = client.call('Application', 'Get', {'application': 'pg', 'branch': 'master'})

    assert config['charm'] == 'toy'
    assert (config['config']['size']['value'], config['config']['size']['source']) == (7, 'user')
    assert (config['config']['profile']['value'], config['config']['profile']['source']) == (
        '',
        'user',
    )
    assert config['config']['system-users'] == {
        'description': '',
        'type': 'secret',
        'source': 'unset',
    }
    assert (again['config']['size']['value'], again['config']['size']['source']) == (5, 'default')


def test_config_that_does_not_fit_is_that_items_error(served: Served):
    with served.connect() as client:
        assert 'unknown option' in configure(client, nonsense='1')['error']['message']
        assert 'expected int' in configure(client, size='much')['error']['message']
        secret = configure(client, **{'system-users': 'postgres'})
        assert 'expected secret' in secret['error']['message']


def test_the_leader_is_told_by_name_and_missed_with_an_error(served: Served):
    with served.connect() as client:
        assert client.call('Application', 'Leader', {'tag': 'application-pg'}) == {
            'result': 'pg/0'
        }
        served.juju.application('pg').leader = None
        answer = client.call('Application', 'Leader', {'tag': 'application-pg'})

    assert answer['error'] == {
        'message': 'leader for application-pg not found',
        'code': 'not found',
    }


def test_units_info_has_one_result_a_unit_and_the_bags_of_its_juju(served: Served):
    relation = next(r for r in served.juju.relations.values() if not r.peer)
    served.thread.call(served.juju.set_app_data, relation, 'pg', {'whose': 'pg'})
    served.thread.call(served.juju.set_app_data, relation, 'app', {'whose': 'app'})
    with served.connect() as client:
        entities = [{'tag': 'application-pg'}, {'tag': 'unit-pg-9'}]
        results = client.call('Application', 'UnitsInfo', {'entities': entities})['results']

    assert [r['result']['tag'] for r in results[:3]] == ['unit-pg-0', 'unit-pg-1', 'unit-pg-2']
    assert results[3]['error']['code'] == 'not found'
    bags = {bag['endpoint']: bag for bag in results[0]['result']['relation-data']}
    own_or_other = 'pg' if served.juju.juju4 else 'app'
    assert bags['database']['ApplicationData'] == {'whose': own_or_other}
    counterpart = bags['database']['unit-relation-data']['app/0']
    assert counterpart['InScope'] is True
    assert ('private-address' in counterpart['UnitData']) is not served.juju.juju4
    assert set(bags['peers']['unit-relation-data']) == {'pg/0', 'pg/1', 'pg/2'}


def test_applications_info_and_charm_relations_tell_of_the_charm(served: Served):
    with served.connect() as client:
        entities = [{'tag': 'application-pg'}, {'tag': 'application-x'}]
        known, unknown = client.call('Application', 'ApplicationsInfo', {'entities': entities})[
            'results'
        ]
        names = client.call('Application', 'CharmRelations', {'application': 'pg'})

    assert known['result']['charm'] == 'toy'
    assert unknown['error']['code'] == 'not found'
    assert names == {'charm-relations': ['peers', 'db', 'database']}
