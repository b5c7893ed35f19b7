"""What an operator's own `juju` client asks for, beyond what the coordinator does."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
import websocket

from tests import frames, served_model

Served = served_model.ServedModel
Refused = served_model.Refused
Json = served_model.Json


@pytest.fixture(params=served_model.VERSIONS)
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    yield from served_model.serve(request.param)


# --- Users ---------------------------------------------------------------------------------------


def grant(client: served_model.Client, served: Served, access: str, action: str = 'grant') -> Json:
    change = {
        'user-tag': 'user-bot',
        'action': action,
        'access': access,
        'model-tag': f'model-{served.juju.uuid}',
    }
    return client.call('ModelManager', 'ModifyModelAccess', {'changes': [change]})['results'][0]


def test_a_user_is_added_given_a_password_and_access_and_logs_in(served: Served):
    with served.connect('root', model_uuid='') as client:
        users = {'users': [{'username': 'bot', 'display-name': '', 'password': ''}]}
        (added,) = client.call('UserManager', 'AddUser', users)['results']
        (again,) = client.call('UserManager', 'AddUser', users)['results']
        change = {'changes': [{'tag': 'user-bot', 'password': 'bot-password'}]}
        assert client.call('UserManager', 'SetPassword', change) == {'results': [{}]}
        assert grant(client, served, 'admin') == {}
        assert 'already has' in grant(client, served, 'write')['error']['message']
        (info,) = client.call('UserManager', 'UserInfo', {'entities': [{'tag': 'user-bot'}]})[
            'results'
        ]
    with served.connect('bot') as client:
        client.call('Client', 'FullStatus', {'patterns': []})

    assert added['tag'] == 'user-bot'
    assert len(base64.b64decode(added['secret-key'])) == 32
    assert again['error']['code'] == 'already exists'
    assert (info['result']['username'], info['result']['access']) == ('bot', 'login')


def test_access_is_taken_away_step_by_step(served: Served):
    with served.connect('root', model_uuid='') as client:
        users = {'users': [{'username': 'bot', 'display-name': '', 'password': 'x'}]}
        client.call('UserManager', 'AddUser', users)
        grant(client, served, 'admin')
        left: list[str] = []
        for access in ('admin', 'write', 'read'):
            assert grant(client, served, access, 'revoke') == {}
            left.append(served.juju.users['bot'].model_access)
        assert grant(client, served, 'read', 'revoke')['error']['code'] == 'not found'
        client.call('UserManager', 'RemoveUser', {'entities': [{'tag': 'user-bot'}]})

    assert left == ['write', 'read', '']
    assert 'bot' not in served.juju.users


def test_users_are_managed_by_superusers_and_passwords_by_their_owners(served: Served):
    others = {'changes': [{'tag': 'user-root', 'password': 'x'}]}
    own = {'changes': [{'tag': 'user-reader', 'password': 'new'}]}
    with served.connect('reader', model_uuid='') as client:
        with pytest.raises(Refused, match='permission denied'):
            client.call('UserManager', 'AddUser', {'users': []})
        (refused,) = client.call('UserManager', 'SetPassword', others)['results']
        assert client.call('UserManager', 'SetPassword', own) == {'results': [{}]}
        (denied,) = client.call(
            'ModelManager', 'ModifyModelAccess', {'changes': [{'user-tag': 'user-reader'}]}
        )['results']

    assert refused['error']['code'] == denied['error']['code'] == 'unauthorized access'
    assert served.juju.users['reader'].password == 'new'


# --- The model -----------------------------------------------------------------------------------


def test_models_are_listed_for_those_who_may_see_them(served: Served):
    def models(user: str) -> list[Any]:
        with served.connect(user, model_uuid='') as client:
            wanted = {'user-tag': f'user-{user}', 'all': False}
            return client.call('ModelManager', 'ListModelSummaries', wanted)['results']

    (shown,) = models('reader')
    summary = shown['result']
    assert (summary['name'], summary['uuid']) == ('prod', served.juju.uuid)
    assert summary['user-access'] == 'read'
    assert {'entity': 'units', 'count': 4} in summary['counts']
    assert ('qualifier' in summary) is served.juju.juju4
    assert models('nobody') == []


def test_model_config_is_set_and_unset(served: Served):
    with served.connect() as client:
        change = {'config': {'update-status-hook-interval': '1m30s', 'logging-config': 'x=DEBUG'}}
        client.call('ModelConfig', 'ModelSet', change)
        config = client.call('ModelConfig', 'ModelGet')['config']
        with pytest.raises(Refused, match='no duration'):
            client.call(
                'ModelConfig', 'ModelSet', {'config': {'update-status-hook-interval': 'soon'}}
            )
        client.call('ModelConfig', 'ModelUnset', {'keys': ['logging-config', 'name']})
        again = client.call('ModelConfig', 'ModelGet')['config']

    assert served.juju.update_status_interval == 90
    assert config['logging-config'] == {'value': 'x=DEBUG', 'source': 'model'}
    assert again['logging-config']['source'] == 'default'
    assert again['name']['value'] == 'prod'


def test_commands_are_disabled_listed_and_enabled(served: Served):
    block = {'type': 'BlockRemove', 'message': 'not now'}
    unit = {'units': [{'unit-tag': 'unit-pg-2'}]}
    with served.connect() as client:
        assert client.call('Block', 'List') == {}
        client.call('Block', 'SwitchBlockOn', block)
        (shown,) = client.call('Block', 'List')['results']
        with pytest.raises(Refused, match='not now') as refused:
            client.call('Application', 'DestroyUnit', unit)
        client.call('Block', 'SwitchBlockOff', {'type': 'BlockRemove'})
        client.call('Application', 'DestroyUnit', unit)

    assert (shown['result']['type'], shown['result']['message']) == ('BlockRemove', 'not now')
    assert refused.value.code == 'operation is blocked'


# --- Applications and storage --------------------------------------------------------------------


def test_an_application_goes_with_its_relations_units_and_secrets(served: Served):
    served.thread.call(served.juju.add_secret, 'application-app', {'key': 'x'})
    item = {'application-tag': 'application-app', 'destroy-storage': True, 'force': False}
    with served.connect() as client:
        params = {'applications': [item]}
        (answer,) = client.call('Application', 'DestroyApplication', params)['results']
        served.until(lambda: 'app' not in served.juju.applications)
        (missing,) = client.call('Application', 'DestroyApplication', params)['results']
        shown = client.call('Client', 'FullStatus', {'patterns': []})

    assert answer['info']['destroyed-units'] == [{'tag': 'unit-app-0'}]
    assert ('destroyed-storage' in answer['info']) is not served.juju.juju4
    assert missing['error']['code'] == 'not found'
    assert [relation['key'] for relation in shown['relations']] == ['pg:peers']
    assert served.juju.secrets == {}
    assert not [item for item in served.juju.storage.values() if item.owner == 'app/0']


def test_an_application_without_units_goes_at_once(served: Served):
    charm = served.juju.application('app').charm
    served.thread.call(served.juju.deploy, 'empty', charm, served.agent, 0)
    with served.connect() as client:
        item = {'application-tag': 'application-empty', 'destroy-storage': False, 'force': False}
        client.call('Application', 'DestroyApplication', {'applications': [item]})

    assert 'empty' not in served.juju.applications


def test_file_systems_are_listed_and_there_are_no_volumes(served: Served):
    with served.connect() as client:
        (found,) = client.call('Storage', 'ListFilesystems', {'filters': [{}]})['results']
        (volumes,) = client.call('Storage', 'ListVolumes', {'filters': [{}]})['results']

    first = found['result'][0]
    assert first['storage']['storage-tag'] == 'storage-pg-data-0'
    assert first['filesystem-tag'] == 'filesystem-0'
    assert list(first['unit-attachments']) == ['unit-pg-0']
    assert volumes == {}


# --- The log -------------------------------------------------------------------------------------


def log_of(served: Served, query: str, password: str = 'boss-password') -> list[Json]:
    """Return the frames of a debug-log that ends by itself: first whether it was opened."""
    login = base64.b64encode(f'user-boss:{password}'.encode()).decode()
    with frames.dialled(
        served.controller.addresses[0],
        served.authority.ca_pem,
        f'/model/{served.juju.uuid}/log?{query}',
        served_model.TIMEOUT,
        [f'Authorization: Basic {login}'],
    ) as line:
        found: list[Json] = []
        while True:
            try:
                text = line.recv()
            except websocket.WebSocketConnectionClosedException:
                return found
            if not text:
                return found
            found.append(json.loads(text))


def test_the_log_tells_what_units_have_run(served: Served):
    opened, *lines = log_of(served, 'version=2&replay=true&noTail=true')

    assert opened == {}
    ran = [line['msg'] for line in lines if line['tag'] == 'unit-pg-1']
    assert 'ran "install" hook' in ran
    assert {line['sev'] for line in lines} == {'INFO'}


def test_the_log_is_filtered_and_cut(served: Served):
    served.thread.call(served.juju.log, 'unit-pg-1', 'ERROR', 'unit.pg/1.juju-log', 'alas\nalack')

    def messages(query: str) -> list[str]:
        return [line['msg'] for line in log_of(served, f'noTail=true&replay=true&{query}')[1:]]

    assert messages('level=ERROR') == ['alas', 'alack']
    assert messages('level=ERROR&maxLines=1') == ['alas']
    assert messages('includeModule=unit.pg/1') == ['alas', 'alack']
    assert messages('includeEntity=unit-app-*&level=ERROR') == []
    assert len(log_of(served, 'noTail=true&backlog=1')) == 2


def test_the_log_is_followed_until_enough_was_seen(served: Served):
    served.thread.call(served.juju.clock.later, 0.2, lambda: say(served))

    opened, line = log_of(served, 'maxLines=1&includeModule=news')

    assert (opened, line['msg']) == ({}, 'one')


def say(served: Served) -> None:
    served.juju.log('model', 'INFO', 'news', 'one\ntwo')
    served.juju.changed()


def test_the_log_is_not_for_everybody(served: Served):
    (refused,) = log_of(served, 'noTail=true', password='wrong')

    assert refused['error']['code'] == 'unauthorized access'


def test_a_controller_that_stops_ends_those_who_follow_the_log(served: Served):
    login = base64.b64encode(b'user-boss:boss-password').decode()
    path = f'/model/{served.juju.uuid}/log?backlog=0'
    with frames.dialled(
        served.controller.addresses[0],
        served.authority.ca_pem,
        path,
        served_model.TIMEOUT,
        [f'Authorization: Basic {login}'],
    ) as line:
        assert json.loads(line.recv()) == {}
        served.thread.run(served.controller.stop(), served_model.TIMEOUT)
