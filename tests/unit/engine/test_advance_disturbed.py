"""The engine when something comes between: lost checkpoints, lost answers, another plan."""

from __future__ import annotations

import datetime

import pytest

from coordinator import errors
from coordinator.engine import advance, operation, step
from tests import toy_plans, worlds
from tests.toy_plans import run, states


@pytest.fixture
def toy() -> toy_plans.Toy:
    return toy_plans.Toy()


@pytest.fixture
def world() -> worlds.EmptyWorld:
    return worlds.EmptyWorld()


# --- A lost checkpoint ---------------------------------------------------------------------------


def test_a_lost_checkpoint_enters_the_step_again_with_the_same_watermark(
    toy: toy_plans.Toy, world: worlds.EmptyWorld
):
    marks = iter([step.Mark(7), step.Mark(8)])
    plan = step.Plan('backup-all', (toy.step('a', mark=lambda op, world: next(marks)),))
    begun = advance.advance(worlds.new_operation('a'), plan, world)
    advance.advance(begun, plan, world)  # Its result is lost.
    again = advance.advance(begun, plan, world)
    assert begun.watermark == again.watermark == 7
    assert toy.effects == ['a', 'a']


@pytest.mark.parametrize('lost', range(1, 12))
def test_every_single_lost_checkpoint_ends_in_the_same_record(
    toy: toy_plans.Toy, world: worlds.EmptyWorld, lost: int
):
    names = ('a', 'b', 'c')
    plan = toy.plan(*names)
    expected = run(worlds.new_operation(*names), plan, world)
    op, count = worlds.new_operation(*names), 0
    while op.open:
        count += 1
        moved = advance.advance(op, plan, world)
        op = op if count == lost else moved
    assert op == expected


# --- A lost answer -------------------------------------------------------------------------------


def test_after_a_lost_answer_nothing_is_looked_at_until_the_request_must_be_over(
    toy: toy_plans.Toy, world: worlds.EmptyWorld
):
    toy.answers['a'] = [errors.AnswerLost('the connection broke')]
    plan = toy.plan('a')
    op = run(worlds.new_operation('a'), plan, world)
    assert op.current.reason == 'trying again: the connection broke'
    world.pass_time(seconds=29)
    assert advance.advance(op, plan, world) is op
    assert toy.effects == ['a']
    world.pass_time(seconds=1)
    assert run(op, plan, world).status == operation.COMPLETE
    assert toy.effects == ['a', 'a']


def test_what_follows_is_not_held_up_by_an_answer_that_was_lost_before(
    toy: toy_plans.Toy, world: worlds.EmptyWorld
):
    toy.answers['a'] = [errors.AnswerLost('the connection broke')]
    op = run(worlds.new_operation('a', 'b'), toy.plan('a', 'b'), world)
    world.pass_time(seconds=30)
    assert run(op, toy.plan('a', 'b'), world).status == operation.COMPLETE


@pytest.mark.parametrize('hours', [-1, 1])
def test_no_clock_that_is_set_makes_a_doubt_longer_or_shorter(
    toy: toy_plans.Toy, world: worlds.EmptyWorld, hours: int
):
    toy.answers['a'] = [errors.AnswerLost('the connection broke')]
    plan = toy.plan('a')
    op = run(worlds.new_operation('a'), plan, world)
    world.skew = datetime.timedelta(hours=hours)
    op = run(op, plan, world)
    assert toy.effects == ['a']
    world.pass_time(seconds=30)
    assert run(op, plan, world).status == operation.COMPLETE


class KilledWorld(worlds.EmptyWorld):
    """A world in which a dispatch was killed after it had sent a request."""

    sent: datetime.datetime | None = worlds.START

    def take_up(self) -> datetime.datetime | None:
        return self.sent


def test_a_request_of_a_killed_dispatch_is_in_doubt_once(toy: toy_plans.Toy):
    world, plan = KilledWorld(), toy.plan('a')
    world.skew = datetime.timedelta(minutes=20)
    op = run(advance.advance(worlds.new_operation('a'), plan, world), plan, world)
    assert toy.effects == []
    world.pass_time(seconds=30)
    assert run(op, plan, world).status == operation.COMPLETE


def test_an_undo_waits_for_the_request_whose_answer_was_lost(
    toy: toy_plans.Toy, world: worlds.EmptyWorld
):
    toy.answers['a'] = [errors.AnswerLost('the connection broke')]
    plan = toy.plan('a')
    op = advance.advance(worlds.new_operation('a'), plan, world)
    world.pass_time(minutes=16)
    op = run(op, plan, world)
    assert (op.undoing, toy.effects) == (True, ['a'])
    world.pass_time(seconds=30)
    assert run(op, plan, world).status == operation.FAILED
    assert toy.effects == ['a', 'undo a']


def test_an_abort_waits_for_the_request_whose_answer_was_lost(
    toy: toy_plans.Toy, world: worlds.EmptyWorld
):
    toy.answers['a'] = [errors.AnswerLost('the connection broke')]
    plan = toy.plan('a')
    op = run(worlds.new_operation('a'), plan, world).aborting(worlds.START)
    assert run(op, plan, world) == op
    world.pass_time(seconds=30)
    assert run(op, plan, world).status == operation.ABORTED
    assert toy.effects == ['a', 'undo a']


def test_a_lost_answer_of_an_undo_is_waited_for_too(toy: toy_plans.Toy, world: worlds.EmptyWorld):
    toy.answers['undo a'] = [errors.AnswerLost('the connection broke')]
    plan = toy.plan('a')
    op = advance.advance(worlds.new_operation('a'), plan, world).aborting(worlds.START)
    op = run(op, plan, world)
    assert toy.effects == ['undo a']
    world.pass_time(seconds=30)
    assert run(op, plan, world).status == operation.ABORTED
    assert toy.effects == ['undo a', 'undo a']


