"""The rules of the engine, each on the smallest plan that shows it."""

from __future__ import annotations

import dataclasses

import pytest

from coordinator import errors, ports
from coordinator.engine import advance, operation, step
from tests import toy_plans, worlds
from tests.toy_plans import run, states


@pytest.fixture
def toy() -> toy_plans.Toy:
    return toy_plans.Toy()


@pytest.fixture
def world() -> worlds.EmptyWorld:
    return worlds.EmptyWorld()


def test_intent_is_stored_in_a_dispatch_before_the_effect(
    toy: toy_plans.Toy, world: worlds.EmptyWorld
):
    plan = toy.plan('a', 'b')
    first = advance.advance(worlds.new_operation('a', 'b'), plan, world)
    assert (toy.effects, states(first)) == ([], {'a': 'doing', 'b': 'to-do'})
    second = advance.advance(first, plan, world)
    assert (toy.effects, states(second)) == (['a'], {'a': 'done', 'b': 'doing'})


def test_at_most_one_step_with_an_effect_is_entered_per_dispatch(
    toy: toy_plans.Toy, world: worlds.EmptyWorld
):
    names = ('a', 'b', 'c', 'd')
    plan = toy.plan(*names)
    op = worlds.new_operation(*names)
    while op.open:
        before = len(toy.effects)
        op = advance.advance(op, plan, world)
        assert len(toy.effects) - before <= 1
    assert toy.effects == list(names)


def test_steps_that_only_look_share_a_dispatch_with_the_step_before(
    toy: toy_plans.Toy, world: worlds.EmptyWorld
):
    steps = (
        toy.step('look', only_looks=True),
        toy.step('act'),
        toy.step('look-again', only_looks=True),
    )
    plan = step.Plan('backup-all', steps)
    op = advance.advance(worlds.new_operation('look', 'act', 'look-again'), plan, world)
    assert toy.effects == ['look']
    op = advance.advance(op, plan, world)
    assert toy.effects == ['look', 'act', 'look-again']
    assert op.status == operation.COMPLETE


def test_a_dispatch_that_only_waited_changes_nothing(toy: toy_plans.Toy, world: worlds.EmptyWorld):
    waits: list[step.Outcome | Exception] = [step.Wait('for the moon', 12) for _ in range(5)]
    toy.answers['a'] = waits
    plan = toy.plan('a')
    op = run(worlds.new_operation('a'), plan, world)
    world.pass_time(seconds=5)
    assert advance.advance(op, plan, world) == op
    assert (op.current.reason, op.current.task) == ('for the moon', 12)


def test_transient_errors_that_differ_in_words_change_the_record_once(
    toy: toy_plans.Toy, world: worlds.EmptyWorld
):
    toy.answers['a'] = [errors.TransientError(f'no answer from port {n}') for n in range(9)]
    plan = toy.plan('a')
    op = run(worlds.new_operation('a'), plan, world)
    assert op.current.reason == 'trying again: no answer from port 0'
    assert op.open


def test_a_wait_past_the_deadline_is_undone(toy: toy_plans.Toy, world: worlds.EmptyWorld):
    toy.answers['b'] = [step.Wait('for the moon') for _ in range(9)]
    plan = toy.plan('a', 'b')
    op = run(worlds.new_operation('a', 'b'), plan, world)
    world.pass_time(minutes=16)
    op = run(op, plan, world)
    assert op.status == operation.FAILED
    assert op.error == 'b: not done within 15 minutes: for the moon'
    assert toy.effects[-2:] == ['undo b', 'undo a']


def test_a_transient_error_past_the_deadline_is_undone(
    toy: toy_plans.Toy, world: worlds.EmptyWorld
):
    toy.answers['a'] = [errors.TransientError('S3 is away') for _ in range(9)]
    plan = toy.plan('a')
    op = run(worlds.new_operation('a'), plan, world)
    world.pass_time(minutes=16)
    op = run(op, plan, world)
    assert (op.status, op.error) == (
        operation.FAILED,
        'a: not done within 15 minutes: S3 is away',
    )


