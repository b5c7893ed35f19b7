"""What MAAS says of itself after a restore: only that shows whether it works."""

from __future__ import annotations

import dataclasses
import datetime

from coordinator.steps.maas_region import maas_status
from tests import restores, simulation


def checked(sim: simulation.Simulation) -> object:
    return maas_status.check(sim.config, sim.world)


def test_a_revision_that_does_not_tell_is_warned_of_and_the_restore_completes():
    lost = restores.backed_up(regions=1, postgresql_units=1)
    fresh = restores.simulate(regions=1, postgresql_units=1, after=lost, maas_revision=336)
    restores.restore(fresh, lost)
    fresh.run()
    restores.assert_restored(fresh, 1)
    warnings = [line for line in fresh.op.warnings if 'has no action get-maas-status' in line]
    assert len(warnings) == 2, 'once by the check, and once by the step that skips it'
    assert not fresh.tasks('get-maas-status')


def test_a_revision_that_tells_is_no_reason_to_warn():
    sim = restores.simulate(regions=1, postgresql_units=1)
    assert checked(sim) == 'the regions of maas-region can report the status of MAAS'


def lacking_an_image() -> simulation.Simulation:
    """Return a restore at whose end MAAS of each region lacks the file of a custom image."""
    lost = restores.backed_up(regions=2, postgresql_units=1)
    fresh = restores.simulate(regions=2, postgresql_units=1, after=lost)
    restores.restore(fresh, lost)
    fresh.at_step('attach-maas')
    for unit, state in fresh.site.maas.states.items():
        images = [image for image in state['images'] if image != 'custom/before']
        fresh.site.maas.update_unit(unit, images=images)
    return fresh


def test_a_maas_that_does_not_initialise_is_waited_for_though_every_region_is_active():
    fresh = lacking_an_image()
    fresh.at_step('verify')
    end = fresh.clock.now() + datetime.timedelta(minutes=10)
    fresh.until(lambda: fresh.clock.now() > end)
    assert fresh.op.step == 'verify'
    assert 'maas-region/0: get-maas-status failed: MAAS is not initialized yet' in (
        fresh.op.current.reason
    )
    assert 'juju debug-log --include maas-region/0' in fresh.op.current.reason
    asked = len(fresh.tasks('get-maas-status', 'maas-region/0'))
    assert 10 < asked <= 20, 'once in half a minute'


def test_a_maas_that_is_mended_in_time_completes_the_restore():
    fresh = lacking_an_image()
    fresh.at_step('verify')
    fresh.until(lambda: 'not initialized' in fresh.op.current.reason)
    for unit, state in fresh.site.maas.states.items():
        fresh.site.maas.update_unit(unit, images=[*state['images'], 'custom/before'])
    fresh.site.maas.poke()
    fresh.run()
    restores.assert_restored(fresh, 1)


def test_an_enabled_service_that_does_not_run_is_named():
    sim = restores.simulate(regions=1, postgresql_units=1)
    task = sim.world.juju.run_action('maas-region/0', 'get-maas-status', {})
    results = {
        'services.regiond.startup': 'enabled',
        'services.regiond.current': 'backoff',
        'services.temporal-worker.startup': 'enabled',
        'services.temporal-worker.current': 'active',
        'services.dhcpd.startup': 'disabled',
        'services.dhcpd.current': 'inactive',
        'stdout': 'x',
    }
    answered = dataclasses.replace(task, status='completed', results=results)
    assert maas_status.unwell(answered) == 'not all services of MAAS run: regiond is backoff'
