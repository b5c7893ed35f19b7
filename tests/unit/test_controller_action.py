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
    tag = answer['actions'][0]['action']['tag']
    number = int(tag.removeprefix('action-'))
    served.until(lambda: served.juju.tasks[number].ended)
    return look_up(client, tag)


def test_operations_and_tasks_share_one_sequence_of_ids(served: Served):
    with served.connect() as client:
        first = enqueue(client, act(), act(receiver='unit-pg-1'))
        second = enqueue(client, act())

    assert first['operation'] == 'operation-1'
    assert [a['action']['tag'] for a in first['actions']] == ['action-2', 'action-3']
    assert second['operation'] == 'operation-4'


def test_an_enqueued_action_is_echoed_and_not_started(served: Served):
    with served.connect() as client:
        (answer,) = enqueue(
            client,
            act(parameters={'text': 'x'}, parallel=True, **{'execution-group': 'g'}),
        )['actions']

    assert answer['action'] == {
        'tag': 'action-2',
        'receiver': 'unit-pg-0',
        'name': 'echo',
        'parameters': {'text': 'x'},
        'parallel': True,
        'execution-group': 'g',
    }
    assert answer['status'] == 'pending'
    assert answer['started'] == answer['completed'] == ZERO_TIME


def test_a_task_is_followed_to_its_end(served: Served):
    with served.connect() as client:
        task = run(served, client, act(receiver='pg/leader'))

    assert task['status'] == 'completed'
    assert task['action']['receiver'] == 'unit-pg-0'
    assert task['output'] == {'said': {'text': 'hello'}, 'return-code': 0}
    assert [line['message'] for line in task['log']] == ['running echo']
    assert ZERO_TIME not in (task['started'], task['completed'])


def test_a_failed_task_says_why(served: Served):
    with served.connect() as client:
        task = run(served, client, act('refuse'))

    assert (task['status'], task['message']) == ('failed', 'not today')


def test_an_unknown_task_is_that_items_error(served: Served):
    with served.connect() as client:
        assert look_up(client, 'action-99')['error']['code'] == 'not found'


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
    assert good['action']['tag'] == 'action-2'


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
            assert task['status'] == 'failed'
            assert 'cannot run "echo" action: validation failed' in task['message']
        else:
            (answer,) = enqueue(client, wrong)['actions']
            assert 'validation failed' in answer['error']['message']


def test_defaults_come_from_the_controller_in_3_6_and_in_the_unit_in_4_0(served: Served):
    with served.connect() as client:
        (enqueued,) = enqueue(client, act())['actions']

    expected = {} if served.juju.juju4 else {'text': 'hello'}
    assert enqueued['action']['parameters'] == expected


def test_what_the_charm_says_of_parallel_counts_in_3_6_only(served: Served):
    with served.connect() as client:
        (enqueued,) = enqueue(client, act())['actions']

    juju4 = served.juju.juju4
    assert enqueued['action']['parallel'] is not juju4
    assert enqueued['action']['execution-group'] == ('' if juju4 else 'talk')


def test_nested_parameters_arrive_as_text_in_4_0(served: Served):
    nested = act('wait', parameters={'plan': {'b': [1, 2], 'a': 'x'}})
    with served.connect() as client:
        (enqueued,) = enqueue(client, nested)['actions']

    plan = enqueued['action']['parameters']['plan']
    assert plan == ('map[a:x b:[1 2]]' if served.juju.juju4 else {'b': [1, 2], 'a': 'x'})


@pytest.mark.parametrize(
    'other', [act('refuse'), act(parameters={'text': 'x'}), act(receiver='unit-app-0')]
)
def test_actions_that_differ_make_one_operation_in_3_6_only(
    served: Served, other: served_model.Json
):
    with served.connect() as client:
        if served.juju.juju4:
            with pytest.raises(Refused, match='all actions of an operation'):
                enqueue(client, act(), other)
        else:
            assert len(enqueue(client, act(), other)['actions']) == 2


def test_no_actions_are_an_error_in_4_0_only(served: Served):
    with served.connect() as client:
        if served.juju.juju4:
            with pytest.raises(Refused, match='no actions'):
                enqueue(client)
        else:
            assert enqueue(client)['actions'] == []


def test_running_any_command_is_for_admins(served: Served):
    with served.connect('writer') as client, pytest.raises(Refused, match='permission denied'):
        enqueue(client, act('juju-exec'))


