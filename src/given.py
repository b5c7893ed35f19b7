"""What this unit was given: its place in Juju, the operator's settings and credentials."""

from __future__ import annotations

import contextlib
import pathlib
import typing
from collections.abc import Callable, Mapping

import object_storage
import ops

import lease
import signer
from coordinator import errors, ports
from coordinator.engine import settings
from coordinator.juju_api import access

MAAS, POSTGRESQL = 'maas-region', 'postgresql'
S3 = ('s3-maas', 's3-postgresql')
RELATIONS = {
    MAAS: 'maas-region:juju-info',
    POSTGRESQL: 'postgresql:juju-info',
    's3-maas': 's3-integrator-maas',
    's3-postgresql': 's3-integrator-postgresql',
}
"""Endpoints that must be related, each with what a site usually relates it to."""


class Given:
    """What handlers and adapters may ask of the charm."""

    def __init__(self, charm: ops.CharmBase, connect: Callable[[Given], ports.World]):
        """Begin a dispatch.

        Args:
            charm: the charm, of which only what Juju tells it is used.
            connect: reaches the world with what was given.
        """
        self.began = lease.steady()
        """Just before the dispatch asked for anything."""
        self.app, self.unit, self.model = charm.app, charm.unit, charm.model
        self.charm_name = charm.meta.name
        self.config: Mapping[str, bool | int | float | str] = charm.config
        self.folder: pathlib.Path = charm.charm_dir
        """The charm's, on the unit's own disk."""
        self.stores = {name: object_storage.S3Requirer(charm, name) for name in S3}
        self.signer = signer.Signer(charm.model, charm.app)
        self._connect = connect
        self._secrets: dict[str, dict[str, str]] = {}

    @contextlib.contextmanager
    def connected(self) -> typing.Generator[ports.World]:
        """Reach the world for a while."""
        reachable = self._connect(self)
        try:
            yield reachable
        finally:
            close = getattr(reachable, 'close', None)
            if close is not None:
                close()

    def settings(self, for_restore: bool = False) -> settings.Settings:
        """Return the settings for a new operation.

        A restore seals nothing, so it needs no recipients.

        Raises:
            PreconditionError: something is missing; says the command that gives it.
        """
        self.check_access()
        related = {name: self._related(name) for name in RELATIONS}
        return settings.from_config(
            self.config,
            settings.Applications(
                related[MAAS], related[POSTGRESQL], related[S3[0]], related[S3[1]]
            ),
            for_restore=for_restore,
        )

    def check_access(self) -> dict[str, str]:
        """Make sure that whatever an operation works with is given; return the login.

        Raises:
            PreconditionError: something is missing; says the command that gives it.
        """
        for name, other in RELATIONS.items():
            if self.relation(name) is None:
                raise errors.PreconditionError(
                    f'missing relation: juju integrate {self.app.name}:{name} {other}'
                )
        try:
            content = self.credentials()
        except errors.TransientError as error:
            raise errors.PreconditionError(str(error)) from error
        missing = [key for key in ('username', 'password') if not content.get(key)]
        if missing:
            raise errors.PreconditionError(
                f'the secret of juju-credentials has no {" and no ".join(missing)}: '
                'juju update-secret <name> username=<user> password#file=<file>'
            )
        return content

    def lacking(self) -> str:
        """Return what a person must give before an operation can go on, '' if nothing."""
        try:
            access.credentials(self.check_access())
        except errors.PreconditionError as error:
            return str(error)
        return ''

    def credentials(self) -> dict[str, str]:
        """Return the newest content of the secret that `juju-credentials` names.

        Raises:
            Lacking: there is none, or it is not granted to this application. Granting it
                raises no event, so the next dispatch must look again.
        """
        reference = str(self.config.get('juju-credentials') or '')
        if not reference:
            raise errors.Lacking(
                f'missing credentials: juju config {self.app.name} juju-credentials=secret:<id>'
            )
        return self.secret(reference)

    def secret(self, reference: str) -> dict[str, str]:
        """Return the newest content of a user secret, as it was when this dispatch first asked.

        Raises:
            Lacking: it is not there, or not granted to this application. Granting it
                raises no event, so the next dispatch must look again.
        """
        if reference in self._secrets:
            # Each question is two processes.
            return dict(self._secrets[reference])
        try:
            content = self.model.get_secret(id=reference).get_content(refresh=True)
        except (ops.SecretNotFoundError, ops.ModelError):
            # No `from`: whatever the cause says, it is about a secret.
            raise errors.Lacking(
                f'{reference} cannot be read: juju grant-secret {reference} {self.app.name}'
            ) from None
        self._secrets[reference] = content
        return dict(content)

    def relation(self, endpoint: str) -> ops.Relation | None:
        """Return the relation of an endpoint, if there is one."""
        return self.model.get_relation(endpoint)

    def _related(self, endpoint: str) -> str:
        relation = self.relation(endpoint)
        return relation.app.name if relation is not None else ''
