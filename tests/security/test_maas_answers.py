"""What may answer at MAAS' address: no MAAS, nothing, too much, and the API key itself."""

from __future__ import annotations

import json
import logging
import ssl
from collections.abc import Callable

import pytest

from coordinator import errors
from coordinator.maas_api import client, connection, items, login
from coordinator.ports import maas_port
from rehearsal import tls
from tests.security import hostile

KEY = ('consumer-0123', 'token-4567', 's3cret-89ab')
QUICK = connection.Timeouts(connect=2.0, silence=0.5, whole=1.0)
Script = Callable[[hostile.Line], None]
ASKS: dict[str, Callable[[maas_port.Maas], object]] = {
    'version': lambda maas: maas.version(),
    'whoami': lambda maas: maas.whoami(),
    'boot_resources': lambda maas: list(maas.boot_resources()),
    'machines': lambda maas: list(maas.machines()),
    'users': lambda maas: list(maas.users()),
    'settings': lambda maas: maas.settings(['maas_name']),
}
each_ask = pytest.mark.parametrize('ask', ASKS.values(), ids=ASKS.keys())


def opened(url: str, ca_cert: str = '', timeouts: connection.Timeouts = QUICK) -> client.MaasApi:
    where = login.endpoint({'api-key': ':'.join(KEY), 'endpoint': url, 'ca-cert': ca_cert})
    return client.MaasApi(where, timeouts, timeouts, sleep=lambda _: None)


def failure(
    script: Script,
    kind: type[errors.CoordinatorError],
    ask: Callable[[maas_port.Maas], object] = ASKS['machines'],
    timeouts: connection.Timeouts = QUICK,
) -> str:
    """Ask what answers so; return how it failed, in which the key is not."""
    with (
        hostile.Server(script) as server,
        opened(f'http://{server.address}/MAAS', timeouts=timeouts) as maas,
        pytest.raises(kind) as caught,
    ):
        ask(maas)
    assert type(caught.value) is kind
    said = str(caught.value)
    assert [part for part in KEY if part in said] == []
    assert caught.value.__cause__ is None
    return said


def answering(body: bytes, *headers: str, status: str = '200 OK') -> Script:
    return lambda line: line.answer(body, *headers, status=status)


# --- No MAAS -------------------------------------------------------------------------------------


HTML = b'<!doctype html><title>Welcome to nginx!</title>'


@each_ask
@pytest.mark.parametrize(
    'body',
    [HTML, b'', b'\xff\xfe\x00', b'{"a": ', b'"text"', b'null', b'[[[', b'{}', b'[{}]', b'[1]'],
    ids=['html', 'empty', 'binary', 'cut', 'text', 'null', 'lists', 'object', 'items', 'numbers'],
)
def test_an_answer_that_is_none_of_maas_is_not_believed(
    ask: Callable[[maas_port.Maas], object], body: bytes
):
    if ask is ASKS['settings'] and body not in (HTML, b'', b'\xff\xfe\x00', b'{"a": ', b'[[['):
        pytest.skip('any JSON may be a setting')
    said = failure(answering(body), errors.MaasUnintelligible, ask)
    assert 'set endpoint in the secret of maas-api-key' in said


@each_ask
@pytest.mark.parametrize('status', ['301 Moved Permanently', '302 Found', '204 No Content'])
def test_no_redirection_takes_the_key_elsewhere(
    ask: Callable[[maas_port.Maas], object], status: str
):
    with hostile.Server(answering(b'[]')) as elsewhere:
        redirect = answering(b'', f'Location: http://{elsewhere.address}/MAAS/', status=status)
        failure(redirect, errors.MaasUnintelligible, ask)
    assert elsewhere.requests == []


@pytest.mark.parametrize('garbage', [b'SSH-2.0-OpenSSH_9.6\r\n', b'\x00' * 64 + b'\r\n'])
def test_what_does_not_speak_http_is_found_out(garbage: bytes):
    def script(line: hostile.Line) -> None:
        line.send(garbage)
        line.connection.shutdown(1)

    said = failure(script, errors.MaasUnintelligible)
    assert 'does not speak HTTP' in said


def test_a_list_that_ends_early_or_goes_on_is_not_believed():
    user = json.dumps({'username': 'admin', 'is_superuser': True}).encode()
    for body in (b'[' + user, b'[' + user + b',', b'[' + user + b']x', b'[' + user + b' ' + user):
        failure(answering(body), errors.MaasUnintelligible, ASKS['users'])


