"""The facade Secrets: user secrets, and what charms own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from coordinator.juju_api import answers, shapes, wire
from coordinator.juju_api.connection import Connection
from coordinator.juju_api.facades import items


class SecretValue(answers.ErrorResult):
    """The content of a secret."""

    data: answers.Content = shapes.NOTHING


class SecretResult(shapes.Shape):
    """A secret, with its content when that was asked for."""

    uri: answers.SecretId
    owner_tag: str = ''
    label: str = ''
    update_time: answers.Time = None
    value: SecretValue | None = None


class SecretResults(shapes.Shape):
    """The secrets that pass a filter."""

    results: Sequence[SecretResult] = ()


def secrets(
    connection: Connection, filter_by: Mapping[str, str], content: bool = False
) -> Sequence[SecretResult]:
    """Return the secrets that pass a filter (`label`, `uri`), if asked with their content."""
    params = {'show-secrets': content, 'filter': dict(filter_by)}
    response = connection.call('Secrets', 'ListSecrets', params)
    results = answers.read(SecretResults, response, 'Secrets.ListSecrets').results
    values = [result.value for result in results if result.value is not None]
    items.raise_first(connection, 'Secrets.ListSecrets', values)
    return results


def create_secret(
    connection: Connection, label: str, content: Mapping[str, str], description: str
) -> str:
    """Make a user secret and return its id."""
    item = {
        'owner-tag': '',
        'label': label,
        'description': description,
        'content': {'data': wire.encoded(content)},
    }
    response = connection.call('Secrets', 'CreateSecrets', {'args': [item]})
    answer = answers.read(answers.StringResults, response, 'Secrets.CreateSecrets')
    items.raise_first(connection, 'Secrets.CreateSecrets', answer.results)
    if len(answer.results) != 1:
        raise answers.unexpected('Secrets.CreateSecrets', f'{len(answer.results)} items for one')
    return wire.secret_id(answer.results[0].result)


def grant_secret(connection: Connection, secret_id: str, application: str) -> None:
    """Let an application read a user secret."""
    params = {'uri': wire.secret_uri(secret_id), 'label': '', 'applications': [application]}
    items.effect(connection, 'Secrets', 'GrantSecret', params)


def remove_secret(connection: Connection, secret_id: str) -> None:
    """Remove a user secret with all revisions."""
    item = {'uri': wire.secret_uri(secret_id), 'label': ''}
    items.effect(connection, 'Secrets', 'RemoveSecrets', {'args': [item]})
