"""The record of an operation: its text, and the transitions between one record and the next."""

from __future__ import annotations

import dataclasses
import datetime
import json
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies

from coordinator import errors, operation, settings
from tests import examples, simulation, worlds

NOW = worlds.START
LATER = NOW + datetime.timedelta(minutes=5)
DATABAG_BYTES = 16 << 10


def op() -> operation.Operation:
    return worlds.new_operation('look', 'act')


def raw(text: str = '') -> dict[str, Any]:
    return json.loads(text or op().to_json())


def read(document: object) -> operation.Operation:
    return operation.Operation.from_json(json.dumps(document))


# --- JSON ----------------------------------------------------------------------------------------

texts = strategies.text(max_size=20)
steps = strategies.builds(
    operation.StepRecord,
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
        lambda entries: (operation.StepRecord('act'), *entries)
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
    with pytest.raises(errors.ForeignRecordError, match=r'has format 2, .* knows 1: refresh'):
        read({'format': 2, 'shape': 'unheard-of'})


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


def test_the_largest_record_fits_into_a_databag():
    sim = simulation.Simulation()
    facts = dict(sim.run().facts)
    long = 'a sentence of a charm that says in full what it holds against this. ' * 20
    record = dataclasses.replace(
        sim.op,
        settings=dataclasses.replace(sim.op.settings, recipients=(examples.RECIPIENT,) * 8),
        steps=tuple(
            dataclasses.replace(entry, reason=operation.one_line(long), task=1_000_000)
            for entry in sim.op.steps
        ),
        facts=facts
        | {f'task-{number}-seen': worlds.new_operation('a').started for number in '12'},
    )
    for _ in range(2):
        record = record.with_problem(long)
    assert len(record.to_json().encode()) < DATABAG_BYTES


# --- One line ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('text', 'line'),
    [
        ('as it is', 'as it is'),
        ('  two\nlines\tand\r\nmore  ', 'two lines and more'),
        ('\x1b[31mred\x1b[0m bell\x07', '[31mred [0m bell'),
        ('right\u202eto left\u2028split\x00', 'right to left split'),
        ('größe 表', 'größe 表'),
        ('', ''),
    ],
)
def test_foreign_text_becomes_one_printable_line(text: str, line: str):
    assert operation.one_line(text) == line


@hypothesis.given(strategies.text(max_size=40), strategies.integers(min_value=3, max_value=30))
@hypothesis.settings(max_examples=60, deadline=None)
def test_one_line_is_never_longer_than_its_limit(text: str, limit: int):
    line = operation.one_line(text, limit)
    assert len(line.encode()) <= limit
    assert line.isprintable()


def test_a_cut_line_says_that_it_was_cut():
    assert operation.one_line('x' * 700) == 'x' * 397 + '…'


# --- Times ---------------------------------------------------------------------------------------


def test_times_are_written_in_utc_to_the_second():
    cest = datetime.timezone(datetime.timedelta(hours=2))
    time = datetime.datetime(2026, 8, 22, 12, 15, 0, 999, tzinfo=cest)
    assert operation.stamp(time) == '2026-08-22T10:15:00Z'
    assert operation.parse_stamp('2026-08-22T10:15:00Z') == NOW


@pytest.mark.parametrize('text', ['', '2026-08-22', '2026-08-22T10:15:00+00:00', 'yesterday'])
def test_other_times_are_no_stamps(text: str):
    with pytest.raises(ValueError, match='does not match'):
        operation.parse_stamp(text)


# --- Transitions ---------------------------------------------------------------------------------


def test_a_new_operation_has_not_begun():
    assert op().open
    assert not op().terminal
    assert op().current == operation.StepRecord('look')


def test_beginning_counts_the_attempt_and_stores_the_watermark():
    begun = op().beginning(7, {'units': '3'}, NOW)
    assert begun.watermark == 7
    assert begun.fact('units') == '3'
    assert begun.current == operation.StepRecord(
        'look', 'doing', 1, since=operation.stamp(NOW), started=operation.stamp(NOW)
    )


