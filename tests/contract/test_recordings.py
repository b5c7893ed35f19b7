"""The embedded controller answers every recorded call as the real one did."""

from __future__ import annotations

import base64
import contextlib
import copy
import json
import pathlib
import threading
from collections.abc import Generator
from typing import Any

import pytest

from rehearsal import client_data, clock, hosted, model, tls
from rehearsal.controller import server
from tests import served_model
from tests.recordings import __main__ as recordings
from tests.recordings import calls, comparison, furnished, pointing, recorder, scrubbing

FILES = sorted(pathlib.Path(recorder.__file__).parent.glob('juju-*.json'))
NAMES = ('login', *(call.name for call in calls.CALLS))
Json = dict[str, Any]


def load(file: pathlib.Path) -> list[Json]:
    return json.loads(file.read_text())


def version_of(file: pathlib.Path) -> str:
    return file.stem.removeprefix('juju-')


class Site:
    """The recorded model, behind an embedded controller."""

    def __init__(self, thread: hosted.LoopThread, recorded: list[Json], version: str):
        self._thread = thread
        self.juju = model.Model('maas', clock.LoopClock(thread.loop), version)
        self.juju.idle_after = 0.0
        self._agent = furnished.Agent(self.juju)
        self.authority = tls.Authority()
        self.controller = server.Controller(self.juju, self.authority)
        thread.call(furnished.furnish, self.juju, self._agent, recorded)
        thread.run(self.controller.start())
        self._await_rest()
        thread.call(furnished.settle, self.juju)

    def _await_rest(self) -> None:
        changed = threading.Event()
        self._thread.call(self.juju.on_change.append, changed.set)
        while not self._thread.call(served_model.settled, self.juju):
            assert changed.wait(served_model.TIMEOUT), 'the units do not settle'
            changed.clear()

    @property
    def login(self) -> recorder.Login:
        return recorder.Login(
            self.controller.addresses[0],
            self.authority.ca_pem,
            self.juju.uuid,
            'admin',
            'admin-password',
        )

    def before(self, name: str) -> None:
        """Keep the unit from beginning the action until its task was seen waiting."""
        if name == 'Enqueue ok':
            self._thread.call(furnished.keep_busy, self.juju)
        self._agent.released = self._agent.released or name == 'Actions ended'

    def write_client_data(self, folder: pathlib.Path) -> None:
        client_data.write(
            folder,
            client_data.Known(
                tuple(self.controller.addresses),
                self.authority.ca_pem,
                self.controller.uuid,
                self.juju.version,
                'maas',
                self.juju.uuid,
                'admin',
                'admin-password',
            ),
        )


@contextlib.contextmanager
def serving(file: pathlib.Path, version: str) -> Generator[Site]:
    with hosted.LoopThread() as thread:
        site = Site(thread, load(file), version)
        try:
            yield site
        finally:
            thread.run(site.controller.stop())


@pytest.fixture(scope='module', params=FILES, ids=lambda file: file.stem)
def both(request: pytest.FixtureRequest) -> dict[str, tuple[Json, Json]]:
    """What was recorded of each call, and what is answered now."""
    recorded = load(request.param)
    version = version_of(request.param)
    with serving(request.param, version) as site, recorder.dialled(site.login) as line:
        ours = recorder.record(line, site.login, site.before)
    assert [entry['name'] for entry in recorded] == [entry['name'] for entry in ours] == [*NAMES]
    return {one['name']: (one, other) for one, other in zip(recorded, ours, strict=True)}


@pytest.mark.parametrize('name', NAMES)
def test_a_recorded_call_is_answered_as_the_real_controller_did(
    both: dict[str, tuple[Json, Json]], name: str
):
    recorded, ours = both[name]
    call = ('facade', 'version', 'request')
    assert [recorded[key] for key in call] == [ours[key] for key in call]
    assert list(comparison.differences(recorded['params'], ours['params'])) == []
    one, other = recorded['answer'], ours['answer']
    if name == 'login':
        there, here = comparison.offered(one), comparison.offered(other)
        assert {facade: there.get(facade) for facade in here} == here
        one, other = copy.deepcopy((one, other))
        del one['response']['facades'], other['response']['facades']
    assert list(comparison.differences(one, other)) == []


