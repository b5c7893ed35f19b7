"""The model as the charm's Scenario tests show it: all there, or without one thing."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

import pytest
import yaml
from ops import testing
from scenario.state import _Event

import charm
from coordinator import ports, times
from coordinator.engine import formats, operation, settings
from coordinator.operations import plans
from coordinator.record import ended, schedules
from tests import examples, worlds

APP = 'maas-backup-coordinator'
SECRET = 'secret:d0q1k2v3m4n5o6p7q8r9'
CONFIG: dict[str, str | int] = {
    'juju-credentials': SECRET,
    'recipients': examples.RECIPIENT,
    'postgresql-backup-strategy': 'scale-down',
}
SETTINGS = settings.Settings(
    maas='maas-region',
    postgresql='postgresql',
    recipients=(examples.RECIPIENT,),
    s3_maas='s3-integrator-maas',
    s3_postgresql='s3-integrator-postgresql',
)
CREDENTIALS = {'username': 'backup-bot', 'password': 'hunter2'}
OTHERS = {
    'maas-region': 'maas-region',
    'postgresql': 'postgresql',
    's3-maas': 's3-integrator-maas',
    's3-postgresql': 's3-integrator-postgresql',
}
"""Endpoint to the application at its other end."""
NEWER = json.dumps({'format': formats.FORMAT + 1, 'shape': 'unheard-of'})
"""A record that only a revision to come can read."""
ADVANCE = _Event('advance')
"""The pacemaker's dispatch. Scenario has no public name for events of a charm's own `on`."""


def context(charm_root: pathlib.Path | None = None) -> testing.Context[charm.CoordinatorCharm]:
    """Return a context for one dispatch of the charm, in a folder that may outlive it."""
    root = pathlib.Path(charm.__file__).parents[1]
    files: dict[str, dict[str, Any]] = {
        name: yaml.safe_load((root / f'{name}.yaml').read_text())
        for name in ('charmcraft', 'actions', 'config')
    }
    return testing.Context(
        charm.CoordinatorCharm,
        meta=files['charmcraft'],
        actions=files['actions'],
        config=files['config'],
        charm_root=charm_root,
    )


def state(
    op: operation.Operation | str | None = None,
    *,
    leader: bool = True,
    last_complete: str = '',
    earlier: Sequence[ended.Ended] = (),
    without: Collection[str] = (),
    config: Mapping[str, str | int] | None = None,
    unset: Collection[str] = (),
    credentials: Mapping[str, str] | None = CREDENTIALS,
    s3: Mapping[str, str] | None = None,
    secrets: Collection[testing.Secret] = (),
    sets: str = '',
    kept: schedules.Schedules | None = None,
    asking: Collection[testing.Relation] = (),
) -> testing.State:
    """Return a model in which a backup could begin.

    Args:
        op: the record in the peer databag; a text is put there as it is.
        leader: whether this unit leads.
        last_complete: backup id of the newest complete set.
        earlier: operations that have ended.
        without: endpoints that are not related.
        config: options that differ from `CONFIG`.
        unset: options that have no value.
        credentials: content of the secret; None when it is not granted.
        s3: what the integrator of `s3-maas` gives.
        secrets: more secrets that the unit may read.
        sets: what the leader has found in the repository, for the metrics.
        kept: the schedules.
        asking: relations of charms that request backups.
    """
    peers: dict[str, str] = {}
    if op is not None:
        peers['operation'] = op if isinstance(op, str) else op.to_json()
    if earlier:
        peers['ended'] = ended.to_json(earlier)
    if last_complete:
        peers['last-complete'] = f'{{"backup-id": "{last_complete}"}}'
    if sets:
        peers['sets'] = sets
    if kept:
        peers['schedules'] = schedules.to_json(kept)
    relations: list[testing.RelationBase] = [
        testing.Relation(
            endpoint,
            interface='s3' if endpoint.startswith('s3-') else 'juju-info',
            remote_app_name=other,
            remote_app_data=dict(s3 or {}) if endpoint == 's3-maas' else {},
        )
        for endpoint, other in OTHERS.items()
        if endpoint not in without
    ]
    relations += asking
    if 'coordinator' not in without:
        relations.append(
            testing.PeerRelation('coordinator', local_app_data=peers, peers_data={1: {}})
        )
    options = {**CONFIG, **(config or {})}
    granted = [] if credentials is None else [testing.Secret(dict(credentials), id=SECRET)]
    return testing.State(
        leader=leader,
        config={name: value for name, value in options.items() if name not in unset},
        relations=relations,
        secrets=[*granted, *secrets],
        model=testing.Model('maas', uuid=worlds.EmptyWorld.model_uuid),
    )


def new_operation(operation_id: str = examples.BACKUP_ID) -> operation.Operation:
    """Return a backup that has not begun, with the real plan's steps."""
    began = times.parse_stamp(operation_id)
    names = plans.BACKUP_ALL.names
    return operation.Operation.new(operation_id, 'backup-all', names, SETTINGS, began)


def databag(found: testing.State) -> Mapping[str, str]:
    """Return the application databag of the peer relation."""
    (peers,) = found.get_relations('coordinator')
    return peers.local_app_data


def saved(found: testing.State) -> operation.Operation:
    """Return the operation in the peer databag."""
    return operation.Operation.from_json(databag(found)['operation'])


def reach(world: ports.World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the charm reach this world."""

    def connect(charm: object) -> ports.World:
        return world

    monkeypatch.setattr(charm, 'connect', connect)


def act(
    name: str, state: testing.State, **parameters: str | bool | int
) -> tuple[dict[str, Any], testing.State]:
    """Run an action; return its results and the model after it."""
    dispatch = context()
    params = {key.replace('_', '-'): value for key, value in parameters.items()}
    out = dispatch.run(dispatch.on.action(name, params=params), state)
    return dispatch.action_results or {}, out


def refusal(name: str, state: testing.State, **parameters: str | bool | int) -> str:
    """Run an action that is refused; return in which words. It leaves the record as it was."""
    with pytest.raises(testing.ActionFailed) as caught:
        act(name, state, **parameters)
    after = cast(testing.State, caught.value.state)
    assert after.get_relations('coordinator') == state.get_relations('coordinator')
    return caught.value.message
