"""verify-backup with the real charm: its dispatches, and the process that reads beside them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from coordinator.sets import catalogue, retention
from rehearsal import embedded
from tests.embedded import charmed_maas

Maas = charmed_maas.CharmedMaas
_ALWAYS = 100_000


@pytest.fixture
def backed_up(maas36: Maas) -> Iterator[Maas]:
    """A site with a backup set; what a test does to its objects is undone."""
    if not maas36.sets():
        maas36.use_replicas()
        maas36.back_up()
    store = maas36.running.maas_store
    before = {item.key: store.get(item.key, limit=1 << 30) for item in store.list('')}
    yield maas36
    maas36.running.s3.clear_faults()
    for key, content in before.items():
        store.put(key, content)
    for key in {item.key for item in store.list('')} - set(before):
        store.delete(key)


def begin(running: Maas) -> str:
    """Run verify-backup of the newest set; return the operation's id."""
    task = running.running.run_action(
        charmed_maas.LEADER, 'verify-backup', backup_id='latest', deep=True
    )
    assert task.status == 'completed', task.message
    assert task.output['backup-sets'] == '1'
    return task.output['operation-id']


def entry(running: Maas) -> catalogue.Entry:
    return catalogue.entries(running.running.maas_store)[-1]


def image_key(running: Maas) -> str:
    name = entry(running).backup_id
    found = catalogue.opened(running.running.maas_store, name)
    (key,) = (item.key for item in found.maas.objects if 'image-storage' in item.key)
    return key


def test_a_set_is_read_whole_and_listed_as_that(backed_up: Maas):
    started = begin(backed_up)
    op = backed_up.until_ended()
    assert (op['id'], op['status'], op['error']) == (started, 'complete', '')
    verified = entry(backed_up).verified
    assert verified is not None
    assert (verified.whole, verified.good) == (True, True)
    task = backed_up.running.run_action(charmed_maas.LEADER, 'list-backups')
    assert f'{verified.at}, read whole' in task.output['backups']
    task = backed_up.running.run_action(charmed_maas.LEADER, 'show-backup', backup_id='latest')
    assert f'{verified.at}, read whole' in task.output['checks']


@pytest.mark.long
def test_s3_that_fails_in_the_middle_is_waited_for(backed_up: Maas):
    # The first looks are at other objects: what reads them all comes upon this one.
    place = f'/{embedded.BUCKETS["maas"]}/maas/{image_key(backed_up)}'
    backed_up.running.s3.fault('503', _ALWAYS, 'GET', place)
    begin(backed_up)
    backed_up.until_step('verify', waits_for=' again: ')
    backed_up.running.s3.clear_faults()
    op = backed_up.until_ended()
    assert (op['status'], op['error']) == ('complete', '')


def test_a_damaged_set_fails_it_and_is_listed_as_damaged(backed_up: Maas):
    key, store = image_key(backed_up), backed_up.running.maas_store
    content = store.get(key, limit=1 << 30)
    store.put(key, content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    begin(backed_up)
    op = backed_up.until_ended()
    assert op['status'] == 'failed'
    assert key in op['error']
    assert entry(backed_up).state == retention.DAMAGED


@pytest.mark.long
def test_an_abort_ends_what_reads(backed_up: Maas):
    place = f'/{embedded.BUCKETS["maas"]}/maas/{image_key(backed_up)}'
    backed_up.running.s3.fault('503', _ALWAYS, 'GET', place)
    begin(backed_up)
    backed_up.until_step('verify', waits_for='reading ')
    task = backed_up.running.run_action(charmed_maas.LEADER, 'abort-operation')
    assert task.status == 'completed', task.message
    op = backed_up.until_ended()
    assert op['status'] == 'aborted'
    assert entry(backed_up).verified is None
