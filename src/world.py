"""Joins the ports to their adapters, out of what Juju tells this unit."""

from __future__ import annotations

import datetime
import os
import typing

import ops

from coordinator import access, errors, ports, s3
from coordinator.juju_api import model

if typing.TYPE_CHECKING:
    import charm


class LiveWorld:
    """The world as this dispatch can reach it. Nothing is opened before it is asked for."""

    def __init__(self, coordinator_charm: charm.CoordinatorCharm):
        self._charm = coordinator_charm
        self._juju: model.JujuApi | None = None
        self._stores: dict[str, s3.S3Store] = {}

    @property
    def juju(self) -> ports.JujuModel:
        """The controller."""
        if self._juju is None:
            endpoint = access.endpoint(self._charm.credentials(), self.model_uuid, os.environ)
            self._juju = model.JujuApi(endpoint, fence=self._fence)
        return self._juju

    @property
    def maas_store(self) -> ports.ObjectStore:
        """The repository."""
        return self._store('s3-maas')

    @property
    def postgresql_store(self) -> ports.ObjectStore:
        """PostgreSQL's bucket and path."""
        return self._store('s3-postgresql')

    @property
    def model_name(self) -> str:
        """Name of this model."""
        return self._charm.model.name

    @property
    def model_uuid(self) -> str:
        """UUID of this model."""
        return self._charm.model.uuid

    def now(self) -> datetime.datetime:
        """Return the time."""
        return datetime.datetime.now(datetime.UTC)

    def close(self) -> None:
        """Close what was opened."""
        if self._juju is not None:
            self._juju.close()

    def _store(self, name: str) -> s3.S3Store:
        if name not in self._stores:
            relation = self._charm.model.get_relation(name)
            if relation is None:
                app = self._charm.app.name
                raise errors.TransientError(
                    f'no relation {name}: juju integrate {app}:{name} <s3-integrator>'
                )
            fields = self._fields(name, relation)
            connection = s3.Connection.from_relation(relation.app.name, fields)
            self._stores[name] = s3.S3Store(connection)
        return self._stores[name]

    def _fields(self, name: str, relation: ops.Relation) -> dict[str, typing.Any]:
        """Return what the integrator gives, of either track."""
        requirer: typing.Any = self._charm.stores[name]
        try:
            texts = requirer.fetch_relation_data([relation.id])[relation.id]
            chain = requirer.get_storage_connection_info(relation).get('tls-ca-chain')
        except (ops.SecretNotFoundError, ops.ModelError):
            # No `from`: whatever the cause says, it is about a secret.
            integrator = relation.app.name
            raise errors.TransientError(
                f'the keys that {integrator} gives cannot be read: see juju status {integrator}'
            ) from None
        # The library reads every value as JSON, and so a path `3.10` as 3.1: the texts count.
        return {**texts, 'tls-ca-chain': chain}

    def _fence(self) -> None:
        """Let no effect out of a unit that was slow, and leads no more.

        Raises:
            TransientError: another unit leads; it will go on with the operation.
        """
        if not self._charm.unit.is_leader():
            raise errors.TransientError(f'{self._charm.unit.name} does not lead any more')
