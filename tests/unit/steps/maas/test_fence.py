"""The fence around the files backup: what becomes of images that are in motion."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import pytest

from coordinator import errors
from coordinator.engine import operation
from coordinator.ports import maas_port
from coordinator.sets import catalogue, images, manifest, retention, rules
from coordinator.steps.maas import fence
from rehearsal import site
from rehearsal.maas import direct
from tests import simulation

ROCKY, NEW = 'custom/rocky-9/amd64', 'custom/alma-9/amd64'
MINUTE = 60


def simulate(**deployed: object) -> simulation.Simulation:
    given = {'regions': 2, 'postgresql_units': 1, 'maas_key': simulation.MAAS_KEY, **deployed}
    return simulation.Simulation(**given)  # type: ignore[arg-type]


def made(sim: simulation.Simulation) -> manifest.Manifest:
    return catalogue.opened(sim.world.maas_store, sim.op.backup_id)


def images_of(sim: simulation.Simulation) -> manifest.Images:
    found = made(sim).images
    assert found is not None
    return found


def reading_of(sim: simulation.Simulation) -> images.Reading:
    stored = images_of(sim).reading
    assert stored is not None
    return images.parse(sim.world.maas_store.get(stored.key), 'it')


def state(sim: simulation.Simulation) -> str:
    (entry,) = catalogue.entries(sim.world.maas_store)
    return entry.state


def files_backups(sim: simulation.Simulation) -> int:
    return len(sim.tasks('create-backup', site.MAAS))


def skipping(sim: simulation.Simulation) -> None:
    sim.begin('backup-all', skip_image_sync='true')


def while_files_are_backed_up(sim: simulation.Simulation, change: Callable[[], object]) -> None:
    before = files_backups(sim)
    sim.until(lambda: files_backups(sim) > before)
    sim.clock.advance(1)
    change()


# --- Nothing in motion -----------------------------------------------------------------------


def test_a_set_whose_images_rest_says_that_they_are_synchronised():
    sim = simulate()
    assert (sim.run().status, sim.op.problems, sim.op.warnings) == (operation.COMPLETE, (), ())
    found = images_of(sim)
    assert (found.state, found.why) == (manifest.SYNCHRONISED, '')
    names = [image.name for image in reading_of(sim).images if image.uploaded]
    assert names == ['custom/rocky-9']
    assert state(sim) == retention.COMPLETE


def test_while_nothing_is_in_motion_the_fence_needs_no_more_dispatches():
    checkpoints: list[int] = []
    for key in (simulation.MAAS_KEY, ''):
        sim = simulate(maas_key=key)
        sim.run()
        sim.clock.advance(60)
        sim.saved.clear()
        sim.begin('backup-all')
        sim.run()
        checkpoints.append(len(sim.saved))
    assert checkpoints[0] == checkpoints[1]


def test_without_a_key_nothing_is_asked_and_the_set_says_why():
    sim = simulate(maas_key='')
    assert (sim.run().status, sim.op.problems, sim.op.warnings) == (operation.COMPLETE, (), ())
    found = images_of(sim)
    assert found.state == manifest.UNKNOWN
    assert 'maas-api-key' in found.why
    assert state(sim) == retention.COMPLETE
    assert not sim.tasks('get-api-endpoint')
    assert not list(sim.world.maas_store.list(catalogue.images_keys(sim.op.backup_id)[0]))


def test_the_api_key_is_nowhere():
    sim = simulate()
    sim.api.upload_image(NEW)
    sim.until(lambda: 'synchronised' in sim.op.current.reason)
    sim.api.synchronise_all()
    sim.run()
    for part in simulation.MAAS_KEY.split(':'):
        assert part not in sim.all_text()


# --- Images in motion before the backup ------------------------------------------------------


def test_it_waits_until_every_region_has_an_uploaded_image_and_names_it():
    sim = simulate()
    first, second = sim.site.maas.states
    sim.api.upload_image(NEW, {first: 1.0, second: 0.42})
    sim.until(lambda: 'synchronised' in sim.op.current.reason)
    assert sim.op.step == 'await-images'
    assert 'image custom/alma-9 amd64/generic is 70% synchronised' in sim.op.current.reason
    assert not sim.tasks('create-backup')
    sim.api.synchronise_all()
    assert (sim.run().status, state(sim)) == (operation.COMPLETE, retention.COMPLETE)


def test_it_writes_few_checkpoints_while_an_image_trickles_in():
    sim = simulate()
    first, second = sim.site.maas.states
    sim.api.upload_image(NEW, {first: 1.0})
    sim.until(lambda: 'synchronised' in sim.op.current.reason)
    before = len(sim.saved)
    for part in range(1, 50):
        sim.api.synchronise(NEW, second, part / 100)
        sim.dispatch()
        sim.clock.advance(simulation.BEAT_SECONDS)
    assert len(sim.saved) - before <= 6


def test_while_an_image_is_missing_maas_is_not_asked_at_every_beat():
    sim = simulate()
    sim.api.upload_image(NEW)
    sim.until(lambda: 'synchronised' in sim.op.current.reason)
    asked: list[str] = []
    sim.world.maas_asked = asked.append
    for _ in range(10 * MINUTE // 5):
        sim.clock.advance(5)
        sim.dispatch()
    assert 10 <= asked.count('boot_resources') <= 50


def test_after_the_deadline_the_set_is_made_and_is_inconsistent():
    sim = simulate()
    sim.api.upload_image(NEW)
    sim.config = dataclasses.replace(sim.config, image_sync_minutes=5)
    sim.begin('backup-all')
    op = sim.run()
    assert op.status == operation.COMPLETE
    assert op.age < 20 * MINUTE, 'it waits once for the deadline, not before each part'
    assert state(sim) == retention.INCONSISTENT
    assert 'not every region controller had custom/alma-9' in images_of(sim).why
    (problem,) = op.problems
    assert 'is inconsistent' in problem
    assert 'custom/alma-9' in problem
    assert problem.endswith('Run backup-all again')


def test_skipping_the_wait_goes_on_at_once_and_marks_the_set():
    sim = simulate()
    sim.api.upload_image(NEW)
    skipping(sim)
    op = sim.run()
    assert op.age < 15 * MINUTE
    assert (op.status, state(sim)) == (operation.COMPLETE, retention.INCONSISTENT)
    assert files_backups(sim) == 1


def test_skipping_the_wait_for_images_that_rest_makes_a_complete_set():
    sim = simulate()
    skipping(sim)
    sim.run()
    assert state(sim) == retention.COMPLETE


def test_an_upload_that_has_only_begun_is_waited_for():
    sim = simulate()
    sim.api.upload_image(NEW, {})
    sim.until(lambda: '0% synchronised' in sim.op.current.reason)


# --- Changes while the backup runs -----------------------------------------------------------


def test_an_image_uploaded_while_the_files_are_backed_up_repeats_that():
    sim = simulate()

    def upload() -> None:
        sim.api.upload_image(NEW)
        sim.clock.later(5 * MINUTE, sim.api.synchronise_all)

    while_files_are_backed_up(sim, upload)
    op = sim.run()
    assert (op.status, op.problems, state(sim)) == (operation.COMPLETE, (), retention.COMPLETE)
    assert files_backups(sim) == 2
    (warning,) = op.warnings
    first = sim.tasks('create-backup', site.MAAS)[0]
    assert first.output['backups'].split()[-1] in warning
    assert 'custom/alma-9' in [image.name for image in reading_of(sim).images]


def test_a_files_backup_is_repeated_twice_and_no_more():
    sim = simulate()
    for number in range(5):

        def upload(number: int = number) -> None:
            sim.api.upload_image(f'custom/image-{number}/amd64')
            sim.api.synchronise_all()

        if number < fence.ATTEMPTS:
            while_files_are_backed_up(sim, upload)
    op = sim.run()
    assert files_backups(sim) == fence.ATTEMPTS
    assert (op.status, state(sim)) == (operation.COMPLETE, retention.INCONSISTENT)
    assert 'custom/image-2 amd64/generic was uploaded' in images_of(sim).why


def test_an_image_deleted_after_the_database_backup_cannot_be_had_by_another_files_backup():
    sim = simulate()
    while_files_are_backed_up(sim, lambda: sim.api.delete_image(ROCKY))
    op = sim.run()
    assert files_backups(sim) == 1
    assert (op.status, state(sim)) == (operation.COMPLETE, retention.INCONSISTENT)
    assert 'custom/rocky-9' in images_of(sim).why


def test_an_image_uploaded_again_under_its_name_counts_as_lost():
    sim = simulate()
    sim.at_step('back-up-postgresql')
    sim.api.upload_image(ROCKY)
    sim.api.synchronise_all()
    sim.run()
    assert state(sim) == retention.INCONSISTENT
    assert 'custom/rocky-9' in images_of(sim).why


POINTS = [
    'check', 'capture-secrets', 'await-images', 'scale-down-postgresql', 'back-up-postgresql',
    'request-postgresql-units', 'back-up-maas', 'restore-postgresql-scale', 'publish',
    'expire-backups',
]  # fmt: skip


def reach(sim: simulation.Simulation, step: str) -> None:
    sim.until(lambda: sim.op.step == step)
    if step in ('back-up-postgresql', 'back-up-maas'):
        # In the middle of it.
        there = len(sim.tasks('create-backup'))
        sim.until(lambda: len(sim.tasks('create-backup')) > there)


@pytest.mark.parametrize('point', POINTS)
def test_an_upload_at_any_point_leaves_a_set_that_holds_all_it_knows(point: str):
    sim = simulate(postgresql_units=3)
    reach(sim, point)
    sim.api.upload_image(NEW)
    sim.clock.later(10 * MINUTE, sim.api.synchronise_all)
    op = sim.run()
    assert (op.status, op.problems) == (operation.COMPLETE, ())
    assert state(sim) == retention.COMPLETE


@pytest.mark.parametrize('point', POINTS)
def test_a_deletion_at_any_point_is_found_if_the_database_may_know_the_image(point: str):
    sim = simulate(postgresql_units=3)
    reach(sim, point)
    sim.api.delete_image(ROCKY)
    op = sim.run()
    assert op.status == operation.COMPLETE
    # Before the first reading nothing knows it, and after the last one the files hold it.
    harmless = point not in (
        'scale-down-postgresql', 'back-up-postgresql', 'request-postgresql-units', 'back-up-maas'
    )  # fmt: skip
    assert state(sim) == (retention.COMPLETE if harmless else retention.INCONSISTENT)


# --- MAAS that does not answer ---------------------------------------------------------------


def refuse(error: Exception) -> Callable[[str], None]:
    def asked(name: str) -> None:
        raise error

    return asked


@pytest.mark.parametrize(
    'error',
    [
        errors.MaasUnavailable('MAAS does not answer'),
        errors.MaasUnintelligible('MAAS answers with a web page'),
        errors.MaasRefused('MAAS forbids it'),
        errors.MaasKeyRefused('MAAS refuses the API key'),
    ],
)
def test_a_maas_that_never_answers_delays_a_backup_by_minutes_and_spoils_nothing(
    error: errors.CoordinatorError,
):
    sim = simulate()
    sim.world.maas_asked = refuse(error)
    op = sim.run()
    assert (op.status, op.problems) == (operation.COMPLETE, ())
    assert op.age < 30 * MINUTE
    found = images_of(sim)
    assert (found.state, found.why) == (manifest.UNKNOWN, str(error))
    assert state(sim) == retention.COMPLETE


class _Absurd(direct.DirectMaas):
    """A MAAS whose images have a size that no file has."""

    def boot_resources(self) -> Iterator[maas_port.BootResource]:
        for each in super().boot_resources():
            (boot_set,) = each.sets
            files = tuple(dataclasses.replace(file, size=-1) for file in boot_set.files)
            yield dataclasses.replace(each, sets=(dataclasses.replace(boot_set, files=files),))


def test_images_that_no_reading_can_hold_leave_a_set_of_which_nothing_is_known():
    sim = simulate()
    absurd = _Absurd(sim.site, simulation.MAAS_KEY, 'http://maas/MAAS')

    def reached(found: str = '', *, fresh: bool = False) -> maas_port.Maas:
        return absurd

    sim.world.maas = reached
    op = sim.run()
    assert (op.status, op.problems) == (operation.COMPLETE, ())
    assert op.age < 30 * MINUTE
    assert images_of(sim).state == manifest.UNKNOWN
    assert 'size is out of range' in images_of(sim).why


def test_what_maas_says_at_length_holds_no_backup():
    sim = simulate()
    sim.world.maas_asked = refuse(errors.MaasRefused('far too much ' * 1000))
    op = sim.run()
    assert (op.status, op.problems) == (operation.COMPLETE, ())
    assert max(map(len, op.facts.values())) < 2048


def test_a_maas_that_answers_again_is_asked_again():
    sim = simulate()
    sim.world.maas_asked = refuse(errors.MaasUnavailable('MAAS is starting'))
    sim.until(lambda: 'MAAS is starting' in sim.op.current.reason)
    sim.world.maas_asked = lambda name: None
    sim.run()
    assert images_of(sim).state == manifest.SYNCHRONISED


@pytest.mark.parametrize(
    'point', ['await-images', 'scale-down-postgresql', 'take-inventory', 'back-up-maas']
)
def test_a_key_revoked_in_mid_operation_leaves_a_set_of_which_nothing_is_known(point: str):
    sim = simulate()
    reach(sim, point)
    sim.api.revoke_keys()
    op = sim.run()
    assert (op.status, op.problems) == (operation.COMPLETE, ())
    found = images_of(sim)
    assert found.state == manifest.UNKNOWN
    assert 'refuses the API key' in found.why


def test_a_region_that_is_down_while_images_synchronise_is_waited_for():
    sim = simulate()
    first, second = sim.site.maas.states
    sim.api.upload_image(NEW, {first: 1.0, second: 0.0})
    sim.until(lambda: '50% synchronised' in sim.op.current.reason)
    sim.clock.advance(20 * MINUTE)
    sim.dispatch()
    assert '50% synchronised' in sim.op.current.reason
    sim.api.synchronise(NEW, second)
    assert (sim.run().status, state(sim)) == (operation.COMPLETE, retention.COMPLETE)


# --- Crashes and aborts ----------------------------------------------------------------------


def test_an_aborted_backup_leaves_no_reading():
    from coordinator.operations import steering

    sim = simulate()
    sim.at_step('back-up-postgresql')
    sim.op = steering.aborted(sim.op, sim.clock.now(), force=False, world=sim.world)
    assert sim.run().status == operation.ABORTED
    assert not list(sim.world.maas_store.list('coordinator/backup-sets/'))


def test_a_dispatch_that_dies_after_it_stored_a_later_reading_spoils_nothing():
    sim = simulate()
    sim.at_step('take-inventory')
    sim.api.upload_image(NEW)
    sim.api.synchronise_all()
    sim.at_step('back-up-maas')
    before = sim.op
    while sim.op.fact(fence.READING) == before.fact(fence.READING):
        before = sim.op
        sim.dispatch()
    # Its checkpoint is lost; what it stored is there. By the next dispatch MAAS has one more.
    sim.op = before
    sim.api.upload_image('custom/suse-15/amd64')
    sim.api.synchronise_all()
    op = sim.run()
    assert (op.status, op.problems, state(sim)) == (operation.COMPLETE, (), retention.COMPLETE)
    names = [image.name for image in reading_of(sim).images]
    assert {'custom/alma-9', 'custom/suse-15'} <= set(names)


def test_a_reading_that_somebody_changed_fails_the_backup():
    sim = simulate()
    sim.at_step('back-up-postgresql')
    sim.world.maas_store.put(
        catalogue.images_keys(sim.op.backup_id)[0], b'{"version":1,"images":[]}'
    )
    op = sim.run()
    assert op.status == operation.FAILED
    assert 'somebody has changed it' in op.error


# --- What an inconsistent set is good for ----------------------------------------------------


def inconsistent() -> simulation.Simulation:
    sim = simulate()
    while_files_are_backed_up(sim, lambda: sim.api.delete_image(ROCKY))
    sim.run()
    return sim


def test_latest_ignores_an_inconsistent_set():
    sim = inconsistent()
    sim.begin('restore-all', backup_id='latest')
    assert sim.run().status == operation.FAILED
    assert 'no complete backup set' in sim.op.error


def test_an_inconsistent_set_is_restored_only_when_that_is_asked_for():
    sim = inconsistent()
    backup_id = sim.op.backup_id
    sim.begin('restore-all', backup_id=backup_id)
    assert sim.run().status == operation.FAILED
    assert 'custom/rocky-9' in sim.op.error
    assert 'inconsistent=true' in sim.op.error
    sim.clock.advance(MINUTE)
    sim.begin('restore-all', backup_id=backup_id, inconsistent='true')
    sim.at_step('mark-backup-set')
    assert any('inconsistent' in warning for warning in sim.op.warnings)


def test_an_inconsistent_set_takes_no_place_of_a_complete_one():
    sim = simulate()
    sim.run()
    complete = sim.op.backup_id
    sim.clock.advance(24 * 60 * MINUTE)
    sim.config = dataclasses.replace(sim.config, retention=rules.Policy(last=1))
    sim.begin('backup-all')
    while_files_are_backed_up(sim, lambda: sim.api.delete_image(ROCKY))
    sim.run()
    states = {e.backup_id: e.state for e in catalogue.entries(sim.world.maas_store)}
    assert states == {complete: retention.COMPLETE, sim.op.backup_id: retention.INCONSISTENT}
