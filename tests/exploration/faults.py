"""The faults that can happen at a moment."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Protocol

from coordinator import errors
from coordinator.operations import steering
from rehearsal import site
from tests.exploration import moments
from tests.exploration.run import Killed, Raised, Run

MAY_MISS = frozenset(
    {
        'leader',
        'task',
        'remove_relation',
        'config',
        'reveal_secret',
        'grant_secret',
        'run_action',
        'get',
        'head',
    }
)
"""Calls that can answer that the thing asked for is not there."""
_LEAVES_A_STATUS = ('create-backup', 'restore-backup')
"""Actions that set a status, which stays when they die."""
_RESTORES_NOTHING = ('stopping', 'emptying')
"""When a restore of postgresql has set its status, and fails with the old data in place."""
_CUT_SHORT = 'action terminated'
"""What Juju says of an action whose agent was restarted."""


class Fault(Protocol):
    """Something that goes wrong at one moment of a run."""

    @property
    def name(self) -> str: ...

    def fits(self, moment: moments.Moment) -> bool:
        """Whether it can go wrong at this moment."""
        ...

    def strike(self, run: Run, moment: moments.Moment) -> None:
        """Go wrong: change something, or raise what the caller then sees."""
        ...


@dataclasses.dataclass(frozen=True)
class Loss:
    """The process dies, and nothing runs for a while."""

    seconds: float
    only_effects: bool = False
    """Strike only where something would be lost: looks change nothing."""

    @property
    def name(self) -> str:
        return f'lost for {self.seconds:g} s'

    def fits(self, moment: moments.Moment) -> bool:
        if moment.call is None:
            return moment.checkpoint or not self.only_effects
        return moment.kind == moments.AFTER and (moment.call.effect or not self.only_effects)

    def strike(self, run: Run, moment: moments.Moment) -> None:
        if moment.kind != moments.BETWEEN:
            raise Killed(self.seconds)
        run.sim.clock.advance(self.seconds)


@dataclasses.dataclass(frozen=True)
class Refusal:
    """A call gives an error instead of being made, once or until somebody mends it."""

    kind: str
    error: Callable[[], Exception]
    of_maas: Callable[[], Exception]
    """What MAAS says in its place."""
    for_good: bool = False
    only: frozenset[str] = frozenset()
    """Methods that can give it; empty: all."""

    @property
    def name(self) -> str:
        return f'{self.kind} {"until mended" if self.for_good else "once"}'

    def fits(self, moment: moments.Moment) -> bool:
        call = moment.call
        if moment.kind != moments.BEFORE or call is None:
            return False
        # An object that is not there for good was deleted: another thing than a wrong answer.
        if self.for_good and self.only and call.target != 'juju':
            return False
        return not self.only or call.method in self.only

    def strike(self, run: Run, moment: moments.Moment) -> None:
        assert moment.call is not None
        error = self.of_maas if moment.call.target == 'maas' else self.error
        if self.for_good:
            run.broken[moment.call.name] = error
        raise error()


@dataclasses.dataclass(frozen=True)
class LostAnswer:
    """A call takes effect, now or a little later, and its caller hears of a broken connection.

    Or it hears of nothing, as it was killed with the request on its way.
    """

    seconds: float = 0.0
    killed: bool = False

    lease: float = 0.0
    """Of a caller that was killed with its machine: seconds until another unit leads."""
    skew: float = 0.0
    """How many seconds the other unit's clock is ahead."""

    @property
    def name(self) -> str:
        if self.lease:
            ahead = f', its clock {self.skew:+g} s' if self.skew else ''
            return f'another leader for good, effect after {self.seconds:g} s{ahead}'
        caller = 'caller killed' if self.killed else 'answer lost'
        return f'{caller}, effect after {self.seconds:g} s'

    def fits(self, moment: moments.Moment) -> bool:
        call = moment.call
        if moment.kind != moments.BEFORE or call is None:
            return False
        # A key is kept when the dispatch ends, and nothing is sent before.
        return call.effect and call.target != 'key'

    def strike(self, run: Run, moment: moments.Moment) -> None:
        assert moment.call is not None
        call, make = moment.call, moment.make
        assert make is not None

        def take_effect() -> None:
            run.watch.calling(call)
            make()

        if self.seconds:
            run.sim.clock.later(self.seconds, take_effect)
        else:
            take_effect()
        if self.lease:
            run.lose_the_leader(self.lease, self.skew)
        if self.killed:
            raise Killed(2)
        if call.target == 'juju':
            raise errors.AnswerLost('the connection broke before the answer')
        raise errors.StoreAnswerLost('S3 did not answer in time')


