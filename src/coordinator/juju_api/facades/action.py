"""The facade Action: tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any

from coordinator.juju_api import answers, shapes, wire
from coordinator.juju_api.connection import Connection
from coordinator.juju_api.facades import items

_PAGE = 50
"""Operations a listing returns at once: Juju 4.0 gives no more, whatever is asked for."""
MOST_PAGES = 1000
"""Of one listing; Juju forgets operations after two weeks."""


class Action(shapes.Shape):
    """What was asked of whom."""

    tag: answers.TaskId
    receiver: answers.Name
    name: str
    parameters: Mapping[str, Any] = shapes.NOTHING


class ActionResult(answers.ErrorResult):
    """A task. Without `action` it is only an error."""

    action: Action | None = None
    enqueued: answers.Time = None
    started: answers.Time = None
    completed: answers.Time = None
    status: str = ''
    message: str = ''
    output: answers.Results = shapes.NOTHING


class ActionResults(shapes.Shape):
    """As many items as the call had."""

    results: Sequence[ActionResult] = ()


class EnqueuedActions(shapes.Shape):
    """The tasks of a new Juju operation."""

    actions: Sequence[ActionResult] = ()


class OperationResult(answers.ErrorResult):
    """A Juju operation with its tasks."""

    actions: Sequence[ActionResult] = ()


class CharmActions(answers.ErrorResult):
    """The actions that one application's charm defines, by name."""

    actions: Mapping[str, Any] = shapes.NOTHING


class CharmActionsResults(shapes.Shape):
    """As many items as the call had."""

    results: Sequence[CharmActions] = ()


class OperationResults(shapes.Shape):
    """One page of a listing."""

    results: Sequence[OperationResult] = ()
    truncated: bool = False


def actions(connection: Connection, application: str) -> Set[str]:
    """Return the names of the actions of an application."""
    what, params = 'ApplicationsCharmsActions', [{'tag': wire.application_tag(application)}]
    response = connection.call('Action', what, {'entities': params})
    found = answers.read(CharmActionsResults, response, f'Action.{what}').results
    items.raise_first(connection, f'Action.{what}', found)
    return {name for item in found for name in item.actions}


def enqueue(
    connection: Connection, unit: str, action: str, parameters: Mapping[str, object]
) -> ActionResult:
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
    answer = answers.read(EnqueuedActions, response, 'Action.EnqueueOperation')
    enqueued = _only(connection, f'Action.EnqueueOperation of {action} on {unit}', answer.actions)
    if enqueued.action is None or enqueued.action.name:
        return enqueued
    asked = enqueued.action.replacing(name=action, parameters=dict(parameters))
    return enqueued.replacing(action=asked)


def task(connection: Connection, task_id: int) -> ActionResult:
    """Return a task with its output."""
    params = {'entities': [{'tag': wire.task_tag(task_id)}]}
    response = connection.call('Action', 'Actions', params)
    answer = answers.read(ActionResults, response, 'Action.Actions')
    return _only(connection, 'Action.Actions', answer.results)


def _only(connection: Connection, what: str, results: Sequence[ActionResult]) -> ActionResult:
    items.raise_first(connection, what, results)
    if len(results) != 1:
        raise answers.unexpected(what, f'{len(results)} items for one')
    return results[0]


def tasks(connection: Connection, action: str) -> list[ActionResult]:
    """Return the known tasks of an action, in any order; each once."""
    found: dict[int, ActionResult] = {}
    offset = 0
    for _ in range(MOST_PAGES):
        params = {'actions': [action], 'offset': offset, 'limit': _PAGE}
        response = connection.call('Action', 'ListOperations', params)
        page = answers.read(OperationResults, response, 'Action.ListOperations')
        items.raise_first(connection, 'Action.ListOperations', page.results)
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
    items.effect(connection, 'Action', 'Cancel', {'entities': [{'tag': wire.task_tag(task_id)}]})
