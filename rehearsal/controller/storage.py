"""The Storage facade: what removed units left behind, and its removal."""

from __future__ import annotations

from rehearsal import model
from rehearsal.controller import rpc, wire

METHODS = rpc.Methods()

_FILESYSTEM = 2
_MEBIBYTES = 1024


@METHODS.add('ListStorageDetails')
def _list_storage_details(call: rpc.Call) -> wire.Json:
    filters = call.items('filters')
    if not filters and call.model.juju4:
        raise rpc.ApiError('at least one filter is required', 'not valid')
    everything = [details(call.model, item) for item in call.model.storage.values()]
    return {'results': [{'result': everything} for _ in filters]}


@METHODS.add('ListFilesystems')
def _list_filesystems(call: rpc.Call) -> wire.Json:
    juju = call.model
    everything = [_filesystem(juju, item) for item in juju.storage.values()]
    result = {'result': everything} if everything else {}
    return _listed([result for _ in call.items('filters')])


@METHODS.add('ListVolumes')
def _list_volumes(call: rpc.Call) -> wire.Json:
    # No storage here is a block device, or stands upon one.
    return _listed([{} for _ in call.items('filters')])


def _listed(results: list[wire.Json]) -> wire.Json:
    return {'results': results} if results else {}


def _filesystem(juju: model.Model, item: model.Storage) -> wire.Json:
    """Describe the file system of a storage instance; it has the same number."""
    whole = details(juju, item)
    number = item.id.partition('/')[2]
    answer: wire.Json = {
        'filesystem-tag': f'filesystem-{number}',
        'info': {
            'filesystem-id': f'filesystem-{number}',
            'pool': 'maas' if item.persistent else 'rootfs',
            'size': _MEBIBYTES,
        },
        'life': item.life,
        'status': whole['status'],
        'storage': whole,
    }
    if item.owner:
        machine = wire.machine_tag(juju.unit(item.owner).machine.id)
        mount = {'mount-point': f'/var/lib/juju/storage/{item.id}', 'life': item.life}
        answer['machine-attachments'] = {machine: mount}
        answer['unit-attachments'] = whole['attachments']
    return answer


@METHODS.add('StorageDetails')
def _storage_details(call: rpc.Call) -> wire.Json:
    def one(tag: str) -> wire.Json:
        return {'result': details(call.model, _find(call.model, tag))}

    return {'results': wire.each(call.tags(), one)}


@METHODS.add('DetachStorage', 'write', blocked_as='change', blocked_in_4=False)
def _detach_storage(call: rpc.Call) -> wire.Json:
    def detach(item: wire.Json) -> wire.Json:
        storage = _find(call.model, rpc.text(item, 'storage-tag'))
        unit = rpc.text(item, 'unit-tag')
        if unit and wire.untag(unit, 'unit') != storage.owner:
            text = f'storage {storage.id} is not attached to {unit}'
            raise model.ModelError(text, 'not found')
        call.model.detach_storage(storage.id)
        return {}

    ids = rpc.objects(rpc.mapping(call.params, 'ids'), 'ids')
    return {'results': wire.each(ids, detach)}


@METHODS.add('Remove', 'write', blocked_as='remove', blocked_in_4=False)
def _remove(call: rpc.Call) -> wire.Json:
    def remove(item: wire.Json) -> wire.Json:
        storage = _find(call.model, rpc.text(item, 'tag'))
        if storage.owner and rpc.flag(item, 'destroy-attachments'):
            call.model.detach_storage(storage.id)
        call.model.remove_storage(storage.id)
        return {}

    return {'results': wire.each(call.items('storage'), remove)}


def details(juju: model.Model, storage: model.Storage) -> wire.Json:
    """Write one storage instance, as this facade and FullStatus do."""
    attachments: dict[str, wire.Json] = {}
    if storage.owner:
        unit = wire.unit_tag(storage.owner)
        attachments[unit] = {
            'storage-tag': storage.tag,
            'unit-tag': unit,
            'machine-tag': wire.machine_tag(juju.unit(storage.owner).machine.id),
            'location': f'/var/lib/juju/storage/{storage.id}',
            'life': storage.life,
        }
    answer: wire.Json = {
        'storage-tag': storage.tag,
        'owner-tag': wire.unit_tag(storage.owner) if storage.owner else '',
        'kind': _FILESYSTEM,
        'status': {
            'status': 'attached' if storage.owner else 'detached',
            'info': '',
            'since': wire.timestamp(storage.created),
        },
        'life': storage.life,
        'persistent': storage.persistent,
    }
    if attachments:
        answer['attachments'] = attachments
    return answer


def _find(juju: model.Model, tag: str) -> model.Storage:
    storage_id = wire.untag(tag, 'storage')
    if storage_id not in juju.storage:
        raise juju.no_storage(storage_id)
    return juju.storage[storage_id]
