"""What charms, controllers and buckets say reaches no terminal, table, status or log as it is."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import pathlib
from collections.abc import Iterable
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from coordinator import errors
from coordinator.engine import operation, step
from coordinator.record import history
from coordinator.sets import catalogue
from rehearsal import site
from tests import charm_states, examples, programs, restores, simulation

EVIL = (
    'evil \x1b[2J\x1b]0;pwned\x07\r\nERROR forged\u2028 \u202edlrow\u2066 \x9b31m\x00\u200b'
    + 'x' * 1500
)
LONGEST_STATUS = 240


@pytest.fixture(autouse=True)
def systemd(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> programs.Programs:
    return programs.Programs(tmp_path / 'bin', monkeypatch)


def assert_plain(text: str) -> None:
    """See that each line is printable, and that none was begun by what is in it."""
    for line in text.split('\n'):
        assert line.isprintable(), ascii(line)
        assert not line.startswith('ERROR'), line


def assert_all_plain(texts: Iterable[str]) -> None:
    found = list(texts)
    assert 'evil' in ''.join(found), 'it is not shown at all, so this shows nothing'
    for text in found:
        assert_plain(text)


# --- At the source -------------------------------------------------------------------------------


def kinds(of: type[errors.CoordinatorError]) -> list[type[errors.CoordinatorError]]:
    return [of, *(below for sub in of.__subclasses__() for below in kinds(sub))]


@pytest.mark.parametrize(
    'kind', sorted(set(kinds(errors.CoordinatorError)), key=str), ids=lambda kind: kind.__name__
)
@hypothesis.given(text=st.text(max_size=40) | st.just(EVIL))
@hypothesis.settings(max_examples=20, deadline=None)
def test_an_error_says_what_it_says_in_one_plain_line(
    kind: type[errors.CoordinatorError], text: str
):
    error = kind(text)
    assert str(error).isprintable()
    assert error.args == (str(error),)
    assert len(str(error).encode()) <= errors.LONGEST


@hypothesis.given(st.text(max_size=40) | st.just(EVIL))
@hypothesis.settings(max_examples=40, deadline=None)
def test_what_a_step_waits_for_is_one_plain_line(text: str):
    assert step.Wait(text).reason.isprintable()


# --- What the actions print ----------------------------------------------------------------------


def test_the_outcome_of_a_check_shows_a_charms_words_in_a_cell(monkeypatch: pytest.MonkeyPatch):
    sim = simulation.Simulation(regions=1, postgresql_units=1)
    sim.site.maas.block(EVIL)
    site.settle(sim.model, ('active', 'blocked'))
    charm_states.reach(sim.world, monkeypatch)

    results, _ = charm_states.act('backup-all', charm_states.state(), dry_run=True)

    assert_all_plain(results.values())
    assert 'maas-region/0 is blocked (evil [2J ]0;pwned ERROR forged' in results['checks']


@pytest.fixture(scope='module')
def backed_up() -> simulation.Simulation:
    """Return a site with a backup set whose manifest was forged, checksum and all."""
    sim = restores.backed_up(regions=1, postgresql_units=1)
    (backup_id,) = catalogue.ids(sim.world.maas_store)
    key = catalogue.manifest_key(backup_id)
    content: dict[str, Any] = json.loads(sim.world.maas_store.get(key))
    del content['checksum']
    content['model'] = dict.fromkeys(content['model'], EVIL)
    content['strategy'] = content['coordinator-version'] = content['started'] = EVIL
    for part in ('maas', 'postgresql'):
        content[part]['place']['endpoint'] = content[part]['place']['region'] = EVIL
        content[part]['charm']['channel'] = EVIL
        content[part]['charm']['workload-version'] += EVIL
    content['maas']['version'] += EVIL
    content['seconds'] = {EVIL: 1}
    content['passwords']['hashes'][EVIL] = EVIL
    text = json.dumps(content, sort_keys=True, separators=(',', ':'))
    checksum = hashlib.sha256(text.encode()).hexdigest()
    sim.world.maas_store.put(key, json.dumps({**content, 'checksum': checksum}).encode())
    return sim


@pytest.mark.parametrize('form', ['table', 'json', 'yaml'])
def test_list_backups_shows_a_manifests_words_in_cells(
    backed_up: simulation.Simulation, monkeypatch: pytest.MonkeyPatch, form: str
):
    charm_states.reach(backed_up.world, monkeypatch)
    results, _ = charm_states.act(
        'list-backups', charm_states.state(), format=form, all_models=True
    )
    assert_all_plain(results.values())
    if form != 'table':
        assert results['backups'].isascii()


@pytest.mark.parametrize('form', ['table', 'json', 'yaml'])
def test_show_backup_shows_a_manifests_words_plainly(
    backed_up: simulation.Simulation, monkeypatch: pytest.MonkeyPatch, form: str
):
    charm_states.reach(backed_up.world, monkeypatch)
    (backup_id,) = catalogue.ids(backed_up.world.maas_store)
    results, _ = charm_states.act(
        'show-backup', charm_states.state(), backup_id=backup_id, format=form
    )
    assert_all_plain(results.values())
    if form != 'table':
        assert results['backup-set'].isascii()


@pytest.mark.parametrize('form', ['table', 'json', 'yaml'])
def test_list_backups_shows_why_a_manifest_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch, form: str
):
    sim = simulation.Simulation(regions=1, postgresql_units=1)
    key = catalogue.manifest_key(examples.BACKUP_ID)
    sim.world.maas_store.put(key, json.dumps({'version': 1, 'maas': EVIL, EVIL: 'evil'}).encode())
    charm_states.reach(sim.world, monkeypatch)
    results, _ = charm_states.act('list-backups', charm_states.state(), format=form)
    assert 'unreadable' in results['backups']
    assert_plain(results['backups'])


def test_restore_all_prints_a_manifests_words_plainly(
    backed_up: simulation.Simulation, monkeypatch: pytest.MonkeyPatch
):
    charm_states.reach(backed_up.world, monkeypatch)
    (backup_id,) = catalogue.ids(backed_up.world.maas_store)
    results, _ = charm_states.act('restore-all', charm_states.state(), backup_id=backup_id)
    assert_all_plain(results.values())
    assert 'from model evil [2J ]0;pwned ERROR forged' in results['replaces']


# --- A failed task -------------------------------------------------------------------------------


@dataclasses.dataclass
class Failed:
    """A backup that failed with a charm's words, and what was logged of it."""

    op: operation.Operation
    log: list[str]


