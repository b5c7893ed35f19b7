"""Whatever happens, the record stays small: messages are cut, names are checked, the rest held."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeVar

import hypothesis
import pytest
from hypothesis import strategies

from coordinator import errors, plain, ports
from coordinator.engine import limits, operation
from coordinator.operations import plans
from rehearsal import site
from tests import examples, restores, simulation, worlds

NOW = worlds.START
SENTENCE = 'maas-region/0 said "größe 表" and what it holds against this, \\ and so on. '
LONG = SENTENCE * 40


def size(op: operation.Operation) -> int:
    return len(op.to_json().encode())


# --- A large site --------------------------------------------------------------------------------


def connection(name: str) -> dict[str, str]:
    folder = 'path/' * 24
    return {
        'endpoint': 'https://a-server-with-a-long-name.example.com:9000',
        'bucket': f'{name}-{"b" * 50}',
        'region': 'us-east-1',
        'path': f'{folder}{name}',
        's3-uri-style': 'path',
        'access-key': 'rehearsal-access-key',
        'secret-key': 'rehearsal-secret-key',
    }


def large(after: simulation.Simulation | None = None) -> simulation.Simulation:
    sim = restores.simulate(regions=7, postgresql_units=9, after=after)
    sim.config = dataclasses.replace(sim.config, recipients=sim.config.recipients * 10)
    for bucket in sim.s3.buckets.values():
        bucket.keeps_checksums = True
    sim.begin('backup-all')
    return sim


@pytest.fixture(scope='module')
def records() -> list[operation.Operation]:
    """Every record of a backup of a large site, and of its restore in a fresh model."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ('MAAS', 'POSTGRESQL', 'S3_MAAS', 'S3_POSTGRESQL'):
            patch.setattr(site, name, f'{getattr(site, name)}-{"n" * 24}')
        patch.setattr(site, 'connection', connection)
        lost = large()
        assert lost.run().status == operation.COMPLETE
        fresh = large(lost)
        restores.restore(fresh, lost)
        assert fresh.run().status == operation.COMPLETE
    assert all('sha256:' in text for text in (lost.saved[-1], fresh.saved[-1]))
    return [operation.Operation.from_json(text) for text in (*lost.saved, *fresh.saved)]


def at_its_worst(op: operation.Operation) -> operation.Operation:
    """Return a record whose steps have waited and failed with long sentences, and its end too."""
    for entry in op.steps:
        op = dataclasses.replace(op, step=entry.name).waiting(
            f'{entry.name}: {LONG}', NOW, 1_000_000
        )
    for number in range(20):
        op = op.with_problem(f'{number}: {LONG}').warned(f'{number}: {LONG}')
    return dataclasses.replace(op, step=op.steps[0].name)


def test_the_record_of_a_large_site_has_room_for_messages(records: list[operation.Operation]):
    assert {op.kind for op in records} == {'backup-all', 'restore-all'}
    for op in records:
        worst = dataclasses.replace(at_its_worst(op), status=operation.OPEN, ended='')
        kept = limits.fitted(worst, op)
        assert size(kept) < limits.LARGEST
        assert (kept.status, kept.facts) == (operation.OPEN, op.facts)
        assert (kept.current, kept.error) == (worst.current, worst.error)


def test_every_message_that_is_cut_for_room_is_whole_in_the_history(
    records: list[operation.Operation],
):
    # The fresh model warns of a key that it does not know.
    worst = at_its_worst(dataclasses.replace(records[-1], warnings=()))
    assert size(worst) > limits.LARGEST
    kept = limits.fitted(dataclasses.replace(worst, said=(), cut=0), None)
    assert kept.said == (), 'what was cut before is in the history already'
    short = {entry.name: (f'{entry.name}: {SENTENCE}' * 3).strip() for entry in worst.steps}
    steps = tuple(dataclasses.replace(e, reason=short[e.name]) for e in worst.steps)
    kept = limits.fitted(dataclasses.replace(worst, said=(), cut=0, steps=steps), None)
    whole = {message.step: message.text for message in kept.said}
    assert whole == {name: text for name, text in short.items() if name != worst.step}
    assert kept.cut == len(whole)


# --- Names ---------------------------------------------------------------------------------------


def model(units: int, name: str = 'postgresql') -> ports.ModelStatus:
    found = {
        f'{name}/{number}': ports.Unit(
            f'{name}/{number}', str(number), True, False, 'active', '', 'idle', '16.9'
        )
        for number in range(units)
    }
    app = ports.Application(name, 'postgresql', '16/stable', 843, 'active', '', '16.9', found)
    return ports.ModelStatus('maas', '3.6.26', {name: app}, {}, ())


def names_fit(units: int = 3, path: str = 'maas', name: str = 'postgresql') -> str:
    config = dataclasses.replace(worlds.CONFIG, postgresql=name)
    return limits.names_fit(config, model(units, name), [{'bucket': 'backups', 'path': path}] * 5)


@pytest.mark.parametrize(
    'ask',
    [
        names_fit,
        lambda: names_fit(units=9, path='p' * 100),
        lambda: names_fit(units=9, name='p' * 63),
        lambda: names_fit(units=30),
    ],
    ids=['usual', 'large', 'long-name', 'many'],
)
def test_names_of_sites_that_there_are_fit(ask: Callable[[], str]):
    assert ask() == 'the names of this site fit into the record of an operation'


