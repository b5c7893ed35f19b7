"""Stores for tests: opened as the charm opens them, and closed again."""

from __future__ import annotations

import contextlib
import socket
import types
from collections.abc import Generator, Mapping
from typing import Any

import botocore.endpoint
import pytest

from coordinator.s3 import object_store

KEYS = {'access-key': 'AKIA0123', 'secret-key': 's3cret'}


def repeat_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the library repeat requests without waiting."""

    def sleep(seconds: float) -> None:
        pass

    monkeypatch.setattr(botocore.endpoint, 'time', types.SimpleNamespace(sleep=sleep))


def find_here(monkeypatch: pytest.MonkeyPatch, domain: str) -> None:
    """Let every name in a domain be one of this machine."""
    lookup = socket.getaddrinfo

    def found(host: Any, *args: Any, **options: Any) -> Any:
        return lookup('127.0.0.1' if str(host).endswith(domain) else host, *args, **options)

    monkeypatch.setattr(socket, 'getaddrinfo', found)


@contextlib.contextmanager
def opened(fields: Mapping[str, Any]) -> Generator[object_store.S3Store]:
    """Lend the store that an integrator with these fields leads to."""
    info = {'bucket': 'backups', 's3-uri-style': 'path', **KEYS, **fields}
    store = object_store.S3Store(object_store.Connection.from_relation('integrator', info))
    yield store
    store.close()
