"""The Secrets facade."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest

from tests import served_model

Served = served_model.ServedModel
Refused = served_model.Refused


@pytest.fixture(params=served_model.VERSIONS)
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    yield from served_model.serve(request.param)


def encoded(**content: str) -> served_model.Json:
    return {'data': {key: base64.b64encode(v.encode()).decode() for key, v in content.items()}}


def create(client: served_model.Client, label: str, **content: str) -> served_model.Json:
    arg = {'label': label, 'description': 'd', 'content': encoded(**content), 'owner-tag': ''}
    return client.call('Secrets', 'CreateSecrets', {'args': [arg]})['results'][0]


def listed(client: served_model.Client, show: bool = False, **wanted: Any) -> list[Any]:
    wanted = {key.replace('_', '-'): value for key, value in wanted.items()}
    return client.call('Secrets', 'ListSecrets', {'show-secrets': show, 'filter': wanted})[
        'results'
    ]


def test_a_secret_is_made_granted_updated_and_removed(served: Served):
    with served.connect() as client:
        uri = create(client, 'passwords', operator='s3cret')['result']
        client.call('Secrets', 'GrantSecret', {'uri': uri, 'label': '', 'applications': ['pg']})
        (secret,) = listed(client, show=True, label='passwords')

        assert secret['uri'] == uri
        assert secret['owner-tag'] == f'model-{served.juju.uuid}'
        assert secret['value'] == encoded(operator='s3cret')
        assert [access['target-tag'] for access in secret['access']] == ['application-pg']
        assert served.juju.secret(uri).content == {'operator': 's3cret'}

        update = {'uri': uri, 'existing-label': '', 'content': encoded(operator='new')}
        client.call('Secrets', 'UpdateSecrets', {'args': [update]})
        client.call('Secrets', 'UpdateSecrets', {'args': [update]})
        client.call('Secrets', 'RevokeSecret', {'uri': uri, 'label': '', 'applications': ['pg']})
        (secret,) = listed(client, uri=uri)
        assert secret['latest-revision'] == 2, 'the same content made a revision of its own'
        assert 'access' not in secret
        assert 'value' not in secret

        arg = {'uri': uri, 'label': '', 'revisions': []}
        assert client.call('Secrets', 'RemoveSecrets', {'args': [arg]})['results'] == [{}]
        assert listed(client) == []


def test_a_missing_secret_has_the_code_of_its_juju(served: Served):
    with served.connect() as client:
        arg = {'uri': 'secret:' + 20 * '0', 'label': ''}
        (answer,) = client.call('Secrets', 'RemoveSecrets', {'args': [arg]})['results']
        params = {'uri': arg['uri'], 'label': '', 'applications': ['pg']}
        with pytest.raises(Refused) as refused:
            client.call('Secrets', 'GrantSecret', params)

    if served.juju.juju4:
        assert answer == {}
        assert refused.value.code == 'secret not found'
    else:
        assert answer['error']['code'] == refused.value.code == 'not found'


@pytest.mark.parametrize('uri', ['secret:zzz', 'secret:' + 19 * 'a' + 'z', 'secret:' + 20 * '1'])
def test_what_is_no_xid_is_no_secret(served: Served, uri: str):
    with served.connect() as client, pytest.raises(Refused) as refused:
        listed(client, uri=uri)

    assert refused.value.code == 'not valid'


def test_ids_are_decoded_by_the_clients_that_are_the_strictest(served: Served):
    """Juju's own read an id as an xid, and crash on any other."""
    alphabet = '0123456789abcdefghijklmnopqrstuv'
    with served.connect() as client:
        made = [create(client, f'secret-{n}', operator='x')['result'] for n in range(64)]
        shown = [secret['uri'] for secret in listed(client)]

    assert sorted(made) == sorted(shown)
    for uri in made:
        scheme, _, text = uri.partition(':')
        bits = ''.join(f'{alphabet.index(character):05b}' for character in text)
        assert scheme == 'secret'
        assert len(bits) == 100
        assert bits.endswith('0000'), f'{text} is no xid: 96 bits, and nothing after them'
    assert {uri[-1] for uri in made} == {'0', 'g'}


def test_a_label_is_taken_once(served: Served):
    with served.connect() as client:
        create(client, 'passwords', operator='s3cret')
        answer = create(client, 'passwords', operator='other')

    assert answer['error']['code'] == 'already exists'


@pytest.mark.parametrize('content', [{}, {'data': {'key': 'x'}}])
def test_content_that_juju_would_not_keep_is_refused(served: Served, content: Any):
    with served.connect() as client:
        arg = {'label': 'x', 'content': content, 'owner-tag': ''}
        (answer,) = client.call('Secrets', 'CreateSecrets', {'args': [arg]})['results']

    assert answer['error']['code'] == 'not valid'


def test_secrets_of_charms_are_listed_and_cannot_be_changed(served: Served):
    label = 'database-peers.pg.app'
    secret = served.thread.call(
        served.juju.add_secret, 'application-pg', {'operator-password': 'x'}, label
    )
    with served.connect() as client:
        (shown,) = listed(client, label=label, show=True)
        arg = {'uri': secret.uri, 'label': ''}
        (answer,) = client.call('Secrets', 'RemoveSecrets', {'args': [arg]})['results']

    assert shown['owner-tag'] == 'application-pg'
    assert shown['value'] == encoded(**{'operator-password': 'x'})
    assert answer['error']['code'] == 'unauthorized access'


def test_user_secrets_are_filtered_by_owner_in_3_6_only(served: Served):
    owner = f'model-{served.juju.uuid}'
    served.thread.call(served.juju.add_secret, 'application-pg', {'key': 'x'})
    with served.connect() as client:
        create(client, 'passwords', operator='s3cret')
        assert len(listed(client, owner_tag='application-pg')) == 1
        if served.juju.juju4:
            with pytest.raises(Refused) as refused:
                listed(client, owner_tag=owner)
            assert refused.value.code == 'not valid'
        else:
            assert [secret['owner-tag'] for secret in listed(client, owner_tag=owner)] == [owner]


def test_granting_to_an_application_that_is_not_there_is_that_items_error(served: Served):
    with served.connect() as client:
        uri = create(client, 'passwords', operator='s3cret')['result']
        params = {'uri': uri, 'label': '', 'applications': ['x', 'pg']}
        bad, good = client.call('Secrets', 'GrantSecret', params)['results']

    assert bad['error']['code'] == ('' if served.juju.juju4 else 'not found')
    assert 'application "x" not found' in bad['error']['message']
    assert good == {}


def test_names_of_keys_are_checked_by_clients_only(served: Served):
    with served.connect() as client:
        assert create(client, 'short', a='x')['result'].startswith('secret:')


def test_a_grant_of_a_charm_lasts_as_long_as_its_relation(served: Served):
    secret = served.thread.call(served.juju.add_secret, 'application-pg', {'key': 'x'})
    secret.grants.add('app')
    with served.connect() as client:
        (shown,) = listed(client)

    scope = 'relation-app.db#pg.database'
    assert shown['access'] == [
        {'target-tag': 'application-app', 'scope-tag': scope, 'role': 'view'}
    ]
