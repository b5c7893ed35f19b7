"""How the port over the API behaves when the controller does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from coordinator import errors
from coordinator.juju_api import connection, model
from rehearsal import tls
from tests import facade_schemas
from tests.scripted_controller import CUT, LOGIN, Entry, Refusal, ScriptedController

QUICK = connection.Timeouts(address=2, connecting=3, login=1, call=0.3)
BUSY = Refusal('upgrade in progress', 'upgrade in progress')
LEADER: dict[str, Any] = {'result': 'pg/0'}


@pytest.fixture(scope='module')
def authority() -> tls.Authority:
    return tls.Authority()


@pytest.fixture
def controller(authority: tls.Authority) -> Iterator[ScriptedController]:
    with ScriptedController(authority) as scripted:
        yield scripted


@pytest.fixture
def waits() -> list[float]:
    """How long the client would have slept."""
    return []


@pytest.fixture
def juju(
    controller: ScriptedController, authority: tls.Authority, waits: list[float]
) -> Iterator[model.JujuApi]:
    endpoint = controller.endpoint(authority)
    with model.JujuApi(endpoint, timeouts=QUICK, sleep=waits.append) as api:
        yield api


# --- Once or again ---------------------------------------------------------------------------


@pytest.mark.parametrize('trouble', [BUSY, CUT, Refusal('model migration in progress')])
def test_looking_is_repeated_until_the_trouble_has_passed(
    controller: ScriptedController, juju: model.JujuApi, waits: list[float], trouble: Entry
):
    controller.answers['Application.Leader'] = [trouble, trouble, LEADER]

    assert juju.leader('pg') == 'pg/0'
    assert waits == [0.5, 1.0]


def test_a_lost_connection_is_opened_again_for_looking(
    controller: ScriptedController, juju: model.JujuApi
):
    controller.answers['Application.Leader'] = [LEADER, CUT, LEADER]

    assert juju.leader('pg') == juju.leader('pg') == 'pg/0'
    assert len(controller.called('Admin.Login')) == 2


def test_looking_is_given_up_after_three_times(
    controller: ScriptedController, juju: model.JujuApi, waits: list[float]
):
    controller.answers['Application.Leader'] = [BUSY]

    with pytest.raises(errors.ControllerBusy):
        juju.leader('pg')

    assert len(controller.called('Application.Leader')) == 3
    assert len(waits) == 2


def test_what_is_refused_for_good_is_not_asked_again(
    controller: ScriptedController, juju: model.JujuApi, waits: list[float]
):
    controller.answers['Application.Leader'] = [
        Refusal('permission denied', 'unauthorized access')
    ]

    with pytest.raises(errors.NotAuthorised):
        juju.leader('pg')

    assert len(controller.called('Application.Leader')) == 1
    assert waits == []


@pytest.mark.parametrize(
    ('trouble', 'kind'), [(BUSY, errors.ControllerBusy), (CUT, errors.ConnectionFailed)]
)
def test_a_change_is_sent_once(
    controller: ScriptedController,
    juju: model.JujuApi,
    trouble: Entry,
    kind: type[errors.CoordinatorError],
):
    controller.answers['Application.AddUnits'] = [trouble, {'units': ['pg/3']}]

    with pytest.raises(kind):
        juju.add_units('pg', 1)

    assert len(controller.called('Application.AddUnits')) == 1


def test_opening_the_connection_for_a_change_is_repeated(
    controller: ScriptedController, juju: model.JujuApi
):
    controller.answers['Admin.Login'] = [BUSY, CUT, LOGIN]
    controller.answers['Application.AddUnits'] = [{'units': ['pg/3']}]

    assert juju.add_units('pg', 1) == ['pg/3']


def test_the_fence_is_asked_when_the_connection_stands(
    controller: ScriptedController, authority: tls.Authority
):
    logged_in: list[int] = []

    def fence() -> None:
        logged_in.append(len(controller.called('Admin.Login')))

    with model.JujuApi(controller.endpoint(authority), fence=fence) as juju:
        juju.set_config('pg', {'profile': 'testing'})

    assert logged_in == [1]


def test_a_login_that_is_refused_is_not_taken_for_a_thing_that_is_gone(
    controller: ScriptedController, juju: model.JujuApi
):
    controller.answers['Admin.Login'] = [Refusal('unknown model', 'model not found')]

    for use in (lambda: juju.cancel_task(2), lambda: juju.remove_unit('pg/0')):
        with pytest.raises(errors.NotFound, match='unknown model'):
            use()


@pytest.mark.parametrize(
    ('code', 'kind'),
    [('unauthorized access', errors.NotAuthorised), ('redirection required', errors.ModelMoved)],
)
def test_being_shut_out_is_not_taken_for_a_task_that_cannot_be_cancelled(
    controller: ScriptedController, juju: model.JujuApi, code: str, kind: type[Exception]
):
    controller.answers['Action.Cancel'] = [Refusal('no', code)]

    with pytest.raises(kind):
        juju.cancel_task(2)


def test_nobody_connects_before_anything_is_asked(
    controller: ScriptedController, juju: model.JujuApi
):
    juju.close()

    assert controller.paths == []


# --- Odd answers -----------------------------------------------------------------------------


def listed(task_id: int, name: str = 'create-backup') -> dict[str, Any]:
    action = {'tag': f'action-{task_id}', 'receiver': 'unit-pg-0', 'name': name}
    return {
        'operation': f'operation-{task_id - 1}',
        'summary': '',
        'actions': [{'action': action, 'status': 'completed', 'log': []}],
    }


def test_listings_are_read_page_by_page(controller: ScriptedController, juju: model.JujuApi):
    # In 4.0 a new operation moves others to the next page, where they are met again.
    controller.answers['Action.ListOperations'] = [
        {'results': [listed(12), listed(2)], 'truncated': True},
        {'results': [listed(2), listed(4), listed(6, 'restore')], 'truncated': True},
        {'results': None, 'truncated': True},
    ]

    assert [task.id for task in juju.tasks('create-backup')] == [2, 4, 12]
    pages = controller.called('Action.ListOperations')
    assert [page['offset'] for page in pages] == [0, 2, 5]
    assert all(page['actions'] == ['create-backup'] for page in pages)


@pytest.mark.parametrize(
    ('answer', 'kind'),
    [
        ({'results': []}, errors.UnexpectedAnswer),
        ({'results': None}, errors.UnexpectedAnswer),
        ({'results': [{'status': 'completed'}]}, errors.UnexpectedAnswer),
        (
            {'results': [{'error': {'message': 'id not found', 'code': 'not found'}}]},
            errors.NotFound,
        ),
    ],
)
def test_a_task_is_one_task(
    controller: ScriptedController,
    juju: model.JujuApi,
    answer: dict[str, Any],
    kind: type[errors.CoordinatorError],
):
    controller.answers['Action.Actions'] = [answer]

    with pytest.raises(kind):
        juju.task(2)


def test_an_error_inside_a_secret_is_raised(controller: ScriptedController, juju: model.JujuApi):
    gone = {'message': 'backend', 'code': 'secret backend not found'}
    secret = {'uri': 'secret:d0q1', 'value': {'error': gone}}
    controller.answers['Secrets.ListSecrets'] = [{'results': [secret]}]

    with pytest.raises(errors.NotFound, match='backend'):
        juju.reveal_secret('d0q1')


def test_the_secret_that_was_asked_for_is_the_one_that_is_revealed(
    controller: ScriptedController, juju: model.JujuApi
):
    other = {'uri': 'secret:other', 'value': {'data': {'operator': 'eA=='}}}
    controller.answers['Secrets.ListSecrets'] = [{'results': [other]}]

    with pytest.raises(errors.NotFound, match='d0q1'):
        juju.reveal_secret('d0q1')


def test_storage_without_a_number_is_refused(controller: ScriptedController, juju: model.JujuApi):
    item = {'storage-tag': 'storage-pgdata', 'owner-tag': 'unit-pg-0'}
    controller.answers['Storage.ListStorageDetails'] = [{'results': [{'result': [item]}]}]

    with pytest.raises(errors.UnexpectedAnswer, match='storage-tag'):
        juju.storage()


def test_missing_things_are_gone_in_the_words_of_either_juju(
    controller: ScriptedController, juju: model.JujuApi
):
    missing = [
        {'message': 'unit "pg/9" does not exist', 'code': ''},
        {'message': 'unit "pg/9" not found', 'code': 'not found'},
    ]
    controller.answers['Application.DestroyUnit'] = [{'results': [{'error': e}]} for e in missing]

    juju.remove_unit('pg/9')
    juju.remove_unit('pg/9')

    assert len(controller.called('Application.DestroyUnit')) == 2


# --- The frames ------------------------------------------------------------------------------


@pytest.mark.parametrize('version', ['3.6', '4.0'])
def test_the_login_is_as_juju_has_it(
    controller: ScriptedController, juju: model.JujuApi, version: str
):
    schemas = facade_schemas.load_or_skip(version)

    juju.access()

    (params,) = controller.called('Admin.Login')
    schemas.check_request('Admin', 'Login', params)


def test_actions_leave_nothing_to_what_juju_assumes(
    controller: ScriptedController, juju: model.JujuApi
):
    action = {'tag': 'action-2', 'receiver': 'unit-maas-region-0', 'name': 'create-backup'}
    controller.answers['Action.EnqueueOperation'] = [
        {'operation': 'operation-1', 'actions': [{'action': action, 'status': 'pending'}]}
    ]

    task = juju.run_action('maas-region/0', 'create-backup', {'type': 'full'})

    (params,) = controller.called('Action.EnqueueOperation')
    assert params['actions'] == [
        {
            'tag': '',
            'receiver': 'unit-maas-region-0',
            'name': 'create-backup',
            'parameters': {'type': 'full'},
            'parallel': True,
            'execution-group': '',
        }
    ]
    assert (task.id, task.unit, task.enqueued) == (2, 'maas-region/0', None)


def test_an_action_of_4_0_is_known_by_what_was_asked_for(
    controller: ScriptedController, juju: model.JujuApi
):
    action = {'tag': 'action-17', 'receiver': 'unit-pg-0', 'name': '', 'parallel': False}
    controller.answers['Action.EnqueueOperation'] = [
        {'operation': 'operation-16', 'actions': [{'action': action, 'status': 'pending'}]}
    ]

    task = juju.run_action('pg/0', 'restore', {'backup-id': 'x'})

    assert (task.id, task.unit, task.action) == (17, 'pg/0', 'restore')
    assert task.parameters == {'backup-id': 'x'}


@pytest.mark.parametrize(
    'error',
    [
        {'message': '"unit-pg-9" not found', 'code': 'not found'},
        {
            'message': 'linking task to unit: getting unit UUID for "pg/9": unit "pg/9" not found',
            'code': '',
        },
    ],
)
def test_an_action_on_a_unit_that_is_gone_is_not_found_in_the_words_of_either_juju(
    controller: ScriptedController, juju: model.JujuApi, error: dict[str, str]
):
    zero = {'enqueued': '0001-01-01T00:00:00Z', 'started': '0001-01-01T00:00:00Z'}
    controller.answers['Action.EnqueueOperation'] = [
        {'operation': 'operation-14', 'actions': [zero | {'error': error}]}
    ]

    with pytest.raises(errors.NotFound, match='create-backup on pg/9'):
        juju.run_action('pg/9', 'create-backup', {})


def test_storage_is_destroyed_only_when_nothing_holds_it(
    controller: ScriptedController, juju: model.JujuApi
):
    controller.answers['Storage.Remove'] = [{'results': [{}]}]

    juju.remove_storage(['pg-data/4'])

    (params,) = controller.called('Storage.Remove')
    assert params['storage'] == [
        {'tag': 'storage-pg-data-4', 'destroy-attachments': False, 'destroy-storage': True}
    ]
