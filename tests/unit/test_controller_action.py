"""The Action facade: what is enqueued, looked up, listed, cancelled and followed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests import served_model

Served = served_model.ServedModel
Refused = served_model.Refused


@pytest.fixture(params=served_model.VERSIONS)
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    yield from served_model.serve(request.param)


ZERO_TIME = '0001-01-01T00:00:00Z'


def act(name: str = 'echo', receiver: str = 'unit-pg-0', **more: Any) -> served_model.Json:
    return {'tag': '', 'receiver': receiver, 'name': name, **more}


def enqueue(client: served_model.Client, *actions: served_model.Json) -> served_model.Json:
    return client.call('Action', 'EnqueueOperation', {'actions': list(actions)})


def look_up(client: served_model.Client, tag: str) -> served_model.Json:
    return client.call('Action', 'Actions', {'entities': [{'tag': tag}]})['results'][0]


def run(
    served: Served, client: served_model.Client, action: served_model.Json
) -> served_model.Json:
    """Enqueue an action, wait for its end, and look it up."""
    answer = enqueue(client, action)
    number = number_of(answer['actions'][0])
    served.until(lambda: served.juju.tasks[number].ended)
    return look_up(client, f'action-{number}')


def number_of(task: served_model.Json) -> int:
    return int(task['action']['tag'].removeprefix('action-'))


def ids(served: Served, *numbers: int) -> list[int]:
    """Return ids of tasks and operations: 3.6 begins to count with 1, 4.0 with 0."""
    return [number if served.juju.juju4 else number + 1 for number in numbers]


def test_operations_and_tasks_share_one_sequence_of_ids(served: Served):
    with served.connect() as client:
        first = enqueue(client, act(), act(receiver='unit-pg-1'))
        second = enqueue(client, act())

    operation, one, other, next_operation = ids(served, 0, 1, 2, 3)
    assert first['operation'] == f'operation-{operation}'
    assert [number_of(task) for task in first['actions']] == [one, other]
    assert second['operation'] == f'operation-{next_operation}'


def test_an_enqueued_action_is_echoed_by_3_6_and_named_by_its_tag_alone_by_4_0(served: Served):
    with served.connect() as client:
        (answer,) = enqueue(
            client,
            act(parameters={'text': 'x'}, parallel=True, **{'execution-group': 'g'}),
        )['actions']
        task = look_up(client, answer['action']['tag'])

    (number,) = ids(served, 1)
    tag = {'tag': f'action-{number}', 'receiver': 'unit-pg-0'}
    whole = tag | {
        'name': 'echo',
        'parameters': {'text': 'x'},
        'parallel': True,
        'execution-group': 'g',
    }
    assert task['action'] == whole
    alone = tag | {'name': '', 'parallel': False}
    assert answer['action'] == (alone if served.juju.juju4 else whole)
    assert answer['status'] == 'pending'
    assert answer['started'] == answer['completed'] == ZERO_TIME


def test_a_task_is_followed_to_its_end(served: Served):
    with served.connect() as client:
        task = run(served, client, act(receiver='pg/leader'))

    assert task['status'] == 'completed'
    assert task['action']['receiver'] == 'unit-pg-0'
    assert task['output'] == {'said': {'text': 'hello'}, 'return-code': 0}
    assert [line['message'] for line in task['log']] == ['running echo']
    assert task['started'] != ZERO_TIME
    assert (task['completed'] == ZERO_TIME) is served.juju.juju4, '4.0 never says when'


def test_a_failed_task_says_why(served: Served):
    with served.connect() as client:
        task = run(served, client, act('refuse'))

    assert (task['status'], task['message']) == ('failed', 'not today')


def test_an_unknown_task_is_that_items_error(served: Served):
    with served.connect() as client:
        for tag in ('action-99', 'nonsense'):
            error = look_up(client, tag)['error']
            assert error == {'message': 'id not found', 'code': 'not found'}


def test_an_unknown_action_fails_its_item_in_3_6_and_the_call_in_4_0(served: Served):
    with served.connect() as client:
        if served.juju.juju4:
            with pytest.raises(Refused) as refused:
                enqueue(client, act('nonsense'))
            assert refused.value.code == 'not found'
            return
        bad, good = enqueue(client, act('nonsense'), act())['actions']

    assert bad['error'] == {
        'message': 'action "nonsense" not defined on unit "pg/0"',
        'code': '',
    }
    assert number_of(good) == 2


def test_a_unit_that_is_gone_fails_its_item_and_leaves_an_operation_in_error(served: Served):
    with served.connect() as client:
        answer = enqueue(client, act(receiver='unit-pg-9'))
        (gone,) = answer['actions']
        entities = {'entities': [{'tag': answer['operation']}]}
        (operation,) = client.call('Action', 'Operations', entities)['results']
        found = listed(client, actions=['echo'])

    assert gone['error']['message'].endswith('not found')
    assert gone['error']['code'] == ('' if served.juju.juju4 else 'not found')
    assert gone['started'] == ZERO_TIME
    assert operation['status'] == 'error'
    assert 'actions' not in operation
    assert len(found.get('results', [])) == (1 if served.juju.juju4 else 0)
    assert ('fail' in operation) is not served.juju.juju4


def test_a_unit_of_no_application_fails_the_call_in_4_0(served: Served):
    with served.connect() as client:
        if served.juju.juju4:
            with pytest.raises(Refused, match='application "x" not found') as refused:
                enqueue(client, act(receiver='unit-x-0'))
            assert refused.value.code == ''
        else:
            (answer,) = enqueue(client, act(receiver='unit-x-0'))['actions']
            assert answer['error']['code'] == 'not found'


def test_a_missing_leader_fails_its_item_in_3_6_and_the_call_in_4_0(served: Served):
    served.juju.application('pg').leader = None
    with served.connect() as client:
        if served.juju.juju4:
            with pytest.raises(Refused, match='could not determine leader'):
                enqueue(client, act(receiver='pg/leader'))
        else:
            (answer,) = enqueue(client, act(receiver='pg/leader'))['actions']
            assert answer['error']['message'] == 'could not determine leader for "pg"'


def test_parameters_are_checked_by_the_controller_in_3_6_and_in_the_unit_in_4_0(served: Served):
    wrong = act(parameters={'text': 5})
    with served.connect() as client:
        if served.juju.juju4:
            task = run(served, client, wrong)
            assert (task['status'], task['started']) == ('error', ZERO_TIME)
            assert 'output' not in task
            assert task['message'] == (
                'cannot run "echo" action: validation failed: '
                '(root).text : must be of type string, given 5'
            )
        else:
            (answer,) = enqueue(client, wrong)['actions']
            assert 'validation failed' in answer['error']['message']


def test_defaults_come_from_the_controller_in_3_6_and_in_the_unit_in_4_0(served: Served):
    with served.connect() as client:
        enqueue(client, act('wait'))
        served.until(lambda: served.juju.unit('pg/0').running)
        (enqueued,) = enqueue(client, act())['actions']
        task = look_up(client, enqueued['action']['tag'])

    assert task['status'] == 'pending'
    assert task['action'].get('parameters') == (None if served.juju.juju4 else {'text': 'hello'})


def test_what_the_charm_says_of_parallel_counts_in_3_6_only(served: Served):
    with served.connect() as client:
        (enqueued,) = enqueue(client, act())['actions']
        action = look_up(client, enqueued['action']['tag'])['action']

    juju4 = served.juju.juju4
    assert action['parallel'] is not juju4
    assert action['execution-group'] == ('' if juju4 else 'talk')


def test_nested_parameters_arrive_as_text_in_4_0(served: Served):
    nested = act('wait', parameters={'plan': {'b': [1, 2], 'a': 'x'}})
    with served.connect() as client:
        (enqueued,) = enqueue(client, nested)['actions']
        action = look_up(client, enqueued['action']['tag'])['action']

    plan = action['parameters']['plan']
    assert plan == ('map[a:x b:[1 2]]' if served.juju.juju4 else {'b': [1, 2], 'a': 'x'})


@pytest.mark.parametrize(
    ('other', 'words'),
    [
        (act('refuse'), 'action name mismatch: "echo" != "refuse"'),
        (act(parameters={'text': 'x'}), 'parameters mismatch'),
        (act(receiver='unit-app-0'), 'same application'),
    ],
)
def test_actions_that_differ_make_one_operation_in_3_6_only(
    served: Served, other: served_model.Json, words: str
):
    with served.connect() as client:
        if served.juju.juju4:
            with pytest.raises(Refused, match=words) as refused:
                enqueue(client, act(), other)
            assert refused.value.code == ''
        else:
            assert len(enqueue(client, act(), other)['actions']) == 2


def test_no_actions_are_an_error_in_4_0_only(served: Served):
    with served.connect() as client:
        if served.juju.juju4:
            with pytest.raises(Refused, match='no actions'):
                enqueue(client)
        else:
            assert 'actions' not in enqueue(client)


def test_running_any_command_is_for_admins(served: Served):
    with served.connect('writer') as client, pytest.raises(Refused, match='permission denied'):
        enqueue(client, act('juju-exec'))


def execute(client: served_model.Client, **wanted: Any) -> served_model.Json:
    params = {'commands': 'true', 'timeout': 0, **wanted}
    return client.call('Action', 'Run', params)


def test_commands_are_run_on_units_and_on_all_of_an_application(served: Served):
    with served.connect() as client:
        answer = execute(client, units=['app/0', 'pg/leader'], applications=['pg'])
        operation = {'entities': [{'tag': answer['operation']}]}
        (shown,) = client.call('Action', 'Operations', operation)['results']
        (task, *_) = shown['actions']

    receivers = [item['action']['receiver'] for item in answer['actions']]
    assert receivers == ['unit-app-0', 'unit-pg-0', 'unit-pg-1', 'unit-pg-2']
    assert task['action']['name'] == 'juju-exec'
    assert task['action']['parameters']['command'] == 'true'
    assert ('workload-context' in task['action']['parameters']) is not served.juju.juju4
    receivers_3 = 'unit-app-0,unit-pg-0,unit-pg-1,unit-pg-2'
    summary = 'exec "true"' if served.juju.juju4 else f'juju-exec run on {receivers_3}'
    assert shown['summary'] == summary


def test_commands_are_for_admins_and_can_be_disabled(served: Served):
    with served.connect('writer') as client, pytest.raises(Refused, match='permission denied'):
        execute(client, units=['pg/0'])
    served.juju.blocked['all'] = 'no'
    with served.connect() as client, pytest.raises(Refused, match='no'):
        execute(client, units=['pg/0'])


def test_operations_show_output_in_3_6_only(served: Served):
    with served.connect() as client:
        run(served, client, act())
        (number,) = ids(served, 0)
        entities = [{'tag': f'operation-{number}'}, {'tag': 'operation-99'}]
        known, unknown = client.call('Action', 'Operations', {'entities': entities})['results']

    juju4 = served.juju.juju4
    (task,) = known['actions']
    assert known['summary'] == ('action "echo"' if juju4 else 'echo run on unit-pg-0')
    assert known['status'] == task['status'] == 'completed'
    assert task['log']
    assert ('output' in task) is not juju4
    assert (task['completed'] == ZERO_TIME) is juju4
    assert (known['started'] == ZERO_TIME) is juju4
    assert unknown['error']['code'] == ('' if juju4 else 'not found')
    assert unknown['enqueued'] == ZERO_TIME


def listed(client: served_model.Client, **query: Any) -> served_model.Json:
    return client.call('Action', 'ListOperations', query)


def test_operations_are_listed_by_age_in_3_6_and_by_text_in_4_0(served: Served):
    with served.connect() as client:
        for _ in range(6):
            enqueue(client, act())
        found = listed(client, actions=['echo'])

    numbers = [result['operation'].removeprefix('operation-') for result in found['results']]
    by_age = [str(number) for number in ids(served, 0, 2, 4, 6, 8, 10)]
    assert numbers == (sorted(by_age) if served.juju.juju4 else by_age)
    assert 'truncated' not in found


def test_a_list_of_nothing_has_no_results(served: Served):
    with served.connect() as client:
        assert listed(client, actions=['echo']) == {}


def test_a_list_is_cut_at_50_unless_3_6_is_asked_for_more(served: Served):
    with served.connect() as client:
        for _ in range(60):
            enqueue(client, act())
        assert len(listed(client)['results']) == 50
        more = listed(client, limit=100)
        rest = listed(client, offset=50, limit=50)

    assert len(more['results']) == (50 if served.juju.juju4 else 60)
    assert more.get('truncated', False) is served.juju.juju4
    assert len(rest['results']) == 10
    assert 'truncated' not in rest


def test_a_list_is_filtered(served: Served):
    with served.connect() as client:
        run(served, client, act('refuse'))
        run(served, client, act(receiver='unit-app-0'))

        def found(**query: Any) -> list[str]:
            return [r['operation'] for r in listed(client, **query).get('results', [])]

        first, second = (f'operation-{number}' for number in ids(served, 0, 2))
        assert found(actions=['refuse']) == [first]
        assert found(applications=['app']) == [second]
        assert found(units=['pg/0']) == [first]
        assert found(status=['failed']) == [first]
        assert found(status=['pending', 'running']) == []
        if not served.juju.juju4:
            with pytest.raises(Refused, match='application "x" not found'):
                found(applications=['x'])


def test_tasks_of_removed_units_are_kept_in_3_6_and_deleted_in_4_0(served: Served):
    with served.connect() as client:
        tag = run(served, client, act(receiver='unit-pg-2'))['action']['tag']
        served.thread.call(served.juju.remove_unit, 'pg/2')
        served.until(lambda: 'pg/2' not in served.juju.units)
        found = listed(client, actions=['echo'])

        assert ('error' in look_up(client, tag)) is served.juju.juju4
    assert len(found.get('results', [])) == (0 if served.juju.juju4 else 1)


def test_cancelling_works_in_3_6_and_never_in_4_0(served: Served):
    with served.connect() as client:
        enqueue(client, act('wait'))
        first, second = ids(served, 1, 3)
        served.until(lambda: served.juju.tasks[first].status == 'running')
        enqueue(client, act('wait'))
        tags = (f'action-{first}', f'action-{second}', 'action-99')
        entities = [{'tag': tag} for tag in tags]
        running, pending, unknown = client.call('Action', 'Cancel', {'entities': entities})[
            'results'
        ]

    assert unknown['error']['code'] == 'not found'
    if served.juju.juju4:
        assert 'status_id' in running['error']['message']
        assert served.juju.tasks[first].status == 'running'
    else:
        assert (running['status'], running['message']) == ('aborted', 'terminated')
        assert pending['status'] == 'cancelled'


def test_the_log_of_a_running_task_can_be_followed(served: Served):
    with served.connect() as client:
        enqueue(client, act('wait'))
        (number,) = ids(served, 1)
        served.until(lambda: served.juju.tasks[number].log)
        entities = [{'tag': f'action-{number}'}]
        (watch,) = client.call('Action', 'WatchActionsProgress', {'entities': entities})['results']
        assert [json.loads(line)['message'] for line in watch['changes']] == ['running wait']

        waiting = client.send('StringsWatcher', 'Next', id=watch['watcher-id'])
        task = served.juju.tasks[number]
        served.thread.call(task.log.append, (served.juju.clock.now(), 'half done'))
        served.thread.call(served.juju.changed)
        (line,) = client.answer_to(waiting)['response']['changes']
        assert json.loads(line)['message'] == 'half done'

        waiting = client.send('StringsWatcher', 'Next', id=watch['watcher-id'])
        client.call('StringsWatcher', 'Stop', id=watch['watcher-id'])
        assert client.answer_to(waiting)['error-code'] == 'stopped'
        with pytest.raises(Refused, match='unknown watcher id'):
            client.call('StringsWatcher', 'Next', id=watch['watcher-id'])


def test_the_actions_of_a_charm_are_told_with_their_schemas(served: Served):
    with served.connect() as client:
        entities = [{'tag': 'application-pg'}, {'tag': 'application-x'}]
        known, unknown = client.call(
            'Action', 'ApplicationsCharmsActions', {'entities': entities}
        )['results']

    echo = known['actions']['echo']
    assert echo['description'] == 'Says what it was told.'
    assert echo['params']['properties']['text'] == {'type': 'string', 'default': 'hello'}
    assert unknown['error']['code'] == 'not found'


def test_only_3_6_watches_everything(served: Served):
    with served.connect() as client:
        if served.juju.juju4:
            with pytest.raises(Refused) as refused:
                client.call('Client', 'WatchAll')
            assert refused.value.code == 'not implemented'
            return
        watcher = client.call('Client', 'WatchAll')['watcher-id']
        kinds = {d[0] for d in client.call('AllWatcher', 'Next', Id=watcher)['deltas']}
        assert kinds == {'model', 'machine', 'application', 'unit', 'relation'}

        served.thread.call(served.juju.set_status, served.juju.unit('pg/0'), 'blocked', 'why')
        deltas = client.call('AllWatcher', 'Next', Id=watcher)['deltas']
        changed = {(kind, what, entity['name']) for kind, what, entity in deltas}
        assert ('unit', 'change', 'pg/0') in changed