@dataclasses.dataclass(frozen=True)
class Deposed:
    """Another unit leads and dispatches immediately; this dispatch has no further effect."""

    dispatches: int
    skew: float = 0.0
    """How many seconds the other unit's clock is ahead."""

    @property
    def name(self) -> str:
        ahead = f', its clock {self.skew:+g} s' if self.skew else ''
        return f'another leader makes {self.dispatches} dispatches{ahead}'

    def fits(self, moment: moments.Moment) -> bool:
        if moment.call is None:
            return moment.kind == moments.BETWEEN and moment.checkpoint
        return moment.kind == moments.AFTER

    def strike(self, run: Run, moment: moments.Moment) -> None:
        run.by_another_leader(self.dispatches, self.skew)
        if moment.call is None:
            run.deposed = False


@dataclasses.dataclass(frozen=True)
class RaisesAfterSaving:
    """A dispatch by juju-exec fails with the record set: Juju commits what it wrote."""

    name: str = 'raises after the record was set'

    def fits(self, moment: moments.Moment) -> bool:
        return moment.kind == moments.SAVED

    def strike(self, run: Run, moment: moments.Moment) -> None:
        raise Raised


@dataclasses.dataclass(frozen=True)
class StopsHalfWay:
    """Juju adds units one by one: it stops before the last one, with an error or no answer."""

    answers: bool

    @property
    def name(self) -> str:
        return f'adds all but one, {"and says so" if self.answers else "answer lost"}'

    def fits(self, moment: moments.Moment) -> bool:
        call = moment.call
        return moment.kind == moments.BEFORE and call is not None and call.method == 'add_units'

    def strike(self, run: Run, moment: moments.Moment) -> None:
        assert moment.call is not None
        application, count, machines = moment.call.arguments
        if count > 1:
            run.sim.world.juju.add_units(application, count - 1, machines[: count - 1])
        if self.answers:
            raise errors.StepError(
                f'Application.AddUnits: adding unit {count}/{count}: no machine'
            )
        raise errors.AnswerLost('the connection broke before the answer')


@dataclasses.dataclass(frozen=True)
class Unheard:
    """Juju 4 drops the departure of a unit, and of those after it: no peer hears of them."""

    name: str = 'no peer hears of its departure'

    def fits(self, moment: moments.Moment) -> bool:
        call = moment.call
        return moment.kind == moments.BEFORE and call is not None and call.method == 'remove_unit'

    def strike(self, run: Run, moment: moments.Moment) -> None:
        run.sim.model.silent_departures = True
        run.mends.append(lambda: promote(run))


def promote(run: Run) -> None:
    """Help a cluster that has lost its quorum, if the held operation asks for it."""
    if 'promote-to-primary' in run.sim.op.error:
        given = {'scope': 'unit', 'force': True}
        site.run_action(run.sim.model, run.sim.postgresql_units()[0], 'promote-to-primary', given)
    else:
        # It may ask the next time.
        run.mends.append(lambda: promote(run))


@dataclasses.dataclass(frozen=True)
class Abort:
    """The operator aborts, if that is allowed."""

    force: bool = False
    at_checkpoints: bool = False
    """Whether only when something new was stored: what waits, waits alike all the time."""

    @property
    def name(self) -> str:
        return 'abort-operation' + (' force=true' if self.force else '')

    def fits(self, moment: moments.Moment) -> bool:
        return moment.kind == moments.BETWEEN and (moment.checkpoint or not self.at_checkpoints)

    def strike(self, run: Run, moment: moments.Moment) -> None:
        try:
            now = run.sim.clock.now()
            run.sim.op = steering.aborted(run.sim.op, now, force=self.force)
        except errors.PreconditionError:
            # What cannot be undone goes on: a refusal must have changed nothing.
            return