def test_what_a_step_warns_of_is_logged_and_no_error(
    toy: toy_plans.Toy, world: worlds.EmptyWorld, caplog: pytest.LogCaptureFixture
):
    toy.answers['a'] = [step.Done(warnings=['b: a \x1b[31mrisk'])]
    plan = toy.plan('a')
    op = run(worlds.new_operation('a'), plan, world)
    assert (op.status, op.error, op.warnings) == (operation.COMPLETE, '', ('b: a [31mrisk',))
    (line,) = [line for line in caplog.records if line.levelname == 'WARNING']
    assert line.getMessage() == f'{op.id}: a: b: a [31mrisk'


@pytest.mark.parametrize('failing', ['a', 'b', 'c'])
def test_an_error_undoes_from_the_failed_step_back(
    toy: toy_plans.Toy, world: worlds.EmptyWorld, failing: str
):
    names = ('a', 'b', 'c')
    toy.answers[failing] = [errors.StepError('refused')]
    plan = toy.plan(*names)
    op = run(worlds.new_operation(*names), plan, world)
    reached = names[: names.index(failing) + 1]
    assert toy.effects == [*reached, *(f'undo {name}' for name in reversed(reached))]
    assert (op.status, op.error) == (operation.FAILED, f'{failing}: refused')
    assert all(states(op)[name] == 'undone' for name in reached)


def test_steps_without_an_undo_are_passed_over(toy: toy_plans.Toy, world: worlds.EmptyWorld):
    toy.answers['c'] = [errors.StepError('refused')]
    plan = step.Plan(
        'backup-all', (toy.step('a'), toy.step('b', undoable=False), toy.step('c', undoable=False))
    )
    op = run(worlds.new_operation('a', 'b', 'c'), plan, world)
    assert toy.effects == ['a', 'b', 'c', 'undo a']
    assert states(op) == {'a': 'undone', 'b': 'done', 'c': 'failed'}


def test_another_attempt_gets_an_intent_of_its_own(toy: toy_plans.Toy, world: worlds.EmptyWorld):
    marks = iter([step.Mark(7), step.Mark(9)])
    toy.answers['a'] = [errors.RetryStepError('cut short')]
    plan = step.Plan('backup-all', (toy.step('a', mark=lambda op, world: next(marks)),))
    op = advance.advance(worlds.new_operation('a'), plan, world)
    op = advance.advance(op, plan, world)
    assert (op.current.state, op.current.reason) == ('to-do', 'cut short')
    op = advance.advance(op, plan, world)
    assert (op.watermark, op.current.attempts, toy.effects) == (9, 2, ['a'])
    assert run(op, plan, world).status == operation.COMPLETE


def test_aborted_between_two_attempts_what_the_first_has_done_is_undone(
    toy: toy_plans.Toy, world: worlds.EmptyWorld
):
    toy.answers['b'] = [errors.RetryStepError('cut short')]
    plan = toy.plan('a', 'b')
    op = worlds.new_operation('a', 'b')
    while 'b' not in toy.effects:
        op = advance.advance(op, plan, world)
    assert (op.step, op.current.state) == ('b', 'to-do')
    op = run(op.aborting(world.now()), plan, world)
    assert (op.status, toy.effects) == (operation.ABORTED, ['a', 'b', 'undo b', 'undo a'])


def test_what_could_not_even_begin_is_not_undone(toy: toy_plans.Toy, world: worlds.EmptyWorld):
    def mark(op: operation.Operation, world: ports.World) -> step.Mark:
        raise errors.TransientError('no answer')

    plan = step.Plan('backup-all', (toy.step('a'), toy.step('b', mark=mark)))
    op = run(worlds.new_operation('a', 'b'), plan, world)
    assert (op.step, op.current.state) == ('b', 'to-do')
    op = run(op.aborting(world.now()), plan, world)
    assert (op.status, toy.effects) == (operation.ABORTED, ['a', 'undo a'])


def test_attempts_are_capped(toy: toy_plans.Toy, world: worlds.EmptyWorld):
    toy.answers['a'] = [errors.RetryStepError('cut short') for _ in range(9)]
    plan = toy.plan('a')
    op = run(worlds.new_operation('a'), plan, world)
    assert toy.effects.count('a') == 3
    assert op.error == 'a: cut short (after 3 attempts)'


