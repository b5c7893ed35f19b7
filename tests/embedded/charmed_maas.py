"""A charmed MAAS with the real coordinator, for tests that share it and leave it as it was."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
from collections.abc import Callable, Generator, Mapping
from typing import Any, Self

from coordinator.record import history
from coordinator.sets import catalogue
from rehearsal import embedded, model, site
from rehearsal.standins import behaviour

APP = embedded.APP
LEADER = f'{APP}/leader'
ROBOT = 'backup-bot'
Json = dict[str, Any]

_BUSY = model.Kind.UPDATE_STATUS
_INSTALLING_SECONDS = 120.0
_OPERATION_SECONDS = 180.0
"""Far more than it takes: the machine that runs the tests may be slow."""


@dataclasses.dataclass(frozen=True)
class _Before:
    """What tests may change and `reset` puts back."""

    config: Mapping[str, Mapping[str, Any]]
    """By application."""
    secrets: Mapping[str, Mapping[str, str]]
    """Content of the model's user secrets by id."""
    grants: Mapping[str, frozenset[str]]
    users: Mapping[str, model.User]


class CharmedMaas:
    """An embedded model whose charms are quick. As a context manager it runs within.

    What takes functions calls them on the model's thread; all else is for the test's.
    """

    def __init__(self, root: pathlib.Path, layout: embedded.Layout):
        self.running = embedded.Embedded(
            root,
            layout,
            behaviour.MaasBehaviour(hook=0.01, install=0.1, initialise=0.1, backup=1.0),
            behaviour.PostgresqlBehaviour(
                hook=0.01, install=0.1, join=0.3, remove=0.2, failover=0.2, stanza=0.1, backup=1.0
            ),
        )

    def __enter__(self) -> Self:
        running = self.running
        running.start()
        running.model.idle_after = 0.1
        running.settle(_INSTALLING_SECONDS)
        self._before = running.call(self._as_it_is)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.running.stop()

    @property
    def model(self) -> model.Model:
        return self.running.model

    @property
    def site(self) -> site.Site:
        return self.running.site

    # --- The operation ---------------------------------------------------------------------------

    def begin(self) -> str:
        """Run backup-all; return the backup id."""
        task = self.running.run_action(LEADER, 'backup-all')
        assert task.status == 'completed', task.message
        assert task.output['status'] == 'started'
        return task.output['backup-id']

    def until_step(self, name: str, waits_for: str = '') -> Json:
        """Wait until a step has begun, or waits with such a reason; return the record."""

        def reached() -> bool:
            op = self.record()
            entry = next(e for e in op['steps'] if e['name'] == op['step'])
            if op['status'] != 'open':
                raise AssertionError(f'it ended before {name}: {op}')
            at_it = op['step'] == name and entry['state'] == 'doing'
            return at_it and waits_for in entry['reason']

        self.running.until(reached, _OPERATION_SECONDS)
        return self.running.operation()

    def until_ended(self) -> Json:
        """Wait until the operation is over and everything is at rest; return the record.

        The pacemaker stops itself, at its first beat after the end.
        """
        self.running.until(self._over, _OPERATION_SECONDS)
        self.running.until(lambda: not self.pacemakers())
        self.running.until(lambda: not site.unsettled(self.model, ('active', 'blocked')))
        return self.running.operation()

    def back_up(self) -> Json:
        """Run backup-all to its end; return the record."""
        self.begin()
        return self.until_ended()

    def use_replicas(self) -> None:
        """Have PostgreSQL backed up on a replica: quick, as no unit goes."""
        strategy = {'postgresql-backup-strategy': 'replica'}
        self.change(lambda: self.model.set_config(APP, strategy))

    def refused(self) -> str:
        """Run backup-all, which fails before anything changes; return why."""
        units, tasks, stored = self.units(site.POSTGRESQL), self.backup_tasks(), self.stored()
        op = self.back_up()
        assert op['status'] == 'failed', op
        assert op['step'] == 'check', op
        assert self.units(site.POSTGRESQL) == units
        assert self.backup_tasks() == tasks
        assert self.stored() - stored <= {f'maas/{history.key(op["id"], self.running.model.uuid)}'}
        return op['error']

    def refused_at_once(self, unit: str = LEADER) -> str:
        """Run backup-all, which begins no operation; return why."""
        before = self.running.operation()
        task = self.running.run_action(unit, 'backup-all')
        assert task.status == 'failed', task.output
        assert self.running.operation() == before
        return task.message

    def settle(self) -> None:
        """Wait until all charms are idle, and all but the coordinator's are active."""

        def settled() -> bool:
            others = [u for u in self.model.units.values() if u.application.name != APP]
            return not site.unsettled(self.model, ('active', 'blocked')) and all(
                unit.workload.current == 'active' for unit in others
            )

        self.running.until(settled)

    def record(self) -> Json:
        """Return the operation's record as it is now; {} without one. From any thread."""
        return json.loads(self.running.peers.app_data[APP].get('operation', '{}'))

    def _over(self) -> bool:
        return self.record().get('status') != 'open'

    # --- What there is ---------------------------------------------------------------------------

    def sets(self) -> list[str]:
        """Return the ids of the complete backup sets, oldest first."""
        entries = catalogue.entries(self.running.maas_store)
        assert not [entry.problem for entry in entries if entry.problem]
        return [entry.backup_id for entry in entries]

    def stored(self) -> set[str]:
        """Return the keys of all objects in both buckets."""
        return {
            item.key
            for bucket in embedded.BUCKETS.values()
            for item in self.running.store_for(self.running.s3.connection(bucket)).list('')
        }

    def units(self, application: str) -> list[str]:
        """Return the names of an application's units."""
        return self.running.call(lambda: list(self.model.application(application).units))

    def backup_tasks(self) -> list[int]:
        """Return the ids of all create-backup tasks that there ever were."""
        tasks = self.model.tasks
        return self.running.call(
            lambda: [i for i, t in tasks.items() if t.name == 'create-backup']
        )

    def pacemakers(self) -> list[str]:
        """Return the names of the services on the coordinator's machines. From any thread."""
        return sorted(name for _, name in tuple(self.running.agent.systemd.services))

    @property
    def leader(self) -> model.Unit:
        """The coordinator's leading unit."""
        return self.model.unit(self.model.application(APP).leader or '')

    @property
    def login(self) -> model.Secret:
        """The user secret with the coordinator's login."""
        return self.model.secret('coordinator-login')

    def change(self, what: Callable[[], object]) -> None:
        """Change something about the model, and wait until its units have taken note."""
        self.running.call(what)
        self.running.until(
            lambda: not any(u.queue or u.running for u in self.model.units.values())
        )

    @contextlib.contextmanager
    def holding(self, unit_name: str) -> Generator[None]:
        """Keep a unit busy with a hook that takes its time: it begins nothing else meanwhile."""
        unit, hook = self.model.unit(unit_name), model.Event(_BUSY, 'update-status')

        def take() -> bool:
            unit.running = unit.running or hook
            return unit.running is hook

        def give_back() -> None:
            unit.running = None
            self.model.queue(unit, hook)

        self.running.until(take)
        try:
            yield
        finally:
            self.running.call(give_back)

    # --- As it was -------------------------------------------------------------------------------

    def reset(self) -> None:
        """Let nothing go wrong any more, put everything back, and forget the operation."""
        running = self.running
        running.agent.on_dispatch = running.agent.on_tool = None
        running.s3.clear_faults()
        running.call(self._put_back)
        running.until(self._over)
        forgotten = {'operation': '', 'schedules': '', 'requests': ''}
        running.call(lambda: self.model.set_app_data(running.peers, APP, forgotten))
        self.settle()
        # Its units would take the next record for an older one, which a crash has put back.
        for memory in running.root.glob(f'**/agents/unit-{APP}-*/charm/.newest-record'):
            memory.unlink()

    def _as_it_is(self) -> _Before:
        juju = self.model
        secrets = [s for s in juju.secrets.values() if s.owner.startswith('model-')]
        return _Before(
            config={name: dict(app.config) for name, app in juju.applications.items()},
            secrets={secret.id: secret.content for secret in secrets},
            grants={secret.id: frozenset(secret.grants) for secret in secrets},
            users={name: dataclasses.replace(user) for name, user in juju.users.items()},
        )

    def _put_back(self) -> None:
        juju, before, running = self.model, self._before, self.running
        running.faults.clear()
        juju.blocked.clear()
        for switches in (running.maas, running.postgresql):
            switches.faults.clear()
            switches.blocked = ''
        running.postgresql.no_primary = running.postgresql.stuck_replica = False
        juju.users.clear()
        juju.users.update({n: dataclasses.replace(user) for n, user in before.users.items()})
        for secret_id, content in before.secrets.items():
            juju.secrets[secret_id].grants = set(before.grants[secret_id])
            juju.update_secret(juju.secrets[secret_id], content)
        for application, config in before.config.items():
            juju.set_config(application, config)
        # A unit shows at its next hook that nothing is wrong any more.
        self.site.maas.poke()
        self.site.postgresql.poke()
