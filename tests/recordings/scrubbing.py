"""Takes out of a recording what nobody else should see."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
from typing import Any, cast

Json = dict[str, Any]

_IPV4 = re.compile(r'\b(?!0\.0\.0\.0\b)\d{1,3}(?:\.\d{1,3}){3}\b')
_MAC = re.compile(r'\b[\da-f]{2}(?::[\da-f]{2}){5}\b')
_URL_HOST = re.compile(r'(?<=://)[^/:\s]+')
_CONFIDENTIAL = re.compile(r'(?:.*-)?(?:password|secret|token|access-key|secret-key)')
_NAMES_OF_MACHINES = frozenset({'hostname', 'dns-name', 'instance-id'})
_VERSIONS = frozenset({'version', 'server-version', 'agent-version'})
_CHECKSUM = 'latest-revision-checksum'


def scrubbed(entries: list[Json]) -> list[Json]:
    """Return entries whose answers hold no address, name of a machine, or content of a secret.

    What is scrubbed twice is as after the first time.
    """
    scrubber = _Scrubber()
    return [entry | {'answer': scrubber.clean(entry['answer'])} for entry in entries]


class _Scrubber:
    """Replaces every name of a site by another one, the same wherever it appears."""

    def __init__(self) -> None:
        self._names: dict[str, dict[str, str]] = {}

    def clean(self, value: Any, key: str = '') -> Any:
        """Return a value as it may be shown."""
        match value:
            case {'type': 'hostname', 'value': str(name)}:
                return {**cast(Json, value), 'value': self._other(name, 'controller-{}')}
            case {'data': dict() as content} if key == 'value':
                return {'data': {name: _example(name) for name in cast(Json, content)}}
            case dict():
                return {name: self.clean(v, name) for name, v in cast(Json, value).items()}
            case list():
                return [self.clean(item, key) for item in cast(list[Any], value)]
            case str():
                return self._text(value, key)
            case _:
                return value

    def _text(self, text: str, key: str) -> str:
        if key == _CHECKSUM:
            # Of a short secret it would give the secret away.
            return hashlib.sha256(b'example').hexdigest()
        if key in _VERSIONS or not text:
            return text
        if _CONFIDENTIAL.fullmatch(key):
            return f'example-{key}'
        if _is_ipv6(text):
            return self._other(text, 'fd00::{}')
        if key in _NAMES_OF_MACHINES and not _IPV4.fullmatch(text):
            return self._other(text, 'machine-{}')
        text = _URL_HOST.sub('s3.example', text)
        text = _MAC.sub(lambda found: self._other(found[0], '00:00:5e:00:53:{:02x}'), text)
        return _IPV4.sub(lambda found: self._other(found[0], '10.0.0.{}'), text)

    def _other(self, name: str, pattern: str) -> str:
        known = self._names.setdefault(pattern, {})
        return known.setdefault(name, pattern.format(len(known) + 1))


def _example(name: str) -> str:
    return base64.b64encode(f'example-{name}'.encode()).decode()


def _is_ipv6(text: str) -> bool:
    try:
        return ipaddress.ip_interface(text).version == 6
    except ValueError:
        return False
