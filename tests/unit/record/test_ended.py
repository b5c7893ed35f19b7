"""What is remembered of operations that have ended: a line each."""

from __future__ import annotations

import dataclasses

import pytest

from coordinator.engine import operation
from coordinator.record import ended
from tests import worlds

NOW = worlds.START


def op() -> operation.Operation:
    return worlds.new_operation('check', 'publish').moving_to('publish')


def test_a_line_says_which_operation_it_was_and_how_far_it_came():
    assert ended.of(op().ending(operation.COMPLETE, NOW)) == ended.Ended(
        worlds.BEGAN, 'backup-all', 'complete', 'publish', worlds.BEGAN, worlds.BEGAN, ''
    )


@pytest.mark.parametrize(
    ('over', 'error'),
    [
        (op().turning_back('S3 refuses').ending(operation.FAILED, NOW), 'S3 refuses'),
        (op().turning_back('x' * 900).ending(operation.FAILED, NOW), 'x' * 157 + '…'),
        (op().aborting(NOW).ending(operation.ABORTED, NOW), ''),
        (
            op().held('S3 refuses').forced_to_end(NOW, ['units are missing']),
            'ended by force at publish (to-do): nothing was undone',
        ),
    ],
    ids=['failed', 'long', 'aborted', 'by-force'],
)
def test_a_line_says_what_still_wants_a_person(over: operation.Operation, error: str):
    assert ended.of(over).error == error


def test_ten_lines_are_kept_newest_first_and_none_twice():
    lines: tuple[ended.Ended, ...] = ()
    for number in [*range(15), 14]:
        one = dataclasses.replace(op(), id=f'{number:02}').ending(operation.COMPLETE, NOW)
        lines = ended.adding(lines, one)
    assert [line.id for line in lines] == [f'{number:02}' for number in range(14, 4, -1)]


def test_lines_survive_json_with_what_a_later_revision_adds():
    lines = ended.adding((), op().ending(operation.COMPLETE, NOW))
    text = ended.to_json(lines)
    assert ended.from_json(text) == lines
    assert ended.from_json(text.replace('{', '{"colour":"blue",')) == lines


@pytest.mark.parametrize('text', ['garbage', 'null', '5', '[5]', '[{}]', '{"id": 1}'])
def test_lines_that_cannot_be_read_stop_nothing(text: str):
    assert ended.from_json(text) == ()
