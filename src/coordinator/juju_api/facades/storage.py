"""The facade Storage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from coordinator.juju_api import answers, shapes, wire
from coordinator.juju_api.connection import Connection
from coordinator.juju_api.facades import items


class Attachment(shapes.Shape):
    """Storage attached to a unit."""

    unit_tag: answers.Name


class StorageDetails(shapes.Shape):
    """A storage instance."""

    storage_tag: answers.StorageId
    owner_tag: answers.Name = ''
    life: str = ''
    attachments: Mapping[str, Attachment] = shapes.NOTHING


class StorageResult(answers.ErrorResult):
    """What passes one filter."""

    result: Sequence[StorageDetails] = ()


class StorageResults(shapes.Shape):
    """One item a filter."""

    results: Sequence[StorageResult] = ()


def storage(connection: Connection) -> list[StorageDetails]:
    """Return all storage instances."""
    # One filter that lets everything pass: Juju 4.0 refuses an empty list.
    response = connection.call('Storage', 'ListStorageDetails', {'filters': [{}]})
    answer = answers.read(StorageResults, response, 'Storage.ListStorageDetails')
    items.raise_first(connection, 'Storage.ListStorageDetails', answer.results)
    return [details for item in answer.results for details in item.result]


def remove_storage(connection: Connection, storage_id: str) -> None:
    """Destroy a storage instance that is attached to nothing."""
    item = {
        'tag': wire.storage_tag(storage_id),
        'destroy-attachments': False,
        'destroy-storage': True,
    }
    items.effect(connection, 'Storage', 'Remove', {'storage': [item]})
