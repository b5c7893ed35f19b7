"""The Application facade, as far as it changes things: units, relations, config."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from rehearsal import model
from rehearsal.controller import application_info, rpc, wire

METHODS = rpc.Methods()


@METHODS.add('AddUnits', 'write', blocked_as='change')
def _add_units(call: rpc.Call) -> wire.Json:
    application = rpc.text(call.params, 'application')
    count = rpc.number(call.params, 'num-units')
    storage = rpc.texts(call.params, 'attach-storage')
    if storage and count != 1:
        raise model.differing(
            call.model.juju4,
            (f'AttachStorage is non-empty, but NumUnits is {count}', ''),
            (f'AttachStorage is non-empty, but NumUnits is {count}', 'bad request'),
        )
    machines = [_machine(call.model, item) for item in call.items('placement')]
    return {
        'units': call.model.add_units(
            application,
            count,
            [machine for machine in machines if machine],
            attach=[wire.untag(tag, 'storage') for tag in storage],
        )
    }


def _machine(juju: model.Model, placement: wire.Json) -> str:
    """Return the machine that a placement means; '' leaves it to the provider."""
    scope, directive = rpc.text(placement, 'scope'), rpc.text(placement, 'directive')
    if scope == '#':
        return directive
    if scope == juju.uuid:
        return ''
    raise rpc.ApiError(f'placement {scope}:{directive}', 'not supported')


@METHODS.add('DestroyUnit', 'write', blocked_as='remove')
def _destroy_unit(call: rpc.Call) -> wire.Json:
    juju = call.model

    def destroy(item: wire.Json) -> wire.Json:
        name = wire.untag(rpc.text(item, 'unit-tag'), 'unit')
        dry_run, with_storage = rpc.flag(item, 'dry-run'), rpc.flag(item, 'destroy-storage')
        if name not in juju.units:
            if juju.juju4 and dry_run:
                return {'info': {}}
            raise model.differing(
                juju.juju4,
                (f'unit "{name}" does not exist', ''),
                (f'unit "{name}" not found', 'not found'),
            )
        info = {} if juju.juju4 else _storage_of(juju, name, with_storage)
        if not dry_run:
            juju.remove_unit(name, destroy_storage=with_storage)
        return {'info': info}

    return {'results': wire.each(call.items('units'), destroy)}


@METHODS.add('DestroyApplication', 'write', blocked_as='remove')
def _destroy_application(call: rpc.Call) -> wire.Json:
    juju = call.model

    def destroy(item: wire.Json) -> wire.Json:
        name = wire.untag(rpc.text(item, 'application-tag'), 'application')
        with_storage = rpc.flag(item, 'destroy-storage')
        units = list(juju.application(name).units)
        info: wire.Json = {'destroyed-units': [{'tag': wire.unit_tag(unit)} for unit in units]}
        for unit in units if not juju.juju4 else ():
            for fate, tags in _storage_of(juju, unit, with_storage).items():
                info.setdefault(fate, []).extend(tags)
        if not rpc.flag(item, 'dry-run'):
            juju.remove_application(name, destroy_storage=with_storage)
        return {'info': {key: value for key, value in info.items() if value}}

    return {'results': wire.each(call.items('applications'), destroy)}


def _storage_of(juju: model.Model, unit: str, with_storage: bool) -> wire.Json:
    """Return which of a unit's storage is kept and which destroyed, as 3.6 reports it."""
    info: wire.Json = {}
    for item in juju.storage.values():
        if item.owner == unit:
            fate = 'destroyed' if with_storage or not item.persistent else 'detached'
            info.setdefault(f'{fate}-storage', []).append({'tag': item.tag})
    return info


@METHODS.add('AddRelation', 'write', blocked_as='change')
def _add_relation(call: rpc.Call) -> wire.Json:
    relation = call.model.integrate(*_endpoints_to_join(call))
    return {'endpoints': {app: describe_endpoint(end) for app, end in relation.endpoints.items()}}


