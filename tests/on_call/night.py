"""A site at night, and the operator who is called: reads what is printed, and types it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import pathlib
import re
import shlex
import tempfile
import typing
from collections.abc import Callable, Generator

import pyrage
import pytest
from ops import testing

import charm
from actions import base as action_base
from coordinator import errors, ports
from coordinator.engine import operation
from coordinator.operations import plans
from coordinator.record import ended, history
from coordinator.report import situation
from coordinator.unit import pacemaker
from rehearsal import cloud, model, site
from rehearsal.juju import serving, shown, tasks
from tests import charm_states, simulation

APP = charm_states.APP
LEADER = f'juju run {APP}/leader'
IDENTITY = 'secret:d4k2q7vmp25c76fls0bg'
_KEY = pyrage.x25519.Identity.from_str(simulation.IDENTITY)
_MODEL, _FRESH_MODEL = (f'{number}f3c1d2e-7a5b-4c6d-8e9f-0a1b2c3d4e5f' for number in (1, 2))
_S3 = {'bucket': 'maas-backups', 'endpoint': 'http://memory.invalid'}


class _NoLogin:
    """The controller for a coordinator that may not read its login."""

    def __getattr__(self, name: str) -> typing.Any:
        secret = charm_states.SECRET
        raise errors.Lacking(f'{secret} cannot be read: juju grant-secret {secret} {APP}')


class _Cloud:
    """Shows the site to the rehearsal's `juju` command."""

    def __init__(self, juju: model.Model):
        self.juju = juju

    def model(self, name: str = '') -> _Cloud:
        return self


class NotPrinted(AssertionError):
    """The operator was to type what nothing printed has told."""


