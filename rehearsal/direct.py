"""The model as a `JujuModel` port for one user, without a wire: fast, and the same every time.

What is refused, and how, is as over the API: both stand on the same model, the same rules of
permission, and the same translation of Juju's errors.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping, Sequence, Set

from coordinator import errors, ports
from coordinator.juju_api import refusals, wire
from rehearsal import model, permissions
from rehearsal.controller import status as controller_status


class DirectModel:
    """The model for one logged-in user.

    `fence` is called before every change, as `JujuApi` does.
    """

    def __init__(
        self, juju: model.Model, user: model.User, *, fence: Callable[[], None] | None = None
    ):
        self._juju = juju
        self._user = user
        self._fence = fence

    @contextlib.contextmanager
    def _logged_in(self, what: str) -> Generator[None]:
        """Check that the user may log in, and translate what the model refuses then."""
        try:
            if self._juju.users.get(self._user.name) is not self._user:
                raise model.ModelError('invalid entity name or password', 'unauthorized access')
            permissions.check_access(self._user, 'read')
            yield
        except model.ModelError as error:
            caller = refusals.Caller(self._user.name, self._juju.uuid)
            raise refusals.translate(what, str(error), error.code, caller) from error

    @contextlib.contextmanager
    def _looking(self, what: str, access: str = 'read') -> Generator[None]:
        with self._logged_in(what):
            permissions.check_access(self._user, access)
            yield

    @contextlib.contextmanager
    def _changing(self, what: str, blocked_as: str = '') -> Generator[None]:
        """Ask the fence, then check that the user may change something and nothing forbids it."""
        with self._logged_in(what):
            if self._fence is not None:
                self._fence()
            permissions.check_access(self._user, 'write')
            if blocked_as:
                permissions.check_blocked(self._juju, blocked_as)
            yield

    # --- Looking -----------------------------------------------------------------------------

    def access(self) -> ports.Access:
        with self._looking('Admin.Login'):
            superuser = self._user.controller_access == 'superuser'
            return ports.Access(self._user.name, self._user.model_access, superuser)

    def status(self, *applications: str) -> ports.ModelStatus:
        with self._looking('Client.FullStatus'):
            juju = self._juju
            status = ports.ModelStatus(
                name=juju.name,
                juju_version=juju.version,
                applications={n: self._application(a) for n, a in juju.applications.items()},
                machines={
                    m.id: ports.Machine(m.id, m.instance_id, m.controller)
                    for m in juju.machines.values()
                },
                relations=[_relation(relation) for relation in juju.relations.values()],
                time=juju.clock.now(),
                consumed={name: remote.url for name, remote in juju.consumed.items()},
                offers=[
                    ports.Offer(o.name, o.application, o.endpoints, o.connections)
                    for o in juju.offers.values()
                ],
            )
            return status.only(applications) if applications else status

    def _application(self, app: model.Application) -> ports.Application:
        status = self._juju.application_status(app)
        return ports.Application(
            name=app.name,
            charm=app.charm.name,
            channel=app.charm.channel,
            revision=app.charm.revision,
            workload=status.current,
            message=status.message,
            workload_version=controller_status.workload_version(app),
            units={name: self._unit(unit) for name, unit in app.units.items()},
        )

    def _unit(self, unit: model.Unit) -> ports.Unit:
        shown = controller_status.shown_workload(self._juju, unit)
        return ports.Unit(
            name=unit.name,
            machine=unit.machine.id,
            alive=unit.life == 'alive',
            leader=unit.leader,
            workload=shown.current,
            message=shown.message,
            agent=unit.agent.current,
            workload_version=unit.workload_version,
            subordinate=unit.principal is not None,
        )

    def leader(self, application: str) -> str:
        with self._looking('Application.Leader'):
            leader = self._juju.application(application).leader
            if leader is None:
                text = f'leader for application-{application} not found'
                raise model.ModelError(text, 'not found')
            return leader

    def actions(self, application: str) -> Set[str]:
        with self._looking('Action.ApplicationsCharmsActions', 'write'):
            return self._juju.application(application).charm.actions.keys()

    def tasks(self, action: str) -> Sequence[ports.Task]:
        with self._looking('Action.ListOperations'):
            found = [task for task in self._juju.tasks.values() if task.name == action]
            return [self._task(task, {}) for task in sorted(found, key=lambda task: task.id)]

    def task(self, task_id: int) -> ports.Task:
        with self._looking('Action.Actions'):
            task = self._juju.tasks.get(task_id)
            if task is None:
                raise model.ModelError('id not found', 'not found')
            return self._task(task, wire.results(task.output))

    def _task(self, task: model.Task, results: Mapping[str, str]) -> ports.Task:
        return ports.Task(
            id=task.id,
            unit=task.unit,
            action=task.name,
            parameters=dict(task.parameters),
            status=task.status,
            message=task.message,
            results=results,
            enqueued=task.enqueued,
            started=task.started,
            # 4.0 never says when a task has ended.
            completed=None if self._juju.juju4 else task.completed,
        )

    def storage(self) -> Sequence[ports.Storage]:
        with self._looking('Storage.ListStorageDetails'):
            return [
                ports.Storage(
                    item.id, item.owner, (item.owner,) if item.owner else (), item.life == 'alive'
                )
                for item in self._juju.storage.values()
            ]

    def config(self, application: str) -> Mapping[str, str | int | float | bool]:
        with self._looking('Application.Get'):
            return self._juju.application(application).settings

    def options(self, application: str) -> Set[str]:
        with self._looking('Application.Get'):
            return self._juju.application(application).charm.options.keys()

    def secrets(self, label: str = '') -> Sequence[ports.Secret]:
        with self._looking('Secrets.ListSecrets'):
            found = [s for s in self._juju.secrets.values() if label in ('', s.label)]
            return [ports.Secret(s.id, s.owner, s.label, s.updated) for s in found]

    def reveal_secret(self, secret_id: str) -> Mapping[str, str]:
        with self._looking('Secrets.ListSecrets', 'admin'):
            return dict(self._juju.secret(model.secret_id(secret_id)).content)

    # --- Changing ----------------------------------------------------------------------------

    def run_action(
        self, unit: str, action: str, parameters: Mapping[str, str | bool | int]
    ) -> ports.Task:
        with self._changing(f'Action.EnqueueOperation of {action} on {unit}'):
            call = self._juju.action_call(unit, action, parameters, True, '')
            operation = self._juju.enqueue([call])
            if not operation.tasks:
                raise self._juju.unlinked(unit)
            return self._task(operation.tasks[0], {})

    def cancel_task(self, task_id: int) -> None:
        with self._changing('Action.Cancel'):
            task = self._juju.tasks.get(task_id)
            if task is not None and not self._juju.juju4:
                self._juju.cancel(task)

    def add_units(
        self, application: str, count: int, machines: Sequence[str] = ()
    ) -> Sequence[str]:
        with self._changing('Application.AddUnits', 'change'):
            return self._juju.add_units(application, count, machines)

    def remove_unit(self, unit: str) -> None:
        with self._changing('Application.DestroyUnit', 'remove'):
            if unit in self._juju.units:
                self._juju.remove_unit(unit)

    def remove_storage(self, ids: Sequence[str]) -> None:
        blocked_as = '' if self._juju.juju4 else 'remove'
        for storage_id in ids:
            with self._changing('Storage.Remove', blocked_as):
                if storage_id in self._juju.storage:
                    self._juju.remove_storage(storage_id)

    def integrate(self, endpoint: str, other: str) -> None:
        with self._changing('Application.AddRelation', 'change'):
            self._juju.integrate(endpoint, other)

    def remove_relation(self, endpoint: str, other: str) -> None:
        with self._changing('Application.DestroyRelation', 'remove'):
            self._juju.remove_relation(endpoint, other)

    def set_config(self, application: str, values: Mapping[str, str]) -> None:
        with self._changing('Application.SetConfigs', 'change'):
            self._juju.set_config(application, values)

    def reset_config(self, application: str, options: Sequence[str]) -> None:
        with self._changing('Application.UnsetApplicationsConfig', 'change'):
            self._juju.reset_config(application, options)

    def create_secret(self, label: str, content: Mapping[str, str], description: str = '') -> str:
        with self._changing('Secrets.CreateSecrets'):
            owner = f'model-{self._juju.uuid}'
            return self._juju.add_secret(owner, content, label, description).id

    def grant_secret(self, secret_id: str, application: str) -> None:
        with self._changing('Secrets.GrantSecret'):
            secret = self._juju.user_secret(model.secret_id(secret_id))
            self._juju.grant_secret(secret, application)

    def remove_secret(self, secret_id: str) -> None:
        with contextlib.suppress(errors.NotFound), self._changing('Secrets.RemoveSecrets'):
            self._juju.remove_secret(self._juju.user_secret(model.secret_id(secret_id)))


def _relation(relation: model.Relation) -> ports.Relation:
    ends = tuple(f'{app}:{endpoint.name}' for app, endpoint in relation.endpoints.items())
    return ports.Relation(relation.id, ends)
