"""Shapes of what the controller answers, as far as the coordinator reads it.

Unknown fields are ignored, and null is the same as absent: Go writes empty maps and lists so.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

from coordinator import errors
from coordinator.juju_api import shapes, wire

Name = Annotated[str, shapes.From(str, wire.name_of)]
"""Out of a unit's or application's tag."""
StorageId = Annotated[str, shapes.From(str, wire.storage_id)]
SecretId = Annotated[str, shapes.From(str, wire.secret_id)]
TaskId = Annotated[int, shapes.From(str, wire.task_id)]
Time = Annotated[datetime.datetime | None, shapes.From(str, wire.time_of)]
Content = Annotated[Mapping[str, str], shapes.From(Mapping[str, str], wire.decoded)]
Results = Annotated[Mapping[str, str], shapes.From(Mapping[str, Any], wire.results)]
"""Of an action: flat, and texts."""

_Shape = TypeVar('_Shape', bound=shapes.Shape)


def read(shape: type[_Shape], response: object, what: str) -> _Shape:
    """Return the response to the call `what` in its shape."""
    try:
        return shape.read(response)
    except shapes.ShapeError as error:
        # An answer may contain secrets, so neither the error nor its cause contains any of its
        # values.
        wrong = str(error)
    except RecursionError:
        wrong = 'nested too deep'
    raise unexpected(what, wrong)


def unexpected(what: str, wrong: str) -> errors.UnexpectedAnswer:
    """Return the error for an answer that breaks the API's promise."""
    return errors.UnexpectedAnswer(
        f'The answer to {what} does not have the expected shape: {wrong}.'
    )


class Error(shapes.Shape):
    """An error of one item among several."""

    message: str = ''
    code: str = ''


class ErrorResult(shapes.Shape):
    """One item of a call that answers with nothing but errors."""

    error: Error | None = None


class ErrorResults(shapes.Shape):
    """As many items as the call had."""

    results: Sequence[ErrorResult] = ()


class StringResult(ErrorResult):
    """One item, a string."""

    result: str = ''


class StringResults(shapes.Shape):
    """As many items as the call had."""

    results: Sequence[StringResult] = ()


# --- Login -----------------------------------------------------------------------------------


class HostPort(shapes.Shape):
    """One address of one controller."""

    value: str
    port: int
    type: str = ''
    scope: str = ''


class Redirect(shapes.Shape):
    """Where a model has gone, in the error of a login."""

    servers: Sequence[Sequence[HostPort]] = ()
    controller_alias: str = ''


class UserInfo(shapes.Shape):
    """Who has logged in."""

    identity: str = ''
    controller_access: str = ''
    model_access: str = ''


class FacadeVersions(shapes.Shape):
    """The versions offered of one facade."""

    name: str
    versions: Sequence[int] = ()


class Login(shapes.Shape):
    """A login that succeeded, or at least did not fail: without facades it is a refusal."""

    facades: Sequence[FacadeVersions] = ()
    user_info: UserInfo = UserInfo()
    server_version: str = ''