@METHODS.add('DestroyRelation', 'write', blocked_as='remove')
def _destroy_relation(call: rpc.Call) -> wire.Json:
    juju = call.model
    names = rpc.texts(call.params, 'endpoints')
    number = rpc.number(call.params, 'relation-id')
    # The Go client always sends an id, 0 when it means the endpoints: they win.
    candidates = [
        relation
        for relation in juju.relations.values()
        if not relation.peer and (_joins(relation, names) if names else relation.id == number)
    ]
    if not candidates:
        what = f'relation "{" ".join(names)}"' if names else f'relation {number}'
        raise model.differing(
            juju.juju4,
            (f'{what} not found', 'not found'),
            (f'relation with endpoints [{" ".join(names)}] or id {number} not found', 'not found'),
        )
    if len(candidates) > 1:
        keys = '; '.join(f'"{relation.key}"' for relation in candidates)
        raise rpc.ApiError(f'ambiguous relation: "{" ".join(names)}" could refer to {keys}')
    ends = [f'{app}:{end.name}' for app, end in candidates[0].endpoints.items()]
    juju.remove_relation(*ends)
    return {}


def describe_endpoint(endpoint: model.Endpoint) -> wire.Json:
    """Write an endpoint of a charm."""
    return {
        'name': endpoint.name,
        'role': endpoint.role,
        'interface': endpoint.interface,
        'optional': False,
        'limit': endpoint.limit,
        'scope': 'global',
    }


def _joins(relation: model.Relation, names: list[str]) -> bool:
    """Whether these names, `app` or `app:endpoint`, are the relation's ends."""
    ends = [f'{app}:{endpoint.name}' for app, endpoint in relation.endpoints.items()]
    return len(names) == len(ends) and all(
        any(end == name or end.startswith(f'{name}:') for end in ends) for name in names
    )


def _endpoints_to_join(call: rpc.Call) -> tuple[str, str]:
    """Return the two endpoints meant, filling in names that were left out."""
    names = rpc.texts(call.params, 'endpoints')
    if len(names) != 2:
        raise rpc.ApiError(f'a relation must involve two applications, not {len(names)}', '')
    if all(':' in name for name in names):
        return names[0], names[1]
    ends = [list(_candidates(call.model, name)) for name in names]
    pairs = [
        (f'{names[0].partition(":")[0]}:{one.name}', f'{names[1].partition(":")[0]}:{two.name}')
        for one, two in itertools.product(*ends)
        if one.interface == two.interface and {one.role, two.role} == {'provider', 'requirer'}
    ]
    if not pairs:
        raise rpc.ApiError('no relations found')
    if len(pairs) > 1:
        found = '; '.join(f'"{one} {two}"' for one, two in pairs)
        raise rpc.ApiError(f'ambiguous relation: "{" ".join(names)}" could refer to {found}')
    return pairs[0]


def _candidates(juju: model.Model, name: str) -> Iterator[model.Endpoint]:
    """Endpoints that a name may mean; the implicit `juju-info` has to be asked for."""
    application, _, endpoint = name.partition(':')
    charm = juju.application(application).charm
    if endpoint:
        yield charm.endpoint(endpoint)
    else:
        yield from charm.endpoints


@METHODS.add('SetConfigs', 'write', blocked_as='change')
def _set_configs(call: rpc.Call) -> wire.Json:
    def set_config(item: wire.Json) -> wire.Json:
        if rpc.text(item, 'config-yaml'):
            raise model.ModelError('config-yaml', 'not implemented')
        config = rpc.mapping(item, 'config')
        values = {key: rpc.text(config, key) for key in config}
        call.model.set_config(rpc.text(item, 'application'), values)
        return {}

    return {'results': wire.each(_args(call), set_config)}


@METHODS.add('UnsetApplicationsConfig', 'write', blocked_as='change')
def _unset_applications_config(call: rpc.Call) -> wire.Json:
    def unset(item: wire.Json) -> wire.Json:
        app = application_info.named(call.model, rpc.text(item, 'application'))
        call.model.reset_config(app.name, rpc.texts(item, 'options'))
        return {}

    return {'results': wire.each(_args(call), unset)}


def _args(call: rpc.Call) -> list[wire.Json]:
    """Return the list that has no tag in Go: `Args` is its name, in any case."""
    return call.items('Args' if 'Args' in call.params else 'args')
