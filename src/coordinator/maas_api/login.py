"""Where MAAS is and who we are to it: the user secret that `maas-api-key` names."""

from __future__ import annotations

import dataclasses
import urllib.parse
from collections.abc import Mapping
from typing import Annotated

import pydantic

from coordinator import errors, this

_API = '/api/2.0'


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """One MAAS, and one user of it."""

    url: str
    """Such as `http://10.0.0.1:5240/MAAS`, without a slash at its end."""
    consumer: str = dataclasses.field(repr=False)
    token: str = dataclasses.field(repr=False)
    secret: str = dataclasses.field(repr=False)
    ca_cert: str = ''
    """PEM; empty to trust what the machine trusts."""


def _one_line(value: object) -> object:
    # `api-key#file=...` keeps it out of the shell's history, and has the newline of its file.
    return value.strip() if isinstance(value, str) else value


def _url(value: str) -> str:
    """Return a URL without its slash at the end, and without the path of the API."""
    parts = urllib.parse.urlsplit(value)
    # Reading the port checks that it is one.
    known = parts.scheme in ('http', 'https') and parts.hostname and parts.port != 0
    if not known or parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError('not a URL of MAAS')
    path = parts.path.rstrip('/').removesuffix(_API)
    return f'{parts.scheme}://{parts.netloc}{path}'


_Url = Annotated[
    str,
    pydantic.BeforeValidator(_one_line),
    pydantic.StringConstraints(pattern=r'^[!-~]+$', max_length=2048),
    pydantic.AfterValidator(_url),
]


_Key = Annotated[
    str,
    pydantic.BeforeValidator(_one_line),
    # What needs no escape in an HTTP header: MAAS draws letters and digits.
    pydantic.StringConstraints(pattern=r'^[\w.~-]+:[\w.~-]+:[\w.~-]+$', max_length=1024),
]


class _Secret(pydantic.BaseModel):
    """Content of the secret."""

    # The input of a failed validation is a key.
    model_config = pydantic.ConfigDict(extra='ignore', hide_input_in_errors=True)

    api_key: _Key = pydantic.Field(alias='api-key', repr=False)
    fresh_api_key: _Key | None = pydantic.Field(None, alias='fresh-api-key', repr=False)
    """Of the MAAS that is there before a rehearsal, which replaces its users and their keys."""
    endpoint: _Url | None = None
    ca_cert: str = pydantic.Field('', alias='ca-cert')


class _Found(pydantic.BaseModel):
    url: _Url


def endpoint(content: Mapping[str, str], found: str = '', *, fresh: bool = False) -> Endpoint:
    """Return where to connect.

    Args:
        content: of the secret.
        found: URL that maas-region has answered, for a secret without `endpoint`.
        fresh: with the key of the MAAS that is there before a rehearsal, if the secret has one.

    Raises:
        MaasNotFound: neither says where MAAS is.
        Lacking: a key is missing or malformed; it is named, its value never.
    """
    try:
        secret = _Secret.model_validate(content)
    except pydantic.ValidationError as error:
        wrong = ', '.join(sorted({str(item['loc'][0]) for item in error.errors()}))
        raise errors.Lacking(
            f'the secret of maas-api-key has unusable values: {wrong}. '
            'It needs api-key (three parts separated by colons, as MAAS shows it). endpoint '
            f'(such as http://10.0.0.1:5240/MAAS) and ca-cert (PEM) are optional: {how()}'
        ) from None
    url = secret.endpoint or _checked(found)
    if not url:
        raise errors.MaasNotFound(
            f'the secret of maas-api-key has no endpoint: {how()} endpoint=http://<address>:5240'
            '/MAAS, unless maas-region reports it'
        )
    key = (fresh and secret.fresh_api_key) or secret.api_key
    return Endpoint(url, *key.split(':'), ca_cert=secret.ca_cert)


def _checked(found: str) -> str:
    try:
        return _Found(url=found).url if found else ''
    except pydantic.ValidationError:
        raise errors.MaasNotFound(
            f'maas-region reports {found[:80]!r} as the URL of MAAS, which is not a URL: '
            f'set endpoint in the secret of maas-api-key: {how()}'
        ) from None


def how() -> str:
    """Return how to give the key."""
    app = this.application()
    return (
        'juju add-secret maas-key api-key#file=<file>, juju grant-secret maas-key '
        f'{app}, juju config {app} maas-api-key=secret:<id>'
    )
