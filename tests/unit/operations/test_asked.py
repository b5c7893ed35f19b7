"""A request is answered once, by a backup that began after it was seen; none vanishes."""

from __future__ import annotations

import dataclasses
import datetime

import pytest

from coordinator import times
from coordinator.engine import facts, operation
from coordinator.operations import asked, due
from coordinator.record import ended, requests
from tests import charm_states

START = datetime.datetime(2026, 8, 22, 10, 0, 30, tzinfo=datetime.UTC)
Asked = requests.Asked


class Leader:
    """A leader's dispatches, one after the other, on a clock that the test sets."""

    def __init__(self, **wanted: str) -> None:
        self.now = START
        self.kept = requests.Requests()
        self.op: operation.Operation | None = None
        self.earlier: tuple[ended.Ended, ...] = ()
        self.last_complete = ''
        self.ask(**wanted)

    def ask(self, **wanted: str) -> None:
        """Read what each relation requests: `r7='a1'`; '' where nothing is."""
        found = {
            name: Asked(request_id, requests.WAITING) if request_id else Asked()
            for name, request_id in wanted.items()
        }
        self.kept = asked.seen(self.kept, found)
        self.look()

    def look(self) -> None:
        kept = requests.from_json(requests.to_json(self.kept))
        kept = asked.settled(kept, self.op, self.earlier, self.last_complete, self.now)
        self.kept = asked.lined_up(kept, self.now)

    def begin(self) -> operation.Operation:
        """Begin a backup, whoever wants it."""
        self.now += datetime.timedelta(seconds=1)
        op = dataclasses.replace(charm_states.new_operation(), id=times.stamp(self.now))
        self.kept, self.op = asked.joined(self.kept, op, self.now)
        return self.op

    def end(self, status: str = operation.COMPLETE, error: str = '') -> None:
        """End the operation, and look."""
        assert self.op is not None
        self.op = dataclasses.replace(self.op, status=status, error=error)
        if status == operation.COMPLETE:
            self.last_complete = self.op.backup_id
        self.look()

    def states(self) -> dict[str, str]:
        return {name: each.state for name, each in self.kept.asked.items()}

    def refuse(self, why: str) -> None:
        line = due.refused(self.kept.line, why, self.now, again=False)
        self.kept = asked.decided(self.kept, line, self.op)


def test_requests_that_wait_share_the_next_backup():
    leader = Leader(r7='a1', r9='b1')
    assert leader.states() == {'r7': 'waiting', 'r9': 'waiting'}
    op = leader.begin()
    assert {each.operation for each in leader.kept.asked.values()} == {op.id}
    leader.end()
    assert leader.states() == {'r7': 'ready', 'r9': 'ready'}
    assert {each.backup_id for each in leader.kept.asked.values()} == {op.id}


def test_a_request_that_comes_after_a_backup_began_needs_a_new_one():
    leader = Leader(r7='a1')
    first = leader.begin()
    leader.ask(r7='a1', r9='b1')
    assert leader.states() == {'r7': 'running', 'r9': 'waiting'}
    leader.end()
    assert leader.states() == {'r7': 'ready', 'r9': 'waiting'}
    assert leader.kept.line.pending is not None
    second = leader.begin()
    leader.end()
    found = {name: each.backup_id for name, each in leader.kept.asked.items()}
    assert found == {'r7': first.id, 'r9': second.id}


def test_a_new_request_of_the_same_relation_does_not_get_the_backup_of_the_old_one():
    leader = Leader(r7='a1')
    leader.begin()
    leader.ask(r7='a2')
    leader.end()
    assert leader.states() == {'r7': 'waiting'}


def test_a_backup_that_began_for_nobody_answers_nobody():
    leader = Leader()
    leader.begin()
    leader.ask(r7='a1')
    leader.end()
    assert leader.states() == {'r7': 'waiting'}


def test_what_an_operation_answers_is_in_its_own_record():
    leader = Leader(r7='a1')
    op = leader.begin()
    assert facts.REQUESTS.of(op) == [requests.mark('r7', 'a1')]


def test_requests_that_a_former_leader_has_overwritten_are_found_in_the_operation():
    leader = Leader(r7='a1')
    before = leader.kept
    leader.begin()
    leader.kept = before
    leader.look()
    assert leader.states() == {'r7': 'running'}
    assert leader.kept.line.pending is None


def test_so_are_they_when_it_has_ended():
    leader = Leader(r7='a1')
    before = leader.kept
    op = leader.begin()
    leader.end()
    leader.kept = before
    leader.look()
    (each,) = leader.kept.asked.values()
    assert (each.state, each.backup_id) == (requests.READY, op.id)


def test_a_request_that_is_taken_back_is_forgotten_and_begins_nothing():
    leader = Leader(r7='a1')
    leader.ask(r7='')
    assert leader.kept.line.pending is None
    assert leader.states() == {'r7': ''}


def test_before_a_backup_begins_only_what_waits_and_is_gone_is_forgotten():
    leader = Leader(r7='a1')
    leader.begin()
    leader.ask(r7='a1', r8='b1', r9='c1', r10='d1')
    there = {'r9': Asked('c1', requests.WAITING), 'r10': Asked('d2', requests.WAITING)}
    kept = asked.standing(leader.kept, there)
    assert {name: each.state for name, each in kept.asked.items()} == {
        'r7': 'running', 'r9': 'waiting',
    }  # fmt: skip


