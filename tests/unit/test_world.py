"""The ports joined to their adapters out of what Juju tells the unit."""

from __future__ import annotations

import contextlib
import json
import pathlib
import traceback
from collections.abc import Generator

import pytest
from ops import testing

import world
from coordinator import errors
from coordinator.s3 import object_store
from tests import charm_states, programs, worlds

pytestmark = pytest.mark.filterwarnings('ignore:JujuVersion.from_environ:DeprecationWarning')

PLAIN = {
    'bucket': 'backups',
    'endpoint': 'https://s3.example:9000',
    'region': 'eu-north-1',
    'path': '/maas/prod/',
    's3-uri-style': 'path',
}
KEYS = {'access-key': 'AKIA0123', 'secret-key': 's3cret'}
S3_SECRET = 'secret:d0q1k2v3m4n5o6p7q8s3'
GRANTED = [testing.Secret(KEYS, id=S3_SECRET)]
CHAIN = ['-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----']
TRACK_1 = {**PLAIN, **KEYS, 'data': '{"bucket": "relation-5"}'}
TRACK_2 = {**PLAIN, 'version': '1', 'secret-extra': S3_SECRET}
CONNECTION = object_store.Connection(
    integrator='s3-integrator-maas',
    bucket='backups',
    access_key='AKIA0123',
    secret_key='s3cret',
    endpoint='https://s3.example:9000',
    region='eu-north-1',
    path='maas/prod',
    ca_chain=[],
)


