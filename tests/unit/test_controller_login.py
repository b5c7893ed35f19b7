"""Logging in to the controller, and what a user may do then."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator

import pytest
import websocket

from rehearsal import model, tls
from rehearsal.controller import faults
from tests import served_model

Served = served_model.ServedModel
Refused = served_model.Refused


@pytest.fixture(params=served_model.VERSIONS)
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    yield from served_model.serve(request.param)


def test_login_tells_who_one_is_and_what_is_offered(served: Served):
    with served.dial() as client:
        answer = client.log_in('writer')

    assert answer['model-tag'] == f'model-{served.juju.uuid}'
    assert answer['controller-tag'] == f'controller-{served.controller.uuid}'
    assert answer['server-version'] == served.juju.version
    assert answer['user-info'] == {
        'display-name': '',
        'identity': 'user-writer',
        'controller-access': 'login',
        'model-access': 'write',
    }
    assert answer['servers'][0][0]['port'] == served.controller.port
    names = [facade['name'] for facade in answer['facades']]
    assert names == sorted(names)


def test_each_juju_offers_its_own_versions(served: Served):
    with served.dial() as client:
        offered = {f['name']: f['versions'] for f in client.log_in('boss')['facades']}

    juju4 = served.juju.juju4
    assert offered['Action'] == [7]
    assert offered['Application'] == list(range(19 if juju4 else 15, 23))
    assert offered['Client'] == ([8] if juju4 else [6, 7, 8])
    assert offered['ModelConfig'] == ([3, 4] if juju4 else [3])
    assert offered['Secrets'] == [1, 2]
    assert offered['Storage'] == [6, 7]
    assert offered['Pinger'] == [1]
    assert ('AllWatcher' in offered) is not juju4
    assert 'ModelManager' not in offered


@pytest.mark.parametrize(('user', 'password'), [('boss', 'guess'), ('stranger', 'guess')])
def test_a_wrong_password_and_an_unknown_user_look_alike(served: Served, user: str, password: str):
    with served.dial() as client:
        with pytest.raises(Refused, match='invalid entity name or password') as refused:
            client.log_in(user, password)
        assert refused.value.code == 'unauthorized access'

        client.log_in('boss')


def test_a_user_without_access_to_the_model_is_refused(served: Served):
    with served.dial() as client, pytest.raises(Refused, match='permission denied') as refused:
        client.log_in('nobody')

    assert refused.value.code == 'unauthorized access'


def test_a_superuser_needs_no_access_to_the_model(served: Served):
    with served.connect('root') as client:
        client.call('Client', 'FullStatus', {'patterns': []})


def test_a_login_without_a_password_succeeds_and_offers_nothing(served: Served):
    with served.dial() as client:
        answer = client.log_in('boss', '')

        assert answer['discharge-required']
        assert 'facades' not in answer
        with pytest.raises(Refused) as refused:
            client.call('Pinger', 'Ping')
        assert refused.value.code == 'not implemented'


def test_nothing_but_admin_is_there_before_login_and_admin_is_gone_after(served: Served):
    with served.dial() as client:
        with pytest.raises(Refused, match='unknown version') as before:
            client.call('Client', 'FullStatus', {'patterns': []}, version=8)
        client.log_in('boss')
        with pytest.raises(Refused) as after:
            client.log_in('boss')

    assert before.value.code == after.value.code == 'not implemented'


def test_other_versions_of_admin_are_not_supported(served: Served):
    with served.dial() as client, pytest.raises(Refused) as refused:
        client.call('Admin', 'RedirectInfo', version=2)

    assert refused.value.code == 'not supported'


def test_redirect_info_always_fails(served: Served):
    with served.dial() as client, pytest.raises(Refused, match='not redirected'):
        client.call('Admin', 'RedirectInfo')


def test_a_migrated_model_redirects_those_who_may_see_it(served: Served):
    moved_to = faults.MovedTo(('10.0.0.9:17070',), 'PEM', 'elsewhere', served.juju.uuid)
    served.faults.add(faults.Fault(faults.Kind.REDIRECT, count=None, moved_to=moved_to))

    with served.dial() as client:
        with pytest.raises(Refused, match='redirection to alternative server') as redirected:
            client.log_in('reader')
        with pytest.raises(Refused) as refused:
            client.log_in('nobody')

    assert redirected.value.code == 'redirection required'
    assert redirected.value.info['controller-alias'] == 'elsewhere'
    assert redirected.value.info['ca-cert'] == 'PEM'
    assert redirected.value.info['servers'][0][0]['value'] == '10.0.0.9'
    assert refused.value.code == 'unauthorized access'


def test_a_failed_login_during_an_upgrade_is_masked(served: Served):
    served.faults.add(faults.Fault(faults.Kind.UPGRADE, count=None))

    with served.dial() as client:
        with pytest.raises(Refused, match='login failed - maintenance in progress'):
            client.log_in('boss', 'guess')
        client.log_in('boss')


def test_an_unknown_model_fails_every_call(served: Served):
    with served.dial('00000000-0000-4000-8000-000000000000') as client:
        with pytest.raises(Refused, match='unknown model') as refused:
            client.log_in('boss')
        assert refused.value.code == 'model not found'
        with pytest.raises(Refused, match='unknown model'):
            client.call('Pinger', 'Ping')


def test_a_malformed_uuid_is_refused_before_the_upgrade(served: Served):
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        served.dial('prod')

    assert refused.value.status_code == 400
    assert b'invalid model UUID "prod"' in (refused.value.resp_body or b'')


def test_the_certificate_is_for_juju_apiserver_alone(served: Served):
    def shake_hands(authority: tls.Authority, name: str) -> None:
        trust = ssl.create_default_context(cadata=authority.ca_pem)
        with socket.create_connection(('127.0.0.1', served.controller.port)) as plain:
            trust.wrap_socket(plain, server_hostname=name).close()

    shake_hands(served.authority, 'juju-apiserver')
    for name in ('127.0.0.1', 'localhost'):
        with pytest.raises(ssl.SSLCertVerificationError, match='mismatch'):
            shake_hands(served.authority, name)
    with pytest.raises(ssl.SSLCertVerificationError, match='unable to get local issuer'):
        shake_hands(tls.Authority(), 'juju-apiserver')


def test_the_controller_alone_has_no_facades_of_the_model(served: Served):
    with served.connect('boss', model_uuid='') as client:
        assert 'Client' not in client.versions
        client.call('Pinger', 'Ping')
        with pytest.raises(Refused, match='not supported for controller API') as refused:
            client.call('Client', 'FullStatus', {'patterns': []}, version=8)

    assert refused.value.code == 'not supported'


REQUESTS: list[tuple[str, str, str, served_model.Json | None]] = [
    ('read', 'Client', 'FullStatus', {'patterns': []}),
    ('read', 'Application', 'Get', {'application': 'pg', 'branch': 'master'}),
    ('read', 'Action', 'Actions', {'entities': []}),
    ('read', 'Action', 'ListOperations', {}),
    ('read', 'Secrets', 'ListSecrets', {'show-secrets': False, 'filter': {}}),
    ('read', 'Storage', 'ListStorageDetails', {'filters': [{}]}),
    ('read', 'ModelConfig', 'ModelGet', None),
    ('write', 'Application', 'AddUnits', {'application': 'x', 'num-units': 1, 'placement': []}),
    ('write', 'Application', 'DestroyUnit', {'units': []}),
    ('write', 'Application', 'AddRelation', {'endpoints': ['app:db', 'pg:database']}),
    ('write', 'Application', 'DestroyRelation', {'endpoints': ['x:y', 'a:b'], 'relation-id': 0}),
    ('write', 'Application', 'SetConfigs', {'Args': []}),
    ('write', 'Action', 'Cancel', {'entities': []}),
    ('write', 'Secrets', 'CreateSecrets', {'args': []}),
    ('write', 'Secrets', 'UpdateSecrets', {'args': []}),
    ('write', 'Secrets', 'RemoveSecrets', {'args': []}),
    ('write', 'Storage', 'DetachStorage', {'ids': {'ids': []}}),
    ('write', 'Storage', 'Remove', {'storage': []}),
    ('admin', 'Secrets', 'ListSecrets', {'show-secrets': True, 'filter': {}}),
]


def test_each_call_asks_for_its_access_and_no_more(served: Served):
    users = {'read': 'reader', 'write': 'writer', 'admin': 'boss'}
    order = list(users)
    for needed, facade, method, params in REQUESTS:
        for access, user in users.items():
            with served.connect(user) as client:
                answer = client.answer_to(client.send(facade, method, params))
            denied = answer.get('error-code') == 'unauthorized access'
            allowed = order.index(access) >= order.index(needed)
            assert denied is not allowed, f'{facade}.{method} as {user}: {answer}'


def test_access_that_is_revoked_ends_at_once(served: Served):
    with served.connect('boss') as client:
        served.thread.call(served.juju.users.pop, 'boss')
        with pytest.raises(Refused, match='permission denied'):
            client.call('Client', 'FullStatus', {'patterns': []})


def test_units_and_leaders_are_open_to_any_login_in_3_6_only(served: Served):
    with served.connect('reader') as client:
        nobody = model.User('reader', 'reader-password', '')
        served.thread.call(served.juju.users.__setitem__, 'reader', nobody)
        for method, params in (
            ('Leader', {'tag': 'application-pg'}),
            ('UnitsInfo', {'entities': [{'tag': 'unit-pg-0'}]}),
            ('ApplicationsInfo', {'entities': [{'tag': 'application-pg'}]}),
        ):
            answer = client.answer_to(client.send('Application', method, params))
            assert ('error' in answer) is served.juju.juju4, method


@pytest.mark.parametrize(('disabled', 'blocks_changes'), [('all', True), ('remove-object', False)])
def test_disabled_commands_block_what_they_name(
    served: Served, disabled: str, blocks_changes: bool
):
    served.juju.blocked[disabled] = 'no changes on Fridays'
    with served.connect('boss') as client:
        for changes, facade, method, params in (
            (
                True,
                'Application',
                'AddUnits',
                {'application': 'pg', 'num-units': 0, 'placement': []},
            ),
            (True, 'Application', 'SetConfigs', {'Args': []}),
            (False, 'Application', 'DestroyUnit', {'units': []}),
            (False, 'Storage', 'Remove', {'storage': []}),
        ):
            answer = client.answer_to(client.send(facade, method, params))
            blocked = answer.get('error-code') == 'operation is blocked'
            storage_of_4 = facade == 'Storage' and served.juju.juju4
            expected = (blocks_changes or not changes) and not storage_of_4
            assert blocked is expected, f'{facade}.{method}: {answer}'
            assert not blocked or answer['error'] == 'no changes on Fridays'

        # Actions and secrets are never blocked.
        client.call('Secrets', 'CreateSecrets', {'args': []})