def test_attempts_that_cannot_even_begin_are_capped(toy: toy_plans.Toy, world: worlds.EmptyWorld):
    def mark(op: operation.Operation, world: ports.World) -> step.Mark:
        raise errors.RetryStepError('no unit leads')

    plan = step.Plan('backup-all', (toy.step('a'), toy.step('b', mark=mark)))
    op = run(worlds.new_operation('a', 'b'), plan, world)
    assert 'b' not in toy.effects
    assert op.status == operation.FAILED
    assert op.error == 'b: no unit leads (after 3 attempts)'


def test_a_resumed_step_has_as_many_attempts_again_and_no_more(
    toy: toy_plans.Toy, world: worlds.EmptyWorld
):
    toy.answers['a'] = [errors.RetryStepError('cut short') for _ in range(9)]
    plan = step.Plan('restore-all', (toy.step('a'),), pivot='a')
    held = run(worlds.new_operation('a'), plan, world)
    assert (held.status, toy.effects) == (operation.HELD, ['a'] * 3)
    again = run(held.resumed(world.now()), plan, world)
    assert (again.status, toy.effects) == (operation.HELD, ['a'] * 6)


def test_from_the_pivot_on_an_error_holds_the_operation(
    toy: toy_plans.Toy, world: worlds.EmptyWorld
):
    toy.answers['b'] = [errors.StepError('refused')]
    plan = step.Plan('restore-all', (toy.step('a'), toy.step('b')), pivot='b')
    op = run(worlds.new_operation('a', 'b'), plan, world)
    assert (op.status, toy.effects) == (operation.HELD, ['a', 'b'])
    op = run(op.resumed(world.now()), plan, world)
    assert (op.status, toy.effects) == (operation.COMPLETE, ['a', 'b', 'b'])


def test_an_undo_that_is_refused_holds_the_operation_until_it_is_resumed(
    toy: toy_plans.Toy, world: worlds.EmptyWorld
):
    toy.answers['b'] = [errors.StepError('refused')]
    toy.answers['undo a'] = [errors.StepError('not authorised')]
    plan = toy.plan('a', 'b')
    op = run(worlds.new_operation('a', 'b'), plan, world)
    assert op.status == operation.HELD
    assert 'undoing a: not authorised' in op.current.reason
    op = run(op.resumed(world.now()), plan, world)
    assert (op.status, op.error) == (operation.FAILED, 'b: refused')
    assert toy.effects == ['a', 'b', 'undo b', 'undo a', 'undo a']


def test_an_undo_that_waits_too_long_is_reported_and_the_rest_is_undone(
    toy: toy_plans.Toy, world: worlds.EmptyWorld
):
    toy.answers['b'] = [errors.StepError('refused')]
    toy.answers['undo b'] = [step.Wait('for task 5 to end') for _ in range(9)]
    plan = toy.plan('a', 'b')
    op = run(worlds.new_operation('a', 'b'), plan, world)
    world.pass_time(minutes=16)
    op = run(op, plan, world)
    assert toy.effects[-1] == 'undo a'
    assert op.problems == ('undoing b did not end in time: for task 5 to end',)
    assert (op.status, states(op)) == (operation.FAILED, {'a': 'undone', 'b': 'failed'})


def test_a_tolerated_failure_goes_on_and_ends_failed(toy: toy_plans.Toy, world: worlds.EmptyWorld):
    toy.answers['a'] = [errors.StepError('one unit is missing')]
    plan = step.Plan('backup-all', (toy.step('a', tolerated=True), toy.step('b')))
    op = run(worlds.new_operation('a', 'b'), plan, world)
    assert toy.effects == ['a', 'b']
    assert (op.status, op.error) == (operation.FAILED, 'a: one unit is missing')


@pytest.mark.parametrize('tolerated', [False, True])
def test_what_is_shut_out_is_held_as_nothing_could_be_undone_either(
    toy: toy_plans.Toy, world: worlds.EmptyWorld, tolerated: bool
):
    toy.answers['b'] = [errors.NotAuthorised('the password is wrong')]
    plan = step.Plan('backup-all', (toy.step('a'), toy.step('b', tolerated=tolerated)))
    op = run(worlds.new_operation('a', 'b'), plan, world)
    assert (op.status, op.error) == (operation.HELD, 'the password is wrong')
    op = run(op.resumed(world.now()), plan, world)
    assert (op.status, toy.effects) == (operation.COMPLETE, ['a', 'b', 'b'])