@dataclasses.dataclass(frozen=True)
class ActionGoesWrong:
    """The other charm's action fails, is cut short by its agent, hangs or makes nothing."""

    kind: str
    at: str = 'start'

    @property
    def name(self) -> str:
        return f'the action goes wrong: {self.kind} at its {self.at}'

    def fits(self, moment: moments.Moment) -> bool:
        call = moment.call
        if moment.kind != moments.BEFORE or call is None or call.method != 'run_action':
            return False
        if self.at in _RESTORES_NOTHING:
            return call.arguments[1] == 'restore'
        if self.kind == 'die' and call.arguments[1] not in _LEAVES_A_STATUS:
            return False
        # Who says that it has restored, and has not, cannot be found out from outside.
        return self.kind != 'make nothing' or call.arguments[1] == 'create-backup'

    def strike(self, run: Run, moment: moments.Moment) -> None:
        assert moment.call is not None
        unit, action, parameters = moment.call.arguments
        behaviour = run.sim.maas if unit.startswith(site.MAAS) else run.sim.database
        if self.kind == 'fail':
            # In its middle, what fails is the restore that goes on after its action.
            words = 'Failed to restore backup' if action == 'restore' else 'it failed'
            behaviour.fail_next(action, words, self.at)
        elif self.kind == 'cut short':
            behaviour.fail_next(action, _CUT_SHORT, self.at)
        elif self.kind == 'die':
            behaviour.die_next(action, self.at)
        elif self.kind == 'hang':
            behaviour.hang_next(action, self.at)
        else:
            behaviour.make_nothing_next(action)
        if self.kind == 'hang':
            run.mends.append(lambda: _restart_agents(run))
        if action == 'restore' and self.at == 'middle':
            run.mends.append(lambda: restore_by_hand(run, unit, parameters))


LOSE_THE_DISPATCH = (Loss, Deposed)
"""Faults after which nothing is kept of what the dispatch has seen."""


def is_harmless(fault: Fault, step: str) -> bool:
    """Whether it only delays an operation: what nobody could see uses up no deadline."""
    if isinstance(fault, LostAnswer | Deposed) and fault.skew and step == 'check':
        # The checks may refuse a clock that is wrong.
        return False
    return isinstance(fault, Loss | LostAnswer | RaisesAfterSaving | Deposed)


def _restart_agents(run: Run) -> None:
    for unit in run.sim.model.units:
        run.sim.model.restart_agent(unit)


def restore_by_hand(run: Run, unit: str, parameters: Mapping[str, object]) -> None:
    """Do what a held restore asks of the operator."""
    juju = run.sim.model
    juju.set_status(juju.unit(unit), 'active')
    task = site.run_action(juju, unit, 'restore', parameters)
    assert task.status == 'completed', task.message


def _fault_of_ours() -> Exception:
    return RuntimeError('hunter2')


def refusals(for_good: bool) -> list[Fault]:
    """Return every kind of error that a call can give."""
    return [
        Refusal(
            'no connection',
            lambda: errors.ConnectionFailed('no address answers'),
            lambda: errors.MaasUnavailable('MAAS does not answer'),
            for_good,
        ),
        Refusal(
            'refused',
            lambda: errors.NotAuthorised('permission denied'),
            lambda: errors.MaasKeyRefused('MAAS refuses the API key'),
            for_good,
        ),
        Refusal(
            'not found',
            lambda: errors.NotFound('it is not there'),
            lambda: errors.MaasRefused('it is not there'),
            for_good,
            MAY_MISS,
        ),
        Refusal(
            'wrong answer',
            lambda: errors.UnexpectedAnswer('no such shape'),
            lambda: errors.MaasUnintelligible('it is a web page'),
            for_good,
        ),
        Refusal('a fault of ours', _fault_of_ours, _fault_of_ours, for_good),
    ]


HOUR = 3600.0
LOSSES: list[Fault] = [Loss(2), Loss(900)]
LOSSES_THAT_COUNT: list[Fault] = [Loss(2, only_effects=True)]
LOST_ANSWERS: list[Fault] = [LostAnswer(), LostAnswer(20), LostAnswer(20, killed=True)]
LOST_FOR_GOOD: list[Fault] = [LostAnswer(20, lease=30, skew=skew) for skew in (0, HOUR, -HOUR)]
RAISED: list[Fault] = [RaisesAfterSaving()]
UNITS: list[Fault] = [StopsHalfWay(answers=True), StopsHalfWay(answers=False), Unheard()]
DEPOSED: list[Fault] = [Deposed(1), Deposed(4, HOUR), Deposed(4, -HOUR)]
ABORTS: list[Fault] = [Abort()]
ABORTS_THAT_COUNT: list[Fault] = [Abort(at_checkpoints=True)]
FORCED: list[Fault] = [Abort(force=True)]
ACTIONS: list[Fault] = [
    *(ActionGoesWrong('fail', at) for at in ('start', 'middle', 'end')),
    *(ActionGoesWrong('cut short', at) for at in ('start', 'end')),
    *(ActionGoesWrong('die', at) for at in ('middle', 'end')),
    *(ActionGoesWrong('fail', at) for at in _RESTORES_NOTHING),
    ActionGoesWrong('die', 'stopping'),
    ActionGoesWrong('hang', 'middle'),
    ActionGoesWrong('make nothing'),
]