@pytest.fixture
def failed(caplog: pytest.LogCaptureFixture) -> Failed:
    caplog.set_level(logging.INFO)
    sim = simulation.Simulation(regions=1, postgresql_units=1)
    sim.maas.fail_next('create-backup', EVIL)
    op = sim.run()
    assert op.status == operation.FAILED
    return Failed(op, [entry.getMessage() for entry in caplog.records])


def test_the_log_has_one_plain_line_for_each_entry(failed: Failed):
    assert_all_plain(failed.log)
    assert not [line for line in failed.log if '\n' in line]


def test_the_record_holds_plain_text(failed: Failed):
    assert_all_plain([failed.op.error, *(entry.reason for entry in failed.op.steps)])


@pytest.mark.parametrize('form', ['table', 'json'])
def test_show_operation_prints_plain_text(failed: Failed, form: str):
    results, _ = charm_states.act('show-operation', charm_states.state(failed.op), format=form)
    assert_all_plain(results.values())
    if form == 'json':
        assert results['operation'].isascii()


def test_the_status_is_one_plain_line(failed: Failed):
    _, out = charm_states.act('show-operation', charm_states.state(failed.op))
    assert_all_plain([out.unit_status.message])
    assert len(out.unit_status.message.encode()) <= LONGEST_STATUS


def test_a_record_that_cannot_be_read_is_quoted_plainly():
    text = json.dumps({'format': 1, 'settings': {}, 'steps': [{EVIL: EVIL}], 'problems': [EVIL]})
    dispatch = charm_states.context()
    out = dispatch.run(dispatch.on.update_status(), charm_states.state(text))
    assert out.unit_status.name == 'blocked'
    assert_plain(out.unit_status.message)
    for entry in dispatch.juju_log:
        assert_plain(entry.message)


# --- The history ---------------------------------------------------------------------------------


def forged(**fields: object) -> simulation.Simulation:
    """Return a site whose history holds an operation that somebody has changed."""
    sim = simulation.Simulation(regions=1, postgresql_units=1)
    history.write(sim.op, sim.world)
    content = json.loads(sim.world.maas_store.get(history.key(sim.op.id, sim.model.uuid)))
    sim.world.maas_store.put(
        history.key(sim.op.id, sim.model.uuid),
        json.dumps({**content, **fields}, ensure_ascii=False).encode(),
    )
    return sim


@pytest.mark.parametrize('form', ['table', 'json'])
@pytest.mark.parametrize(
    'fields',
    [
        {'kind': EVIL, 'error': EVIL, 'problems': [EVIL]},
        {'messages': [{'time': EVIL, 'step': EVIL, 'text': EVIL}]},
        {'status': 'failed', 'kind': EVIL},
        {'steps': [{'name': 'check', 'reason': EVIL}], 'status': 'held'},
    ],
    ids=['operation', 'messages', 'advice', 'steps'],
)
def test_show_operation_prints_the_history_plainly(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, object], form: str
):
    sim = forged(**fields)
    charm_states.reach(sim.world, monkeypatch)
    results, _ = charm_states.act(
        'show-operation', charm_states.state(), operation_id=sim.op.id, format=form
    )
    assert_all_plain(results.values())


@pytest.mark.parametrize(
    'fields',
    [
        {'started': EVIL},
        {'steps': EVIL},
        {'facts': {'region-controllers': '{"x": "y"}', 'backup-set': EVIL}},
        {'messages': [EVIL]},
        {'format': [EVIL]},
        {'settings': EVIL},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_history_that_cannot_be_told_is_named(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, object]
):
    sim = forged(**fields)
    charm_states.reach(sim.world, monkeypatch)
    said = charm_states.refusal('show-operation', charm_states.state(), operation_id=sim.op.id)
    assert 'cannot be read' in said
    assert_plain(said)
