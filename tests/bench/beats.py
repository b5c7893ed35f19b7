"""What each beat asks of the controller while an operation waits, in models of several sizes.

A backup and a restore run in virtual time, by the adapter that the charm has, in a model in which
another application has all the units that charmed MAAS has not. Its calls go to the embedded
controller's own handlers, and requests and answers are weighed as JSON. Each beat logs in besides.
"""

from __future__ import annotations

import collections
import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from coordinator import ports
from coordinator.engine import operation
from coordinator.juju_api import answers, connection, login
from coordinator.juju_api import model as juju_api
from coordinator.report import tables
from rehearsal import model
from rehearsal.controller import facades, rpc, session
from tests import restores, served_model, simulation
from tests.bench import recording

_COUNTS = (10, 100, 300)
_VERSIONS = ('3.6.26', '4.0.15')
_WORK_SECONDS, _BEAT_SECONDS = 240.0, 10.0
_STEPS = {
    'scale-down-postgresql': 'a unit is being removed',
    'back-up-postgresql': 'the database is backed up',
    'back-up-maas': 'the files are backed up',
    'restore-postgresql-scale': 'units are coming back',
    'await-postgresql': 'the database is restored',
    'restore-maas': 'the regions restore',
}
"""Those that wait for minutes or hours."""


@dataclasses.dataclass
class Weight:
    """Of several beats."""

    beats: int = 0
    requests: int = 0
    bytes: int = 0

    def __str__(self) -> str:
        if not self.beats:
            return ''
        return f'{self.requests / self.beats:.1f}, {self.bytes / self.beats / 1024:.1f} KiB'


class _Wire(connection.Connection):
    """A connection that needs no socket."""

    def __init__(self, juju: model.Model, user: model.User):
        self.closed = False
        self.weight = Weight()
        self._juju, self._user = juju, user
        self._endpoint = _endpoint(juju, user)
        offered = {name: tuple(facade.versions(juju)) for name, facade in facades.ALL.items()}
        access = ports.Access(user.name, user.model_access, superuser=False)
        self._session = login.Session(access, juju.version, offered)

    def call(self, facade: str, method: str, params: Mapping[str, Any]) -> object:
        found = facades.find(self._juju, True, facade, self.session.version(facade), method)
        # No handler that the coordinator calls asks who is on the other side.
        nobody = cast(session.Session, None)
        try:
            answer = found.handler(rpc.Call(nobody, self._juju, self._user, dict(params), ''))
        except model.ModelError as error:
            raise self._refused(f'{facade}.{method}', error) from error
        self.weight.requests += 1
        self.weight.bytes += len(json.dumps(params)) + len(json.dumps(answer))
        return answer

    def _refused(self, what: str, error: model.ModelError) -> Exception:
        return self.refusal(what, answers.Error(message=str(error), code=error.code))

    def close(self) -> None:
        """Stay as it is: nothing is open."""


class _Api(juju_api.JujuApi):
    """The charm's own adapter, on that connection."""

    def __init__(self, wire: _Wire, endpoint: connection.Endpoint):
        super().__init__(endpoint)
        self._wire = wire

    def _open(self) -> connection.Connection:
        return self._wire


def _endpoint(juju: model.Model, user: model.User) -> connection.Endpoint:
    return connection.Endpoint((), '', juju.uuid, user.name, '')


def measure(counts: Sequence[int] = _COUNTS, versions: Sequence[str] = _VERSIONS) -> Iterator[str]:
    """Back up and restore in models of these sizes, and yield what to print."""
    for version in versions:
        weights = [weigh(version, count) for count in counts]
        rows = [
            (step, why, *(str(found[step]) for found in weights)) for step, why in _STEPS.items()
        ]
        yield f'requests and bytes of a beat, by the number of units in the model; Juju {version}'
        yield tables.table(('step', 'while', *map(str, counts)), rows)


def weigh(version: str, units: int) -> Mapping[str, Weight]:
    """Return what beats cost, by the step that waits."""
    weights: dict[str, Weight] = collections.defaultdict(Weight)
    lost = restores.simulate(version=version)
    _run(_prepared(lost, units), weights)
    fresh = restores.simulate(version=version, after=lost)
    restores.restore(fresh, lost)
    _run(_prepared(fresh, units), weights)
    return weights


def _prepared(sim: simulation.Simulation, units: int) -> simulation.Simulation:
    database, maas = sim.database, sim.maas
    database.backup = database.restore = maas.backup = maas.restore = _WORK_SECONDS
    database.install = database.remove = _WORK_SECONDS
    others = units - len(sim.model.units)
    sim.model.deploy('others', served_model.CHARM, served_model.ToyAgent(sim.model), others)
    sim.clock.advance(60)
    return sim


def _run(sim: simulation.Simulation, weights: Mapping[str, Weight]) -> None:
    wire = _Wire(sim.model, sim.user)
    sim.world.juju = _Api(wire, _endpoint(sim.model, sim.user))
    while sim.op.open:
        step = sim.op.step
        wire.weight = Weight()
        if sim.dispatch():
            sim.clock.advance(0.1)
            continue
        weights[step].beats += 1
        weights[step].requests += wire.weight.requests
        weights[step].bytes += wire.weight.bytes
        sim.clock.advance(_BEAT_SECONDS)
    if sim.op.status != operation.COMPLETE:
        raise recording.OperationFailed(f'{sim.op.kind} is {sim.op.status}: {sim.op.error}')
