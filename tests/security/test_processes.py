"""Where the charm's real processes leave no secret: programs they start, files they write.

What others can read of the processes themselves is seen in `tests/embedded`, by an onlooker.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import stat
import tempfile
from collections.abc import Iterator

import pytest

from rehearsal import embedded, s3_gate, site, story
from tests.embedded import charmed_maas
from tests.security import listener

pytestmark = pytest.mark.xdist_group('processes')


@dataclasses.dataclass
class Seen:
    """A backup, and a restore in a fresh model until it has all secrets in hand, listened to."""

    events: list[list[str]]
    secrets: list[str]
    state: pathlib.Path
    """Where ops keeps its own state."""
    databags: str
    """What the coordinator shows in its relations, those to the s3-integrators included."""

    def named(self, *names: str) -> list[list[str]]:
        return [event for event in self.events if event[0] in names]


@pytest.fixture(scope='module')
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    layout = embedded.Layout(regions=1, postgresql_units=1, s3_track=1, update_status_seconds=5)
    maas = charmed_maas.CharmedMaas(tmp_path_factory.mktemp('processes'), layout)
    running = maas.running
    running.maas.restore = running.postgresql.restore = 0.5
    with maas:
        charm_dir = running.root / 'model-1/agents' / unit_folder(maas) / 'charm'
        listener.install(charm_dir)
        assert maas.back_up()['status'] == 'complete'
        events, secrets = listener.heard(charm_dir), story.secrets(running)
        databags = running.call(lambda: own_databags(maas))
        running.deploy_afresh()
        maas.model.idle_after = 0.1
        running.until(lambda: not site.unsettled(maas.model, ('active', 'blocked')))
        charm_dir = running.root / 'model-2/agents' / unit_folder(maas) / 'charm'
        listener.install(charm_dir)
        identity = story.give_identity(running)
        task = running.run_action(
            charmed_maas.LEADER, 'restore-all', backup_id='latest', identity=identity, confirm=True
        )
        assert task.status == 'completed', task.message
        # By then the sealed passwords were opened, and are in force.
        maas.until_step('detach-maas')
        secrets += [*story.secrets(running), s3_gate.WRITER[1]]
        events += listener.heard(charm_dir)
        yield Seen(events, secrets, charm_dir / '.unit-state.db', databags)


def own_databags(maas: charmed_maas.CharmedMaas) -> str:
    relations = maas.model.relations.values()
    return json.dumps(
        [
            [relation.app_data[charmed_maas.APP], relation.unit_data.get(maas.leader.name)]
            for relation in relations
            if charmed_maas.APP in relation.endpoints
        ]
    )


def unit_folder(maas: charmed_maas.CharmedMaas) -> str:
    return f'unit-{charmed_maas.APP}-{maas.leader.name.rpartition("/")[2]}'


def test_no_program_is_given_a_secret_in_its_arguments_or_environment(seen: Seen):
    started = seen.named(*listener.STARTS)
    assert {event[0] for event in started} == {'subprocess.Popen'}
    text = '\n'.join(' '.join(event) for event in started)
    for program in ('secret-get', 'relation-set', 'action-set', 'systemd-run', 'juju-log'):
        assert program in text
    assert 'JUJU_UNIT_NAME' in text
    assert [secret for secret in seen.secrets if secret in text] == []


_TRIED = re.compile(rf'{re.escape(tempfile.gettempdir())}/[a-z0-9_]{{8}}')
"""An empty file by which Python finds out where it can make folders."""


def test_no_file_is_written_but_those_of_which_none_holds_a_secret(seen: Seen):
    written = {
        path
        for _, path in seen.named('open')
        # Python's own, of modules that it compiled.
        if '__pycache__' not in path
    }
    # ops hands the content of a new secret to Juju in a folder of root's alone, and deletes it.
    handed = {path for path in written if os.path.basename(path.strip("'")) == 'private-key'}
    folders = {path.strip("'") for _, path in seen.named('tempfile.mkdtemp')}
    assert {os.path.dirname(path.strip("'")) for path in handed} == folders
    assert not any(map(os.path.exists, folders))
    tried = {path for path in written if _TRIED.fullmatch(path.strip("'"))}
    assert {os.path.basename(path.strip("'")) for path in written - handed - tried} <= {
        '.unit-state.db',
        '.in-flight',
        '.controller-address.new',
        '.last-look',
        '.glance.new',
        '.usual',
        '.observed.new',
        '.newest-record.new',
        'null',
    }
    assert seen.named('tempfile.mkstemp') == []


def test_the_state_of_ops_holds_no_secret_and_is_for_root_alone(seen: Seen):
    content = seen.state.read_bytes()
    assert content
    assert stat.S_IMODE(seen.state.stat().st_mode) == 0o600
    assert [secret for secret in seen.secrets if secret.encode() in content] == []


def test_the_coordinator_shows_no_secret_to_those_it_is_related_to(seen: Seen):
    assert 'relation-' in seen.databags, 'the client library has asked the integrators for nothing'
    assert [secret for secret in seen.secrets if secret in seen.databags] == []