def test_what_is_shut_out_before_it_did_anything_fails(
    toy: toy_plans.Toy, world: worlds.EmptyWorld
):
    toy.answers['a'] = [errors.NotAuthorised('the password is wrong')]
    plan = step.Plan('backup-all', (toy.step('a', only_looks=True, undoable=False), toy.step('b')))
    op = run(worlds.new_operation('a', 'b'), plan, world)
    assert (op.status, op.error) == (operation.FAILED, 'a: the password is wrong')


def _data(op: operation.Operation) -> list[str]:
    return ['data/1']


def test_what_a_tolerated_step_may_leave_is_told(toy: toy_plans.Toy, world: worlds.EmptyWorld):
    toy.answers['a'] = [errors.StepError('refused')]
    failing = dataclasses.replace(toy.step('a', tolerated=True), remains=_data)
    op = run(worlds.new_operation('a'), step.Plan('backup-all', (failing,)), world)
    assert op.problems == ('a: refused', 'data/1')


def test_what_an_undo_without_end_may_leave_is_told(toy: toy_plans.Toy, world: worlds.EmptyWorld):
    toy.answers['undo a'] = [step.Wait('for ever')] * 2
    endless = dataclasses.replace(toy.step('a'), remains=_data)
    plan = step.Plan('backup-all', (endless,))
    op = advance.advance(worlds.new_operation('a'), plan, world).aborting(worlds.START)
    op = advance.advance(op, plan, world)
    world.pass_time(minutes=16)
    op = run(op, plan, world)
    assert op.problems == ('undoing a did not end in time: for ever', 'data/1')


def test_a_refused_intent_is_tried_by_the_next_dispatch(
    toy: toy_plans.Toy, world: worlds.EmptyWorld
):
    answers: list[step.Mark | Exception] = [errors.TransientError('S3 is away'), step.Mark(4)]

    def mark(op: operation.Operation, world: ports.World) -> step.Mark:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    plan = step.Plan('backup-all', (toy.step('a'), toy.step('b', mark=mark)))
    op = worlds.new_operation('a', 'b')
    op = advance.advance(advance.advance(op, plan, world), plan, world)
    assert (op.step, op.current.state) == ('b', 'to-do')
    assert run(op, plan, world).status == operation.COMPLETE


def test_an_unexpected_error_is_tried_again_and_its_text_stays_out_of_the_record(
    toy: toy_plans.Toy, world: worlds.EmptyWorld
):
    toy.answers['a'] = [ValueError('hunter2')]
    plan = toy.plan('a')
    op = advance.advance(worlds.new_operation('a'), plan, world)
    op = advance.advance(op, plan, world)
    assert 'ValueError' in op.current.reason
    assert 'hunter2' not in op.to_json()
    assert run(op, plan, world).status == operation.COMPLETE


def test_a_step_that_the_plan_does_not_know_is_held(toy: toy_plans.Toy, world: worlds.EmptyWorld):
    plan = toy.plan('a')
    op = advance.advance(worlds.new_operation('z'), plan, world)
    assert op.status == operation.HELD
    assert "does not know step 'z'" in op.error


@pytest.mark.parametrize('status', [operation.COMPLETE, operation.FAILED, operation.ABORTED])
def test_a_terminal_record_never_changes(
    toy: toy_plans.Toy, world: worlds.EmptyWorld, status: str
):
    plan = toy.plan('a')
    op = worlds.new_operation('a').ending(status, world.now())
    assert advance.advance(op, plan, world) is op
    assert toy.effects == []


def test_facts_of_done_and_of_wait_are_remembered(toy: toy_plans.Toy, world: worlds.EmptyWorld):
    toy.answers['a'] = [step.Wait('a while', facts={'seen': '1'}), step.Done({'id': '2'})]
    plan = toy.plan('a')
    op = run(worlds.new_operation('a'), plan, world)
    assert op.facts == {'seen': '1', 'id': '2'}
