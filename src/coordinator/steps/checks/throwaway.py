"""What must hold of a model before a restore is rehearsed there: it can lose nothing.

And nothing in it can write where the set lies: PostgreSQL returns to a path beside its own, and as
long as it is aimed at the set, its stanza has another name than the set's. So whatever it tried
to archive would have no place there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from coordinator import errors, integrators, ports
from coordinator.engine import facts, operation, settings
from coordinator.parts import pgbackrest, pgbackrest_timeline
from coordinator.ports import maas_port
from coordinator.sets import manifest
from coordinator.steps import checking, site
from coordinator.steps.backup_set import set_objects
from coordinator.steps.checks import before_backup
from coordinator.steps.maas import asking_maas, finding_maas

_NEW_MODEL = 'rehearse in a separate model, for this purpose only'


def rehearsal_checks(
    wanted: manifest.Manifest,
    parameters: Mapping[str, str],
    config: settings.Settings,
    world: ports.World,
) -> Iterator[checking.Check]:
    """Make the checks that a rehearsal needs besides those of a restore."""
    yield checking.made('rehearsal-model', lambda: _model(wanted, config, world))
    yield checking.made('rehearsal-maas', lambda: _maas(config, world))
    yield checking.made('rehearsal-path', lambda: _path(wanted, parameters, config, world))
    yield checking.made('rehearsal-cluster', lambda: _cluster(wanted, config, world))


def remembered(config: settings.Settings, world: ports.World) -> dict[str, str]:
    """Return the facts that the result needs: what this model is, and where PostgreSQL was."""
    status = world.juju.status()
    model = {'name': status.name, 'uuid': world.model_uuid, 'juju-version': status.juju_version}
    place = world.postgresql_store.place
    noted = facts.OWN_PLACE.put({key: place[key] for key in ('endpoint', 'bucket', 'path')})
    noted |= {**facts.MODEL.put(model), operation.THROWAWAY: status.name}
    for name in (config.maas, config.postgresql):
        app = site.application(status, name)
        noted |= before_backup.remembering(app, len(app.units))
    return noted


def _model(wanted: manifest.Manifest, config: settings.Settings, world: ports.World) -> str:
    if wanted.model.uuid == world.model_uuid:
        raise errors.StepError(
            f'model {world.model_name} made backup set {wanted.backup_id}: '
            'a rehearsal would replace its data. '
            f'Rehearse in a throw-away model: juju add-model {world.model_name}-rehearsal'
        )
    stanza = pgbackrest.stanza(world.model_name, config.postgresql)
    if stanza == wanted.postgresql.stanza:
        raise errors.StepError(
            f'{config.postgresql} of this model has the same stanza as the set, {stanza}, '
            'so the restored cluster could write into its archive. '
            f'Rehearse in a model of another name: juju add-model {world.model_name}-rehearsal'
        )
    return f'the set is of model {wanted.model.name}, {world.model_name} is another one'


def _maas(config: settings.Settings, world: ports.World) -> str:
    """Make sure that MAAS has no machines: what cannot be proven is refused.

    Raises:
        StepError: it has, or nobody can say.
    """
    try:
        maas = finding_maas.reach(world, config.maas, fresh=True)
        if maas is None:
            raise errors.StepError(_unknown(config, asking_maas.NO_KEY))
        return _empty(maas)
    except errors.MaasNotFound as error:
        raise errors.StepError(str(error)) from None
    except (errors.MaasRefused, errors.MaasUnintelligible, errors.Lacking) as error:
        raise errors.StepError(_unknown(config, str(error))) from None


def _unknown(config: settings.Settings, why: str) -> str:
    return (
        f'nobody can say whether MAAS has machines: {why}. Put an API key of an admin of '
        f'{config.maas} of this model into fresh-api-key of the secret of maas-api-key: '
        'juju update-secret <name> api-key#file=<file> fresh-api-key#file=<file>'
    )


def _empty(maas: maas_port.Maas) -> str:
    user = maas.whoami()
    # A group may let its users see controllers, and not the machines of others.
    if not user.admin:
        raise errors.StepError(
            f'{user.username} may not see the machines of other users in MAAS at '
            f'{maas.endpoint}: use an API key of an admin'
        )
    found = next(iter(maas.machines()), None)
    if found is not None:
        raise errors.StepError(
            f'MAAS at {maas.endpoint} has machines, such as {found.hostname}: '
            f'a rehearsal would replace them. {_NEW_MODEL.capitalize()}'
        )
    return f'MAAS at {maas.endpoint} has no machines'


def _path(
    wanted: manifest.Manifest,
    parameters: Mapping[str, str],
    config: settings.Settings,
    world: ports.World,
) -> str:
    here = world.postgresql_store.place
    there = set_objects.postgresql_store(wanted, world).place
    files = set_objects.maas_store(wanted, world).place
    for other in (there, files, world.maas_store.place):
        if _inside(here, other):
            raise errors.StepError(
                f'{config.s3_postgresql} leads to {integrators.where(here)}, '
                'which is not apart from the repository of the set: juju config '
                f'{config.s3_postgresql} bucket=<another bucket> path={world.model_name}, '
                f'and wait until {config.postgresql} is active'
            )
        given = parameters.get('postgresql-path', '')
        if given and _inside({**here, 'path': given}, other):
            raise errors.StepError(
                f'postgresql-path={given} is not apart from the repository of the set: '
                f'choose a path outside of {integrators.where(other)}, or omit it'
            )
    return f'the backups of {config.postgresql} stay beside {integrators.where(here)}'


def _inside(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether one place is the other, or lies inside it, or the other way round."""
    same = integrators.same_server(one['endpoint'], other['endpoint'])
    if not same or one['bucket'] != other['bucket']:
        return False
    ours, theirs = (f'{place["path"].strip("/")}/'.lstrip('/') for place in (one, other))
    return ours.startswith(theirs) or theirs.startswith(ours)


def _cluster(wanted: manifest.Manifest, config: settings.Settings, world: ports.World) -> str:
    """Make sure that this model's cluster is not the set's: it would have been restored from it.

    Raises:
        StepError: it is, or nobody can say.
    """
    stanza = pgbackrest.stanza(world.model_name, config.postgresql)
    try:
        owners = pgbackrest_timeline.owners(world.postgresql_store, stanza)
    except errors.NotFound:
        raise errors.StepError(
            f'{config.postgresql} has no stanza {stanza} '
            f'in {integrators.where(world.postgresql_store.place)} yet, '
            'so nobody can say which cluster it is: wait until juju status shows it active'
        ) from None
    part = wanted.postgresql
    store = set_objects.postgresql_store(wanted, world)
    if pgbackrest_timeline.system_id(store, part.stanza, part.archive) in owners:
        raise errors.StepError(
            f'{config.postgresql} of this model was restored from this cluster already. '
            f'{_NEW_MODEL.capitalize()}'
        )
    return f'{config.postgresql} has a cluster that is not of the set'
