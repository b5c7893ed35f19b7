"""Whatever later steps touch is asked for by a check: whichever is taken away, one notices."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import pytest

from coordinator import ports
from coordinator.engine import facts, operation
from coordinator.steps import checking
from coordinator.steps.checks import before_backup, before_restore, fitting
from coordinator.steps.maas_region import maas_status
from rehearsal import model, site
from tests import restores, simulation

ACTION, OPTION, APPLICATION, RELATION = 'action', 'option', 'application', 'relation'
Touched = tuple[str, str, str]
"""What was touched: its kind, the application, and the name of the action, option or endpoint."""
OFFER = 'admin/storage.s3'

DISPENSABLE: set[Touched] = {
    # Where it is missing a check warns, and MAAS is not asked.
    (ACTION, site.MAAS, maas_status.ASK),
}


class Recording:
    """A model that remembers what was changed in it, and by which names."""

    def __init__(self, juju: ports.JujuModel, touched: set[Touched]):
        self._juju, self._touched = juju, touched

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._juju, name)
        if name not in ports.effects_of(ports.JujuModel):
            return call

        def recorded(*args: Any, **kwargs: Any) -> Any:
            self._touched.update(self._names(name, args))
            return call(*args, **kwargs)

        return recorded

    def _names(self, call: str, args: tuple[Any, ...]) -> Iterator[Touched]:
        match call, args:
            case 'run_action', (unit, action, _):
                yield ACTION, unit.partition('/')[0], action
            case (('set_config' | 'reset_config'), (application, options)):
                yield from ((OPTION, application, option) for option in options)
            case (('integrate' | 'remove_relation'), ends):
                for end in ends:
                    yield RELATION, *end.split(':')
            case ('add_units', (application, *_)) | ('grant_secret', (_, application)):
                yield APPLICATION, application, ''
            case 'remove_unit', (unit,):
                yield APPLICATION, unit.partition('/')[0], ''
            case (('create_secret' | 'remove_secret' | 'remove_storage' | 'cancel_task'), _):
                # They are the operation's own, or named by what was just seen.
                return
            case _:
                raise AssertionError(f'{call} is a change that this test does not know')


class Shown:
    """A model whose status shows something else."""

    def __init__(self, juju: ports.JujuModel, shown: ports.ModelStatus):
        self._juju, self._shown = juju, shown

    def status(self) -> ports.ModelStatus:
        return self._shown

    def __getattr__(self, name: str) -> Any:
        return getattr(self._juju, name)


def recording(sim: simulation.Simulation) -> set[Touched]:
    """Have what is touched in a site remembered from now on."""
    touched: set[Touched] = set()
    sim.world.juju = cast(ports.JujuModel, Recording(sim.world.juju, touched))
    return touched


def taken_away(sim: simulation.Simulation, kind: str, application: str, name: str) -> None:
    """Let a site be without one of the things that are touched."""
    app = sim.model.application(application)
    match kind:
        case 'action':
            kept = {key: spec for key, spec in app.charm.actions.items() if key != name}
            app.charm = dataclasses.replace(app.charm, actions=kept)
        case 'option':
            options = {key: spec for key, spec in app.charm.options.items() if key != name}
            app.charm = dataclasses.replace(app.charm, options=options)
        case 'application':
            sim.consume(application, OFFER)
        case _:
            sim.model.relations = {
                number: relation
                for number, relation in sim.model.relations.items()
                if application not in relation.endpoints
                or relation.endpoints[application].name != name
            }


def refusals(made: Iterator[checking.Check]) -> list[str]:
    return [check.sentence for check in made if check.outcome == checking.BAD]


def restoring(sim: simulation.Simulation) -> Iterator[checking.Check]:
    """Make the checks of a restore of the newest set."""
    given = {'backup-id': sim.op.parameters['backup-id'], 'identity': restores.IDENTITY}
    wanted = fitting.chosen(given, sim.config, sim.world)
    return before_restore.restore_checks(wanted, given, sim.config, sim.world)


def aimed_elsewhere(lost: simulation.Simulation) -> simulation.Simulation:
    """Return a fresh site whose integrators do not lead to the set that it restores."""
    fresh = restores.simulate(regions=1, after=lost)
    restores.restore(fresh, lost)
    store = fresh.s3.bucket('maas-backups')
    store.objects |= {
        key.replace('maas/', 'other/', 1): item
        for key, item in store.objects.items()
        if key.startswith('maas/coordinator/')
    }
    fresh.model.set_config(site.S3_MAAS, {'path': 'other'})
    fresh.model.set_config(site.S3_POSTGRESQL, {'path': 'another'})
    site.settle(fresh.model, ('active', 'blocked'))
    return fresh


def uncovered(
    touched: set[Touched],
    make: Callable[[], simulation.Simulation],
    made: Callable[[simulation.Simulation], Iterator[checking.Check]],
) -> Mapping[Touched, list[str]]:
    """Return what no check misses when it is taken away, and what they say instead."""
    found: dict[Touched, list[str]] = {}
    assert refusals(made(make())) == []
    for kind, application, name in sorted(touched - DISPENSABLE):
        sim = make()
        taken_away(sim, kind, application, name)
        told = refusals(made(sim))
        if not any(application in sentence and name in sentence for sentence in told):
            found[kind, application, name] = told
    return found


@pytest.mark.parametrize('strategy', ['scale-down', 'replica'])
def test_all_that_a_backup_touches_is_asked_for_by_a_check(strategy: str):
    def settled() -> simulation.Simulation:
        return simulation.Simulation(strategy=strategy)

    sim = settled()
    touched = recording(sim)
    assert sim.run().status == operation.COMPLETE
    assert (ACTION, site.POSTGRESQL, 'create-backup') in touched
    assert (
        uncovered(touched, settled, lambda s: before_backup.looking_checks(s.config, s.world))
        == {}
    )


def test_all_that_a_restore_touches_is_asked_for_by_a_check():
    lost = restores.backed_up(regions=1, postgresql_units=1)

    def ready() -> simulation.Simulation:
        return aimed_elsewhere(lost)

    sim = ready()
    touched = recording(sim)
    assert (sim.run().status, sim.op.error) == (operation.COMPLETE, '')
    assert {
        (OPTION, site.POSTGRESQL, 'system-users'),
        (OPTION, site.S3_MAAS, 'path'),
        (OPTION, site.S3_POSTGRESQL, 'bucket'),
        (RELATION, site.MAAS, 'maas-db'),
        (ACTION, site.MAAS, 'list-backups'),
    } <= touched
    assert uncovered(touched, ready, restoring) == {}


# --- PostgreSQL of track 14 ----------------------------------------------------------------------


def test_a_backup_warns_where_no_other_passwords_can_be_given():
    sim = simulation.Simulation(regions=1, postgresql_units=1, postgresql_track='14')
    op = sim.run()
    assert op.status == operation.COMPLETE
    (warning,) = op.warnings
    assert warning.startswith('passwords: ')
    assert 'postgresql has no option system-users' in warning


def test_a_restore_is_refused_where_other_passwords_cannot_be_given():
    lost = restores.backed_up(regions=1, postgresql_units=1, postgresql_track='14')
    fresh = restores.simulate(regions=1, postgresql_units=3, postgresql_track='14', after=lost)
    restores.restore(fresh, lost)
    op = fresh.run()
    assert (op.status, op.step) == (operation.FAILED, 'check')
    assert 'has no option system-users' in op.error
    assert 'juju run postgresql/leader set-password username=' in op.error
    assert len(fresh.postgresql_units()) == 3


def test_a_restore_that_gives_no_passwords_needs_no_option_for_them():
    sim = restores.backed_up(regions=1, postgresql_units=1, postgresql_track='14')
    restores.restore(sim, sim)
    sim.run()
    restores.assert_restored(sim, 1)


# --- Applications of other models ----------------------------------------------------------------


@pytest.mark.parametrize('kind', ['backup-all', 'restore-all'])
def test_a_database_of_another_model_is_refused_with_its_model(kind: str):
    sim = restores.backed_up(regions=1, postgresql_units=1)
    if kind == 'restore-all':
        restores.restore(sim, sim)
    else:
        sim.clock.advance(60)
        sim.begin('backup-all')
    sim.model.move_away(site.POSTGRESQL, 'admin/databases.pg')
    op = sim.run()
    assert (op.status, op.step) == (operation.FAILED, 'check')
    assert 'postgresql is an application of another model, offered as admin/databases.pg' in (
        op.error
    )
    assert 'maas-region:maas-db and postgresql:database are related' not in op.error


def test_maas_with_the_database_of_another_application_is_no_site_to_back_up():
    sim = simulation.Simulation(regions=1, postgresql_units=1)
    (relation,) = [r for r in sim.model.relations.values() if site.MAAS in r.endpoints
                   and site.POSTGRESQL in r.endpoints]  # fmt: skip
    relation.endpoints['other'] = relation.endpoints.pop(site.POSTGRESQL)
    sim.model.consumed['other'] = model.Consumed('admin/databases.pg', ())
    told = refusals(before_backup.looking_checks(sim.config, sim.world))
    assert len(told) == 1
    assert told[0].startswith(
        'maas-region:maas-db is related to other:database, an application of another model (offer '
        'admin/databases.pg), not to postgresql'
    )


def test_maas_that_reaches_its_database_by_a_pooler_is_backed_up_with_a_warning():
    sim = simulation.Simulation(regions=1, postgresql_units=1)
    status = sim.world.juju.status()
    relations = [
        *(r for r in status.relations if 'maas-region:maas-db' not in r.endpoints),
        ports.Relation(98, ('maas-region:maas-db', 'pgbouncer:database')),
        ports.Relation(99, ('pgbouncer:backend-database', 'postgresql:database')),
    ]
    pooler = dataclasses.replace(status.applications[site.S3_MAAS], name='pgbouncer')
    shown = dataclasses.replace(
        status,
        applications={**status.applications, 'pgbouncer': pooler},
        relations=relations,
    )
    sim.world.juju = cast(ports.JujuModel, Shown(sim.world.juju, shown))
    made = {check.name: check for check in before_backup.looking_checks(sim.config, sim.world)}
    assert made['relation'].outcome == checking.WARNING
    assert 'through pgbouncer' in made['relation'].sentence
    relations.pop()
    assert 'maas-region:maas-db is related to pgbouncer:database, not to postgresql' in ' '.join(
        refusals(before_backup.looking_checks(sim.config, sim.world))
    )


def test_a_consumed_integrator_that_must_be_renewed_is_refused_before_anything_changes():
    lost = restores.backed_up(regions=1, postgresql_units=1)
    fresh = restores.simulate(regions=1, postgresql_units=3, after=lost)
    restores.restore(fresh, lost)
    fresh.consume(site.S3_POSTGRESQL, OFFER)
    op = fresh.run()
    assert (op.status, op.step) == (operation.FAILED, 'check')
    assert f'{site.S3_POSTGRESQL} is an application of another model, offered as {OFFER}' in (
        op.error
    )
    assert 'juju deploy s3-integrator' in op.error
    assert len(fresh.postgresql_units()) == 3


def test_a_consumed_integrator_that_must_lead_elsewhere_is_aimed_in_its_model():
    lost = restores.backed_up(regions=1, postgresql_units=1)
    fresh = aimed_elsewhere(lost)
    fresh.consume(site.S3_MAAS, OFFER)
    assert (
        'juju config -m admin/storage <application of offer s3> bucket=maas-backups path=maas'
    ) in ' '.join(refusals(restoring(fresh)))


def test_consumed_integrators_do_for_a_restore_that_leaves_them_as_they_are():
    sim = restores.backed_up(regions=1, postgresql_units=1)
    restores.restore(sim, sim)
    for integrator in (site.S3_MAAS, site.S3_POSTGRESQL):
        sim.consume(integrator, OFFER)
    sim.run()
    restores.assert_restored(sim, 1)
    (warning,) = sim.op.warnings
    assert warning.startswith(f's3-options: {site.S3_POSTGRESQL} is an application of another')


def test_a_consumed_integrator_that_must_be_renewed_after_all_is_left_to_a_person():
    sim = restores.backed_up(regions=1, postgresql_units=1)
    restores.restore(sim, sim, postgresql_path='fresh')
    sim.at_step('restore-maas')
    sim.consume(site.S3_POSTGRESQL, OFFER)
    sim.op = sim.op.remembering(facts.NEW_PATH.put('fresh'))
    assert sim.run().status == operation.HELD
    command = 'juju config -m admin/storage <application of offer s3> path=fresh'
    assert f'{command}, then run resume-operation' in sim.op.current.reason

    sim.world.elsewhere[site.S3_POSTGRESQL]['path'] = 'fresh'
    for relation in sim.model.relations.values():
        if site.S3_POSTGRESQL in relation.endpoints:
            sim.model.set_app_data(relation, site.S3_POSTGRESQL, {'path': 'fresh'})
    sim.op = sim.op.resumed(sim.clock.now(), {})
    sim.run()
    restores.assert_restored(sim, 1)


def test_an_integrator_of_another_charm_must_have_the_options_that_are_set():
    lost = restores.backed_up(regions=1, postgresql_units=1)
    fresh = aimed_elsewhere(lost)
    app = fresh.model.application(site.S3_POSTGRESQL)
    app.charm = dataclasses.replace(app.charm, options={})
    assert f'{site.S3_POSTGRESQL} has no option bucket and no path' in ' '.join(
        refusals(restoring(fresh))
    )
