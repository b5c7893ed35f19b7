"""What units run, one event at a time, and what their status shows of it."""

from __future__ import annotations

import collections
import logging
import uuid
from collections.abc import Callable
from typing import Any

from rehearsal import clock as clocks
from rehearsal.model import parameters as action_parameters
from rehearsal.model.entities import (
    Application,
    Consumed,
    Event,
    JujuOperation,
    Kind,
    LogLine,
    Machine,
    Offer,
    Relation,
    Secret,
    Status,
    Storage,
    Task,
    Unit,
    User,
)
from rehearsal.model.refusals import (
    ActionFailed,
    ActionRejected,
    HookFailed,
    HookTerminated,
    ModelError,
)

logger = logging.getLogger(__name__)


_LINES = 10_000


class Executing:
    """The state of a model, and the running of its units' events."""

    def __init__(
        self, name: str, clock: clocks.Clock, version: str = '3.6.26', model_uuid: str = ''
    ):
        self.name = name
        self.clock = clock
        self.version = version
        self.uuid = model_uuid or str(uuid.uuid4())
        self.applications: dict[str, Application] = {}
        self.machines: dict[str, Machine] = {}
        self.relations: dict[int, Relation] = {}
        self.consumed: dict[str, Consumed] = {}
        """By the name that they have here."""
        self.offers: dict[str, Offer] = {}
        self.secrets: dict[str, Secret] = {}
        self.storage: dict[str, Storage] = {}
        self.operations: dict[int, JujuOperation] = {}
        self.tasks: dict[int, Task] = {}
        self.users: dict[str, User] = {}
        self.annotations: dict[str, dict[str, str]] = {}
        """By entity tag."""
        self.blocked: dict[str, str] = {}
        """`juju disable-command` sets by name (destroy-model, remove-object, all) to messages."""
        self.config: dict[str, Any] = {'name': name, 'uuid': self.uuid, 'agent-version': version}
        self.update_status_interval = 300.0
        self.idle_after = 2.0
        """Seconds that an agent stays `executing` after its last hook, as Juju's does."""
        self.reaction = 0.0
        """Seconds until an agent that is idle begins with what it is given to run."""
        self.release_after = 5.0
        """Seconds for which a machine whose last unit has gone is still listed, as dying."""
        self.silent_departures = False
        """Whether units never hear that a peer has left, as may happen on Juju 4."""
        self.revision = 0
        """Rises with every change; `on_change` hears of it."""
        self.on_change: list[Callable[[], object]] = []
        self.lines: collections.deque[LogLine] = collections.deque(maxlen=_LINES)
        """The newest lines of the model's log."""
        self.logged = 0
        """How many lines there were ever."""
        self._next_task = 0 if self.juju4 else 1
        self._next_relation = 0
        self._next_machine = 0
        self._next_storage = 0
        """One sequence for storage of all names."""

    @property
    def juju4(self) -> bool:
        return self.version.startswith('4')

    @property
    def units(self) -> dict[str, Unit]:
        """All units by name."""
        return {n: u for app in self.applications.values() for n, u in app.units.items()}

    def application(self, name: str) -> Application:
        try:
            return self.applications[name]
        except KeyError:
            raise ModelError(f'application "{name}" not found', 'not found') from None

    def unit(self, name: str) -> Unit:
        app = self.applications.get(name.partition('/')[0])
        if app is None or name not in app.units:
            raise ModelError(f'unit "{name}" not found', 'not found')
        return app.units[name]

    def changed(self) -> None:
        """Note that something changed and tell those who listen."""
        self.revision += 1
        for listener in tuple(self.on_change):
            listener()

    def log(self, tag: str, level: str, module: str, text: str) -> None:
        """Add to the log, a line for each line of the text."""
        for line in text.splitlines():
            self.lines.append(LogLine(tag, self.clock.now(), level, module, line))
            self.logged += 1

    def queue(self, unit: Unit, event: Event) -> None:
        """Give a unit something to run; an equal hook that waits already is enough."""
        if not any(event.same_as(waiting) for waiting in unit.queue):
            unit.queue.append(event)
        self.clock.later(self.reaction, lambda: self._pump(unit))

    def _pump(self, unit: Unit) -> None:
        """Run the unit's next event, if it and its machine are free."""
        due = [
            event
            for event in unit.queue
            if unit.failed_hook is None or event.kind in (Kind.ACTION, Kind.EXEC)
        ]
        if unit.running is not None or not due or unit.agent.current == 'lost':
            return
        # A unit that is not installed yet runs its first hooks in order; a failed hook goes first.
        event = due[0] if not unit.installed else min(due, key=lambda e: (not e.failures, e.kind))
        takes_lock = event.task is None or not event.task.parallel
        if takes_lock and unit.machine.busy_with not in (None, unit.name):
            return
        unit.queue.remove(event)
        unit.running = event
        if takes_lock:
            unit.machine.busy_with = unit.name
        if event.task is not None:
            event.task.status = 'running'
            event.task.started = self.clock.now()
        if event.kind is not Kind.UPDATE_STATUS:
            self.set_agent_status(unit, 'executing', _executing(event))
        self.changed()
        work = self._work(unit, event)
        # The work may end at once, before the constructor returns: then nothing is kept.
        started = clocks.Running(self.clock, work, lambda error: self._ran(unit, event, error))
        if unit.running is event:
            unit.work = started

    def _work(self, unit: Unit, event: Event) -> clocks.Work:
        """What the unit does with an event; an action's parameters it checks first."""
        task = event.task
        spec = unit.application.charm.actions.get(task.name) if task else None
        if task is not None and spec is not None:
            try:
                task.parameters = action_parameters.checked(spec, task.parameters)
            except action_parameters.BadParameters as error:
                text = f'cannot run "{task.name}" action: {error}'
                raise ActionRejected(text) from None
        yield from unit.application.agent.run(unit, event)

    def _ran(self, unit: Unit, event: Event, error: BaseException | None) -> None:
        what = 'action' if event.task is not None else 'hook'
        if event.kind is not Kind.EXEC:
            text = f'ran "{event.name}" {what}' if error is None else f'{what} failed: {error}'
            level = 'INFO' if error is None else 'ERROR'
            self.log(unit.tag, level, 'juju.worker.uniter.operation', text)
        if event.task is not None:
            self._task_ended(event.task, error)
        elif isinstance(error, HookFailed) and event.kind is not Kind.EXEC:
            self._hook_failed(unit, event)
        elif isinstance(error, HookTerminated):
            unit.queue.insert(0, event)
        elif error is not None and not isinstance(error, HookFailed):
            logger.error('%s: %s', unit.name, event.name, exc_info=error)
        elif event.failures and unit.workload.current == 'error':
            # The retry succeeded without setting a status: the one before shows again.
            unit.workload = unit.before_error or unit.workload
        self._free(unit)
        event.done(error)
        self.changed()

    def _task_ended(self, task: Task, error: BaseException | None) -> None:
        task.completed = self.clock.now()
        if task.status == 'aborting':
            task.status, task.message = 'aborted', 'terminated'
            task.output = {'return-code': -1}
            return
        if isinstance(error, ActionRejected):
            task.status, task.message, task.started = 'error', str(error), None
            return
        task.output.setdefault('return-code', 0)
        task.status = 'completed' if error is None else 'failed'
        if error is not None:
            task.message = str(error)
            if not isinstance(error, ActionFailed):
                logger.error('task %s: %s', task.id, task.name, exc_info=error)

    def _free(self, unit: Unit) -> None:
        unit.running = None
        unit.work = None
        if unit.machine.busy_with == unit.name:
            unit.machine.busy_with = None
        at = self.clock.now()

        def idle() -> None:
            if (
                unit.running is None
                and not unit.queue
                and unit.agent.since <= at
                and unit.agent.current == 'executing'
            ):
                self.set_agent_status(unit, 'idle')

        if unit.agent.current == 'executing':
            self.clock.later(self.idle_after, idle)
        for other in self.units.values():
            if other.machine is unit.machine and other.queue:
                self.clock.later(0, lambda other=other: self._pump(other))

    def _hook_failed(self, unit: Unit, event: Event) -> None:
        event.failures += 1
        unit.failed_hook = event
        if unit.workload.current != 'error':
            unit.before_error = unit.workload
        self.set_status(unit, 'error', f'hook failed: "{event.name}"')
        delay = min(5 * 2 ** (event.failures - 1), 300)

        def retry() -> None:
            if unit.failed_hook is event:
                self.resolve(unit)

        self.clock.later(delay, retry)

    def resolve(self, unit: Unit, *, run_again: bool = True) -> None:
        """Run a failed hook again, or let the unit go on without it."""
        event = unit.failed_hook
        if event is None:
            raise ModelError(f'unit "{unit.name}" is not in an error state')
        unit.failed_hook = None
        if run_again:
            unit.queue.insert(0, event)
        else:
            unit.workload = unit.before_error or unit.workload
            event.done(None)
        self.clock.later(0, lambda: self._pump(unit))
        self.changed()

    def restart_agent(self, unit_name: str) -> None:
        """Restart the unit's agent: a running action has failed, a running hook runs again."""
        unit = self.unit(unit_name)
        event = unit.running
        if event is None:
            return
        self._stop_running(unit)
        if event.task is not None:
            event.task.status, event.task.message = 'failed', 'action terminated'
            event.task.completed = self.clock.now()
            event.done(ActionFailed('action terminated'))
        elif event.kind is not Kind.EXEC:
            unit.queue.insert(0, event)
            self.clock.later(0, lambda: self._pump(unit))
        else:
            event.done(HookFailed('command execution aborted'))
        self.changed()

    def _stop_running(self, unit: Unit) -> None:
        unit.application.agent.kill(unit)
        if unit.work is not None:
            unit.work.stop()
        self._free(unit)

    def set_status(self, unit: Unit, current: str, message: str = '') -> None:
        """Set a unit's workload status; `since` changes only with the value, as in Juju."""
        if (unit.workload.current, unit.workload.message) != (current, message):
            unit.workload = Status(current, message, self.clock.now())
            self.changed()

    def set_agent_status(self, unit: Unit, current: str, message: str = '') -> None:
        unit.agent = Status(current, message, self.clock.now())
        self.changed()

    def set_application_status(self, app: Application, current: str, message: str = '') -> None:
        app.leader_status_set = True
        if (app.status.current, app.status.message) != (current, message):
            app.status = Status(current, message, self.clock.now())
            self.changed()

    def application_status(self, app: Application) -> Status:
        """What the leader set, else the worst of the units'."""
        if app.leader_status_set or not app.units:
            return app.status
        order = ('error', 'blocked', 'maintenance', 'waiting', 'active', 'terminated', 'unknown')
        return min((u.workload for u in app.units.values()), key=lambda s: order.index(s.current))

    def set_leader(self, unit_name: str) -> None:
        """Make a unit the leader; only the new leader hears of it."""
        unit = self.unit(unit_name)
        if unit.application.leader != unit_name:
            unit.application.leader = unit_name
            if unit.installed:
                self.queue(unit, Event(Kind.LEADERSHIP, 'leader-elected'))
            self.changed()

    def _elect(self, app: Application) -> None:
        """Give leadership away from a unit that has gone."""
        candidates = sorted(
            (u for u in app.units.values() if u.life == 'alive'), key=lambda u: u.number
        )
        app.leader = None
        if candidates:
            self.set_leader(candidates[0].name)


def _executing(event: Event) -> str:
    if event.kind is Kind.ACTION:
        return f'running action {event.name}'
    if event.kind is Kind.EXEC:
        return 'running commands'
    return f'running {event.name} hook'
