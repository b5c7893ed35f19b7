"""The Storage facade, and what concerns the model as a whole."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rehearsal import model
from tests import served_model

Served = served_model.ServedModel
Refused = served_model.Refused


@pytest.fixture(params=served_model.VERSIONS)
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    yield from served_model.serve(request.param)


def remove(client: served_model.Client, tag: str, **options: bool) -> served_model.Json:
    params = {'storage': [{'tag': tag, **options}]}
    return client.call('Storage', 'Remove', params)['results'][0]


def test_storage_is_listed_with_its_owner(served: Served):
    with served.connect() as client:
        (answer,) = client.call('Storage', 'ListStorageDetails', {'filters': [{}]})['results']

    shown = {item['storage-tag']: item for item in answer['result']}
    item = shown['storage-pg-data-1']
    assert (item['owner-tag'], item['kind'], item['persistent']) == ('unit-pg-1', 2, True)
    machine = f'machine-{served.juju.unit("pg/1").machine.id}'
    assert item['attachments']['unit-pg-1']['machine-tag'] == machine


def test_a_list_without_filters_is_an_error_in_4_0_only(served: Served):
    with served.connect() as client:
        answer = client.answer_to(client.send('Storage', 'ListStorageDetails', {'filters': []}))

    assert ('error' in answer) is served.juju.juju4


def test_storage_left_behind_is_unowned_and_can_be_removed(served: Served):
    with served.connect() as client:
        served.thread.call(served.juju.remove_unit, 'pg/2')
        served.until(lambda: 'pg/2' not in served.juju.units)
        entities = [{'tag': 'storage-pg-data-2'}]
        (answer,) = client.call('Storage', 'StorageDetails', {'entities': entities})['results']
        assert answer['result']['owner-tag'] == ''
        assert 'attachments' not in answer['result']

        assert remove(client, 'storage-pg-data-2') == {}
        assert remove(client, 'storage-pg-data-2')['error']['code'] == 'not found'


def test_attached_storage_is_removed_only_when_that_is_asked_for(served: Served):
    with served.connect() as client:
        error = remove(client, 'storage-pg-data-1')['error']
        assert 'attached' in error['message']
        assert error['code'] == ('' if served.juju.juju4 else 'storage is attached')
        assert remove(client, 'storage-pg-data-1', **{'destroy-attachments': True}) == {}

    assert 'pg-data/1' not in served.juju.storage


def test_storage_of_the_root_file_system_is_not_persistent_and_not_detachable(served: Served):
    served.juju.application('pg').persistent_storage = False
    served.thread.call(served.juju.add_units, 'pg', 1)
    with served.connect() as client:
        entities = [{'tag': 'storage-pg-data-4'}]
        (shown,) = client.call('Storage', 'StorageDetails', {'entities': entities})['results']
        ids = [{'storage-tag': 'storage-pg-data-4', 'unit-tag': 'unit-pg-3'}]
        params = {'ids': {'ids': ids}, 'force': False}
        (refused,) = client.call('Storage', 'DetachStorage', params)['results']

    assert shown['result']['persistent'] is False
    assert 'not detachable' in refused['error']['message']


def test_storage_ids_are_one_sequence_over_all_names(served: Served):
    charm = model.CharmSpec('many', storage=('archive', 'data'))
    served.thread.call(served.juju.deploy, 'many', charm, served.agent, 2)

    ids = [item.id for item in served.juju.storage.values() if item.owner.startswith('many/')]
    assert ids == ['archive/4', 'data/5', 'archive/6', 'data/7']


def test_storage_is_detached_from_its_unit(served: Served):
    with served.connect() as client:
        ids = [
            {'storage-tag': 'storage-pg-data-0', 'unit-tag': 'unit-pg-1'},
            {'storage-tag': 'storage-pg-data-0', 'unit-tag': 'unit-pg-0'},
        ]
        params = {'ids': {'ids': ids}, 'force': False}
        wrong, right = client.call('Storage', 'DetachStorage', params)['results']

    assert 'not attached to unit-pg-1' in wrong['error']['message']
    assert right == {}
    assert served.juju.storage['pg-data/0'].owner == ''


def test_model_config_is_told_with_its_sources(served: Served):
    with served.connect() as client:
        config = client.call('ModelConfig', 'ModelGet')['config']

    assert config['name'] == {'value': 'prod', 'source': 'model'}
    assert config['agent-version']['value'] == served.juju.version


def test_annotations_are_kept_until_they_are_emptied(served: Served):
    with served.connect() as client:
        for note, kept in (('x', {'note': 'x'}), ('', {})):
            item = {'entity': 'application-pg', 'annotations': {'note': note}}
            client.call('Annotations', 'Set', {'annotations': [item]})
            entities = [{'tag': 'application-pg'}]
            (answer,) = client.call('Annotations', 'Get', {'entities': entities})['results']
            assert answer['annotations'] == kept


def test_the_model_is_described_to_those_who_may_see_it(served: Served):
    entities = {'entities': [{'tag': f'model-{served.juju.uuid}'}]}
    with served.connect('reader', model_uuid='') as client:
        (seen,) = client.call('ModelManager', 'ModelInfo', entities)['results']
    with served.connect('nobody', model_uuid='') as client:
        (hidden,) = client.call('ModelManager', 'ModelInfo', entities)['results']

    assert (seen['result']['name'], seen['result']['uuid']) == ('prod', served.juju.uuid)
    assert hidden['error']['code'] == 'unauthorized access'
