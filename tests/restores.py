"""Restores for tests: a backed-up site, a restore of it, and what must hold at the end."""

from __future__ import annotations

import pyrage

from coordinator.engine import operation
from coordinator.sets import catalogue
from rehearsal import contents as contents_of
from rehearsal import site
from rehearsal.standins import behaviour
from tests import simulation

KEY = pyrage.x25519.Identity.generate()
OTHER = pyrage.x25519.Identity.generate()
IDENTITY = 'secret:identity'


def simulate(
    *,
    regions: int = 3,
    postgresql_units: int = 3,
    version: str = '3.6.26',
    s3_track: int = 1,
    after: simulation.Simulation | None = None,
    maas_revision: int = behaviour.MaasBehaviour.revision,
    postgresql_track: str = behaviour.PostgresqlBehaviour.track,
    maas_key: str = '',
    name: str = 'maas',
) -> simulation.Simulation:
    sim = simulation.Simulation(
        name=name,
        maas_revision=maas_revision,
        postgresql_track=postgresql_track,
        maas_key=maas_key,
        regions=regions,
        postgresql_units=postgresql_units,
        version=version,
        s3_track=s3_track,
        recipient=str(KEY.to_public()),
        after=after,
    )
    sim.world.user_secrets[IDENTITY] = {'identity': str(KEY)}
    return sim


def backed_up(
    *,
    regions: int = 3,
    postgresql_units: int = 3,
    version: str = '3.6.26',
    s3_track: int = 1,
    postgresql_track: str = behaviour.PostgresqlBehaviour.track,
    maas_key: str = '',
) -> simulation.Simulation:
    """Return a site with one backup set, which has gone on since."""
    sim = simulate(
        regions=regions,
        postgresql_units=postgresql_units,
        version=version,
        s3_track=s3_track,
        postgresql_track=postgresql_track,
        maas_key=maas_key,
    )
    sim.site.add_machine('before-the-backup')
    sim.site.add_image('custom/before')
    site.settle(sim.model)
    assert sim.run().status == operation.COMPLETE
    sim.clock.advance(60)
    sim.at_backup = sim.site.fingerprint()
    sim.site.add_machine('after-the-backup')
    sim.site.add_image('custom/after')
    site.settle(sim.model)
    assert sim.site.fingerprint() != sim.at_backup
    return sim


def restore(sim: simulation.Simulation, of: simulation.Simulation, **parameters: str) -> str:
    """Begin a restore of the newest set of another site."""
    sim.clock.advance(60)
    found = catalogue.entries(sim.world.maas_store)[-1].backup_id
    sim.at_backup = of.at_backup
    sim.also_secret = {f'{name} of the set': value for name, value in of.site.passwords.items()}
    sim.begin('restore-all', **({'backup_id': found, 'identity': IDENTITY} | parameters))
    return found


def assert_restored(sim: simulation.Simulation, units: int) -> None:
    assert (sim.op.status, sim.op.error, sim.op.problems) == (operation.COMPLETE, '', ())
    site.settle(sim.model, limit=600)
    assert sim.site.fingerprint() == sim.at_backup
    assert len(sim.postgresql_units()) == units
    labels = [secret.label for secret in sim.world.juju.secrets()]
    assert not [label for label in labels if 'before restore' in label]


def under_way(step: str) -> simulation.Simulation:
    """Return a restore in a fresh model that has come to a step."""
    lost = backed_up()
    fresh = simulate(after=lost)
    restore(fresh, lost)
    fresh.at_step(step)
    return fresh


FRESH_KEY = 'consumer-of-fresh:token-of-fresh:secret-of-fresh'
"""An API key of the MAAS of a throw-away model."""
OWN_BUCKET = 'of-the-rehearsal'


def throwaway(
    lost: simulation.Simulation,
    *,
    name: str = 'maas-rehearsal',
    regions: int = 3,
    postgresql_units: int = 3,
    version: str = '3.6.26',
) -> simulation.Simulation:
    """Return a throw-away model beside a site, with a bucket of PostgreSQL's own."""
    sim = simulate(
        after=lost,
        name=name,
        regions=regions,
        postgresql_units=postgresql_units,
        version=version,
        maas_key=simulation.MAAS_KEY,
    )
    sim.model.set_config(site.S3_POSTGRESQL, {'bucket': OWN_BUCKET, 'path': name})
    site.settle(sim.model)
    sim.world.maas_endpoint = 'http://10.0.0.9:5240/MAAS'
    sim.world.fresh_key = FRESH_KEY
    sim.api.add_key(FRESH_KEY)
    for machine in contents_of.MACHINES:
        sim.api.remove_machine(machine)
    return sim


def rehearse(sim: simulation.Simulation, of: simulation.Simulation, **parameters: str) -> str:
    """Begin a rehearsal of the newest set of a site that lives on."""
    return restore(sim, of, rehearsal='true', **parameters)


def contents(sim: simulation.Simulation) -> dict[str, tuple[bytes, object]]:
    """Return every object of the buckets of a set, with when it was written."""
    return {
        f'{bucket}/{key}': (item.content, item.modified)
        for bucket, held in sim.s3.buckets.items()
        if bucket != OWN_BUCKET
        for key, item in held.objects.items()
    }