@pytest.fixture(autouse=True)
def juju(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> programs.Programs:
    return programs.Programs(tmp_path / 'bin', monkeypatch)


@contextlib.contextmanager
def reached(state: testing.State) -> Generator[world.LiveWorld]:
    """Lend the world as one dispatch reaches it."""
    context = charm_states.context()
    with context(context.on.update_status(), state) as manager:
        live = world.LiveWorld(manager.charm._given)
        yield live
        live.close()


def connection(state: testing.State) -> object_store.Connection:
    with reached(state) as live:
        store = live.maas_store
        assert isinstance(store, object_store.S3Store)
        return store.connection


def test_the_first_track_of_the_integrator_gives_plain_fields():
    assert connection(charm_states.state(s3=TRACK_1)) == CONNECTION


def test_the_stores_of_one_server_share_their_patience_with_it():
    with reached(charm_states.state(s3=TRACK_1)) as live:
        one, other = live.maas_store, live.maas_store_at('backups', 'elsewhere')
        assert isinstance(one, object_store.S3Store)
        assert isinstance(other, object_store.S3Store)
        assert one is not other
        assert one.patience is other.patience


def test_the_second_track_gives_keys_in_a_secret():
    state = charm_states.state(s3=TRACK_2, secrets=GRANTED)
    assert connection(state) == CONNECTION


@pytest.mark.parametrize('fields', [TRACK_1, TRACK_2], ids=['track-1', 'track-2'])
def test_a_ca_chain_is_a_list_of_certificates(fields: dict[str, str]):
    state = charm_states.state(s3={**fields, 'tls-ca-chain': json.dumps(CHAIN)}, secrets=GRANTED)
    assert connection(state).ca_chain == CHAIN


def test_units_that_do_not_lead_reach_s3_too():
    assert connection(charm_states.state(s3=TRACK_1, leader=False)) == CONNECTION
    state = charm_states.state(s3=TRACK_2, leader=False, secrets=GRANTED)
    assert connection(state) == CONNECTION


@pytest.mark.parametrize(('text', 'read'), [('0123', '0123'), ('"x"', 'x'), ('1.2.3', '1.2.3')])
def test_what_looks_like_json_is_what_it_is_to_the_charms(text: str, read: str):
    found = connection(charm_states.state(s3={**TRACK_1, 'secret-key': text, 'path': text}))
    assert found.secret_key == found.path == read


@pytest.mark.parametrize('text', ['1234567890', '3.10', '12e4', 'null', '[1]'])
def test_a_value_on_which_the_charms_fail_is_refused_with_the_integrators_name(text: str):
    with (
        reached(charm_states.state(s3={**TRACK_1, 'path': text})) as live,
        pytest.raises(
            errors.StoreRefused, match=r'value of path is .*juju config s3-integrator-maas'
        ),
    ):
        _ = live.maas_store


def test_spaces_and_slashes_around_settings_are_not_part_of_them():
    spaced = {key: f' {text}/ ' for key, text in PLAIN.items() if key in ('bucket', 'endpoint')}
    given = {**TRACK_1, **spaced, 'path': 'maas/prod ', 'region': 'eu-north-1 '}
    assert connection(charm_states.state(s3=given)) == CONNECTION


@pytest.mark.parametrize('fields', [TRACK_1, TRACK_2], ids=['track-1', 'track-2'])
def test_keys_that_came_out_of_a_file_lose_its_last_newline(fields: dict[str, str]):
    keys = {key: f'{text}\n' for key, text in KEYS.items()}
    granted = [testing.Secret(keys, id=S3_SECRET)]
    given = {**fields, **keys} if fields is TRACK_1 else fields
    assert connection(charm_states.state(s3=given, secrets=granted)) == CONNECTION


def test_a_login_in_the_endpoint_is_shown_nowhere():
    endpoint = 'https://root:s3cret@s3.example:9000'
    with reached(charm_states.state(s3={**TRACK_1, 'endpoint': endpoint})) as live:
        assert live.maas_store.place['endpoint'] == 'https://s3.example:9000'


def test_a_connection_never_shows_its_keys():
    assert 's3cret' not in repr(connection(charm_states.state(s3=TRACK_1)))
    assert 'AKIA0123' not in repr(CONNECTION)


def test_without_the_relation_the_command_that_makes_it_is_named():
    state = charm_states.state(without=['s3-maas'])
    with (
        reached(state) as live,
        pytest.raises(errors.TransientError, match=r'juju integrate .*:s3-maas <s3-integrator>'),
    ):
        _ = live.maas_store


@pytest.mark.parametrize(
    ('fields', 'missing'),
    [
        ({}, 'bucket, access-key, secret-key'),
        ({'version': '1'}, 'bucket, access-key, secret-key'),
        (PLAIN, 'access-key, secret-key'),
        (KEYS, 'bucket'),
        ({**TRACK_1, 'secret-key': ''}, 'secret-key'),
    ],
    ids=['nothing', 'a-version-only', 'no-keys', 'no-bucket', 'an-empty-key'],
)
def test_what_the_integrator_does_not_give_is_named(fields: dict[str, str], missing: str):
    with (
        reached(charm_states.state(s3=fields)) as live,
        pytest.raises(errors.TransientError) as caught,
    ):
        _ = live.maas_store
    assert str(caught.value) == (
        f's3-integrator-maas provides no {missing}: see juju status s3-integrator-maas and juju '
        'config s3-integrator-maas'
    )


def test_keys_whose_secret_cannot_be_read_yet_are_waited_for():
    with (
        reached(charm_states.state(s3=TRACK_2)) as live,
        pytest.raises(errors.TransientError, match='keys that s3-integrator-maas gives cannot be'),
    ):
        _ = live.maas_store


def test_each_store_is_opened_once():
    with reached(charm_states.state(s3=TRACK_1)) as live:
        assert live.maas_store is live.maas_store


def test_the_postgresql_store_is_the_other_relation():
    with (
        reached(charm_states.state(s3=TRACK_1)) as live,
        pytest.raises(errors.TransientError, match='s3-integrator-postgresql provides no'),
    ):
        _ = live.postgresql_store


# --- The controller ------------------------------------------------------------------------------


def test_without_credentials_the_controller_waits_for_the_operator():
    state = charm_states.state(unset=['juju-credentials'])
    with (
        reached(state) as live,
        pytest.raises(errors.TransientError, match='missing credentials: juju config'),
    ):
        _ = live.juju


def test_a_secret_that_is_no_longer_granted_is_waited_for():
    with (
        reached(charm_states.state(credentials=None)) as live,
        pytest.raises(errors.TransientError, match='juju grant-secret'),
    ):
        _ = live.juju


def test_a_malformed_secret_is_named_and_waited_for():
    state = charm_states.state(credentials={'username': 'not a name', 'password': 'hunter2'})
    with (
        reached(state) as live,
        pytest.raises(errors.TransientError, match='has unusable values: username') as caught,
    ):
        _ = live.juju
    assert 'hunter2' not in ''.join(traceback.format_exception(caught.value))


def test_the_controller_is_not_dialled_before_it_is_asked():
    state = charm_states.state(credentials={**charm_states.CREDENTIALS, 'ca-cert': 'PEM'})
    with reached(state) as live:
        assert live.juju is live.juju


# --- MAAS ----------------------------------------------------------------------------------------

MAAS_SECRET = 'secret:d0q1k2v3m4n5o6p7q8s1'
MAAS_KEY = {'api-key': 'consumer:token:s3cret'}


def with_maas_key(content: dict[str, str] | None) -> testing.State:
    given = [] if content is None else [testing.Secret(content, id=MAAS_SECRET)]
    return charm_states.state(config={'maas-api-key': MAAS_SECRET}, secrets=given)


def test_without_the_option_there_is_no_maas():
    with reached(charm_states.state()) as live:
        assert live.maas() is None
        assert live.maas('http://10.0.0.1:5240/MAAS') is None


def test_the_secret_says_where_maas_is_or_else_who_found_it():
    with reached(with_maas_key(MAAS_KEY)) as live:
        with pytest.raises(errors.MaasNotFound):
            live.maas()
        found = live.maas('http://10.0.0.1:5240/MAAS')
        assert found is not None
        assert found.endpoint == 'http://10.0.0.1:5240/MAAS'
        assert live.maas('http://10.0.0.1:5240/MAAS') is found
    with reached(with_maas_key({**MAAS_KEY, 'endpoint': 'https://maas/MAAS'})) as live:
        found = live.maas('http://10.0.0.1:5240/MAAS')
        assert found is not None
        assert found.endpoint == 'https://maas/MAAS'


@pytest.mark.parametrize(
    ('content', 'said'),
    [(None, 'juju grant-secret'), ({'api-key': 's3cret'}, 'has unusable values: api-key')],
)
def test_a_maas_key_that_cannot_be_used_is_waited_for(content: dict[str, str] | None, said: str):
    with (
        reached(with_maas_key(content)) as live,
        pytest.raises(errors.Lacking, match=said) as caught,
    ):
        live.maas()
    assert 's3cret' not in ''.join(traceback.format_exception(caught.value))


def test_no_effect_leaves_a_unit_that_does_not_lead(juju: programs.Programs):
    with reached(charm_states.state()) as live:
        live._fence()
        assert live.leads()
        # That it leads is what ops has noted for half a minute more: Juju is asked afresh.
        juju.answer('is-leader', stdout='false\n')
        assert live._given.unit.is_leader()
        with pytest.raises(errors.TransientError, match='is no longer the leader'):
            live._fence()
        assert not live.leads()


def test_while_juju_does_not_say_who_leads_no_effect_leaves_a_unit(juju: programs.Programs):
    juju.answer('is-leader', stderr='ERROR connection is shut down\n', code=1)
    with reached(charm_states.state()) as live:
        with pytest.raises(errors.TransientError, match='is no longer the leader'):
            live._fence()
        juju.answer('is-leader', stdout='true\n')
        live._fence()


def test_the_age_of_an_operation_is_remembered_over_dispatches():
    with reached(charm_states.state()) as live:
        assert live.elapsed('2026-08-22T10:15:00Z', 90) == 90
        assert live.elapsed('2026-08-22T10:15:00Z', 30) >= 90


def test_the_model_is_the_units_own():
    with reached(charm_states.state()) as live:
        assert (live.model_name, live.model_uuid) == ('maas', worlds.EmptyWorld.model_uuid)
        assert live.now().utcoffset() is not None


def test_outside_its_seconds_the_first_dispatch_of_a_minute_looks_at_all(tmp_path: pathlib.Path):
    def dispatched(age: int, *, dies: bool = False) -> bool:
        context = charm_states.context(tmp_path)
        with context(context.on.update_status(), charm_states.state()) as manager:
            live = world.LiveWorld(manager.charm._given)
            looks = live.look_is_due(live.elapsed(worlds.BEGAN, age))
            if not dies:
                live.close()
            return looks

    assert dispatched(30, dies=True)
    assert dispatched(31)
    assert not dispatched(32)
    assert dispatched(79), 'in these seconds all do'
    assert not dispatched(95)
    assert dispatched(155)
