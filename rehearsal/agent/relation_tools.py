"""Hook tools for relations."""

from __future__ import annotations

from rehearsal import model
from rehearsal.agent import context, hook_tools
from rehearsal.agent.hook_tools import KEY, RELATION, Options, argument

TOOLS: dict[str, hook_tools.HookTool] = {}
_APP = argument('--app', action='store_true')


@hook_tools.tool(TOOLS, 'relation-ids', argument('name', nargs='?', default=''))
def relation_ids(run: context.Context, options: Options) -> list[str]:
    """Return the ids of the relations at an endpoint."""
    app = run.unit.application.name
    return sorted(
        f'{options.name}:{relation.id}'
        for relation in run.model.relations.values()
        if app in relation.endpoints and relation.endpoints[app].name == options.name
    )


@hook_tools.tool(TOOLS, 'relation-list', RELATION, _APP)
def relation_list(run: context.Context, options: Options) -> str | list[str]:
    """Return the units at the other end of a relation, or the application."""
    relation = run.relation_of(options.relation)
    other = relation.other(run.unit.application.name)
    if options.app:
        return other
    # A unit that departs is no longer listed while it is seen departing.
    left_out = {run.unit.name, run.event.departing_unit}
    known = relation.scope | relation.unseen.get(run.unit.name, set())
    return sorted(
        name for name in known if name.partition('/')[0] == other and name not in left_out
    )


@hook_tools.tool(TOOLS, 'relation-model-get', RELATION)
def relation_model_get(run: context.Context, options: Options) -> dict[str, str]:
    """Return the model at the other end: always this one."""
    run.relation_of(options.relation)
    return {'uuid': run.model.uuid}


@hook_tools.tool(
    TOOLS, 'relation-get', RELATION, _APP, KEY, argument('whose', nargs='?', default='')
)
def relation_get(run: context.Context, options: Options) -> object:
    """Return a databag, or one value of it, with this run's writes if it is its own."""
    relation = run.relation_of(options.relation)
    whose = options.whose or (
        run.event.remote_app if options.app else run.event.remote_unit or run.unit.name
    )
    if options.app:
        bag = _application_bag(run, relation, whose.partition('/')[0])
    else:
        bag = _unit_bag(run, relation, whose)
    if options.key in ('', '-'):
        return bag
    return bag.get(options.key, hook_tools.NULL)


def _application_bag(run: context.Context, relation: model.Relation, app: str) -> dict[str, str]:
    if app not in relation.endpoints:
        raise context.ToolError('permission denied')
    if app == run.unit.application.name and not relation.peer and not run.unit.leader:
        raise context.ToolError('permission denied')
    own = app == run.unit.application.name
    return _with_writes(run, relation, relation.app_data[app], own, of_application=True)


def _unit_bag(run: context.Context, relation: model.Relation, name: str) -> dict[str, str]:
    if name == run.unit.name:
        bag = relation.unit_data.get(name, {})
        return _with_writes(run, relation, bag, own=True, of_application=False)
    if name.partition('/')[0] != relation.other(run.unit.application.name):
        raise context.ToolError('permission denied')
    if name not in relation.unit_data:
        raise context.ToolError(
            f'cannot read settings for unit "{name}" in relation "{relation.key}": '
            'unit settings not found'
        )
    return dict(relation.unit_data[name])


def _with_writes(
    run: context.Context,
    relation: model.Relation,
    bag: dict[str, str],
    own: bool,
    of_application: bool,
) -> dict[str, str]:
    writes = run.relation_writes.get((relation.id, of_application), {}) if own else {}
    return {key: value for key, value in (bag | writes).items() if value != ''}


@hook_tools.tool(
    TOOLS, 'relation-set', RELATION, _APP, hook_tools.FROM_STDIN, argument('pairs', nargs='*')
)
def relation_set(run: context.Context, options: Options) -> None:
    """Buffer changes to the unit's or, by the leader, the application's bag."""
    relation = run.relation_of(options.relation)
    if options.app and not run.unit.leader:
        raise context.ToolError('cannot write relation settings')
    values = hook_tools.mapping_from(options, options.pairs)
    run.relation_writes.setdefault((relation.id, options.app), {}).update(values)