# --- Too little ----------------------------------------------------------------------------------


def test_a_server_that_says_nothing_is_given_up():
    def script(line: hostile.Line) -> None:
        line.connection.recv(1)

    said = failure(script, errors.MaasUnavailable)
    assert 'does not answer (no data for 0.5 s)' in said


@pytest.mark.parametrize('head', [b'', b'HTTP/1.1 200 OK\r\n', b'HTTP/1.1 200 OK\r\n\r\n['])
def test_an_answer_that_drips_is_given_up(head: bytes):
    def script(line: hostile.Line) -> None:
        line.send(head or b'HTTP/1.1 ')
        # Each byte comes in time, and the answer never does.
        for _ in range(200):
            line.connection.settimeout(0.05)
            try:
                if not line.connection.recv(1):
                    return
            except TimeoutError:
                line.send(b'2' if not head else b' ' if head.endswith(b'[') else b'x')

    said = failure(script, errors.MaasUnavailable)
    assert 'does not answer (the answer took longer than 1 s)' in said


@pytest.mark.parametrize('ask', [ASKS['version'], ASKS['machines']])
def test_an_answer_that_breaks_off_is_no_answer(ask: Callable[[maas_port.Maas], object]):
    def script(line: hostile.Line) -> None:
        line.send(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[')
        line.connection.shutdown(1)

    failure(script, errors.MaasUnavailable, ask)


@pytest.mark.parametrize('status', ['500 Oops', '502 Bad Gateway', '503 Later', '504 Timeout'])
def test_a_maas_that_cannot_just_now_is_asked_three_times(status: str):
    asked: list[hostile.Line] = []

    def script(line: hostile.Line) -> None:
        asked.append(line)
        line.answer(HTML, status=status)

    said = failure(script, errors.MaasUnavailable)
    assert f'status {status[:3]}' in said
    assert len(asked) == 3


@pytest.mark.parametrize('status', ['401 Unauthorized', '403 Forbidden'])
def test_a_refusal_is_not_repeated(status: str):
    asked: list[hostile.Line] = []

    def script(line: hostile.Line) -> None:
        asked.append(line)
        line.answer(b'no', status=status)

    kind = errors.MaasKeyRefused if status.startswith('401') else errors.MaasRefused
    failure(script, kind)
    assert len(asked) == 1


def test_a_clock_that_is_wrong_is_told_from_a_wrong_key():
    body = b"Authorization Error: 'Expired timestamp: given 1 and now 2'"
    said = failure(answering(body, status='401 Unauthorized'), errors.MaasKeyRefused)
    assert 'clocks of this unit and of MAAS are more than 5 min apart' in said


# --- Too much ------------------------------------------------------------------------------------


@each_ask
def test_five_megabytes_of_json_are_too_much(ask: Callable[[maas_port.Maas], object]):
    failure(answering(b'[{"a": "' + b'x' * (5 << 20) + b'"}]'), errors.MaasUnintelligible, ask)


@pytest.mark.parametrize('chunk', [b'[', b'{"a":', b'[{"a":{"b":', b'9'])
def test_nesting_and_numbers_without_end_are_found_out(chunk: bytes):
    for ask in (ASKS['version'], ASKS['machines']):
        failure(answering(b'[{"a":' + chunk * 200_000), errors.MaasUnintelligible, ask)


def test_an_item_without_end_is_not_read_to_its_end():
    lines: list[hostile.Line] = []

    def script(line: hostile.Line) -> None:
        lines.append(line)
        line.send(b'HTTP/1.1 200 OK\r\n\r\n[{"a": "')
        line.flood(b'x' * (1 << 16))

    slow = connection.Timeouts(2.0, 10.0, 30.0)
    failure(script, errors.MaasUnintelligible, timeouts=slow)
    assert lines[0].sent < 4 * items.LONGEST_ITEM
    assert lines[0].sent < hostile.ENOUGH // 4


def test_more_images_than_any_maas_has_are_not_remembered():
    body = b'[' + b','.join([b'{"id": 1}'] * (client.MOST_IMAGES + 1)) + b']'
    asked: list[hostile.Line] = []

    def script(line: hostile.Line) -> None:
        asked.append(line)
        line.answer(body)

    said = failure(script, errors.MaasUnintelligible, ASKS['boot_resources'])
    assert 'more items than any MAAS has' in said
    assert len(asked) == 1, 'no image was asked for'


def test_only_the_machines_are_waited_for_longer():
    patient = connection.Timeouts(2.0, 10.0, 20.0)

    def script(line: hostile.Line) -> None:
        line.connection.recv(1)

    with hostile.Server(script) as server:
        where = login.endpoint({'api-key': ':'.join(KEY), 'endpoint': f'http://{server.address}'})
        with client.MaasApi(where, QUICK, patient, sleep=lambda _: None) as maas:
            for name in ('boot_resources', 'users', 'whoami', 'settings'):
                with pytest.raises(errors.MaasUnavailable, match=r'no data for 0\.5 s'):
                    ASKS[name](maas)


def test_all_that_a_dispatch_asks_ends_within_minutes():
    now, body = [1000.0], json.dumps([{'username': 'bob', 'is_superuser': True}]).encode()
    asked: list[hostile.Line] = []

    def script(line: hostile.Line) -> None:
        asked.append(line)
        now[0] += 100
        line.answer(body)

    with hostile.Server(script) as server:
        where = login.endpoint({'api-key': ':'.join(KEY), 'endpoint': f'http://{server.address}'})
        with client.MaasApi(where, QUICK, sleep=lambda _: None, clock=lambda: now[0]) as maas:
            for _ in range(3):
                assert list(maas.users())
            with pytest.raises(errors.MaasUnavailable, match='took more than 4 min'):
                list(maas.machines())
    assert len(asked) == 3


def test_the_list_of_machines_is_cut_off_with_all_the_rest():
    now = [1000.0]

    def script(line: hostile.Line) -> None:
        line.connection.recv(1)

    with hostile.Server(script) as server:
        where = login.endpoint({'api-key': ':'.join(KEY), 'endpoint': f'http://{server.address}'})
        with client.MaasApi(where, sleep=lambda _: None, clock=lambda: now[0]) as maas:
            now[0] += client.WHOLE_SECONDS - 0.3
            with pytest.raises(
                errors.MaasUnavailable, match=r'no data for 0\.3 s|longer than 0\.3 s'
            ):
                list(maas.machines())


def test_nothing_packed_is_asked_for_or_unpacked():
    requests: list[bytes] = []

    def script(line: hostile.Line) -> None:
        requests.append(line.head)
        line.answer(b'\x1f\x8b\x08\x00', 'Content-Encoding: gzip')

    failure(script, errors.MaasUnintelligible)
    assert b'accept-encoding: identity' in requests[0].lower()


def test_halves_of_characters_become_something_that_can_be_written():
    body = json.dumps([{'username': '\ud800\udfff\ud800x', 'is_superuser': True}]).encode()
    with hostile.Server(answering(body)) as server, opened(f'http://{server.address}') as maas:
        (user,) = maas.users()
    assert user.username.encode()


@pytest.mark.parametrize('size', [-1, 1 << 63, 10**4000], ids=['negative', 'large', 'huge'])
def test_a_file_has_no_size_that_no_disk_holds(size: int):
    file = {
        'filename': 'root-tgz', 'sha256': 'f', 'filename_on_disk': 'f', 'size': size,
        'complete': True,
    }  # fmt: skip
    image = {
        'id': 1, 'name': 'a/b', 'architecture': 'c/d', 'type': 'Uploaded',
        'sets': {'1': {'version': '1', 'files': {'root-tgz': file}}},
    }  # fmt: skip

    def script(line: hostile.Line) -> None:
        listed = b'boot-resources/ ' in line.head
        line.answer(json.dumps([{'id': 1}] if listed else image).encode())

    said = failure(script, errors.MaasUnintelligible, ASKS['boot_resources'])
    assert 'size is not a number of bytes' in said


# --- The key -------------------------------------------------------------------------------------


@each_ask
@pytest.mark.parametrize('status', ['200 OK', '400 No', '401 No', '403 No', '418 No', '503 No'])
def test_a_server_that_repeats_the_key_does_not_make_us_tell_it(
    ask: Callable[[maas_port.Maas], object], status: str, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)

    def script(line: hostile.Line) -> None:
        assert b's3cret-89ab' in line.head
        echo = line.head.decode('latin-1').replace('\r\n', ' ')
        line.answer(line.head, f'X-Echo: {echo}', f'Location: {echo}', status=status)

    with hostile.Server(script) as server, opened(f'http://{server.address}') as maas:
        try:
            ask(maas)
        except errors.CoordinatorError as error:
            told = repr(error) + str(error.__context__ or '')
        else:
            told = ''
    assert [part for part in KEY if part in told + caplog.text] == []


@pytest.mark.parametrize('line', [b'HTTP/1.1 2x0 %s\r\n\r\n', b'%s\r\n\r\n'])
def test_a_status_line_that_repeats_the_key_is_not_told(line: bytes):
    failure(lambda wire: wire.send(line % KEY[2].encode()), errors.MaasUnintelligible)


def test_what_is_printed_of_the_client_and_its_endpoint_has_no_key():
    where = login.endpoint({'api-key': ':'.join(KEY), 'endpoint': 'http://10.0.0.1:5240/MAAS'})
    told = repr(where) + repr(client.MaasApi(where)) + str(vars(login))
    assert [part for part in KEY if part in told] == []


@pytest.mark.parametrize(
    'content',
    [
        {},
        {'api-key': 's3cret-89ab'},
        {'api-key': 's3cret-89ab:a'},
        {'api-key': 's3cret-89ab:a:b:c'},
        {'api-key': 'a:b:s3cret-89ab\nX-Evil: 1'},
        {'api-key': 'a:b:"s3cret-89ab'},
        {'api-key': ':'.join(KEY), 'endpoint': 'ftp://s3cret-89ab/MAAS'},
        {'api-key': ':'.join(KEY), 'endpoint': 'http://user:s3cret-89ab@maas/MAAS'},
        {'api-key': ':'.join(KEY), 'endpoint': 'http://maas/MAAS?s3cret-89ab'},
        {'api-key': ':'.join(KEY), 'endpoint': 'http://maas:99999/MAAS'},
        {'api-key': ':'.join(KEY), 'endpoint': 'http://ma as/MAAS'},
        {'api-key': ':'.join(KEY), 'endpoint': 'http:///MAAS'},
    ],
)
def test_a_secret_that_is_wrong_is_named_and_never_quoted(content: dict[str, str]):
    wrong = 'endpoint' if 'endpoint' in content else 'api-key'
    with pytest.raises(errors.Lacking, match=f'has unusable values: {wrong}') as caught:
        login.endpoint(content, 'http://10.0.0.1/MAAS')
    assert 's3cret-89ab' not in str(caught.value) + str(caught.value.__cause__)


@pytest.mark.parametrize('found', ['', 'no url', 'http://user@maas/MAAS', 'file:///etc/passwd'])
def test_what_maas_region_reports_is_believed_only_as_a_url(found: str):
    with pytest.raises(errors.MaasNotFound):
        login.endpoint({'api-key': ':'.join(KEY)}, found)


@pytest.mark.parametrize(
    ('given', 'url'),
    [
        ('http://10.0.0.1:5240/MAAS/', 'http://10.0.0.1:5240/MAAS'),
        ('https://maas.example/MAAS/api/2.0/\n', 'https://maas.example/MAAS'),
        ('http://[2001:db8::1]:5240/MAAS', 'http://[2001:db8::1]:5240/MAAS'),
    ],
)
def test_a_url_is_taken_as_people_write_it(given: str, url: str):
    assert login.endpoint({'api-key': ':'.join(KEY) + '\n', 'endpoint': given}).url == url


# --- TLS -----------------------------------------------------------------------------------------


def test_a_certificate_that_another_ca_has_signed_gets_no_key():
    site, other = tls.Authority('site'), tls.Authority('other')
    refused(site.server_context('localhost'), other.ca_pem, 'localhost')


def test_a_certificate_of_another_host_gets_no_key():
    site = tls.Authority('site')
    refused(site.server_context('maas.example'), site.ca_pem, 'localhost')


def test_a_certificate_that_nobody_vouches_for_gets_no_key():
    refused(tls.Authority('site').server_context('localhost'), '', 'localhost')


def refused(context: ssl.SSLContext, ca_cert: str, host: str) -> None:
    with hostile.Server(answering(b'[]'), context) as server:
        port = server.address.rpartition(':')[2]
        with (
            opened(f'https://{host}:{port}/MAAS', ca_cert) as maas,
            pytest.raises(errors.MaasRefused, match=r'is not trusted .* set ca-cert'),
        ):
            maas.version()
        assert server.requests == []


def test_a_ca_that_is_no_certificate_is_named():
    with (
        opened('https://localhost:1/MAAS', 'not PEM') as maas,
        pytest.raises(errors.Lacking, match='ca-cert in the secret of maas-api-key is not a PEM'),
    ):
        maas.version()
