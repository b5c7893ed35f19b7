"""restore-all rehearsal=true from end to end, by real processes: a site, and a model beside it."""

from __future__ import annotations

import contextlib
import json
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

from coordinator.operations import plans
from rehearsal import embedded, site, story
from tests.embedded import charmed_maas, test_restore_all

Maas = charmed_maas.CharmedMaas

pytestmark = [pytest.mark.long, pytest.mark.xdist_group('rehearsal')]


@pytest.fixture(scope='module')
def lives(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Maas]:
    """A site with a backup set, which goes on."""
    layout = embedded.Layout(regions=1, postgresql_units=1, update_status_seconds=5, maas_key=True)
    with test_restore_all.backed_up(tmp_path_factory.mktemp('lives'), layout) as maas:
        test_restore_all.change(maas, 'after-the-backup')
        yield maas


def objects(maas: Maas) -> dict[str, tuple[str, Any]]:
    """Return every object of the site's buckets, with its ETag and when it was written."""
    running = maas.running
    return {
        f'{bucket}/{item.key}': (item.etag, item.modified)
        for bucket in embedded.BUCKETS.values()
        for item in running.store_for(running.s3.connection(bucket)).list('')
    }


def act(maas: Maas, action: str, **given: Any) -> dict[str, str]:
    task = maas.running.run_action(charmed_maas.LEADER, action, **given)
    assert task.status == 'completed', task.message
    return task.output


def test_the_site_itself_rehearses_nothing(lives: Maas):
    identity = story.give_identity(lives.running)
    before = objects(lives)

    shown = act(lives, 'restore-all', backup_id='latest', identity=identity, rehearsal=True)

    assert 'rehearsal-model' in shown['verdict']
    assert 'juju add-model maas-rehearsal' in shown['checks']
    assert objects(lives) == before


def test_a_charm_that_is_killed_in_every_step_leaves_one_result_beside_the_set(lives: Maas):
    running, at_site = lives.running, test_restore_all.fingerprint(lives)
    running.deploy_throwaway()
    with contextlib.ExitStack() as stack:
        stack.callback(running.destroy_throwaway)
        stack.enter_context(running.in_throwaway())
        running.model.idle_after = 0.1
        running.until(lambda: not site.unsettled(running.model))
        running.call(running.empty_maas)
        identity = story.give_identity(running)
        before = objects(lives)
        given = {'backup_id': 'latest', 'identity': identity, 'rehearsal': True}
        assert act(lives, 'restore-all', **given)['verdict'].startswith('ready')
        act(lives, 'restore-all', **given, confirm=True)
        killer = test_restore_all.EachStepKiller(lives, seed=5)
        record = lives.until_ended()
        running.agent.on_dispatch = running.agent.on_tool = None
        after = objects(lives)
        path = running.model.application(site.S3_POSTGRESQL).config
        assert (path['bucket'], path['path']) == (
            embedded.THROWAWAY,
            f'{embedded.THROWAWAY}-restored-1',
        )
        shown = act(lives, 'show-operation')['operation']

    assert (record['status'], record['error'], record['problems']) == ('complete', '', [])
    assert killer.steps == set(plans.REHEARSAL.names)
    assert f'juju destroy-model {embedded.THROWAWAY}' in shown
    assert {key: after.get(key) for key in before} == before
    (new,) = after.keys() - before.keys()
    assert 'rehearsed-' in pathlib.PurePath(new).name
    assert test_restore_all.fingerprint(lives) == at_site


def test_the_site_shows_the_rehearsal_and_estimates_its_restore_by_it(lives: Maas):
    (listed,) = json.loads(act(lives, 'list-backups', format='json')['backups'])
    assert listed['rehearsed']['proof'] == 'proven'
    assert (
        ', proven; MAAS was down for '
        in act(lives, 'show-backup', backup_id='latest')['backup-set']
    )

    identity = story.give_identity(lives.running, 'of-the-estimate')
    preview = act(lives, 'restore-all', backup_id='latest', identity=identity)
    assert 'as in the rehearsal of ' in preview['replaces']


def test_no_secret_can_be_read_after_a_rehearsal(lives: Maas):
    assert story.no_secret(lives.running) == ''
