"""The client's connection against a controller that misbehaves."""

from __future__ import annotations

import contextlib
import http
import json
import logging
import pathlib
import socket
import time
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from coordinator import errors, ports, reaching
from coordinator.juju_api import connection, remembered
from rehearsal import tls
from tests import dead_addresses, scripted_controller
from tests.scripted_controller import PASSWORD, Refusal, ScriptedController, Send

QUICK = connection.Timeouts(address=2, connecting=3, login=1, call=0.3)


@pytest.fixture(scope='module')
def authority() -> tls.Authority:
    return tls.Authority()


@pytest.fixture
def controller(authority: tls.Authority) -> Iterator[ScriptedController]:
    with ScriptedController(authority) as scripted:
        yield scripted


@pytest.fixture
def endpoint(controller: ScriptedController, authority: tls.Authority) -> connection.Endpoint:
    return controller.endpoint(authority)


@pytest.fixture
def opened(endpoint: connection.Endpoint) -> Iterator[connection.Connection]:
    with connection.connect(endpoint, QUICK) as logged_in:
        yield logged_in


@pytest.fixture
def dead_address() -> Iterator[str]:
    """An address that refuses connections: bound, so that nobody else gets it, and deaf."""
    with socket.socket() as deaf:
        deaf.bind(('127.0.0.1', 0))
        yield f'127.0.0.1:{deaf.getsockname()[1]}'


@contextlib.contextmanager
def raises(kind: type[errors.CoordinatorError]) -> Generator[pytest.ExceptionInfo[Any]]:
    """Expect exactly this error, chained to nothing that shows the password."""
    with pytest.raises(kind) as caught:
        yield caught
    assert type(caught.value) is kind
    error: BaseException | None = caught.value
    while error is not None:
        assert PASSWORD not in str(error) + repr(error)
        error = error.__cause__ or error.__context__


# --- Logging in ------------------------------------------------------------------------------


def test_a_login_tells_what_the_user_may_do(
    controller: ScriptedController, opened: connection.Connection
):
    assert opened.session.access == ports.Access('backup-bot', 'admin', superuser=False)
    assert opened.session.server_version == '3.6.26'
    assert controller.paths == [f'/model/{scripted_controller.MODEL_UUID}/api']
    (login,) = controller.called('Admin.Login')
    assert login['auth-tag'] == 'user-backup-bot'
    assert login['credentials'] == PASSWORD


def test_a_controller_superuser_is_admin(
    controller: ScriptedController, endpoint: connection.Endpoint
):
    user = {**scripted_controller.LOGIN['user-info'], 'controller-access': 'superuser'}
    controller.answers['Admin.Login'] = [{**scripted_controller.LOGIN, 'user-info': user}]

    with connection.connect(endpoint, QUICK) as opened:
        assert opened.session.access.superuser
        assert opened.session.access.admin


@pytest.mark.parametrize(
    ('refusal', 'kind', 'advice'),
    [
        (
            Refusal('invalid entity name or password', 'unauthorized access'),
            errors.NotAuthorised,
            'juju-credentials',
        ),
        (
            Refusal('permission denied', 'unauthorized access'),
            errors.NotAuthorised,
            f'juju grant backup-bot admin {scripted_controller.MODEL_UUID}',
        ),
        (Refusal('upgrade in progress', 'upgrade in progress'), errors.ControllerBusy, 'busy'),
        (Refusal('login failed - maintenance in progress'), errors.ControllerBusy, 'busy'),
        (Refusal('model migration in progress'), errors.ControllerBusy, 'busy'),
        (Refusal('unknown model: "x"', 'model not found'), errors.NotFound, 'unknown model'),
    ],
)
def test_a_refused_login_says_what_to_do(
    controller: ScriptedController,
    endpoint: connection.Endpoint,
    refusal: Refusal,
    kind: type[errors.CoordinatorError],
    advice: str,
):
    controller.answers['Admin.Login'] = [refusal]

    with raises(kind) as caught:
        connection.connect(endpoint, QUICK)

    assert advice in str(caught.value)


