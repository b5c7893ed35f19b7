"""Answers that have an item, or an error, for each thing that was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from coordinator.juju_api import answers
from coordinator.juju_api.connection import Connection


def raise_first(connection: Connection, what: str, items: Iterable[answers.ErrorResult]) -> None:
    """Raise the error of the first item that has one."""
    for item in items:
        if item.error is not None:
            raise connection.refusal(what, item.error)


def effect(connection: Connection, facade: str, method: str, params: Mapping[str, object]) -> None:
    """Make a call that answers with nothing but errors."""
    what = f'{facade}.{method}'
    answer = answers.read(answers.ErrorResults, connection.call(facade, method, params), what)
    raise_first(connection, what, answer.results)