@pytest.mark.parametrize(
    'ask',
    [
        lambda: names_fit(path='p' * 1400),
        lambda: names_fit(path='ü' * 250),
        lambda: names_fit(units=9, name='p' * 250),
        lambda: names_fit(units=60),
    ],
    ids=['path', 'multi-byte', 'long-name', 'many'],
)
def test_names_that_do_not_fit_are_refused_before_anything_begins(ask: Callable[[], str]):
    with pytest.raises(errors.StepError, match=r'but this site needs .*: use shorter paths in S3'):
        ask()


@pytest.mark.parametrize('kind', ['backup-all', 'restore-all'])
def test_a_site_whose_names_do_not_fit_is_refused_by_the_checks(
    monkeypatch: pytest.MonkeyPatch, kind: str
):
    sim = restores.backed_up()
    sim.clock.advance(60)
    monkeypatch.setattr(limits, '_NAMES', 1000)
    restores.restore(sim, sim)
    if kind == 'backup-all':
        sim.begin(kind)
    before = sim.postgresql_units()
    assert sim.run().status == operation.FAILED
    assert 'the record of an operation has room for 1000 bytes of names' in sim.op.error
    assert sim.op.step == 'check'
    assert sim.postgresql_units() == before


# --- What does not fit ---------------------------------------------------------------------------


def begun() -> operation.Operation:
    return worlds.new_operation('a', 'b').beginning(7, {}, NOW)


def test_what_does_not_fit_holds_the_operation_as_it_was():
    before = begun()
    held = limits.fitted(before.remembering({'a': 'x' * 17_000}), before)
    assert held.status == operation.HELD
    assert (held.facts, held.current.state) == (before.facts, before.current.state)
    assert held.error.startswith(f'the record of backup-all {before.id} would have 17')
    assert 'abort-operation' in held.error


def test_what_does_not_fit_can_always_be_ended_by_force():
    before = begun().remembering({'a': 'x' * 15_300}).held('S3 refuses')
    ended = limits.fitted(before.forced_to_end(NOW, [LONG] * 9), before)
    assert (ended.status, ended.facts) == (operation.ABORTED, {})
    assert size(ended) < limits.LARGEST


@pytest.mark.parametrize('before', [None, examples.BACKUP_ID], ids=['first', 'another'])
def test_an_operation_that_never_fits_does_not_begin(before: str | None):
    last = dataclasses.replace(begun(), id='2026-08-01T00:00:00Z') if before else None
    with pytest.raises(errors.PreconditionError, match='use shorter names and paths'):
        limits.fitted(begun().remembering({'a': 'x' * 17_000}), last)


def test_what_fits_is_left_as_it_is():
    op = begun().waiting('x' * 300, NOW).with_problem('y' * 300)
    assert limits.fitted(op, None) == op


# --- Whatever happens ----------------------------------------------------------------------------

texts = strategies.sampled_from(['', 'short', SENTENCE, LONG, '"\\' * 600, '表' * 3000])
facts = strategies.dictionaries(
    strategies.sampled_from('abcdef'),
    strategies.integers(0, 5000).map(lambda length: 'x' * length),
    max_size=3,
)
Operation = operation.Operation
Move = Callable[[Operation], Operation]
T = TypeVar('T')


def given(
    what: strategies.SearchStrategy[T], how: Callable[[Operation, T], Operation]
) -> strategies.SearchStrategy[Move]:
    """Return moves that do something with a drawn value."""

    def build(drawn: T) -> Move:
        return lambda op: how(op, drawn)

    return what.map(build)


def to_step(op: Operation, number: int) -> Operation:
    return op.moving_to(op.steps[number].name)


moves = strategies.one_of(
    given(texts, lambda op, text: op.waiting(text, NOW, 1_000_000)),
    given(texts, lambda op, text: op.attempt_failed(text)),
    given(texts, lambda op, text: op.step_ended(operation.BROKEN, NOW, text)),
    given(texts, lambda op, text: op.turning_back(text)),
    given(texts, lambda op, text: op.with_problem(text)),
    given(texts, lambda op, text: op.warned(text)),
    given(texts, lambda op, text: op.held(text)),
    given(facts, lambda op, more: op.beginning(7, more, NOW)),
    given(facts, lambda op, more: op.remembering(more)),
    given(facts, lambda op, more: op.resumed(NOW, more)),
    given(strategies.integers(0, len(plans.RESTORE_ALL.names) - 1), to_step),
    given(strategies.none(), lambda op, _: op.undo_begins(NOW)),
    given(strategies.none(), lambda op, _: op.aborting(NOW)),
)
ends = strategies.one_of(
    given(strategies.lists(texts, max_size=12), lambda op, lines: op.forced_to_end(NOW, lines)),
    given(strategies.none(), lambda op, _: op.ending(operation.COMPLETE, NOW)),
)


@hypothesis.given(strategies.lists(moves, max_size=40), ends)
@hypothesis.settings(max_examples=200, deadline=None)
def test_no_row_of_transitions_makes_a_large_record(row: list[Move], end: Move):
    op = operation.Operation.new(
        worlds.BEGAN, 'restore-all', plans.RESTORE_ALL.names, worlds.CONFIG, NOW
    )
    for move in [*row, end]:
        moved = limits.fitted(move(op), op)
        assert size(moved) < limits.LARGEST
        assert moved.id == op.id
        assert moved.terminal == (move is end)
        assert all(len(message.text.encode()) <= errors.LONGEST for message in moved.said)
        op = operation.Operation.from_json(moved.to_json())
        assert limits.fitted(op, op) == op, 'what was stored fits as it is'
    assert all(
        len(line.encode()) <= plain.LONGEST for line in (op.error, *op.problems, *op.warnings)
    )