def test_a_login_that_asks_for_a_macaroon_is_no_login(
    controller: ScriptedController, endpoint: connection.Endpoint
):
    controller.answers['Admin.Login'] = [
        {'discharge-required': {}, 'discharge-required-error': 'macaroon discharge required'}
    ]

    with raises(errors.NotAuthorised) as caught:
        connection.connect(endpoint, QUICK)

    assert 'local Juju user' in str(caught.value)


def test_a_model_that_has_moved_is_not_followed_but_named(
    controller: ScriptedController, endpoint: connection.Endpoint
):
    servers = [
        {'value': '127.0.0.1', 'port': 17070, 'type': 'ipv4', 'scope': 'local-machine'},
        {'value': '10.0.0.5', 'port': 17070, 'type': 'ipv4', 'scope': 'local-cloud'},
        {'value': 'fd42::5', 'port': 17070, 'type': 'ipv6', 'scope': 'local-cloud'},
    ]
    info = {'servers': [servers], 'ca-cert': 'PEM', 'controller-alias': 'new-home'}
    controller.answers['Admin.Login'] = [
        Refusal('redirection to alternative server required', 'redirection required', info)
    ]

    with raises(errors.ModelMoved) as caught:
        connection.connect(endpoint, QUICK)

    assert '"new-home"' in str(caught.value)
    assert '10.0.0.5:17070,[fd42::5]:17070' in str(caught.value)
    assert '127.0.0.1' not in str(caught.value)
    assert '`endpoints`' in str(caught.value)
    assert '`ca-cert`' in str(caught.value)


# --- Whom it speaks to -----------------------------------------------------------------------


def test_a_controller_of_another_ca_is_not_trusted(controller: ScriptedController):
    with raises(errors.UntrustedController) as caught:
        connection.connect(controller.endpoint(tls.Authority()), QUICK)

    assert '`ca-cert`' in str(caught.value)
    assert controller.requests == []


def test_a_certificate_for_another_name_is_not_trusted(authority: tls.Authority):
    with (
        ScriptedController(authority, server_name='127.0.0.1') as scripted,
        raises(errors.UntrustedController) as caught,
    ):
        connection.connect(scripted.endpoint(authority), QUICK)

    assert "'juju-apiserver'" in str(caught.value)
    assert scripted.requests == []


def test_a_ca_certificate_that_is_none_is_named(endpoint: connection.Endpoint):
    broken = connection.Endpoint(
        endpoint.addresses, 'no PEM', endpoint.model_uuid, 'backup-bot', PASSWORD
    )

    with raises(errors.UntrustedController) as caught:
        connection.connect(broken, QUICK)

    assert 'PEM' in str(caught.value)


def test_the_environment_cannot_send_it_elsewhere(
    endpoint: connection.Endpoint, dead_address: str, monkeypatch: pytest.MonkeyPatch
):
    for name in ('http_proxy', 'https_proxy', 'HTTPS_PROXY', 'ALL_PROXY'):
        monkeypatch.setenv(name, f'http://{dead_address}')
    monkeypatch.delenv('no_proxy', raising=False)
    monkeypatch.delenv('NO_PROXY', raising=False)

    with connection.connect(endpoint, QUICK) as opened:
        assert opened.call('Client', 'FullStatus', {}) == {}


