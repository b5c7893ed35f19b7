"""The record of an operation: its text, and the transitions between one record and the next."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies

from coordinator import errors, plain, times
from coordinator.engine import formats, operation, settings
from tests import worlds

NOW = worlds.START
LATER = NOW + datetime.timedelta(minutes=5)


def op() -> operation.Operation:
    return worlds.new_operation('look', 'act')


def raw(text: str = '') -> dict[str, Any]:
    return json.loads(text or op().to_json())


def read(document: object) -> operation.Operation:
    return operation.Operation.from_json(json.dumps(document))


# --- JSON ----------------------------------------------------------------------------------------

texts = strategies.text(max_size=20)
steps = strategies.builds(
    operation.StepEntry,
    name=texts,
    state=texts,
    attempts=strategies.integers(),
    since=texts,
    started=texts,
    ended=texts,
    reason=texts,
    task=strategies.none() | strategies.integers(min_value=1),
)
configs = strategies.builds(
    settings.Settings,
    maas=texts,
    postgresql=texts,
    recipients=strategies.lists(texts, max_size=3).map(tuple),
    strategy=texts,
    scaling_minutes=strategies.integers(),
)
operations = strategies.builds(
    operation.Operation,
    id=texts,
    kind=texts,
    settings=configs,
    steps=strategies.lists(steps, max_size=4).map(
        lambda entries: (operation.StepEntry('act'), *entries)
    ),
    started=texts,
    step=strategies.just('act'),
    status=texts,
    undoing=strategies.booleans(),
    watermark=strategies.integers(min_value=0),
    error=texts,
    problems=strategies.lists(texts, max_size=3).map(tuple),
    facts=strategies.dictionaries(texts, texts, max_size=4),
)


@hypothesis.given(operations)
@hypothesis.settings(max_examples=60, deadline=None)
def test_every_record_survives_json(record: operation.Operation):
    text = record.to_json()
    again = operation.Operation.from_json(text)
    assert again == record
    assert again.to_json() == text


def test_equal_records_have_equal_text_in_whatever_order_their_facts_came():
    one = op().remembering({'a': '1', 'b': '2'})
    other = op().remembering({'b': '2'}).remembering({'a': '1'})
    assert one.to_json() == other.to_json()


def test_unknown_fields_are_ignored_at_every_level():
    document = raw()
    document['colour'] = 'blue'
    document['settings']['colour'] = 'blue'
    document['steps'][0]['colour'] = 'blue'
    assert read(document) == op()


def test_fields_that_an_older_revision_did_not_write_get_their_defaults():
    document = raw()
    for name in ('undoing', 'watermark', 'error', 'facts'):
        del document[name]
    del document['steps'][0]['task']
    assert read(document) == op()


def test_a_newer_format_is_refused_whatever_else_it_holds():
    newer = formats.FORMAT + 1

    with pytest.raises(errors.ForeignRecordError, match=rf'has format {newer}, .*: refresh'):
        read({'format': newer, 'shape': 'unheard-of'})


@pytest.mark.parametrize(
    'text',
    [
        'garbage',
        '',
        'null',
        '[]',
        '5',
        '{}',
        '{"format": "one"}',
        '{"format": 1}',
        '{"format": 2}',
        '{"format": 0, "problems": []}',
        '{"format": 1, "settings": null, "steps": [], "problems": []}',
        '{"format": 1, "settings": {"maas": "m"}, "steps": [], "problems": []}',
    ],
)
def test_garbage_is_refused_with_a_sentence(text: str):
    with pytest.raises(errors.ForeignRecordError, match='cannot be read'):
        operation.Operation.from_json(text)


@pytest.mark.parametrize(
    'change',
    [{'steps': [5]}, {'steps': [{}]}, {'step': 'gone'}, {'problems': None}, {'problems': 5}],
    ids=str,
)
def test_a_record_that_is_damaged_in_part_is_refused_as_well(change: dict[str, object]):
    with pytest.raises(errors.ForeignRecordError, match='cannot be read'):
        read(raw() | change)


# --- Times ---------------------------------------------------------------------------------------


def test_times_are_written_in_utc_to_the_second():
    cest = datetime.timezone(datetime.timedelta(hours=2))
    time = datetime.datetime(2026, 8, 22, 12, 15, 0, 999, tzinfo=cest)
    assert times.stamp(time) == '2026-08-22T10:15:00Z'
    assert times.parse_stamp('2026-08-22T10:15:00Z') == NOW


@pytest.mark.parametrize('text', ['', '2026-08-22', '2026-08-22T10:15:00+00:00', 'yesterday'])
def test_other_times_are_no_stamps(text: str):
    with pytest.raises(ValueError, match='does not match'):
        times.parse_stamp(text)


# --- Transitions ---------------------------------------------------------------------------------


def test_a_new_operation_has_not_begun():
    assert op().open
    assert not op().terminal
    assert op().current == operation.StepEntry('look')


def test_beginning_counts_the_attempt_and_stores_the_watermark():
    begun = op().beginning(7, {'units': '3'}, NOW)
    assert begun.watermark == 7
    assert begun.fact('units') == '3'
    assert begun.current == operation.StepEntry(
        'look', 'doing', 1, since=times.stamp(NOW), began=0, started=times.stamp(NOW)
    )


def test_another_attempt_has_a_deadline_of_its_own_and_the_first_ones_start():
    again = op().beginning(7, {}, NOW).attempt_failed('cut short').beginning(9, {}, LATER)
    assert (again.current.attempts, again.watermark) == (2, 9)
    assert again.current.since == times.stamp(LATER)
    assert again.current.started == times.stamp(NOW)


def test_waiting_for_the_same_thing_is_no_change():
    waiting = op().beginning(7, {}, NOW).waiting('for the moon', NOW, 12)
    assert waiting.waiting('for the moon', LATER, 12) == waiting
    assert waiting.waiting('for the moon', LATER) == waiting


def test_a_wait_before_the_intent_has_a_deadline_too():
    assert op().waiting('S3 is away', NOW).current.since == times.stamp(NOW)


def test_the_first_error_stays_the_error():
    failed = op().turning_back('first').with_problem('second').held('third')
    assert failed.error == 'first'
    assert failed.problems == ('second',)
    assert failed.current.reason == 'third'


def test_messages_are_cut_before_they_are_stored():
    long = 'ü' * 5000
    record = op().waiting(long, NOW).with_problem(long).turning_back(long)
    for text in (record.current.reason, record.problems[0], record.error):
        assert plain.LONGEST - 4 < len(text.encode()) <= plain.LONGEST


LONG = 'ü' * 3000
WHOLE = [operation.Overflow('look', LONG)]


def test_what_is_cut_is_put_aside_whole_and_counted():
    record = op().waiting(LONG, NOW)
    assert list(record.said) == WHOLE
    assert record.cut == 1
    assert raw(record.to_json())['cut'] == 1
    assert 'said' not in raw(record.to_json())


def test_what_was_put_aside_is_not_put_aside_again_while_it_is_said_again():
    stored = read(raw(op().waiting(LONG, NOW).to_json()))
    again = stored.waiting(LONG, LATER)
    assert (again, again.said) == (stored, ())
    failed = stored.attempt_failed(LONG).held(LONG)
    assert failed.said == ()


@pytest.mark.parametrize(
    'say',
    [
        lambda: op().attempt_failed(LONG),
        lambda: op().step_ended(operation.BROKEN, NOW, LONG),
        lambda: op().turning_back(LONG),
        lambda: op().with_problem(LONG),
        lambda: op().warned(LONG),
        lambda: op().held(LONG),
    ],
    ids=['attempt', 'end', 'error', 'problem', 'warning', 'hold'],
)
def test_no_transition_loses_a_long_message(say: Callable[[], operation.Operation]):
    assert list(say().said) == WHOLE


def test_a_message_without_end_has_a_bound_in_the_history_too():
    (said,) = op().held('x' * 50_000).said
    assert len(said.text.encode()) == errors.LONGEST


def test_the_last_problems_stay_and_those_before_are_put_aside():
    record = op()
    for number in range(13):
        record = record.with_problem(f'problem {number}')
    assert record.problems == tuple(f'problem {number}' for number in range(3, 13))
    assert record.error == 'problem 0'
    assert [said.text for said in record.said] == ['problem 0', 'problem 1', 'problem 2']
    assert record.cut == 3


def test_a_warning_is_no_error_and_is_noted_once():
    record = op().warned('one twin is damaged').warned('one twin is damaged')
    assert (record.warnings, record.error, record.problems) == (('one twin is damaged',), '', ())
    assert operation.Operation.from_json(record.to_json()) == record


def test_warnings_without_room_are_put_aside():
    record = op()
    for number in range(13):
        record = record.warned(f'warning {number}')
    assert record.warnings == tuple(f'warning {number}' for number in range(10))
    assert [said.text for said in record.said] == ['warning 10', 'warning 11', 'warning 12']


def test_where_an_operation_is_names_its_step_and_its_task():
    assert op().at == '2026-08-22T10:15:00Z: look'
    assert op().waiting('it runs', NOW, 12).at == '2026-08-22T10:15:00Z: look (task 12)'


def test_an_attempt_that_could_not_even_begin_is_one_too():
    again = op().attempt_failed('cut short').attempt_failed('cut short')
    assert again.current.attempts == 2
    assert again.beginning(7, {}, NOW).attempt_failed('cut short').current.attempts == 3


def test_a_resumed_step_has_its_attempts_and_its_deadline_anew():
    held = op().beginning(7, {}, NOW)
    for _ in range(2):
        held = held.attempt_failed('cut short').beginning(9, {}, NOW)
    resumed = held.held('no more').resumed(LATER)
    assert resumed.open
    assert (resumed.current.state, resumed.current.attempts) == ('doing', 1)
    assert (resumed.current.since, resumed.current.reason) == (times.stamp(LATER), '')


def test_what_failed_before_the_operation_was_resumed_is_forgiven():
    held = op().beginning(7, {}, NOW).waiting('task 12 runs', NOW, 12).held('task 12 failed')
    assert held.fact(operation.FORGIVEN) == ''
    assert held.resumed(LATER).fact(operation.FORGIVEN) == '12'


def test_a_resumed_step_that_had_not_begun_begins():
    resumed = op().held('unknown step').resumed(LATER)
    assert resumed.current == operation.StepEntry('look')


def test_an_aborted_operation_is_open_until_everything_is_undone():
    for record in (op(), op().held('S3 refuses')):
        aborting = record.aborting(NOW)
        assert (aborting.open, aborting.undoing, aborting.outcome) == (True, True, 'aborted')


def test_what_is_ended_by_force_says_where_and_that_nothing_was_put_back():
    ended = op().beginning(7, {}, NOW).held('S3 refuses').forced_to_end(LATER, ())
    assert (ended.status, ended.ended) == (operation.ABORTED, times.stamp(LATER))
    assert ended.problems == ('ended by force at look (doing): nothing was undone',)
    assert ended.error == 'S3 refuses'


# --- Another plan --------------------------------------------------------------------------------


def names(record: operation.Operation) -> list[str]:
    return [entry.name for entry in record.steps]


def test_the_plan_of_the_same_revision_changes_nothing():
    record = op()
    assert record.following(('look', 'act')) is record


def test_new_steps_are_to_do_in_their_place():
    begun = op().beginning(7, {}, NOW)
    followed = begun.following(('look', 'new', 'act'))
    assert names(followed) == ['look', 'new', 'act']
    assert followed.entry('new') == operation.StepEntry('new')
    assert followed.current == begun.current


def test_steps_that_are_gone_stay_for_people_to_see():
    done = op().beginning(7, {}, NOW).step_ended(operation.DONE, LATER).moving_to('act')
    followed = done.following(('act', 'new'))
    assert names(followed) == ['look', 'act', 'new']
    assert followed.entry('look') == done.entry('look')
    assert followed.following(('act', 'new')) == followed


# --- Ends ----------------------------------------------------------------------------------------


@pytest.mark.parametrize('status', [operation.COMPLETE, operation.FAILED, operation.ABORTED])
def test_what_has_ended_is_terminal(status: str):
    ended = op().ending(status, NOW)
    assert ended.terminal
    assert not ended.open
    assert ended.ended == times.stamp(NOW)


def test_what_is_held_is_neither_open_nor_over():
    held = op().held('for a person')
    assert not held.open
    assert not held.terminal


def test_a_step_that_is_not_in_the_record_is_an_error():
    with pytest.raises(KeyError, match='gone'):
        op().entry('gone')