def test_a_relation_that_is_gone_is_forgotten_while_its_backup_goes_on():
    leader = Leader(r7='a1', r9='b1')
    leader.begin()
    leader.ask(r9='b1')
    leader.end()
    assert leader.states() == {'r9': 'ready'}


@pytest.mark.parametrize('status', [operation.FAILED, operation.ABORTED])
def test_a_backup_that_comes_to_nothing_fails_the_request_with_the_reason(status: str):
    leader = Leader(r7='a1')
    op = leader.begin()
    leader.end(status, 'check: S3 refuses' if status == operation.FAILED else '')
    (each,) = leader.kept.asked.values()
    aborted = f'backup-all {op.id} ended aborted'
    said = 'check: S3 refuses' if status == operation.FAILED else aborted
    assert (each.state, each.reason) == (requests.FAILED, said)
    assert leader.kept.line.pending is None, 'the other charm decides whether it asks again'


def test_a_set_that_was_published_is_ready_however_its_operation_ended():
    leader = Leader(r7='a1')
    op = leader.begin()
    leader.last_complete = op.id
    leader.end(operation.FAILED, 'one unit of postgresql is missing')
    (each,) = leader.kept.asked.values()
    assert (each.state, each.reason) == (requests.READY, 'one unit of postgresql is missing')


def test_a_set_that_is_inconsistent_is_no_good_set():
    leader = Leader(r7='a1')
    why = 'backup set x is inconsistent'
    leader.op = dataclasses.replace(leader.begin(), status=operation.COMPLETE, error=why)
    leader.look()
    (each,) = leader.kept.asked.values()
    assert (each.state, each.reason) == (requests.FAILED, why)


def test_an_operation_that_is_held_is_told_and_may_still_end_well():
    leader = Leader(r7='a1')
    leader.begin()
    leader.end(operation.HELD, 'S3 refuses')
    (each,) = leader.kept.asked.values()
    assert each.state == requests.RUNNING
    assert each.reason.endswith('is held: S3 refuses')
    leader.end()
    assert leader.states() == {'r7': 'ready'}


def test_the_end_of_an_operation_is_found_among_the_earlier_ones():
    leader = Leader(r7='a1')
    op = leader.begin()
    leader.look()
    leader.last_complete = op.id
    done = dataclasses.replace(op, status=operation.COMPLETE, ended=times.stamp(leader.now))
    leader.earlier, leader.op = (ended.of(done),), charm_states.new_operation()
    leader.look()
    assert leader.states() == {'r7': 'ready'}


def test_an_end_that_nobody_saw_fails_the_request():
    leader = Leader(r7='a1')
    leader.begin()
    leader.op = None
    leader.look()
    (each,) = leader.kept.asked.values()
    assert each.state == requests.FAILED
    assert each.reason.endswith('is not known: request a backup again')


def test_a_start_that_is_refused_refuses_all_that_wait():
    leader = Leader(r7='a1', r9='b1')
    leader.refuse('no recipients')
    assert leader.states() == {'r7': 'refused', 'r9': 'refused'}
    assert {each.reason for each in leader.kept.asked.values()} == {'no recipients'}
    leader.look()
    assert leader.kept.line.pending is None


def test_a_held_operation_refuses_with_the_command_that_continues_it():
    leader = Leader()
    leader.begin()
    leader.end(operation.HELD, 'S3 refuses')
    leader.ask(r7='a1')
    line, may = due.waiting(leader.kept.line, leader.op, leader.now, 0)
    leader.kept = asked.decided(leader.kept, line, leader.op)
    (each,) = leader.kept.asked.values()
    assert not may
    assert each.state == requests.REFUSED
    assert each.reason.endswith(
        'is held: juju run maas-backup-coordinator/leader resume-operation'
    )


def test_who_asks_again_and_again_after_failures_waits_longer_each_time():
    leader, pauses = Leader(), list[int]()
    for number in range(7):
        leader.ask(r7=f'a{number}')
        assert leader.kept.line.pending is not None
        pauses.append(leader.kept.line.pending.retry_at)
        leader.refuse('no recipients')
    assert pauses == [0, *due.PAUSES, due.PAUSES[-1]]


def test_a_set_ends_the_pauses_and_so_does_an_hour():
    leader = Leader(r7='a1')
    leader.refuse('no recipients')
    leader.now += datetime.timedelta(hours=1)
    leader.ask(r7='a2')
    assert leader.kept.line.pending is not None
    assert leader.kept.line.pending.retry_at == 0
    leader.begin()
    leader.end()
    leader.ask(r7='a3')
    assert leader.kept.line.pending is not None
    assert leader.kept.line.pending.retry_at == 0


def test_a_backup_that_fails_after_hours_brings_a_pause_as_well():
    leader = Leader(r7='a1')
    leader.begin()
    leader.now += datetime.timedelta(hours=3)
    leader.end(operation.FAILED, 'the disk is full')
    leader.ask(r7='a2')
    assert leader.kept.line.pending is not None
    assert leader.kept.line.pending.retry_at == due.PAUSES[0]


def test_looking_again_changes_nothing():
    leader = Leader(r7='a1', r9='')
    for step in (leader.look, leader.begin, leader.look, leader.end, leader.look):
        step()
        kept = leader.kept
        leader.look()
        assert leader.kept == kept