def test_an_http_redirect_is_not_followed(
    authority: tls.Authority, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    # Where it leads to would even be trusted, as the websocket library by itself trusts.
    bundle = tmp_path / 'ca.pem'
    bundle.write_text(authority.ca_pem)
    monkeypatch.setenv('WEBSOCKET_CLIENT_CA_BUNDLE', str(bundle))

    with ScriptedController(authority, server_name='127.0.0.1') as elsewhere:
        location = f'wss://{elsewhere.address}/'
        found = http.HTTPStatus.FOUND
        with (
            ScriptedController(authority, http_status=found, location=location) as scripted,
            raises(errors.ConnectionFailed),
        ):
            connection.connect(scripted.endpoint(authority), QUICK)

    assert elsewhere.paths == []
    assert scripted.requests == []


@pytest.mark.parametrize(
    ('status', 'kind'),
    [
        (http.HTTPStatus.BAD_REQUEST, errors.UnexpectedAnswer),
        (http.HTTPStatus.SERVICE_UNAVAILABLE, errors.ConnectionFailed),
    ],
)
def test_an_upgrade_that_is_refused_is_told_with_its_status(
    authority: tls.Authority, status: http.HTTPStatus, kind: type[errors.CoordinatorError]
):
    with ScriptedController(authority, http_status=status) as scripted, raises(kind) as caught:
        connection.connect(scripted.endpoint(authority), QUICK)

    assert f'HTTP {status.value}' in str(caught.value)


# --- Several addresses -----------------------------------------------------------------------


def test_the_next_address_is_tried_when_one_is_deaf(
    controller: ScriptedController, authority: tls.Authority, dead_address: str
):
    endpoint = controller.endpoint(authority, 'not an address', 'no..name:1', dead_address)

    with connection.connect(endpoint, QUICK) as opened:
        assert opened.call('Client', 'FullStatus', {}) == {}


def test_the_next_address_is_tried_when_one_is_somebody_else(
    controller: ScriptedController, authority: tls.Authority
):
    with ScriptedController(tls.Authority()) as stranger:
        endpoint = controller.endpoint(authority, stranger.address)
        with connection.connect(endpoint, QUICK) as opened:
            assert opened.call('Client', 'FullStatus', {}) == {}

    assert stranger.requests == []


def test_the_next_address_is_tried_when_one_does_not_answer_the_login(
    controller: ScriptedController, authority: tls.Authority
):
    with ScriptedController(authority) as stuck:
        stuck.answers['Admin.Login'] = [lambda request, send: None]
        endpoint = controller.endpoint(authority, stuck.address)
        with connection.connect(endpoint, QUICK) as opened:
            assert opened.call('Client', 'FullStatus', {}) == {}


def test_every_deaf_address_is_named_with_its_reason(authority: tls.Authority, dead_address: str):
    endpoint = connection.Endpoint(
        [dead_address, 'host:port'], authority.ca_pem, 'uuid', 'backup-bot', PASSWORD
    )

    with raises(errors.ConnectionFailed) as caught:
        connection.connect(endpoint, QUICK)

    assert f'{dead_address}: Connection refused' in str(caught.value)
    assert 'host:port: this is not host:port' in str(caught.value)


def test_all_addresses_together_have_one_time_limit(
    controller: ScriptedController, authority: tls.Authority
):
    hurried = connection.Timeouts(address=2, connecting=0.2, login=1, call=1)
    controller.answers['Admin.Login'] = [lambda request, send: None]
    endpoint = controller.endpoint(authority, controller.address)

    with raises(errors.ConnectionFailed) as caught:
        connection.connect(endpoint, hurried)

    assert 'did not answer Admin.Login in time' in str(caught.value)
    assert 'not tried' in str(caught.value)


@pytest.mark.parametrize('kind', dead_addresses.KINDS)
@pytest.mark.parametrize(('count', 'seconds'), [(1, 1), (4, 3), (9, 5)])
def test_dead_addresses_cost_a_moment_each(
    controller: ScriptedController,
    authority: tls.Authority,
    kind: str,
    count: int,
    seconds: float,
):
    with dead_addresses.dead(count, kind) as dead:
        started = time.monotonic()
        with connection.connect(controller.endpoint(authority, *dead)) as opened:
            assert opened.call('Client', 'FullStatus', {}) == {}
            assert time.monotonic() - started < seconds


def test_a_controller_that_hangs_at_the_login_leaves_time_for_the_others(
    controller: ScriptedController, authority: tls.Authority
):
    hanging = connection.Timeouts(address=2, connecting=2, login=2, shortest_login=0.1)
    with ScriptedController(authority) as stuck:
        stuck.answers['Admin.Login'] = [lambda request, send: None]
        endpoint = controller.endpoint(authority, *[stuck.address] * 3)
        with connection.connect(endpoint, hanging) as opened:
            assert opened.call('Client', 'FullStatus', {}) == {}


def test_one_controller_at_a_time_gets_the_password(
    controller: ScriptedController, authority: tls.Authority
):
    endpoint = controller.endpoint(authority, controller.address)
    connection.connect(endpoint, QUICK).close()
    assert len(controller.called('Admin.Login')) == 1


def test_the_address_that_answered_last_is_dialled_first(
    controller: ScriptedController, authority: tls.Authority, tmp_path: pathlib.Path
):
    last = remembered.LastAddress(tmp_path / 'address')
    with dead_addresses.dead(4) as dead:
        endpoint = controller.endpoint(authority, *dead)
        connection.connect(endpoint, last=last).close()
        assert (tmp_path / 'address').read_text() == controller.address
        started = time.monotonic()
        connection.connect(endpoint, last=last).close()
        assert time.monotonic() - started < reaching.STAGGER * 3
    assert [path.name for path in tmp_path.iterdir()] == ['address']


def test_an_address_that_is_remembered_and_not_known_any_more_is_not_dialled(
    controller: ScriptedController, authority: tls.Authority, tmp_path: pathlib.Path
):
    with ScriptedController(authority) as former:
        (tmp_path / 'address').write_text(former.address)
        last = remembered.LastAddress(tmp_path / 'address')
        connection.connect(controller.endpoint(authority), QUICK, last).close()
        assert former.requests == []


@pytest.mark.parametrize('content', [None, b'', b'\xff\xfe', b'nonsense\n'])
def test_without_a_memory_that_is_any_use_the_order_stays(
    content: bytes | None, tmp_path: pathlib.Path
):
    path = tmp_path / 'address'
    if content is not None:
        path.write_bytes(content)
    assert remembered.LastAddress(path).first(['b:1', 'a:1']) == ['b:1', 'a:1']


def test_a_disk_that_cannot_be_written_is_no_hindrance(
    controller: ScriptedController, authority: tls.Authority, tmp_path: pathlib.Path
):
    last = remembered.LastAddress(tmp_path / 'missing' / 'address')
    connection.connect(controller.endpoint(authority), QUICK, last).close()


def test_where_no_address_answers_the_key_that_names_others_is_told(
    authority: tls.Authority, dead_address: str
):
    endpoint = connection.Endpoint(
        [dead_address], authority.ca_pem, 'uuid', 'backup-bot', PASSWORD
    )
    with raises(errors.ConnectionFailed) as caught:
        connection.connect(endpoint, QUICK)
    assert '`endpoints=<host>:17070` in the secret' in str(caught.value)


def test_somebody_else_s_refusal_does_not_hide_a_controller_that_is_slower(
    controller: ScriptedController, authority: tls.Authority
):
    with ScriptedController(authority, http_status=http.HTTPStatus.NOT_FOUND) as other:
        endpoint = controller.endpoint(authority, other.address)
        with connection.connect(endpoint, QUICK) as opened:
            assert opened.call('Client', 'FullStatus', {}) == {}


@pytest.mark.skipif(not socket.has_ipv6, reason='this Python has no IPv6')
def test_an_ipv6_address_is_dialled(authority: tls.Authority):
    try:
        scripted = ScriptedController(authority, host='::1')
    except OSError:
        pytest.skip('this machine has no IPv6')
    with scripted, connection.connect(scripted.endpoint(authority), QUICK) as opened:
        assert opened.call('Client', 'FullStatus', {}) == {}


# --- Calls -----------------------------------------------------------------------------------


def test_calls_are_made_in_the_newest_version_that_both_know(
    controller: ScriptedController, opened: connection.Connection
):
    for facade in ('Application', 'Client', 'Storage'):
        opened.call(facade, 'Any', {})

    sent = {request['type']: request['version'] for request in controller.requests}
    assert sent == {'Admin': 3, 'Application': 22, 'Client': 8, 'Storage': 6}
    ids = [request['request-id'] for request in controller.requests]
    assert ids == [1, 2, 3, 4]


def test_a_controller_too_old_is_told_from_one_too_new(
    controller: ScriptedController, endpoint: connection.Endpoint
):
    facades = [{'name': 'Application', 'versions': [13, 15]}]
    controller.answers['Admin.Login'] = [
        {**scripted_controller.LOGIN, 'facades': facades, 'server-version': '3.1.0'}
    ]

    with connection.connect(endpoint, QUICK) as opened, raises(errors.UnexpectedAnswer) as caught:
        opened.call('Application', 'Leader', {})

    assert '3.1.0' in str(caught.value)
    assert '13, 15' in str(caught.value)


def test_answers_may_come_out_of_order(
    controller: ScriptedController, opened: connection.Connection
):
    def late_ones_first(request: dict[str, Any], send: Send) -> None:
        for number, name in ((request['request-id'] - 1, 'old'), (99, 'unknown')):
            send(json.dumps({'request-id': number, 'response': {'result': name}}))
        send(json.dumps({'request-id': request['request-id'], 'response': {'result': 'mine'}}))

    controller.answers['Application.Leader'] = [late_ones_first]

    assert opened.call('Application', 'Leader', {}) == {'result': 'mine'}


@pytest.mark.parametrize(
    ('refusal', 'kind', 'advice'),
    [
        (Refusal('permission denied', 'unauthorized access'), errors.NotAuthorised, 'juju grant'),
        (Refusal('no such thing', 'not found'), errors.NotFound, 'no such thing'),
        (Refusal('no such thing', 'secret not found'), errors.NotFound, 'no such thing'),
        (Refusal('no such thing', 'machine not found'), errors.NotFound, 'no such thing'),
        (Refusal('unit "pg/9" does not exist'), errors.NotFound, 'pg/9'),
        (Refusal('linking: unit "pg/9" not found'), errors.NotFound, 'pg/9'),
        (Refusal('application "pg" has no "x" relation'), errors.NotFound, '"x"'),
        (Refusal('secret URI "x" not valid', 'not valid'), errors.StepError, 'not valid'),
        (Refusal('x', 'already exists'), errors.AlreadyExists, 'x'),
        (Refusal('relation x y already exists'), errors.AlreadyExists, 'x y'),
        (
            Refusal('no changes today', 'operation is blocked'),
            errors.OperationBlocked,
            'juju enable-command',
        ),
        (Refusal('unknown', 'not implemented'), errors.UnexpectedAnswer, 'unknown'),
        (Refusal('try again', 'try again'), errors.ControllerBusy, 'try again'),
        (Refusal('state', 'excessive contention'), errors.ControllerBusy, 'state'),
        (Refusal('claim', 'lease claim denied'), errors.ControllerBusy, 'claim'),
        (Refusal('upgrade', 'upgrade in progress'), errors.ControllerBusy, 'upgrade'),
        (Refusal('model migration in progress'), errors.ControllerBusy, 'migration'),
        (
            Refusal('migration in progress, model is importing'),
            errors.ControllerBusy,
            'importing',
        ),
        (Refusal('login expired', 'login expired'), errors.NotAuthorised, 'juju-credentials'),
        (Refusal('moved', 'redirection required'), errors.ModelMoved, 'moved'),
        (Refusal('something else'), errors.StepError, 'something else'),
        (Refusal('something else', 'bad request'), errors.StepError, 'something else'),
    ],
)
def test_a_refused_call_raises_what_happens_next(
    controller: ScriptedController,
    opened: connection.Connection,
    refusal: Refusal,
    kind: type[errors.CoordinatorError],
    advice: str,
):
    controller.answers['Application.Leader'] = [refusal, {'result': 'pg/0'}]

    with raises(kind) as caught:
        opened.call('Application', 'Leader', {})

    assert advice in str(caught.value)
    # A refusal leaves the connection as it was.
    assert opened.call('Application', 'Leader', {}) == {'result': 'pg/0'}


def test_a_connection_that_breaks_in_mid_call_is_closed(
    controller: ScriptedController, opened: connection.Connection
):
    controller.answers['Application.AddUnits'] = [scripted_controller.CUT]

    with raises(errors.ConnectionFailed) as caught:
        opened.call('Application', 'AddUnits', {})

    assert 'Application.AddUnits' in str(caught.value)
    assert opened.closed
    with raises(errors.ConnectionFailed):
        opened.call('Application', 'Leader', {})
    assert controller.called('Application.Leader') == []


def test_an_answer_that_does_not_come_is_not_waited_for(
    controller: ScriptedController, opened: connection.Connection
):
    controller.answers['Application.Leader'] = [lambda request, send: None]

    with raises(errors.ConnectionFailed) as caught:
        opened.call('Application', 'Leader', {})

    assert 'in time' in str(caught.value)
    assert opened.closed


def test_a_flood_of_other_answers_does_not_put_off_the_time_limit(
    controller: ScriptedController, opened: connection.Connection
):
    def babble(request: dict[str, Any], send: Send) -> None:
        # Until the client hangs up, which ends the loop by an exception.
        while True:
            send(json.dumps({'request-id': 99, 'response': {}}))

    controller.answers['Application.Leader'] = [babble]
    started = time.monotonic()

    with raises(errors.ConnectionFailed) as caught:
        opened.call('Application', 'Leader', {})

    assert 'in time' in str(caught.value)
    assert time.monotonic() - started < 10 * QUICK.call


def test_an_oversize_answer_is_not_read_to_its_end(
    controller: ScriptedController,
    opened: connection.Connection,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(connection, 'FRAME_LIMIT', 1 << 20)
    controller.answers['Client.FullStatus'] = [{'model': 'x' * (1 << 21)}]

    with raises(errors.UnexpectedAnswer) as caught:
        opened.call('Client', 'FullStatus', {})

    assert 'too large' in str(caught.value)
    assert opened.closed


def test_a_large_answer_is_read(controller: ScriptedController, opened: connection.Connection):
    status = {'model': {'name': 'ü' * (1 << 20)}}
    controller.answers['Client.FullStatus'] = [status]

    assert opened.call('Client', 'FullStatus', {}) == status


@pytest.mark.parametrize('frame', ['{"request-id": 2,', '[]', '"text"', 'null', '[' * 100_000])
def test_an_answer_that_is_no_json_object_is_refused(
    controller: ScriptedController, opened: connection.Connection, frame: str
):
    controller.answers['Application.Leader'] = [lambda request, send: send(frame)]

    with raises(errors.UnexpectedAnswer):
        opened.call('Application', 'Leader', {})

    assert opened.closed


# --- No secret in the open -------------------------------------------------------------------


def test_neither_logs_nor_representations_show_the_password(
    controller: ScriptedController,
    endpoint: connection.Endpoint,
    caplog: pytest.LogCaptureFixture,
):
    caplog.set_level(logging.DEBUG)
    for name in ('websocket', 'coordinator'):
        logging.getLogger(name).setLevel(logging.DEBUG)

    with connection.connect(endpoint, QUICK) as opened:
        opened.call('Client', 'FullStatus', {})

    assert PASSWORD not in caplog.text
    assert 'Client.FullStatus' in caplog.text
    assert PASSWORD not in repr(endpoint)
    assert PASSWORD not in repr(opened)


def test_an_answer_that_cannot_be_read_is_not_quoted(
    controller: ScriptedController, opened: connection.Connection
):
    controller.answers['Secrets.ListSecrets'] = [lambda request, send: send(f'"{PASSWORD}')]

    with raises(errors.UnexpectedAnswer):
        opened.call('Secrets', 'ListSecrets', {})