# --- Late ----------------------------------------------------------------------------------------


def test_a_task_that_was_started_when_it_was_already_late_is_known_to_the_undo(
    toy: toy_plans.Toy, world: worlds.EmptyWorld
):
    toy.answers['a'] = [step.Wait('task 7 runs', 7, {'seen': 'yes'})]
    plan = toy.plan('a')
    op = advance.advance(worlds.new_operation('a'), plan, world)
    world.pass_time(minutes=16)
    op = advance.advance(op, plan, world)
    assert op.undoing
    assert (op.current.task, op.fact('seen')) == (7, 'yes')
    assert op.error == 'a: not done within 15 minutes: task 7 runs'


# --- Clocks and ages -----------------------------------------------------------------------------


@pytest.mark.parametrize('minutes', [-20, 20])
def test_a_leader_whose_clock_is_off_neither_misses_a_deadline_nor_has_more_time(
    toy: toy_plans.Toy, world: worlds.EmptyWorld, minutes: int
):
    toy.answers['a'] = [step.Wait('for the moon') for _ in range(9)]
    plan = toy.plan('a')
    op = run(worlds.new_operation('a'), plan, world)
    world.pass_time(minutes=14)
    op = run(op, plan, world)
    another = worlds.EmptyWorld()
    another.skew = datetime.timedelta(minutes=minutes)
    op = run(op, plan, another)
    assert not op.undoing
    another.pass_time(minutes=2)
    assert advance.advance(op, plan, another).undoing


def test_a_long_wait_is_stored_now_and_then_and_not_at_each_look(
    toy: toy_plans.Toy, world: worlds.EmptyWorld
):
    toy.answers['a'] = [step.Wait('for the moon') for _ in range(999)]
    plan, stored = toy.plan('a'), 0
    op = run(worlds.new_operation('a'), plan, world)
    for _ in range(300):
        world.pass_time(seconds=2)
        moved = advance.advance(op, plan, world)
        stored += moved is not op
        op = moved
    assert stored == 2
    assert op.age == 600


def test_while_an_operation_is_held_no_time_passes_for_it(
    toy: toy_plans.Toy, world: worlds.EmptyWorld
):
    toy.answers['a'] = [step.Wait('for the moon') for _ in range(9)]
    plan = toy.plan('a')
    op = run(worlds.new_operation('a'), plan, world).held('for a person')
    world.pass_time(hours=9)
    op = run(op.resumed(world.now()), plan, world)
    world.pass_time(minutes=14)
    assert not run(op, plan, world).undoing


# --- Another revision of the charm ---------------------------------------------------------------


def at_b(toy: toy_plans.Toy, world: worlds.EmptyWorld) -> operation.Operation:
    """Return an operation of three steps that is about to enter the second."""
    plan = toy.plan('a', 'b', 'c')
    op = advance.advance(worlds.new_operation('a', 'b', 'c'), plan, world)
    op = advance.advance(op, plan, world)
    assert (op.step, op.current.state) == ('b', 'doing')
    return op


def test_a_step_that_a_newer_plan_has_further_on_is_entered_in_its_turn(
    toy: toy_plans.Toy, world: worlds.EmptyWorld
):
    op = run(at_b(toy, world), toy.plan('a', 'b', 'new', 'c'), world)
    assert op.status == operation.COMPLETE
    assert toy.effects == ['a', 'b', 'new', 'c']


def test_a_step_that_a_newer_plan_has_further_back_stays_to_do(
    toy: toy_plans.Toy, world: worlds.EmptyWorld
):
    op = run(at_b(toy, world), toy.plan('new', 'a', 'b', 'c'), world)
    assert op.status == operation.COMPLETE
    assert toy.effects == ['a', 'b', 'c']
    assert states(op) == {'new': 'to-do', 'a': 'done', 'b': 'done', 'c': 'done'}


def test_a_step_that_a_newer_plan_has_no_more_is_shown_and_not_entered(
    toy: toy_plans.Toy, world: worlds.EmptyWorld
):
    op = run(at_b(toy, world), toy.plan('a', 'b'), world)
    assert op.status == operation.COMPLETE
    assert toy.effects == ['a', 'b']
    assert states(op) == {'c': 'to-do', 'a': 'done', 'b': 'done'}


def test_undoing_goes_on_with_another_plan(toy: toy_plans.Toy, world: worlds.EmptyWorld):
    op = run(at_b(toy, world).aborting(worlds.START), toy.plan('a', 'new', 'b'), world)
    assert op.status == operation.ABORTED
    assert toy.effects == ['a', 'undo b', 'undo a']


def test_a_current_step_that_the_plan_has_no_more_holds_the_operation(
    toy: toy_plans.Toy, world: worlds.EmptyWorld
):
    op = run(at_b(toy, world), toy.plan('a', 'c'), world)
    assert op.status == operation.HELD
    assert "does not know step 'b'" in op.error
    op = run(op.resumed(world.now()), toy.plan('a', 'b', 'c'), world)
    assert (op.status, toy.effects) == (operation.COMPLETE, ['a', 'b', 'c'])


def test_waiting_with_another_plan_changes_the_record_once(
    toy: toy_plans.Toy, world: worlds.EmptyWorld
):
    toy.answers['b'] = [step.Wait('for the moon') for _ in range(9)]
    plan = toy.plan('a', 'new', 'b')
    op = run(at_b(toy, world), plan, world)
    assert advance.advance(op, plan, world) == op
