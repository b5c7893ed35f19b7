"""Hook tools for the unit itself: status, config, leadership, state, network, log."""

from __future__ import annotations

from typing import Any

from rehearsal import model
from rehearsal.agent import context, hook_tools
from rehearsal.agent.hook_tools import KEY, MESSAGE, RELATION, Options, argument

TOOLS: dict[str, hook_tools.HookTool] = {}


def _is_true(text: str) -> bool:
    return text.lower() == 'true'


_OF_APPLICATION = argument('--application', nargs='?', const=True, default=False, type=_is_true)
_SETTABLE = ('active', 'blocked', 'maintenance', 'waiting')


@hook_tools.tool(TOOLS, 'is-leader')
def is_leader(run: context.Context, options: Options) -> bool:
    """Return whether the unit leads its application now."""
    return run.unit.leader


@hook_tools.tool(TOOLS, 'config-get', KEY)
def config_get(run: context.Context, options: Options) -> object:
    """Return the config in force, or one option of it."""
    settings = run.unit.application.settings
    return settings.get(options.key, hook_tools.NULL) if options.key else settings


def _status(status: model.Status) -> dict[str, Any]:
    return {'message': status.message, 'status': status.current, 'status-data': {}}


@hook_tools.tool(
    TOOLS, 'status-get', argument('--include-data', action='store_true'), _OF_APPLICATION
)
def status_get(run: context.Context, options: Options) -> object:
    """Return the unit's status, or to the leader the application's with all its units'."""
    if not options.application:
        status = _status(run.unit.workload)
        return status if options.include_data else status['status']
    run.check_leader()
    app = run.unit.application
    units = {name: _status(unit.workload) for name, unit in app.units.items()}
    return {'application-status': _status(run.model.application_status(app)) | {'units': units}}


@hook_tools.tool(
    TOOLS, 'status-set', _OF_APPLICATION, argument('status', choices=_SETTABLE), MESSAGE
)
def status_set(run: context.Context, options: Options) -> None:
    """Set a workload status, for all to see at once."""
    if options.application:
        run.check_leader()
        app = run.unit.application
        run.model.set_application_status(app, options.status, options.message)
    else:
        run.model.set_status(run.unit, options.status, options.message)


@hook_tools.tool(TOOLS, 'application-version-set', MESSAGE)
def application_version_set(run: context.Context, options: Options) -> None:
    """Set the workload version, for all to see at once."""
    run.unit.workload_version = run.unit.application.workload_version = options.message
    run.model.changed()


@hook_tools.tool(TOOLS, 'juju-log', argument('-l', '--log-level', default='INFO'), MESSAGE)
def juju_log(run: context.Context, options: Options) -> None:
    """Write a line to the unit's log."""
    relation = run.event.relation
    if relation is not None:
        endpoint = relation.endpoints[run.unit.application.name].name
        options.message = f'{endpoint}:{relation.id}: {options.message}'
    run.log(options.log_level.upper(), 'juju-log', options.message)


def _goal(unit: model.Unit) -> dict[str, str]:
    status = 'dying' if unit.life != 'alive' else 'active' if unit.installed else 'waiting'
    return {'status': status, 'since': f'{unit.agent.since:%Y-%m-%d %H:%M:%SZ}'}


@hook_tools.tool(TOOLS, 'goal-state')
def goal_state(run: context.Context, options: Options) -> dict[str, Any]:
    """Return which units and relations there should be; a dying unit is marked so."""
    app = run.unit.application
    relations: dict[str, dict[str, Any]] = {}
    for relation in run.model.relations.values():
        if app.name not in relation.endpoints or relation.peer:
            continue
        other = run.model.applications[relation.other(app.name)]
        goals = relations.setdefault(relation.endpoints[app.name].name, {})
        goals[other.name] = {'status': 'joined', 'since': _goal(run.unit)['since']}
        goals |= {name: _goal(unit) for name, unit in other.units.items()}
    return {
        'units': {name: _goal(unit) for name, unit in app.units.items()},
        'relations': relations,
    }


@hook_tools.tool(TOOLS, 'network-get', RELATION, argument('binding'))
def network_get(run: context.Context, options: Options) -> dict[str, Any]:
    """Return the one network that every binding is on."""
    run.unit.application.charm.endpoint(options.binding)
    address = run.unit.machine.address
    interface = {
        'mac-address': '00:16:3e:00:00:01',
        'interface-name': 'eth0',
        'addresses': [{'hostname': '', 'value': address, 'cidr': '10.8.0.0/24'}],
    }
    return {
        'bind-addresses': [interface],
        'egress-subnets': [f'{address}/32'],
        'ingress-addresses': [address],
    }


@hook_tools.tool(TOOLS, 'state-get', KEY)
def state_get(run: context.Context, options: Options) -> object:
    """Return what the charm keeps with the controller, with this run's writes."""
    merged = run.home.state | run.state_writes
    state = {key: value for key, value in merged.items() if value is not None}
    if options.key:
        return state.get(options.key, hook_tools.NULL)
    return hook_tools.NULL if run.model.juju4 and not state else state


@hook_tools.tool(TOOLS, 'state-set', hook_tools.FROM_STDIN, argument('pairs', nargs='*'))
def state_set(run: context.Context, options: Options) -> None:
    """Buffer values for the charm to keep with the controller."""
    run.state_writes.update(hook_tools.mapping_from(options, options.pairs))


@hook_tools.tool(TOOLS, 'state-delete', KEY)
def state_delete(run: context.Context, options: Options) -> None:
    """Buffer the removal of a value kept with the controller."""
    run.state_writes[options.key] = None


@hook_tools.tool(TOOLS, 'open-port', argument('port'))
def open_port(run: context.Context, options: Options) -> None:
    """Buffer the opening of a port."""
    run.buffer(lambda: run.home.ports.add(options.port))


@hook_tools.tool(TOOLS, 'close-port', argument('port'))
def close_port(run: context.Context, options: Options) -> None:
    """Buffer the closing of a port."""
    run.buffer(lambda: run.home.ports.discard(options.port))


@hook_tools.tool(TOOLS, 'opened-ports')
def opened_ports(run: context.Context, options: Options) -> list[str]:
    """Return the ports that are open."""
    return sorted(run.home.ports)


@hook_tools.tool(TOOLS, 'storage-list', KEY)
def storage_list(run: context.Context, options: Options) -> list[str]:
    """Return the ids of the unit's storage."""
    owned = (s.id for s in run.model.storage.values() if s.owner == run.unit.name)
    return sorted(i for i in owned if options.key in ('', i.partition('/')[0]))


@hook_tools.tool(TOOLS, 'storage-get', argument('-s', dest='storage', default=''), KEY)
def storage_get(run: context.Context, options: Options) -> object:
    """Return a storage's attributes, or one of them."""
    storage_id = options.storage or run.event.storage_id
    if storage_id not in storage_list(run, Options(key='')):
        raise context.ToolError(f'storage "{storage_id}" not found')
    attributes = {'kind': 'filesystem', 'location': f'/var/lib/{storage_id}'}
    return attributes.get(options.key, hook_tools.NULL) if options.key else attributes


@hook_tools.tool(TOOLS, 'credential-get')
def credential_get(run: context.Context, options: Options) -> None:
    """Refuse, as for every application that was not deployed with `--trust`."""
    raise context.ToolError('cannot access cloud credentials')