def test_a_comparison_finds_what_differs():
    recorded = {'code': '', 'completed': '0001-01-01T00:00:00Z', 'list': [{'id': 1}]}

    for ours in (
        {**recorded, 'code': 'not found'},
        {**recorded, 'completed': '2026-11-27T16:05:41Z'},
        {**recorded, 'list': []},
        {**recorded, 'list': [{'id': 1}, {'name': 'x'}]},
        {**recorded, 'more': None},
        {key: value for key, value in recorded.items() if key != 'code'},
    ):
        assert list(comparison.differences(recorded, ours)), ours
    assert list(comparison.differences(recorded, {**recorded, 'list': [{'id': 7}]})) == []


# --- Recording anew ------------------------------------------------------------------------------


@pytest.mark.parametrize('version', served_model.VERSIONS)
def test_a_recording_is_made_anew_from_what_a_client_knows(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], version: str
):
    with serving(FILES[-1], version) as site:
        units = set(site.juju.units)
        site.write_client_data(tmp_path / 'client')
        arguments = ['--juju-data', str(tmp_path / 'client'), '--folder', str(tmp_path)]
        assert recordings.main(arguments) == 0
        secrets_left = [s.label for s in site.juju.secrets.values() if 'probe' in s.label]
        units_left = site.juju.units.keys() - units

    assert f'{len(NAMES)} calls recorded' in capsys.readouterr().out
    entries = load(tmp_path / f'juju-{version}.json')
    assert [entry['name'] for entry in entries] == [*NAMES]
    text = json.dumps(entries)
    assert 'admin-password' not in text
    assert base64.b64encode(b'example-operator-password').decode() in text
    assert site.controller.addresses[0].partition(':')[0] not in text
    assert secrets_left == [], 'the calls left secrets behind'
    assert units_left == set(), 'the calls left units behind'


def test_nothing_is_recorded_of_a_model_that_the_client_does_not_know(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
):
    assert recordings.main(['--juju-data', str(tmp_path), '--folder', str(tmp_path)]) == 1

    assert 'nothing was recorded' in capsys.readouterr().err


def test_a_password_that_the_client_does_not_keep_comes_from_the_environment(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    known = client_data.Known(('h:1',), 'pem', 'c', '4.0.15', 'maas', 'm', 'admin', '')
    client_data.write(tmp_path, known)
    with pytest.raises(pointing.Unknown, match=pointing.PASSWORD):
        pointing.login(tmp_path)

    monkeypatch.setenv(pointing.PASSWORD, 'of the environment')

    assert pointing.login(tmp_path).password == 'of the environment'


@pytest.mark.parametrize('file', FILES, ids=lambda file: file.stem)
def test_a_recording_holds_nothing_that_should_be_scrubbed(file: pathlib.Path):
    recorded = load(file)

    assert scrubbing.scrubbed(recorded) == recorded


def test_what_tells_of_a_site_is_scrubbed():
    answer = {
        'servers': [[{'value': 'maas.example.org', 'type': 'hostname', 'port': 17070}]],
        'dns-name': '192.0.2.7',
        'hostname': 'rack-7',
        'addresses': ['192.0.2.7/24', '2001:db8::7'],
        'mac-address': '52:54:00:12:34:56',
        'endpoint': 'https://s3.example.org:9000/x',
        'secret-key': 's3cret',
        'latest-revision-checksum': 'abc',
        'value': {'data': {'operator-password': 'cDRzc3dvcmQ='}},
        'server-version': '4.0.15.1',
    }
    (entry,) = scrubbing.scrubbed([{'answer': answer}])

    text = json.dumps(entry)
    for secret in ('example.org', '192.0.2', 'rack-7', '2001:db8', '52:54', 's3cret', 'cDRz'):
        assert secret not in text
    assert entry['answer']['addresses'][0].partition('/')[0] == entry['answer']['dns-name']
    assert '4.0.15.1' in text