class Night:
    """One site, its coordinator, and what an operator has read and typed."""

    def __init__(self) -> None:
        self.said = ('', '')
        """Status and message when the operator first looked."""
        self.typed: list[str] = []
        self.ended = ''
        """The status at the end."""
        self._printed = ''
        self._peers: dict[str, str] = {}
        self._login = True
        self._fresh = False
        """Whether the coordinator has just been deployed again."""
        self.at_backup: object = None
        """What the site was like at the backup that is restored."""
        self.set_id = ''
        """Id of that backup."""
        self.sim = self._deployed()

    def _deployed(self, after: simulation.Simulation | None = None) -> simulation.Simulation:
        sim = simulation.Simulation(
            regions=2,
            recipient=str(_KEY.to_public()),
            model_uuid=_FRESH_MODEL if after else _MODEL,
            after=after,
        )
        sim.world.user_secrets[IDENTITY] = {'identity': str(_KEY)}
        sim.model.users[cloud.OPERATOR] = model.User(cloud.OPERATOR, '', 'admin', 'superuser')
        return sim

    # --- What happens ------------------------------------------------------------------------

    def has_a_set(self) -> None:
        """Back the site up, and begin the next night's backup."""
        self.set_id = self.sim.op.id
        assert self.sim.run().status == operation.COMPLETE
        self.at_backup = self.sim.site.fingerprint()
        self.sim.clock.advance(86400)
        self.sim.begin('backup-all')

    def restoring(self) -> simulation.Simulation:
        """Back the site up, lose its model, and begin a restore in a fresh one."""
        self.has_a_set()
        self.sim = self._deployed(self.sim)
        self.sim.begin('restore-all', backup_id=self.set_id, identity=IDENTITY)
        return self.sim

    def goes_on(self) -> operation.Operation:
        """Let the operation go on until it has ended, or is held."""
        sim = self.sim
        sim.run()
        if sim.op.status == operation.HELD:
            sim.op = situation.noted(sim.op, sim.world)
        return sim.op

    def lasts(self, seconds: float) -> None:
        """Let the operation go on for a while."""
        end = self.sim.clock.now().timestamp() + seconds
        self.sim.until(lambda: self.sim.clock.now().timestamp() > end)

    def loses(self, unit: str) -> None:
        """Let the machine of a unit die."""
        self.sim.model.set_agent_status(self.sim.model.unit(unit), 'lost')

    def revokes_login(self) -> None:
        """Let somebody revoke the coordinator's grant of its login."""
        self._login, self._juju = False, self.sim.world.juju
        self.sim.world.juju = typing.cast('ports.JujuModel', _NoLogin())

    def settles(self) -> None:
        """Wait until the units of the site are at rest."""
        site.settle(self.sim.model, ('active', 'blocked', 'waiting'), limit=900)

    # --- What the operator does ----------------------------------------------------------------

    def looks(self) -> str:
        """Read `juju status`, and what show-operation says; return the status message."""
        status = self.status()
        if not self.said[0]:
            self.said = status
        self._printed += f'{status[1]}\n{self._acts("show-operation")}\n'
        return status[1]

    def last_printed(self, pattern: str) -> str:
        """Return the last command that was printed and is like this."""
        return re.findall(pattern, self._printed)[-1]

    def types(self, command: str, *, knows: bool = False) -> str:
        """Type a command; return what it prints.

        Args:
            command: the command.
            knows: the operator needs nobody to say it.

        Raises:
            NotPrinted: nothing that was printed has it.
        """
        if not knows and command not in self._printed:
            raise NotPrinted(f'{command!r} was not printed: {self._printed}')
        self.typed.append(command)
        self.sim.clock.advance(1)
        printed = self._carried_out(command)
        self._printed += f'{printed}\n'
        return printed

    def status(self) -> tuple[str, str]:
        """Return what `juju status` says of the coordinator."""
        context = charm_states.context()
        # A unit that leads would go on with an operation that is under way.
        leads = self._fresh or not self.sim.op.open
        state = self._state(leader=leads)
        out = self._dispatches(lambda: context.run(context.on.update_status(), state))
        self._remembers(out)
        return out.unit_status.name, out.unit_status.message

    def _carried_out(self, command: str) -> str:
        juju, *words = shlex.split(command)
        assert juju == 'juju'
        match words:
            case ['run', unit, action, *given] if unit == f'{APP}/leader':
                return self._acts(action, dict(word.split('=', 1) for word in given))
            case ['run', unit, action, *given]:
                parameters = {
                    key: tasks.typed(text) for key, text in (w.split('=', 1) for w in given)
                }
                task = site.run_action(self.sim.model, unit, action, **parameters)
                return shown.results_text(task.output)
            case ['grant-secret', _, app] if app == APP:
                self._login, self.sim.world.juju = True, self._juju
                return ''
            case ['remove-application', app] if app == APP:
                return self._removed()
            case ['deploy', _, app] if app == APP:
                self._peers, self._fresh = {}, True
                return ''
            case ['config', app, option] if app == APP:
                return self._configured(*option.split('=', 1))
            case _:
                return self._of_juju(words)

    def _of_juju(self, words: list[str]) -> str:
        speaks_to = typing.cast('cloud.Cloud', _Cloud(self.sim.model))
        folder = pathlib.Path()
        reply = asyncio.run(serving.COMMANDS.carry_out(speaks_to, words, folder))
        assert reply.code == 0, reply.stderr
        return reply.stdout

    def _configured(self, option: str, value: str) -> str:
        field = {'postgresql-backup-strategy': 'strategy'}[option]
        self.sim.config = dataclasses.replace(self.sim.config, **{field: value})
        return ''

    def _removed(self) -> str:
        """Let Juju remove the coordinator: its last unit's last hook but one."""
        sim, context = self.sim, charm_states.context()
        history.write(sim.op, sim.world)
        state = dataclasses.replace(self._state(), planned_units=0)
        out = self._dispatches(lambda: context.run(context.on.stop(), state))
        sim.op = charm_states.saved(out)
        return ''

    def _acts(self, action: str, given: dict[str, str] | None = None) -> str:
        parameters = {
            key.replace('-', '_'): {'true': True, 'false': False}.get(text, text)
            for key, text in (given or {}).items()
        }
        try:
            results, out = self._dispatches(
                lambda: charm_states.act(action, self._state(), **parameters)
            )
        except testing.ActionFailed as error:
            return error.message
        self._remembers(out)
        return shown.results_text(results)

    def _remembers(self, out: testing.State) -> None:
        """Keep what a dispatch has stored."""
        self._peers, self._fresh = dict(charm_states.databag(out)), False
        self.sim.op = charm_states.saved(out)

    def _state(self, *, leader: bool = True) -> testing.State:
        """Return the model as a dispatch of the coordinator finds it."""
        op, peers = self.sim.op, {} if self._fresh else self._stored()
        login = charm_states.CREDENTIALS if self._login else None
        config: dict[str, str | int] = {
            'recipients': str(_KEY.to_public()),
            'postgresql-backup-strategy': self.sim.config.strategy,
        }
        state = charm_states.state(op, leader=leader, credentials=login, s3=_S3, config=config)
        (relation,) = state.get_relations('coordinator')
        changed = dataclasses.replace(relation, local_app_data=peers)
        others = [other for other in state.relations if other.id != relation.id]
        uuid = self.sim.model.uuid
        return dataclasses.replace(
            state, relations=[*others, changed], model=testing.Model('maas', uuid=uuid)
        )

    def _stored(self) -> dict[str, str]:
        """Return the databag of the peer relation as the engine's dispatches have left it."""
        op, peers = self.sim.op, dict(self._peers)
        if op.terminal:
            entries = ended.from_json(peers.get('ended', '[]'))
            peers['ended'] = ended.to_json(ended.adding(entries, op))
        if plans.published(op):
            peers['last-complete'] = f'{{"backup-id": "{op.id}"}}'
        return {**peers, 'operation': op.to_json()}

    def _dispatches(self, dispatch: Callable[[], typing.Any]) -> typing.Any:
        with _alone() as patch:
            charm_states.reach(self.sim.world, patch)
            patch.setattr(action_base, 'utc_now', self.sim.clock.now)
            return dispatch()


def _nothing(*given: object) -> None:
    """Stand for a call of this machine's services."""


@contextlib.contextmanager
def _alone() -> Generator[pytest.MonkeyPatch]:
    """Keep a dispatch from this machine's services, and from the disk of its charm."""
    with tempfile.TemporaryDirectory() as disk, pytest.MonkeyPatch.context() as patch:
        patch.setattr(charm, '_NEWEST', pathlib.Path(disk) / 'newest')
        for name in ('start', 'stop'):
            patch.setattr(pacemaker.Pacemaker, name, _nothing)
        yield patch
