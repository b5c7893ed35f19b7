"""What a charm declares: endpoints, options, actions, storage."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from rehearsal.model.refusals import ModelError


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """A relation endpoint as a charm declares it; role is provider, requirer or peer."""

    name: str
    role: str
    interface: str
    limit: int = 0


@dataclasses.dataclass(frozen=True)
class Option:
    """A config option as a charm declares it; type is string, int, float, boolean or secret."""

    type: str
    default: Any = None
    description: str = ''


@dataclasses.dataclass(frozen=True)
class ActionSpec:
    """An action as a charm declares it; `params` is the JSON schema of its properties."""

    name: str
    description: str = ''
    params: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    required: tuple[str, ...] = ()
    additional_properties: bool = True
    parallel: bool = False
    execution_group: str = ''


@dataclasses.dataclass(frozen=True)
class CharmSpec:
    """What a charm declares, and where it came from."""

    name: str
    endpoints: tuple[Endpoint, ...] = ()
    options: Mapping[str, Option] = dataclasses.field(default_factory=dict)
    actions: Mapping[str, ActionSpec] = dataclasses.field(default_factory=dict)
    storage: tuple[str, ...] = ()
    channel: str = ''
    revision: int = 0

    @property
    def url(self) -> str:
        """Charm URL: from Charmhub when there is a channel, else local."""
        return f'{"ch:amd64/" if self.channel else "local:"}{self.name}-{self.revision}'

    def endpoint(self, name: str) -> Endpoint:
        """Return the endpoint of this name; every application provides `juju-info`."""
        if name == 'juju-info':
            return Endpoint('juju-info', 'provider', 'juju-info')
        for endpoint in self.endpoints:
            if endpoint.name == name:
                return endpoint
        raise ModelError(f'charm "{self.name}" has no endpoint "{name}"', 'not found')
