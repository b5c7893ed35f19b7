"""What the actions print: the real charm on a site in memory, with a clock and ids of its own.

Every run prints the same. `screens` tells the story of one site, from its first backup to the
loss of its model and a restore that is held for a while.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import functools
import itertools
from collections.abc import Generator, Mapping, Sequence

import pyrage
import pytest
from ops import testing

import scheduling
import signer
from actions import base as action_base
from coordinator import times
from coordinator.engine import operation
from coordinator.parts import pgbackrest
from coordinator.record import ended, schedules
from coordinator.report import status
from coordinator.sets import sealing, signing
from coordinator.steps.backup_set import claiming
from rehearsal import site
from rehearsal.juju import shown
from tests import charm_states, signers, simulation

_KEY = pyrage.x25519.Identity.from_str(simulation.IDENTITY)
IDENTITY = 'secret:d4k2q7vmp25c76fls0bg'
_MODEL, _FRESH_MODEL = (f'{number}f3c1d2e-7a5b-4c6d-8e9f-0a1b2c3d4e5f' for number in (1, 2))
_SEALED_BYTES = 600
_SUNDAY = 6
_OPTIONS: Mapping[str, str | int] = {'recipients': str(_KEY.to_public())}
_RULES: Mapping[str, int] = {'keep-last': 2, 'keep-weekly': 8}


@functools.cache
def screens() -> Mapping[str, str]:
    """Return, by their names, commands with what they print."""
    with _same_each_time():
        desk = _Desk(_site())
        _first_night(desk)
        _following_nights(desk)
        _look_after_sets(desk)
        _lose_and_restore(desk)
        _adopt(desk)
    return desk.screens


@contextlib.contextmanager
def _same_each_time() -> Generator[None]:
    """Let nothing that is drawn at random show on a screen."""
    seal = sealing.seal

    def sealed(
        backup_id: str, model_uuid: str, passwords: Mapping[str, str], to: Sequence[str]
    ) -> bytes:
        # age adds something of random length to each file, and delete-backup shows its size.
        tries = (seal(backup_id, model_uuid, passwords, to) for _ in itertools.count())
        return next(found for found in tries if len(found) == _SEALED_BYTES)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealing, 'seal', sealed)
        patch.setattr(claiming, 'token', lambda: '1c2d3e4f')
        patch.setattr(signing, 'new_key', signers.Secret('drawn').draw)
        # Nobody attacks the hashes of these passwords, so they may be quick.
        patch.setattr(sealing, 'COST', 2)
        yield


def _site(after: simulation.Simulation | None = None, units: int = 3) -> simulation.Simulation:
    """Deploy a site on which things take as long as on a small real one."""
    sim = simulation.Simulation(
        postgresql_units=units,
        recipient=str(_KEY.to_public()),
        model_uuid=_FRESH_MODEL if after else _MODEL,
        after=after,
    )
    sim.world.user_secrets[IDENTITY] = {'identity': str(_KEY)}
    sim.database.backup, sim.database.restore = 560.0, 610.0
    sim.database.join, sim.database.remove = 240.0, 20.0
    sim.maas.backup, sim.maas.restore, sim.maas.initialise = 380.0, 290.0, 75.0
    return sim


def _first_night(desk: _Desk) -> None:
    desk.run('backup-all-dry-run', 'backup-all', dry_run=True)
    desk.run('backup-all', 'backup-all')
    desk.until('back-up-postgresql', minutes=4)
    desk.status('status-running')
    desk.run('show-operation-running', 'show-operation')
    desk.run('backup-all-refused', 'backup-all')
    desk.until()
    desk.status('status-complete')
    desk.run('show-operation', 'show-operation')
    desk.run('list-backups-first', 'list-backups')


def _following_nights(desk: _Desk) -> None:
    for _ in range(2):
        desk.next_night()
        desk.run('', 'backup-all')
        desk.until()
        desk.run('keep-backup', 'keep-backup', backup_id=desk.first_backup)
    desk.next_night()
    desk.run('', 'backup-all')
    desk.until('back-up-maas', minutes=2)
    desk.run('abort-operation', 'abort-operation')
    desk.until()
    desk.run('show-operation-aborted', 'show-operation')
    desk.sim.maas.blocked = 'PostgreSQL relation is missing'
    desk.sim.site.maas.poke()
    desk.sim.clock.advance(60)
    desk.run('', 'backup-all')
    desk.until()
    desk.status('status-failed')
    desk.run('show-operation-failed', 'show-operation')
    desk.sim.site.maas.block('')
    desk.run('show-operation-earlier', 'show-operation', earlier=True)
    desk.run('acknowledge-operation', 'acknowledge-operation')
    desk.kept = _schedules()
    desk.run('show-schedule', 'show-schedule')
    desk.kept = {}


def _schedules() -> dict[str, schedules.Schedule]:
    """Return the schedules of a site that has been backed up for some nights."""
    nights = [f'2026-08-{day}T01:30:00Z' for day in (25, 24, 23)]
    done = [
        schedules.Run(night, 'complete', operation=night.replace('30:00', '31:12'))
        for night in nights
    ]
    why = 'restore-all 2026-08-24T22:47:03Z was still running an hour later'
    missed = schedules.Run(nights[0], schedules.MISSED, reason=why)
    read = schedules.Run('2026-08-23T07:00:00Z', 'complete', operation='2026-08-23T07:02:40Z')
    return {
        'backup-all': schedules.Schedule(
            '01:30', '*-*-* 01:30:00 UTC', runs=(missed, *done[1:]), missed=1
        ),
        'verify-backup': schedules.Schedule('Sun 07:00', 'Sun *-*-* 07:00:00 UTC', runs=(read,)),
    }


class _Calendars:
    """The times of those schedules, as systemd would work them out."""

    def normal(self, text: str) -> str:
        return text

    def after(
        self, calendar: str, moment: datetime.datetime, count: int = 1
    ) -> list[datetime.datetime]:
        hour, minute = (1, 30) if '01:30' in calendar else (7, 0)
        first = moment.replace(hour=hour, minute=minute, second=0, microsecond=0)
        days = (first + datetime.timedelta(days=number) for number in range(50))
        times = [day for day in days if day > moment and (hour == 1 or day.weekday() == _SUNDAY)]
        return times[:count]


def _look_after_sets(desk: _Desk) -> None:
    desk.run('verify-backup', 'verify-backup', backup_id='latest', deep=True)
    desk.until()
    desk.run('show-operation-verify', 'show-operation')
    desk.run('list-backups', 'list-backups')
    desk.run('show-backup', 'show-backup', backup_id='latest')
    desk.run('show-signing-key', 'show-signing-key')
    desk.run('rotate-signing-key', 'rotate-signing-key')
    desk.run('keep-backup-not', 'keep-backup', backup_id=desk.first_backup, keep=False)
    desk.options = {**_OPTIONS, **_RULES}
    desk.run('expire-dry-run', 'expire', dry_run=True)
    desk.run('delete-backup', 'delete-backup', backup_id=desk.first_backup)
    desk.run('expire', 'expire')
    desk.until()


def _lose_and_restore(desk: _Desk) -> None:
    key = desk.sim.world.signer.keys()[0]
    desk.options = {**desk.options, 'trusted-signers': key}
    desk.move_to(_site(after=desk.sim))
    wanted = {'backup_id': 'latest', 'identity': IDENTITY}
    desk.run('restore-all-dry-run', 'restore-all', **wanted)
    desk.run('restore-all', 'restore-all', **wanted, confirm=True)
    for _ in range(3):
        desk.sim.maas.fail_next('restore-backup', 'No space left on device')
    desk.until()
    desk.status('status-held')
    desk.run('show-operation-held', 'show-operation')
    desk.run('abort-operation-refused', 'abort-operation')
    desk.sim.clock.advance(900)
    desk.run('resume-operation', 'resume-operation')
    desk.until()
    desk.run('show-operation-restored', 'show-operation')
    desk.run('prove-restore', 'prove-restore')
    desk.until()


def _adopt(desk: _Desk) -> None:
    desk.move_to(_site(units=1))
    sim = desk.sim
    sim.clock.advance(60)
    site.run_action(sim.model, site.POSTGRESQL + '/0', 'create-backup')
    files = site.run_action(sim.model, sim.site.maas.leader, 'create-backup')
    (database,) = pgbackrest.backups(sim.world.postgresql_store, f'maas.{site.POSTGRESQL}')
    desk.run(
        'adopt-backup',
        'adopt-backup',
        maas_backup_id=files.output['backups'].rpartition(' ')[2],
        postgresql_backup_id=database.id,
    )
    desk.until()
    desk.run('list-backups-adopted', 'list-backups')


@dataclasses.dataclass
class _Desk:
    """The operator's desk: what is typed is run by the charm, and what it prints is kept."""

    sim: simulation.Simulation
    screens: dict[str, str] = dataclasses.field(default_factory=dict)
    first_backup: str = ''
    options: Mapping[str, str | int] = dataclasses.field(default_factory=lambda: _OPTIONS)
    kept: schedules.Schedules = dataclasses.field(default_factory=dict[str, schedules.Schedule])
    _record: operation.Operation | None = None
    _earlier: tuple[ended.Ended, ...] = ()
    _last_complete: str = ''

    def run(self, screen: str, action: str, **parameters: str | bool) -> None:
        """Run an action; with a name for the screen, keep the command and what it prints."""
        printed = self._printed(action, parameters)
        words = [f'{name.replace("_", "-")}={_word(v)}' for name, v in parameters.items()]
        command = ' '.join([f'$ juju run {charm_states.APP}/leader {action}', *words])
        if screen:
            self.screens[screen] = f'{command}\n{printed}'

    def _printed(self, action: str, parameters: Mapping[str, str | bool]) -> str:
        state = charm_states.state(
            self._record,
            earlier=self._earlier,
            last_complete=self._last_complete,
            config=self.options,
            kept=self.kept,
            secrets=self._signing_key(),
        )
        with pytest.MonkeyPatch.context() as patch:
            charm_states.reach(self.sim.world, patch)
            patch.setattr(action_base, 'utc_now', self.sim.clock.now)
            patch.setattr(scheduling, 'connect', _Calendars)
            try:
                results, out = charm_states.act(action, state, **parameters)
            except testing.ActionFailed as error:
                return f'Action id {self._task()} failed: {error.message}'
        if 'operation' in charm_states.databag(out):
            self._record = self.sim.op = charm_states.saved(out)
        return shown.results_text(results)

    def _signing_key(self) -> list[testing.Secret]:
        """Return the secret with the key that the site signs its sets with, if it has one."""
        content = [{'private-key': private} for private in self.sim.world.signing.private]
        return [testing.Secret(each, label=signer.LABEL, owner='app') for each in content[:1]]

    def _task(self) -> int:
        """Return the id that Juju would give to the task of an action."""
        return max(self.sim.model.tasks, default=0) + 2

    def until(self, step: str = '', minutes: float = 0) -> None:
        """Let the operation go on: to its end, or until it has been at a step for a while."""
        sim = self.sim
        if step:
            sim.at_step(step)
            end = sim.clock.now() + datetime.timedelta(minutes=minutes)
            sim.until(lambda: sim.clock.now() >= end)
        else:
            sim.run()
        self._record = op = sim.op
        if op.terminal:
            self._earlier = ended.adding(self._earlier, op)
        if (op.kind, op.status) == ('backup-all', operation.COMPLETE):
            self._last_complete = op.id
            self.first_backup = self.first_backup or op.id

    def status(self, screen: str) -> None:
        """Keep what `juju status` says of the coordinator."""
        now = self.sim.clock.now()
        name, message = status.describe(
            self.sim.op, self._earlier, self._last_complete, charm_states.APP, now
        )
        rows = [('App', 'Status', 'Message'), (charm_states.APP, name, message)]
        lines = [f'{app:<23}  {state:<11}  {text}' for app, state, text in rows]
        self.screens[screen] = '\n'.join([f'$ juju status {charm_states.APP}', *lines])

    def next_night(self) -> None:
        """Let time pass until the next night's backup is due."""
        begun = times.parse_stamp(self.sim.op.id)
        due = begun + datetime.timedelta(days=1)
        self.sim.clock.advance((due - self.sim.clock.now()).total_seconds())

    def move_to(self, sim: simulation.Simulation) -> None:
        """Sit down before another model."""
        self.sim, self._record, self._earlier, self._last_complete = sim, None, (), ''


def _word(value: str | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else value
