"""What list-backups and show-backup say of signatures, of sets that somebody may have changed."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable

import pytest

from coordinator.sets import catalogue, documents, index, manifest, signing
from tests import charm_states, examples, programs, restores, signers, simulation, worlds

ID = examples.BACKUP_ID


@pytest.fixture(autouse=True)
def systemd(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> programs.Programs:
    return programs.Programs(tmp_path / 'bin', monkeypatch)


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> worlds.StoredWorld:
    """Return a repository with a set that its own coordinator has signed."""
    world = worlds.StoredWorld()
    charm_states.reach(world, monkeypatch)
    catalogue.commit(world.maas_store, signed(world.keys))
    return world


def signed(by: signers.Signer) -> manifest.Manifest:
    contents = examples.backup_set()
    return contents.signed(by.keys()[0], by.sign('backup-set', contents.digest))


def listed(**parameters: str) -> dict[str, str]:
    """Return what list-backups says of the set."""
    state = charm_states.state(config=parameters)
    results, _ = charm_states.act('list-backups', state, format='json')
    (entry,) = json.loads(results['backups'])
    return entry


def unsign(world: worlds.StoredWorld) -> None:
    catalogue.commit(world.maas_store, examples.backup_set())


def forge(world: worlds.StoredWorld) -> None:
    catalogue.commit(world.maas_store, signed(signers.with_key('thief')))


def change(world: worlds.StoredWorld) -> None:
    found = catalogue.opened(world.maas_store, ID)
    catalogue.commit(world.maas_store, found.model_copy(update={'strategy': 'other'}))


STATES: dict[str, Callable[[worlds.StoredWorld], None]] = {
    signing.SIGNED: lambda world: None,
    signing.UNSIGNED: unsign,
    signing.OTHER_KEY: forge,
    signing.BAD: change,
}


@pytest.mark.parametrize('state', STATES)
def test_list_backups_says_what_a_signature_is(repository: worlds.StoredWorld, state: str):
    STATES[state](repository)
    assert listed()['signature'] == state
    results, _ = charm_states.act('list-backups', charm_states.state())
    (row,) = (line for line in results['backups'].splitlines() if line.startswith(f'{ID} |'))
    assert f'| {state} ' in row


@pytest.mark.parametrize('state', STATES)
def test_show_backup_says_it_too(repository: worlds.StoredWorld, state: str):
    STATES[state](repository)
    unset = charm_states.state(unset=['juju-credentials'])
    results, _ = charm_states.act('show-backup', unset, backup_id=ID, format='json')
    assert json.loads(results['backup-set'])['signature-status'] == state


def test_a_trusted_signer_counts(repository: worlds.StoredWorld):
    forge(repository)
    (key,) = signers.with_key('thief').keys()
    assert listed(**{'trusted-signers': key})['signature'] == signing.SIGNED


def test_an_index_that_lies_of_a_set_shows_nothing_of_it(repository: worlds.StoredWorld):
    # Somebody forges a set, and has the index show what the real one was.
    charm_states.act('list-backups', charm_states.state())
    real = json.loads(repository.maas_store.get(index.KEY))
    contents = signed(signers.with_key('thief')).model_copy(update={'signature': None})
    other = contents.model_copy(update={'model': contents.model.model_copy(update={'name': 'x'})})
    catalogue.commit(repository.maas_store, other)
    found = repository.maas_store.head(catalogue.manifest_key(ID))
    real['sets'][ID][:2] = [found.etag, found.size]
    real['checksum'] = documents.checksum(real['sets'])
    repository.maas_store.put(index.KEY, json.dumps(real).encode())
    entry = listed()
    assert (entry['signature'], entry['model']) == (signing.UNSIGNED, 'x')


@pytest.mark.parametrize('leader', [True, False])
def test_a_list_is_shown_without_signatures_while_the_keys_are_not_known(
    repository: worlds.StoredWorld, leader: bool
):
    state = charm_states.state(config={'trusted-signers': 'no-key'}, leader=leader)
    results, _ = charm_states.act('list-backups', state)
    (row,) = (line for line in results['backups'].splitlines() if line.startswith(f'{ID} |'))
    assert '| ? ' in row


def test_only_the_manifests_of_shown_sets_are_read(repository: worlds.StoredWorld):
    names = [f'2026-09-{day:02}T10:15:00Z' for day in range(1, 20)]
    for name in names:
        catalogue.commit(repository.maas_store, examples.backup_set(name))
    state = charm_states.state()
    results, _ = charm_states.act('list-backups', state, format='json', limit=2)
    told = {each['backup-id']: each['signature'] for each in json.loads(results['backups'])}
    assert told == dict.fromkeys(names[-2:], signing.UNSIGNED)


# --- The newest set ------------------------------------------------------------------------------

NEWER = '2026-08-23T10:15:00Z'


def test_list_backups_says_that_the_newest_set_is_gone(repository: worlds.StoredWorld):
    there, _ = charm_states.act('list-backups', charm_states.state(last_complete=ID))
    assert 'missing' not in there
    gone, _ = charm_states.act('list-backups', charm_states.state(last_complete=NEWER))
    assert gone['missing'].startswith(f'{NEWER}, the newest backup set that this coordinator has')


def test_a_set_of_a_clock_that_was_ahead_is_not_missed(repository: worlds.StoredWorld):
    state = charm_states.state(last_complete='2999-01-01T00:00:00Z')
    results, _ = charm_states.act('list-backups', state)
    assert 'missing' not in results


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> simulation.Simulation:
    sim = restores.backed_up(regions=1, postgresql_units=1)
    charm_states.reach(sim.world, monkeypatch)
    return sim


def older(warned: str) -> bool:
    return f'has made the newer backup set {NEWER}' in warned


@pytest.mark.parametrize('action', ['restore-all', 'show-backup'])
def test_an_older_set_offered_as_latest_is_told(site: simulation.Simulation, action: str):
    told, _ = charm_states.act(action, charm_states.state(last_complete=NEWER), backup_id='latest')
    assert older(told['checks'])
    assert 'latest    ' in told['checks']


def test_a_set_that_was_named_may_be_older(site: simulation.Simulation):
    name = catalogue.ids(site.world.maas_store)[-1]
    told, _ = charm_states.act(
        'restore-all', charm_states.state(last_complete=NEWER), backup_id=name
    )
    assert not older(told['checks'])


def test_a_restore_of_an_older_set_as_latest_carries_the_warning(site: simulation.Simulation):
    state = charm_states.state(last_complete=NEWER)
    _, out = charm_states.act('restore-all', state, backup_id='latest', confirm=True)
    site.op = charm_states.saved(out)
    site.until(lambda: not site.op.open or site.op.step != 'check')
    assert older('; '.join(site.op.warnings))
