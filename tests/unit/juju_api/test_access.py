"""The address of the controller and the login, without a password in any message."""

from __future__ import annotations

import pathlib
import traceback

import pytest

from coordinator import errors
from coordinator.juju_api import access

UUID = 'deadbeef-0bad-400d-8000-4b1d0d06f00d'
LOGIN = {'username': 'backup-bot', 'password': 'hunter2'}
ADDRESSES = '10.0.0.5:17070 [fd00::5]:17070'


@pytest.fixture
def environment(tmp_path: pathlib.Path) -> dict[str, str]:
    """Return the environment of a dispatch, an agent.conf beside the charm's folder."""
    (tmp_path / 'agent.conf').write_text('cacert: |\n  THE CA\napipassword: agents-own\n')
    return {'JUJU_API_ADDRESSES': ADDRESSES, 'JUJU_CHARM_DIR': str(tmp_path / 'charm')}


def test_addresses_and_ca_come_from_the_units_agent(environment: dict[str, str]):
    found = access.endpoint(LOGIN, UUID, 'maas', environment)
    assert found.addresses == ('10.0.0.5:17070', '[fd00::5]:17070')
    assert found.ca_cert == 'THE CA\n'
    assert (found.model_uuid, found.model_name) == (UUID, 'maas')
    assert (found.username, found.password) == ('backup-bot', 'hunter2')


def test_a_password_may_come_with_the_newline_of_its_file(environment: dict[str, str]):
    content = {**LOGIN, 'password': ' hunter2 \r\n'}
    assert access.endpoint(content, UUID, 'maas', environment).password == ' hunter2 '


def test_the_secret_may_override_both(environment: dict[str, str]):
    content = {**LOGIN, 'endpoints': 'a.example:17070, b.example:443', 'ca-cert': 'MINE'}
    found = access.endpoint(content, UUID, 'maas', environment)
    assert found.addresses == ('a.example:17070', 'b.example:443')
    assert found.ca_cert == 'MINE'


def test_a_secret_with_a_ca_needs_no_agent_conf(tmp_path: pathlib.Path):
    environment = {'JUJU_API_ADDRESSES': ADDRESSES, 'JUJU_CHARM_DIR': str(tmp_path / 'charm')}
    assert (
        access.endpoint({**LOGIN, 'ca-cert': 'MINE'}, UUID, 'maas', environment).ca_cert == 'MINE'
    )


def test_agent_conf_is_read_anew_each_time(environment: dict[str, str], tmp_path: pathlib.Path):
    access.endpoint(LOGIN, UUID, 'maas', environment)
    (tmp_path / 'agent.conf').write_text('cacert: ROTATED\n')
    assert access.endpoint(LOGIN, UUID, 'maas', environment).ca_cert == 'ROTATED'


@pytest.mark.parametrize(
    'content', [None, '', '[]', 'cacert', 'other: x', 'apipassword: agents-own\n: : :\n']
)
def test_an_agent_conf_without_ca_says_what_to_set_and_nothing_else(
    environment: dict[str, str], tmp_path: pathlib.Path, content: str | None
):
    (tmp_path / 'agent.conf').unlink()
    if content is not None:
        (tmp_path / 'agent.conf').write_text(content)
    with pytest.raises(errors.TransientError, match='set ca-cert in the secret') as caught:
        access.endpoint(LOGIN, UUID, 'maas', environment)
    assert 'agents-own' not in ''.join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ('change', 'named'),
    [
        ({'username': ''}, 'username'),
        ({'username': 'not a name'}, 'username'),
        ({'password': ''}, 'password'),
        ({'endpoints': 'no-port'}, 'endpoints'),
        ({'endpoints': 'hunter2, hunter2'}, 'endpoints'),
        ({'username': '', 'password': ''}, 'password, username'),
    ],
    ids=str,
)
def test_what_is_wrong_in_the_secret_is_named_and_its_content_never(
    environment: dict[str, str], change: dict[str, str], named: str
):
    with pytest.raises(
        errors.PreconditionError, match=f'has unusable values: {named}\\. '
    ) as caught:
        access.endpoint({**LOGIN, **change}, UUID, 'maas', environment)
    assert 'hunter2' not in ''.join(traceback.format_exception(caught.value))


def test_a_secret_without_keys_names_both(environment: dict[str, str]):
    with pytest.raises(errors.PreconditionError, match='unusable values: password, username'):
        access.endpoint({}, UUID, 'maas', environment)


@pytest.mark.parametrize('name', ['backup-bot', 'backup.bot+1', 'backup-bot@external'])
def test_juju_user_names_are_taken(name: str):
    assert access.credentials({**LOGIN, 'username': name}).username == name


@pytest.mark.parametrize('text', ['', '  ', 'a:1,', ' a:1 , b:2,\n'])
def test_a_list_of_endpoints_may_end_in_a_separator(text: str):
    found = access.credentials({**LOGIN, 'endpoints': text}).endpoints
    assert found == tuple(part for part in ('a:1', 'b:2') if part in text)


def test_passwords_and_certificates_do_not_show_in_what_is_printed(environment: dict[str, str]):
    found = access.endpoint(LOGIN, UUID, 'maas', environment)
    printed = f'{found!r} {access.credentials(LOGIN)!r}'
    assert 'hunter2' not in printed
    assert 'THE CA' not in printed
