"""Config and secrets."""

from __future__ import annotations

import base64
import re
import secrets as random_source
from collections.abc import Mapping, Sequence
from typing import Any

from rehearsal.model.entities import Application, Event, Kind, Secret, Unit
from rehearsal.model.refusals import ModelError, differing
from rehearsal.model.relating import Relating


class Configuring(Relating):
    """Config and secrets."""

    def set_config(self, application: str, values: Mapping[str, Any]) -> None:
        """Set options, parsing strings to the option's type."""
        app = self.application(application)
        parsed: dict[str, Any] = {}
        for key, value in values.items():
            if key not in app.charm.options:
                raise self._unknown_option(key)
            parsed[key] = _parse(key, value, app.charm.options[key].type)
        if all(app.settings.get(key) == value for key, value in parsed.items()):
            return
        app.config.update(parsed)
        self._config_changed(app)

    def reset_config(self, application: str, keys: Sequence[str]) -> None:
        """Go back to the defaults."""
        app = self.application(application)
        for key in keys:
            if key not in app.charm.options and not self.juju4:
                raise self._unknown_option(key)
        unset = app.config.keys() & set(keys)
        for key in unset:
            del app.config[key]
        if unset:
            self._config_changed(app)

    def _unknown_option(self, key: str) -> ModelError:
        text = f'unknown option "{key}"'
        return differing(
            self.juju4, (text, ''), (f'invalid application config: {text}', 'not valid')
        )

    def _config_changed(self, app: Application) -> None:
        for unit in app.units.values():
            self.queue(unit, Event(Kind.HOOK, 'config-changed'))
        self.changed()

    def add_secret(
        self, owner: str, content: Mapping[str, str], label: str = '', description: str = ''
    ) -> Secret:
        """Add a secret; an owner cannot have two of one label."""
        if label and any(s.label == label and s.owner == owner for s in self.secrets.values()):
            noun = 'name' if self.juju4 and owner == f'model-{self.uuid}' else 'label'
            raise ModelError(f'secret with {noun} "{label}" already exists', 'already exists')
        secret = self.new_secret(owner, content, label, description)
        self.keep_secret(secret)
        return secret

    def new_secret(
        self, owner: str, content: Mapping[str, str], label: str = '', description: str = ''
    ) -> Secret:
        """Return a secret with an id of its own that is not in the model yet."""
        now = self.clock.now()
        return Secret(_new_xid(), owner, label, description, [dict(content)], now, now)

    def keep_secret(self, secret: Secret) -> None:
        """Take a new secret into the model."""
        self.secrets[secret.id] = secret
        self.changed()

    def secret(self, reference: str) -> Secret:
        """Return a secret by URI, id, or label of a user secret."""
        secret_id = reference.removeprefix('secret:').rpartition('/')[2]
        if secret_id in self.secrets:
            return self.secrets[secret_id]
        for secret in self.secrets.values():
            if secret.owner == f'model-{self.uuid}' and secret.label == reference:
                return secret
        raise ModelError(
            f'secret "{reference}" not found', 'secret not found' if self.juju4 else 'not found'
        )

    def user_secret(self, reference: str) -> Secret:
        """Return a secret of the model's users by URI, id or label; those of charms are theirs."""
        secret = self.secret(reference)
        if secret.owner != f'model-{self.uuid}':
            raise differing(
                self.juju4,
                ('permission denied', 'unauthorized access'),
                (f'"{self.uuid}" is not allowed to manage this secret', 'unauthorized access'),
            )
        return secret

    def grant_secret(self, secret: Secret, application: str) -> None:
        """Let an application read a user secret."""
        if application not in self.applications:
            text = (
                f'cannot change access to "{secret.uri}" for "{application}": '
                f'application "{application}" not found'
            )
            raise differing(self.juju4, (text, 'not found'), (text, ''))
        secret.grants.add(application)
        self.changed()

    def update_secret(self, secret: Secret, content: Mapping[str, str]) -> None:
        """Give a secret a new revision if the content differs; its readers hear of it."""
        if secret.content != dict(content):
            secret.revisions.append(dict(content))
            secret.updated = self.clock.now()
            for name in secret.readers & self.units.keys():
                self.queue(self.unit(name), Event(Kind.SECRET, 'secret-changed', secret=secret))
            self.changed()

    def remove_secret(self, secret: Secret) -> None:
        self.secrets.pop(secret.id, None)
        self.changed()

    def may_read(self, unit: Unit, secret: Secret) -> bool:
        """Whether the unit or its application owns the secret or was granted it."""
        app = unit.application.name
        return secret.owner in (f'application-{app}', unit.tag) or bool(
            secret.grants & {app, unit.name}
        )


_SECRET = re.compile(r'(?:secret:)?(?://[\da-f-]{36}/)?(?P<id>[\da-v]{19}[0g])')


def secret_id(uri: str) -> str:
    """Return the id in a secret's URI, which must be an xid."""
    found = _SECRET.fullmatch(uri)
    if found is None:
        raise ModelError(f'secret URI "{uri}" not valid', 'not valid')
    return found['id']


def _new_xid() -> str:
    """Return twelve random bytes as Juju writes them: of the last character one bit counts."""
    return base64.b32hexencode(random_source.token_bytes(12)).decode().rstrip('=').lower()


def _parse(key: str, value: Any, kind: str) -> Any:
    try:
        if kind == 'int':
            return int(value)
        if kind == 'float':
            return float(value)
        if kind == 'boolean':
            return (
                value
                if isinstance(value, bool)
                else {'true': True, 'false': False}[str(value).lower()]
            )
    except (ValueError, KeyError):
        raise ModelError(f'option "{key}" expected {kind}, got "{value}"') from None
    if kind == 'secret' and value and not str(value).startswith('secret:'):
        raise ModelError(f'option "{key}" expected secret, got "{value}"')
    return str(value)
