"""All that a step may ask, in one object."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Protocol

from coordinator.ports import maas_port
from coordinator.ports.juju import JujuModel
from coordinator.ports.reader import Reader
from coordinator.ports.signer import Signer
from coordinator.ports.store import ObjectStore


class World(Protocol):
    """Everything outside the operation record that a step may read or change.

    Using a part that is not configured raises `TransientError` with the command that configures
    it. A running operation then waits for the operator, until its deadline.
    """

    @property
    def juju(self) -> JujuModel:
        """The controller, logged in to this model."""
        ...

    @property
    def maas_store(self) -> ObjectStore:
        """The repository: bucket and path of `s3-maas`."""
        ...

    @property
    def postgresql_store(self) -> ObjectStore:
        """Bucket and path of `s3-postgresql`."""
        ...

    def maas_store_at(self, bucket: str, path: str) -> ObjectStore:
        """Another bucket and path of the same S3, with the keys of `s3-maas`."""
        ...

    def postgresql_store_at(self, bucket: str, path: str) -> ObjectStore:
        """Another bucket and path of the same S3, with the keys of `s3-postgresql`."""
        ...

    @property
    def reader(self) -> Reader:
        """What reads backup sets whole."""
        ...

    def maas(self, found: str = '', *, fresh: bool = False) -> maas_port.Maas | None:
        """Return the site's MAAS; None while the option `maas-api-key` is not set.

        Args:
            found: URL that maas-region's `get-api-endpoint` has answered. It counts if the secret
                has no `endpoint`.
            fresh: with the key of the MAAS that is there before a rehearsal, if the secret has
                one: a restore replaces MAAS' users and their keys.

        Raises:
            MaasNotFound: the secret has no `endpoint`, and none was found.
            Lacking: the secret cannot be read, or is malformed; says which of its keys.
        """
        ...

    def secret(self, reference: str) -> Mapping[str, str]:
        """Return the newest content of a user secret (`secret:<id>`) granted to this charm."""
        ...

    @property
    def signer(self) -> Signer:
        """What signs backup sets."""
        ...

    @property
    def model_name(self) -> str:
        """Name of this Juju model: the first half of a stanza's name."""
        ...

    @property
    def model_uuid(self) -> str:
        """UUID of this Juju model."""
        ...

    def now(self) -> datetime.datetime:
        """Return the time, aware and in UTC."""
        ...

    def leads(self) -> bool:
        """Whether this unit has led without a break since the dispatch began."""
        ...

    def elapsed(self, operation_id: str, age: int) -> int:
        """Return the age of an operation in seconds, and record the time of this call.

        Args:
            operation_id: of the operation.
            age: as in its record, which may be minutes old.
        """
        ...

    def look_is_due(self, age: int) -> bool:
        """Whether to look at more than a task, at this age of the operation in seconds.

        It is in a part of each minute, or once if no dispatch fell into that part. The status of a
        large model is costly.
        """
        ...

    def take_up(self) -> datetime.datetime | None:
        """Mark on the unit's disk that a request with an effect is being sent.

        Returns: the time of the last unanswered request of an earlier dispatch of this unit;
        usually None.
        """
        ...

    def settle(self) -> None:
        """Remove the mark: all requests were answered."""
        ...
