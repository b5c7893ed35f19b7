"""The facade Application: units, relations, options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from coordinator.juju_api import answers, shapes, wire
from coordinator.juju_api.connection import Connection
from coordinator.juju_api.facades import items


class AddedUnits(shapes.Shape):
    """The names of new units."""

    units: Sequence[str] = ()


class ConfigValue(shapes.Shape):
    """One option; without a value it is unset."""

    value: Any = None


class ApplicationConfig(shapes.Shape):
    """The options of an application."""

    config: Mapping[str, ConfigValue] = shapes.NOTHING


def leader(connection: Connection, application: str) -> str:
    """Return the name of the leading unit."""
    tag = wire.application_tag(application)
    response = connection.call('Application', 'Leader', {'tag': tag})
    answer = answers.read(answers.StringResult, response, 'Application.Leader')
    items.raise_first(connection, 'Application.Leader', [answer])
    return answer.result


def add_units(
    connection: Connection, application: str, count: int, machines: Sequence[str]
) -> Sequence[str]:
    """Request units and return their names."""
    params = {
        'application': application,
        'num-units': count,
        'placement': [{'scope': '#', 'directive': machine} for machine in machines],
        'attach-storage': [],
    }
    response = connection.call('Application', 'AddUnits', params)
    return answers.read(AddedUnits, response, 'Application.AddUnits').units


def destroy_unit(connection: Connection, unit: str) -> None:
    """Begin removing a unit, without its detachable storage."""
    item = {'unit-tag': wire.unit_tag(unit), 'destroy-storage': False, 'dry-run': False}
    items.effect(connection, 'Application', 'DestroyUnit', {'units': [item]})


def add_relation(connection: Connection, endpoints: Sequence[str]) -> None:
    """Relate two endpoints."""
    connection.call('Application', 'AddRelation', {'endpoints': list(endpoints)})


def destroy_relation(connection: Connection, endpoints: Sequence[str]) -> None:
    """Begin removing the relation of two endpoints."""
    # The id is required by the schema, and ignored because there are endpoints.
    params = {'endpoints': list(endpoints), 'relation-id': 0}
    connection.call('Application', 'DestroyRelation', params)


def config(connection: Connection, application: str) -> Mapping[str, ConfigValue]:
    """Return all options of an application."""
    params = {'application': application, 'branch': 'master'}
    response = connection.call('Application', 'Get', params)
    return answers.read(ApplicationConfig, response, 'Application.Get').config


def set_config(connection: Connection, application: str, values: Mapping[str, str]) -> None:
    """Set options of an application."""
    item = {
        'application': application,
        'generation': '',
        'config': dict(values),
        'config-yaml': '',
    }
    # The capital is right: this one field of the API has no other name.
    items.effect(connection, 'Application', 'SetConfigs', {'Args': [item]})


def reset_config(connection: Connection, application: str, options: Sequence[str]) -> None:
    """Give options of an application their defaults again."""
    item = {'application': application, 'branch': '', 'options': list(options)}
    items.effect(connection, 'Application', 'UnsetApplicationsConfig', {'Args': [item]})