def test_operations_show_output_in_3_6_only(served: Served):
    with served.connect() as client:
        run(served, client, act())
        entities = [{'tag': 'operation-1'}, {'tag': 'operation-99'}]
        known, unknown = client.call('Action', 'Operations', {'entities': entities})['results']

    juju4 = served.juju.juju4
    (task,) = known['actions']
    assert known['summary'] == 'echo run on unit-pg-0'
    assert known['status'] == task['status'] == 'completed'
    assert task['log']
    assert ('output' in task) is not juju4
    assert (task['completed'] == ZERO_TIME) is juju4
    assert (known['started'] == ZERO_TIME) is juju4
    assert unknown['error']['code'] == 'not found'


def listed(client: served_model.Client, **query: Any) -> served_model.Json:
    return client.call('Action', 'ListOperations', query)


def test_operations_are_listed_by_age_in_3_6_and_by_text_in_4_0(served: Served):
    with served.connect() as client:
        for _ in range(6):
            enqueue(client, act())
        found = listed(client, actions=['echo'])

    ids = [result['operation'].removeprefix('operation-') for result in found['results']]
    juju4 = served.juju.juju4
    assert ids == (['1', '11', '3', '5', '7', '9'] if juju4 else ['1', '3', '5', '7', '9', '11'])
    assert found['truncated'] is False


def test_a_list_is_cut_at_50_unless_3_6_is_asked_for_more(served: Served):
    with served.connect() as client:
        for _ in range(60):
            enqueue(client, act())
        assert len(listed(client)['results']) == 50
        more = listed(client, limit=100)
        rest = listed(client, offset=50, limit=50)

    assert len(more['results']) == (50 if served.juju.juju4 else 60)
    assert more['truncated'] is served.juju.juju4
    assert (len(rest['results']), rest['truncated']) == (10, False)


def test_a_list_is_filtered(served: Served):
    with served.connect() as client:
        run(served, client, act('refuse'))
        run(served, client, act(receiver='unit-app-0'))

        def ids(**query: Any) -> list[str]:
            return [result['operation'] for result in listed(client, **query)['results']]

        assert ids(actions=['refuse']) == ['operation-1']
        assert ids(applications=['app']) == ['operation-3']
        assert ids(units=['pg/0']) == ['operation-1']
        assert ids(status=['failed']) == ['operation-1']
        assert ids(status=['pending', 'running']) == []
        if not served.juju.juju4:
            with pytest.raises(Refused, match='application "x" not found'):
                ids(applications=['x'])


def test_tasks_of_removed_units_are_kept_in_3_6_and_deleted_in_4_0(served: Served):
    with served.connect() as client:
        run(served, client, act(receiver='unit-pg-2'))
        served.thread.call(served.juju.remove_unit, 'pg/2')
        served.until(lambda: 'pg/2' not in served.juju.units)
        found = listed(client, actions=['echo'])['results']

        assert ('error' in look_up(client, 'action-2')) is served.juju.juju4
    assert len(found) == (0 if served.juju.juju4 else 1)


def test_cancelling_works_in_3_6_and_never_in_4_0(served: Served):
    with served.connect() as client:
        enqueue(client, act('wait'))
        served.until(lambda: served.juju.tasks[2].status == 'running')
        enqueue(client, act('wait'))
        tags = ('action-2', 'action-4', 'action-99')
        entities = [{'tag': tag} for tag in tags]
        running, pending, unknown = client.call('Action', 'Cancel', {'entities': entities})[
            'results'
        ]

    assert unknown['error']['code'] == 'not found'
    if served.juju.juju4:
        assert 'status_id' in running['error']['message']
        assert served.juju.tasks[2].status == 'running'
    else:
        assert (running['status'], running['message']) == ('aborted', 'terminated')
        assert pending['status'] == 'cancelled'


def test_the_log_of_a_running_task_can_be_followed(served: Served):
    with served.connect() as client:
        enqueue(client, act('wait'))
        served.until(lambda: served.juju.tasks[2].log)
        entities = [{'tag': 'action-2'}]
        (watch,) = client.call('Action', 'WatchActionsProgress', {'entities': entities})['results']
        assert [json.loads(line)['message'] for line in watch['changes']] == ['running wait']

        waiting = client.send('StringsWatcher', 'Next', id=watch['watcher-id'])
        task = served.juju.tasks[2]
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
