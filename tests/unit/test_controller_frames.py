"""Frames on the wire: ids, order, and what cannot be read."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from rehearsal.controller import faults
from tests import served_model

Served = served_model.ServedModel
Refused = served_model.Refused


@pytest.fixture(params=served_model.VERSIONS)
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    yield from served_model.serve(request.param)


def test_an_answer_carries_only_the_id_and_the_response(served: Served):
    with served.connect() as client:
        request_id = client.send('Pinger', 'Ping')

        assert client.receive() == {'request-id': request_id, 'response': {}}


def test_an_error_still_has_a_response(served: Served):
    with served.connect() as client:
        request_id = client.send('Application', 'Get', {'application': 'x', 'branch': ''})
        name = 'x' if served.juju.juju4 else '"x"'

        assert client.receive() == {
            'request-id': request_id,
            'error': f'application {name} not found',
            'error-code': 'not found',
            'response': {},
        }


def test_answers_to_requests_in_flight_overtake_each_other(served: Served):
    with served.connect() as client:
        asked = [client.send('Pinger', 'Ping') for _ in range(40)]
        answered = [client.receive()['request-id'] for _ in asked]

    assert sorted(answered) == asked
    assert answered != asked, 'every answer came in the order of the requests'


def test_answers_come_in_order_when_shuffling_is_off(served: Served):
    served.controller.shuffle = False
    with served.connect() as client:
        asked = [client.send('Pinger', 'Ping') for _ in range(40)]

        assert [client.receive()['request-id'] for _ in asked] == asked


def test_what_is_not_offered_is_not_implemented_in_each_jujus_words(served: Served):
    juju4 = served.juju.juju4
    with served.connect() as client:
        for facade, version, method, words in (
            ('Nonsense', 1, 'Do', 'facade type "Nonsense"' if juju4 else 'object type "Nonsense"'),
            ('Client', 9, 'FullStatus', 'version 9 for' if juju4 else 'version (9) of'),
            ('Client', 8, 'Do', 'method "Do" at' if juju4 else 'method Client(8).Do'),
            ('Secrets', 1, 'CreateSecrets', 'CreateSecrets'),
        ):
            params = {'args': []} if facade == 'Secrets' else {'patterns': []}
            with pytest.raises(Refused) as refused:
                client.call(facade, method, params, version=version)
            assert refused.value.code == 'not implemented'
            assert words in str(refused.value)


@pytest.mark.parametrize('params', ['text', {'entities': 'text'}, {'entities': ['text']}])
def test_parameters_of_a_wrong_shape_are_refused_and_the_connection_stays(
    served: Served, params: object
):
    frame = {'request-id': 9, 'type': 'Action', 'version': 7, 'request': 'Actions'}
    with served.connect() as client:
        client.send_frame(json.dumps({**frame, 'params': params}))
        assert 'cannot unmarshal' in client.answer_to(9)['error']
        client.call('Pinger', 'Ping')


def test_a_frame_that_is_no_request_ends_the_connection(served: Served):
    with served.connect() as client:
        client.send_frame('not json')
        with pytest.raises(served_model.Lost):
            client.receive()


def test_request_id_0_hangs_up_in_4_0_and_is_answered_in_the_old_way_in_3_6(served: Served):
    with served.connect() as client:
        frame = {'request-id': 0, 'type': 'Pinger', 'version': 1, 'request': 'Ping'}
        client.send_frame(json.dumps(frame))
        if served.juju.juju4:
            with pytest.raises(served_model.Lost):
                client.receive()
        else:
            assert client.receive() == {'RequestId': 0, 'Response': {}}


def test_a_large_answer_is_one_frame(served: Served):
    long = 'x' * (3 << 20)
    served.thread.call(served.juju.set_status, served.juju.unit('pg/0'), 'active', long)
    with served.connect() as client:
        status = client.call('Client', 'FullStatus', {'patterns': []})

    assert status['applications']['pg']['units']['pg/0']['workload-status']['info'] == long


def test_the_controller_restarts_on_its_port_and_the_model_lives_on(served: Served):
    with served.connect() as client:
        port = served.controller.port
        served.thread.run(served.controller.stop())
        with pytest.raises(served_model.Lost):
            client.call('Pinger', 'Ping')
        with pytest.raises(ConnectionRefusedError):
            served.dial()

    served.thread.run(served.controller.start())
    assert served.controller.port == port
    with served.connect() as client:
        assert 'pg' in client.call('Client', 'FullStatus', {'patterns': []})['applications']


def test_a_connection_dropped_before_the_answer_may_or_may_not_have_had_its_effect(
    served: Served,
):
    add = ('Application', 'AddUnits', {'application': 'pg', 'num-units': 1, 'placement': []})
    for kind, units in ((faults.Kind.DROP_BEFORE, 3), (faults.Kind.DROP_AFTER, 4)):
        served.faults.add(faults.Fault(kind, 'Application.AddUnits'))
        with served.connect() as client, pytest.raises(served_model.Lost):
            client.call(*add)
        assert len(served.thread.call(lambda: dict(served.juju.application('pg').units))) == units


@pytest.mark.parametrize(
    ('kind', 'message', 'code'),
    [
        (faults.Kind.UPGRADE, 'upgrade in progress', 'upgrade in progress'),
        (faults.Kind.MIGRATION, 'model migration in progress', ''),
        (faults.Kind.BLOCKED, 'the operation has been blocked', 'operation is blocked'),
        (faults.Kind.BUSY, 'try again', 'try again'),
    ],
)
def test_refusals_on_request_have_jujus_words_and_end_after_their_count(
    served: Served, kind: faults.Kind, message: str, code: str
):
    served.faults.add(faults.Fault(kind, 'Application.*', count=2))
    with served.connect() as client:
        for _ in range(2):
            with pytest.raises(Refused, match=message) as refused:
                client.call('Application', 'Leader', {'tag': 'application-pg'})
            assert refused.value.code == code
        client.call('Application', 'Leader', {'tag': 'application-pg'})


@pytest.mark.parametrize('kind', [faults.Kind.UPGRADE, faults.Kind.MIGRATION])
def test_status_is_served_through_upgrades_and_migrations(served: Served, kind: faults.Kind):
    served.faults.add(faults.Fault(kind, count=None))
    with served.connect() as client:
        client.call('Client', 'FullStatus', {'patterns': []})
        with pytest.raises(Refused):
            client.call('ModelConfig', 'ModelGet')

        served.faults.clear()
        client.call('ModelConfig', 'ModelGet')


def test_a_request_that_hangs_or_is_slow_does_not_hold_up_the_others(served: Served):
    served.faults.add(faults.Fault(faults.Kind.HANG, 'ModelConfig.ModelGet'))
    served.faults.add(faults.Fault(faults.Kind.SLOW, 'Application.Leader', seconds=0.05))
    with served.connect() as client:
        hanging = client.send('ModelConfig', 'ModelGet')
        slow = client.send('Application', 'Leader', {'tag': 'application-pg'})
        client.call('Pinger', 'Ping')
        assert client.answer_to(slow)['response'] == {'result': 'pg/0'}
        client.call('Pinger', 'Ping')

        assert hanging not in client._answers


def test_a_login_may_ask_for_a_macaroon_though_there_is_a_password(served: Served):
    served.faults.add(faults.Fault(faults.Kind.DISCHARGE))
    with served.dial() as client:
        assert 'discharge-required' in client.log_in('boss')
