"""Joins the ports to their adapters, out of what Juju tells this unit."""

from __future__ import annotations

import dataclasses
import datetime
import os
import typing

import ops

import given
import lease
from coordinator import errors, integrators, ports
from coordinator.integrity import reader
from coordinator.juju_api import access, model, remembered
from coordinator.maas_api import client as maas_client
from coordinator.maas_api import login as maas_login
from coordinator.ports import maas_port
from coordinator.s3 import object_store, timeouts
from coordinator.unit import elapsed, in_flight

_CHARMS = {'s3-maas': integrators.MAAS_REGION, 's3-postgresql': integrators.POSTGRESQL}
"""The charm that keeps its backups at the end of each S3 relation."""
_IN_FLIGHT, _READING = '.in-flight', '.reading'
"""What is kept on the unit's own disk, in the charm's folder."""


class LiveWorld:
    """The world as this dispatch can reach it. Nothing is opened before it is asked for."""

    def __init__(self, given_to_unit: given.Given):
        self._given = given_to_unit
        self._lease = lease.Lease(given_to_unit.began)
        self._lease.keep()
        self._juju: model.JujuApi | None = None
        self._in_flight = in_flight.InFlight(given_to_unit.folder / _IN_FLIGHT)
        self._maas: dict[maas_login.Endpoint, maas_client.MaasApi] = {}
        self._stores: dict[tuple[str, str | None, str | None], object_store.S3Store] = {}
        self._patience: dict[str, timeouts.Patience] = {}
        self._connections: dict[str, object_store.Connection] = {}
        self._looks = elapsed.Elapsed(given_to_unit.folder / elapsed.FILE)
        self._overdue = self._due = False

    @property
    def juju(self) -> ports.JujuModel:
        """The controller."""
        if self._juju is None:
            content = self._given.credentials()
            try:
                endpoint = access.endpoint(content, self.model_uuid, self.model_name, os.environ)
            except errors.PreconditionError as error:
                # An operation under way waits for the operator to put it right.
                raise errors.Lacking(str(error)) from None
            self._juju = model.JujuApi(
                endpoint,
                fence=self._fence,
                answered=self._in_flight.answered,
                last=remembered.LastAddress(self._given.folder / remembered.FILE),
            )
        return self._juju

    @property
    def maas_store(self) -> ports.ObjectStore:
        """The repository."""
        return self._store('s3-maas')

    @property
    def postgresql_store(self) -> ports.ObjectStore:
        """PostgreSQL's bucket and path."""
        return self._store('s3-postgresql')

    def maas_store_at(self, bucket: str, path: str) -> ports.ObjectStore:
        """Another bucket and path of the same S3."""
        return self._store('s3-maas', bucket, path)

    def postgresql_store_at(self, bucket: str, path: str) -> ports.ObjectStore:
        """Another bucket and path of the same S3."""
        return self._store('s3-postgresql', bucket, path)

    @property
    def reader(self) -> ports.Reader:
        """What reads backup sets whole."""
        return reader.Reader(self._given.folder / _READING)

    def maas(self, found: str = '', *, fresh: bool = False) -> maas_port.Maas | None:
        """Return the site's MAAS; None without an API key."""
        reference = str(self._given.config.get('maas-api-key') or '')
        if not reference:
            return None

        where = maas_login.endpoint(self._given.secret(reference), found, fresh=fresh)
        if where not in self._maas:
            self._maas[where] = maas_client.MaasApi(where)
        return self._maas[where]

    def secret(self, reference: str) -> dict[str, str]:
        """Return the newest content of a user secret."""
        return self._given.secret(reference)

    @property
    def signer(self) -> ports.Signer:
        """What signs backup sets."""
        return self._given.signer

    @property
    def model_name(self) -> str:
        """Name of this model."""
        return self._given.model.name

    @property
    def model_uuid(self) -> str:
        """UUID of this model."""
        return self._given.model.uuid

    def now(self) -> datetime.datetime:
        """Return the time."""
        return datetime.datetime.now(datetime.UTC)

    def leads(self) -> bool:
        """Whether this unit has led without a break since the dispatch began."""
        return self._lease.holds()

    def elapsed(self, operation_id: str, age: int) -> int:
        """Return the age of an operation, as this unit's dispatches have measured it."""
        found = self._looks.look(operation_id, age)
        self._overdue = self._looks.overdue
        self._due = self.look_is_due(found)
        return found

    def look_is_due(self, age: int) -> bool:
        """Whether to look at more than a task now."""
        return elapsed.look_is_due(age) or self._overdue

    def take_up(self) -> datetime.datetime | None:
        """Remember what is sent; return when something was sent that was never answered."""
        return self._in_flight.take_up()

    def settle(self) -> None:
        """Forget what was sent."""
        self._in_flight.settle()

    def close(self) -> None:
        """Close what was opened; note that this dispatch has had its look."""
        if self._due:
            self._looks.looked()
        self._lease.end()
        if self._juju is not None:
            self._juju.close()
        for opened in (*self._stores.values(), *self._maas.values()):
            opened.close()

    def _store(
        self, name: str, bucket: str | None = None, path: str | None = None
    ) -> object_store.S3Store:
        key = (name, bucket, path)
        if key not in self._stores:
            connection = self._connection(name)
            if bucket is not None and path is not None:
                connection = dataclasses.replace(connection, bucket=bucket, path=path.strip('/'))
            patience = self._patience.setdefault(connection.endpoint, timeouts.Patience())
            self._stores[key] = next(
                (
                    store.beside(connection)
                    for store in self._stores.values()
                    if store.connection.server == connection.server
                ),
                None,
            ) or object_store.S3Store(connection, self._fence, self._in_flight.answered, patience)
        return self._stores[key]

    def _connection(self, name: str) -> object_store.Connection:
        if name in self._connections:
            # Each question of a secret is two processes.
            return self._connections[name]
        relation = self._given.relation(name)
        if relation is None:
            app = self._given.app.name
            raise errors.Lacking(
                f'no relation {name}: juju integrate {app}:{name} <s3-integrator>'
            )
        fields = self._fields(name, relation)
        found = object_store.Connection.from_relation(relation.app.name, fields, _CHARMS[name])
        self._connections[name] = found
        return found

    def _fields(self, name: str, relation: ops.Relation) -> dict[str, typing.Any]:
        """Return what the integrator gives, of either track."""
        requirer: typing.Any = self._given.stores[name]
        try:
            texts = requirer.fetch_relation_data([relation.id])[relation.id]
            chain = requirer.get_storage_connection_info(relation).get('tls-ca-chain')
        except (ops.SecretNotFoundError, ops.ModelError):
            # No `from`: whatever the cause says, it is about a secret.
            integrator = relation.app.name
            raise errors.TransientError(
                f'the keys that {integrator} gives cannot be read: see juju status {integrator}'
            ) from None
        # Pass the values as text: `integrators` reads them as the charms do.
        return {**texts, 'tls-ca-chain': chain}

    def _fence(self) -> None:
        """Prevent an effect if this unit was slow and may no longer be the leader.

        Raises:
            TransientError: another unit leads; it will continue the operation.
        """
        if not self._lease.renew():
            raise errors.TransientError(
                f'{self._given.unit.name} is no longer the leader, or hung for too long to be sure'
            )
        self._in_flight.sending()
