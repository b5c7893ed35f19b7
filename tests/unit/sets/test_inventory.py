"""The inventory of a MAAS: what is stored of it, who can read which part, and what differs."""

from __future__ import annotations

import base64
import dataclasses
import json
from typing import Any

import pytest

from coordinator import errors
from coordinator.ports import maas_port
from coordinator.sets import differences, inventory, sealing
from rehearsal.maas import direct, modelled
from tests import examples, simulation

BACKUP_ID = '2026-08-22T10:15:00Z'


@pytest.fixture(scope='module')
def sim() -> simulation.Simulation:
    return simulation.Simulation(regions=1, postgresql_units=1, maas_key=simulation.MAAS_KEY)


@pytest.fixture
def maas(sim: simulation.Simulation) -> maas_port.Maas:
    return direct.DirectMaas(sim.site, simulation.MAAS_KEY, 'http://maas/MAAS')


def written(*items: inventory.Item, backup_id: str = BACKUP_ID, salt: bytes = b'') -> bytes:
    writer = inventory.Writer(backup_id, '2026-08-22T10:20:00Z', salt)
    for item in items:
        writer.add(item)
    return writer.content([examples.RECIPIENT])


def machine(name: str = 'node-1', **changes: Any) -> inventory.Item:
    made = maas_port.Machine(
        system_id=f'id-{name}',
        hostname=name,
        domain='maas',
        architecture='amd64/generic',
        status='Ready',
        power_state='off',
        owner='',
        pool='default',
        zone='default',
        tags=(),
    )
    return inventory._machine(dataclasses.replace(made, **changes))


USER = inventory.Item('user', 'alice', compared={'admin': True})


def differing(before: list[inventory.Item], now: list[inventory.Item]) -> list[str]:
    known = inventory.parse(written(*before), 'it')
    return [str(each) for each in differences.between(known, now, {})]


# --- What is recorded ------------------------------------------------------------------------


def test_everything_that_maas_has_is_recorded(maas: maas_port.Maas):
    writer = inventory.Writer(BACKUP_ID, '2026-08-22T10:20:00Z')
    for item in inventory.items(maas):
        writer.add(item)
    assert set(writer.counts) == set(inventory.KINDS)
    known = inventory.parse(writer.content([examples.RECIPIENT]), 'it')
    assert len(known.things) == sum(writer.counts.values())
    assert differences.between(known, inventory.items(maas), {}) == []


def test_a_user_who_does_not_see_everything_takes_no_inventory(sim: simulation.Simulation):
    api = modelled.ModelledMaas(sim.site)
    api.add_key('somebody:token:secret', 'bob', admin=False)
    limited = direct.DirectMaas(sim.site, 'somebody:token:secret', 'http://maas/MAAS')
    with pytest.raises(errors.MaasRefused, match='key of an admin'):
        list(inventory.items(limited))


def test_names_are_nowhere_without_the_identity():
    content = written(machine('node-1'), USER)
    for name in (b'node-1.maas', b'alice', b'hostname'):
        assert name not in content
    known = inventory.parse(content, 'it')
    names = inventory.names(known, str(examples.IDENTITY), BACKUP_ID)
    assert set(names.values()) == {'node-1.maas', 'alice'}
    assert names['machine', 'id-node-1'] == 'node-1.maas'


def test_two_sets_have_nothing_in_common_that_would_tell_of_their_users():
    first, second = (inventory.parse(written(USER), 'it') for _ in range(2))
    assert first.things.keys().isdisjoint(second.things.keys())
    assert set(first.things.values()).isdisjoint(second.things.values())


def test_equal_things_give_equal_lines_with_the_same_salt():
    salt = bytes(16)
    lines = [written(machine(), USER, salt=salt).splitlines()[1:-1] for _ in range(2)]
    assert lines[0] == lines[1]


# --- What differs ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    'moved_on',
    [
        {'status': 'Deployed'},
        {'power_state': 'on'},
        {'owner': 'alice'},
        {'tags': ('virtual',)},
    ],
    ids=str,
)
def test_what_maas_changes_by_itself_is_no_difference(moved_on: dict[str, Any]):
    assert differing([machine()], [machine(**moved_on)]) == []


@pytest.mark.parametrize(
    'changed',
    [
        {'hostname': 'other'},
        {'domain': 'other'},
        {'architecture': 'arm64/generic'},
        {'pool': 'other'},
        {'zone': 'other'},
    ],
    ids=str,
)
def test_what_people_change_of_a_machine_is_a_difference(changed: dict[str, Any]):
    (told,) = differing([machine()], [machine(**changed)])
    assert 'id-node-1' in told
    assert told.endswith('differs')