def test_another_attempt_has_a_deadline_of_its_own_and_the_first_ones_start():
    again = op().beginning(7, {}, NOW).attempt_failed('cut short').beginning(9, {}, LATER)
    assert (again.current.attempts, again.watermark) == (2, 9)
    assert again.current.since == operation.stamp(LATER)
    assert again.current.started == operation.stamp(NOW)


def test_waiting_for_the_same_thing_is_no_change():
    waiting = op().beginning(7, {}, NOW).waiting('for the moon', NOW, 12)
    assert waiting.waiting('for the moon', LATER, 12) == waiting
    assert waiting.waiting('for the moon', LATER) == waiting


def test_a_wait_before_the_intent_has_a_deadline_too():
    assert op().waiting('S3 is away', NOW).current.since == operation.stamp(NOW)


def test_the_first_error_stays_the_error():
    failed = op().turning_back('first').with_problem('second').held('third')
    assert failed.error == 'first'
    assert failed.problems == ('second',)
    assert failed.current.reason == 'third'


def test_messages_are_cut_before_they_are_stored():
    long = 'ü' * 5000
    record = op().waiting(long, NOW).with_problem(long).turning_back(long)
    for text in (record.current.reason, record.problems[0], record.error):
        assert operation.LONGEST_MESSAGE - 4 < len(text.encode()) <= operation.LONGEST_MESSAGE


def test_a_resumed_step_has_its_attempts_and_its_deadline_anew():
    held = op().beginning(7, {}, NOW)
    for _ in range(2):
        held = held.attempt_failed('cut short').beginning(9, {}, NOW)
    resumed = held.held('no more').resumed(LATER)
    assert resumed.open
    assert (resumed.current.state, resumed.current.attempts) == ('doing', 1)
    assert (resumed.current.since, resumed.current.reason) == (operation.stamp(LATER), '')


def test_what_failed_before_the_operation_was_resumed_is_forgiven():
    held = op().beginning(7, {}, NOW).waiting('task 12 runs', NOW, 12).held('task 12 failed')
    assert held.fact(operation.FORGIVEN) == ''
    assert held.resumed(LATER).fact(operation.FORGIVEN) == '12'


def test_a_resumed_step_that_had_not_begun_begins():
    resumed = op().held('unknown step').resumed(LATER)
    assert resumed.current == operation.StepRecord('look')


def test_an_aborted_operation_is_open_until_everything_is_undone():
    for record in (op(), op().held('S3 refuses')):
        aborting = record.aborting(NOW)
        assert (aborting.open, aborting.undoing, aborting.outcome) == (True, True, 'aborted')


def test_what_is_ended_by_force_says_where_and_that_nothing_was_put_back():
    ended = op().beginning(7, {}, NOW).held('S3 refuses').forced_to_end(LATER, ())
    assert (ended.status, ended.ended) == (operation.ABORTED, operation.stamp(LATER))
    assert ended.problems == ('ended by force at look (doing): nothing was put back',)
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
    assert followed.record('new') == operation.StepRecord('new')
    assert followed.current == begun.current


def test_steps_that_are_gone_stay_for_people_to_see():
    done = op().beginning(7, {}, NOW).step_ended(operation.DONE, LATER).moving_to('act')
    followed = done.following(('act', 'new'))
    assert names(followed) == ['look', 'act', 'new']
    assert followed.record('look') == done.record('look')
    assert followed.following(('act', 'new')) == followed


# --- Ends ----------------------------------------------------------------------------------------


@pytest.mark.parametrize('status', [operation.COMPLETE, operation.FAILED, operation.ABORTED])
def test_what_has_ended_is_terminal(status: str):
    ended = op().ending(status, NOW)
    assert ended.terminal
    assert not ended.open
    assert ended.ended == operation.stamp(NOW)


def test_what_is_held_is_neither_open_nor_over():
    held = op().held('for a person')
    assert not held.open
    assert not held.terminal


def test_a_step_that_is_not_in_the_record_is_an_error():
    with pytest.raises(KeyError, match='gone'):
        op().record('gone')
