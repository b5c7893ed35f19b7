"""What a facade is: named methods in versions, each with the access that it needs."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rehearsal import model, permissions
from rehearsal.controller import wire

if TYPE_CHECKING:
    from rehearsal.controller import session


class ApiError(model.ModelError):
    """A refusal of a whole request; `info` goes into the answer's `error-info`."""

    def __init__(self, message: str, code: str = '', info: wire.Json | None = None):
        super().__init__(message, code)
        self.info = info


def not_implemented(
    juju: model.Model, facade: str, version: int, method: str = '', *, known: bool = True
) -> ApiError:
    """Return the refusal of what is not offered, in the words of this Juju."""
    if juju.juju4:
        text = f'unknown version {version} for facade type "{facade}"'
        if method:
            text = f'unknown method "{method}" at version {version} for facade type "{facade}"'
    elif method:
        text = f'no such request - method {facade}({version}).{method} is not implemented'
    elif known:
        text = f'unknown version ({version}) of interface "{facade}"'
    else:
        text = f'unknown object type "{facade}"'
    return ApiError(text, 'not implemented')


@dataclasses.dataclass(frozen=True)
class Call:
    """One request of a logged-in user, ready to be answered."""

    session: session.Session
    model: model.Model
    user: model.User
    params: wire.Json
    watcher_id: str

    def items(self, key: str) -> list[wire.Json]:
        """Return a parameter that is a list of objects; Go takes null for an empty list."""
        return objects(self.params, key)

    def tags(self) -> list[str]:
        """Return the tags of the parameter `entities`."""
        return [text(entity, 'tag') for entity in self.items('entities')]


Answer = wire.Json | Awaitable[wire.Json]
Handler = Callable[[Call], Answer]


@dataclasses.dataclass(frozen=True)
class Method:
    """A method of a facade."""

    handler: Handler
    access: str
    """Model access that Juju 4.0 asks for: '' (any login), read, write or admin."""
    access_3: str
    """The same for Juju 3.6."""
    blocked_as: str
    """`change` or `remove` where `juju disable-command` applies, else ''."""
    blocked_in_4: bool
    since: int
    """The first version of the facade that has it."""
    only_in_3: bool
    """Whether Juju 4.0 no longer has it, in the same versions of the facade."""

    def offered(self, juju: model.Model, version: int) -> bool:
        """Whether this version of the facade has the method."""
        return version >= self.since and not (self.only_in_3 and juju.juju4)

    def check(self, call: Call) -> None:
        """Refuse the call of a user who may not make it, or while it is disabled."""
        juju4 = call.model.juju4
        permissions.check_access(call.user, self.access if juju4 else self.access_3)
        if self.blocked_as and (self.blocked_in_4 or not juju4):
            permissions.check_blocked(call.model, self.blocked_as)


class Methods(dict[str, Method]):
    """Methods by name: what a module brings to a facade."""

    def add(
        self,
        name: str,
        access: str = 'read',
        *,
        access_3: str | None = None,
        blocked_as: str = '',
        blocked_in_4: bool = True,
        since: int = 0,
        only_in_3: bool = False,
    ) -> Callable[[Handler], Handler]:
        """Make a function the handler of a method; the arguments are those of `Method`."""

        def register(handler: Handler) -> Handler:
            self[name] = Method(
                handler,
                access,
                access if access_3 is None else access_3,
                blocked_as,
                blocked_in_4,
                since,
                only_in_3,
            )
            return handler

        return register


@dataclasses.dataclass(frozen=True)
class Facade:
    """A facade, and the versions of it that the two Jujus offer."""

    name: str
    juju_3: Sequence[int]
    juju_4: Sequence[int]
    methods: Mapping[str, Method]
    on_model: bool = True
    """Whether a connection to a model has it."""
    on_controller: bool = False
    """Whether a connection to the controller alone has it."""

    def versions(self, juju: model.Model) -> Sequence[int]:
        """Return the versions that this controller offers; none when it lacks the facade."""
        return self.juju_4 if juju.juju4 else self.juju_3

    def on(self, model_connection: bool) -> bool:
        """Whether this kind of connection has it."""
        return self.on_model if model_connection else self.on_controller


def text(params: wire.Json, key: str, default: str = '') -> str:
    """Return a string parameter."""
    return _typed(params, key, str, default)


def flag(params: wire.Json, key: str) -> bool:
    """Return a boolean parameter; absent and null are false, as in Go."""
    return _typed(params, key, bool, False)


def number(params: wire.Json, key: str) -> int:
    """Return an integer parameter; absent and null are zero, as in Go."""
    return _typed(params, key, int, 0)


def mapping(params: wire.Json, key: str) -> wire.Json:
    """Return a parameter that is an object; absent and null are empty, as in Go."""
    return _typed(params, key, dict, {})


def texts(params: wire.Json, key: str) -> list[str]:
    """Return a parameter that is a list of strings."""
    return _list(params, key, str)


def objects(params: wire.Json, key: str) -> list[wire.Json]:
    """Return a parameter that is a list of objects."""
    return _list(params, key, dict)


def _list(params: wire.Json, key: str, kind: type[Any]) -> list[Any]:
    values: list[Any] = _typed(params, key, list, [])
    return [_typed({key: value}, key, kind, kind()) for value in values]


def _typed(params: wire.Json, key: str, kind: type[Any], default: Any) -> Any:
    value = params.get(key)
    if value is None:
        return default
    if not isinstance(value, kind):
        # Go's decoder refuses the request, not the connection.
        raise ApiError(f'json: cannot unmarshal {value!r} into field "{key}"')
    return value