def test_what_is_missing_has_an_id_and_with_the_identity_a_name():
    content = written(machine('node-1'), machine('node-2'), USER)
    known = inventory.parse(content, 'it')
    now = [machine('node-1')]
    first, second = differences.between(known, now, {})
    assert str(first) == 'machine id-node-2 is missing'
    assert (second.kind, second.key[0]) == ('user', '#')
    names = inventory.names(known, str(examples.IDENTITY), BACKUP_ID)
    named = [str(each) for each in differences.between(known, now, names)]
    assert named == ['machine node-2.maas (id-node-2) is missing', 'user alice is missing']


def test_what_is_added_has_a_name():
    assert differing([], [machine(), USER]) == [
        'machine node-1.maas (id-node-1) is not in the set',
        'user alice is not in the set',
    ]


def image(*files: str, uploaded: bool) -> inventory.Item:
    sets = (maas_port.BootSet('1', tuple(maas_port.BootFile(f, f, 1, f, True) for f in files)),)
    return inventory._image(maas_port.BootResource(1, 'custom/a', 'amd64', uploaded, sets))


def test_a_new_version_of_a_downloaded_image_is_no_difference():
    assert differing([image('a', uploaded=False)], [image('b', uploaded=False)]) == []
    assert differing([image('a', uploaded=True)], [image('b', uploaded=True)]) == [
        'image custom/a amd64 differs'
    ]


def test_a_short_text_names_a_few_of_each_kind_and_counts_the_others():
    known = inventory.parse(written(*(machine(f'node-{n}') for n in range(10)), USER), 'it')
    found = differences.between(known, [], {})
    text = differences.short(found)
    assert text.count('is missing') == 4
    assert '7 more machines' in text
    assert differences.counted(found, differences.MISSING) == '10 machines and 1 user'
    assert differences.counted(found, differences.ADDED) == ''


# --- What is stored is not trusted -----------------------------------------------------------


@pytest.mark.parametrize(
    'content',
    [
        b'',
        b'{}',
        b'[]\n[]\n[]\n',
        b'{"version": 1, "taken": "x", "salt": "zz", "counts": {}}\n{"sealed": ""}\n',
        b'{"version": 1, "taken": "x", "salt": "00", "counts": {}}\n[1]\n{"sealed": ""}\n',
        b'{"version": 1, "taken": "x", "salt": "00", "counts": {}}\n{"sealed": "?"}\n',
        b'\xff\xfe',
    ],
)
def test_a_damaged_inventory_is_refused(content: bytes):
    with pytest.raises(errors.UnexpectedAnswer, match='it is damaged'):
        inventory.parse(content, 'it')


def test_an_inventory_of_a_newer_revision_is_refused():
    with pytest.raises(errors.ForeignRecordError, match='has version 2'):
        inventory.parse(b'{"version": 2}\n', 'it')


def known_with(packed: bytes) -> inventory.Known:
    sealed = sealing.seal_content(packed, [examples.RECIPIENT])
    lines = written().splitlines()
    last = json.dumps({'sealed': base64.b64encode(sealed).decode()}).encode()
    return inventory.parse(b'\n'.join([lines[0], last]), 'it')


@pytest.mark.parametrize('packed', [b'', b'no gzip', b'\x1f\x8b\x08\x00'])
def test_damaged_names_are_refused(packed: bytes):
    with pytest.raises(errors.StepError, match='is damaged, or belongs to another set'):
        inventory.names(known_with(packed), str(examples.IDENTITY), BACKUP_ID)


def test_the_names_of_another_set_are_refused():
    known = inventory.parse(written(USER, backup_id='2026-01-01T00:00:00Z'), 'it')
    with pytest.raises(errors.StepError, match='belongs to another set') as caught:
        inventory.names(known, str(examples.IDENTITY), BACKUP_ID)
    assert caught.value.__context__ is None


def test_another_identity_opens_nothing():
    known = inventory.parse(written(USER), 'it')
    with pytest.raises(errors.StepError, match='the identity does not decrypt the inventory'):
        inventory.names(known, simulation.IDENTITY, BACKUP_ID)


def test_names_that_grow_without_an_end_are_refused(monkeypatch: pytest.MonkeyPatch):
    known = inventory.parse(written(*(machine(f'node-{n}') for n in range(100))), 'it')
    monkeypatch.setattr(inventory, 'LARGEST', 1000)
    with pytest.raises(errors.StepError, match='is damaged'):
        inventory.names(known, str(examples.IDENTITY), BACKUP_ID)
