"""The calls of the API that the coordinator makes, one function each.

Names go in and come out, never tags. An error of a single item is raised like one of the whole
call. What differs between Juju 3.6 and 4.0 is evened out here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set

from coordinator.juju_api import answers, wire
from coordinator.juju_api.connection import Connection

_PAGE = 50
"""Operations a listing returns at once: Juju 4.0 gives no more, whatever is asked for."""
MOST_PAGES = 1000
"""Of one listing; Juju forgets operations after two weeks."""


def _raise_first(connection: Connection, what: str, items: Iterable[answers.ErrorResult]) -> None:
    for item in items:
        if item.error is not None:
            raise connection.refusal(what, item.error)


def _effect(
    connection: Connection, facade: str, method: str, params: Mapping[str, object]
) -> None:
    """Make a call that answers with nothing but errors."""
    what = f'{facade}.{method}'
    answer = answers.read(answers.ErrorResults, connection.call(facade, method, params), what)
    _raise_first(connection, what, answer.results)


# --- Client and Application ------------------------------------------------------------------


def full_status(connection: Connection, patterns: Sequence[str] = ()) -> answers.FullStatus:
    """Return everything that is in the model; of what matches patterns at least, if there are any.

    What is on the same machines comes with it: applications with some of their units only. Juju
    4 takes no patterns ("patterns are not implemented").
    """
    old = connection.session.server_version.startswith('3.')
    params = {'patterns': list(patterns) if old else [], 'include-storage': False}
    response = connection.call('Client', 'FullStatus', params)
    return answers.read(answers.FullStatus, response, 'Client.FullStatus')


def leader(connection: Connection, application: str) -> str:
    """Return the name of the leading unit."""
    tag = wire.application_tag(application)
    response = connection.call('Application', 'Leader', {'tag': tag})
    answer = answers.read(answers.StringResult, response, 'Application.Leader')
    _raise_first(connection, 'Application.Leader', [answer])
    return answer.result


def add_units(
    connection: Connection, application: str, count: int, machines: Sequence[str]
) -> Sequence[str]:
    """Request units and return their names."""
    params = {
        'application': application,
        'num-units': count,
        'placement': [{'scope': '#', 'directive': machine} for machine in machines],
        'attach-storage': [],
    }
    response = connection.call('Application', 'AddUnits', params)
    return answers.read(answers.AddedUnits, response, 'Application.AddUnits').units


def destroy_unit(connection: Connection, unit: str) -> None:
    """Begin removing a unit, without its detachable storage."""
    item = {'unit-tag': wire.unit_tag(unit), 'destroy-storage': False, 'dry-run': False}
    _effect(connection, 'Application', 'DestroyUnit', {'units': [item]})


def add_relation(connection: Connection, endpoints: Sequence[str]) -> None:
    """Relate two endpoints."""
    connection.call('Application', 'AddRelation', {'endpoints': list(endpoints)})


def destroy_relation(connection: Connection, endpoints: Sequence[str]) -> None:
    """Begin removing the relation of two endpoints."""
    # The id is required by the schema, and ignored because there are endpoints.
    params = {'endpoints': list(endpoints), 'relation-id': 0}
    connection.call('Application', 'DestroyRelation', params)


def config(connection: Connection, application: str) -> Mapping[str, answers.ConfigValue]:
    """Return all options of an application."""
    params = {'application': application, 'branch': 'master'}
    response = connection.call('Application', 'Get', params)
    return answers.read(answers.ApplicationConfig, response, 'Application.Get').config


def set_config(connection: Connection, application: str, values: Mapping[str, str]) -> None:
    """Set options of an application."""
    item = {
        'application': application,
        'generation': '',
        'config': dict(values),
        'config-yaml': '',
    }
    # The capital is right: this one field of the API has no name of its own.
    _effect(connection, 'Application', 'SetConfigs', {'Args': [item]})


def reset_config(connection: Connection, application: str, options: Sequence[str]) -> None:
    """Give options of an application their defaults again."""
    item = {'application': application, 'branch': '', 'options': list(options)}
    _effect(connection, 'Application', 'UnsetApplicationsConfig', {'Args': [item]})


# --- Action ----------------------------------------------------------------------------------


def actions(connection: Connection, application: str) -> Set[str]:
    """Return the names of the actions of an application."""
    what, params = 'ApplicationsCharmsActions', [{'tag': wire.application_tag(application)}]
    response = connection.call('Action', what, {'entities': params})
    found = answers.read(answers.CharmActionsResults, response, f'Action.{what}').results
    _raise_first(connection, f'Action.{what}', found)
    return {name for item in found for name in item.actions}


def enqueue(
    connection: Connection, unit: str, action: str, parameters: Mapping[str, object]
) -> answers.ActionResult:
    """Enqueue one action on one unit.

    Juju 4.0 answers with the tag and the unit only, so the rest is filled in from the request.
    """
    item = {
        'tag': '',
        'receiver': wire.unit_tag(unit),
        'name': action,
        'parameters': dict(parameters),
        # Juju 4.0 does not look at what the charm declares.
        'parallel': True,
        'execution-group': '',
    }
    response = connection.call('Action', 'EnqueueOperation', {'actions': [item]})
    answer = answers.read(answers.EnqueuedActions, response, 'Action.EnqueueOperation')
    enqueued = _only(connection, f'Action.EnqueueOperation of {action} on {unit}', answer.actions)
    if enqueued.action is None or enqueued.action.name:
        return enqueued
    asked = enqueued.action.replacing(name=action, parameters=dict(parameters))
    return enqueued.replacing(action=asked)


def task(connection: Connection, task_id: int) -> answers.ActionResult:
    """Return a task with its output."""
    params = {'entities': [{'tag': wire.task_tag(task_id)}]}
    response = connection.call('Action', 'Actions', params)
    answer = answers.read(answers.ActionResults, response, 'Action.Actions')
    return _only(connection, 'Action.Actions', answer.results)


def _only(
    connection: Connection, what: str, items: Sequence[answers.ActionResult]
) -> answers.ActionResult:
    _raise_first(connection, what, items)
    if len(items) != 1:
        raise answers.unexpected(what, f'{len(items)} items for one')
    return items[0]


def tasks(connection: Connection, action: str) -> list[answers.ActionResult]:
    """Return the known tasks of an action, in any order; each once."""
    found: dict[int, answers.ActionResult] = {}
    offset = 0
    for _ in range(MOST_PAGES):
        params = {'actions': [action], 'offset': offset, 'limit': _PAGE}
        response = connection.call('Action', 'ListOperations', params)
        page = answers.read(answers.OperationResults, response, 'Action.ListOperations')
        _raise_first(connection, 'Action.ListOperations', page.results)
        for result in (result for operation in page.results for result in operation.actions):
            # An operation may hold other actions as well. A page may repeat an entry of the one
            # before: 4.0 sorts ids as text, so a new operation moves the older ones on.
            if result.action is not None and result.action.name == action:
                found[result.action.tag] = result
        offset += len(page.results)
        if not page.truncated or not page.results:
            return list(found.values())
    raise answers.unexpected('Action.ListOperations', f'it has more than {MOST_PAGES} pages')


def cancel(connection: Connection, task_id: int) -> None:
    """Ask for the end of a task."""
    _effect(connection, 'Action', 'Cancel', {'entities': [{'tag': wire.task_tag(task_id)}]})


# --- Secrets ---------------------------------------------------------------------------------


def secrets(
    connection: Connection, filter_by: Mapping[str, str], content: bool = False
) -> Sequence[answers.SecretResult]:
    """Return the secrets that pass a filter (`label`, `uri`), if asked with their content."""
    params = {'show-secrets': content, 'filter': dict(filter_by)}
    response = connection.call('Secrets', 'ListSecrets', params)
    results = answers.read(answers.SecretResults, response, 'Secrets.ListSecrets').results
    values = [result.value for result in results if result.value is not None]
    _raise_first(connection, 'Secrets.ListSecrets', values)
    return results


def create_secret(
    connection: Connection, label: str, content: Mapping[str, str], description: str
) -> str:
    """Make a user secret and return its id."""
    item = {
        'owner-tag': '',
        'label': label,
        'description': description,
        'content': {'data': wire.encoded(content)},
    }
    response = connection.call('Secrets', 'CreateSecrets', {'args': [item]})
    answer = answers.read(answers.StringResults, response, 'Secrets.CreateSecrets')
    _raise_first(connection, 'Secrets.CreateSecrets', answer.results)
    if len(answer.results) != 1:
        raise answers.unexpected('Secrets.CreateSecrets', f'{len(answer.results)} items for one')
    return wire.secret_id(answer.results[0].result)


def grant_secret(connection: Connection, secret_id: str, application: str) -> None:
    """Let an application read a user secret."""
    params = {'uri': wire.secret_uri(secret_id), 'label': '', 'applications': [application]}
    _effect(connection, 'Secrets', 'GrantSecret', params)


def remove_secret(connection: Connection, secret_id: str) -> None:
    """Remove a user secret with all revisions."""
    item = {'uri': wire.secret_uri(secret_id), 'label': ''}
    _effect(connection, 'Secrets', 'RemoveSecrets', {'args': [item]})


# --- Storage ---------------------------------------------------------------------------------


def storage(connection: Connection) -> list[answers.StorageDetails]:
    """Return all storage instances."""
    # One filter that lets everything pass: Juju 4.0 refuses an empty list.
    response = connection.call('Storage', 'ListStorageDetails', {'filters': [{}]})
    answer = answers.read(answers.StorageResults, response, 'Storage.ListStorageDetails')
    _raise_first(connection, 'Storage.ListStorageDetails', answer.results)
    return [details for item in answer.results for details in item.result]


def remove_storage(connection: Connection, storage_id: str) -> None:
    """Destroy a storage instance that is attached to nothing."""
    item = {
        'tag': wire.storage_tag(storage_id),
        'destroy-attachments': False,
        'destroy-storage': True,
    }
    _effect(connection, 'Storage', 'Remove', {'storage': [item]})
