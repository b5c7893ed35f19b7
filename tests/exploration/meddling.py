"""What a second operator may do in the middle of an operation."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Sequence

from coordinator import errors
from coordinator.engine import facts
from coordinator.operations import steering
from coordinator.sets import catalogue
from rehearsal import model, site
from tests import signers, simulation
from tests.exploration import faults, moments, scene, sites
from tests.exploration.run import Run

_DATABASE = f'{site.POSTGRESQL}:database'
_ENDS = (f'{site.MAAS}:maas-db', _DATABASE)
_RESTORE = re.compile(r'To restore it again: .* backup-id=(?P<backup_id>[0-9TZ:-]+), then resume')


@dataclasses.dataclass(frozen=True)
class Move:
    """One move, made between two dispatches."""

    name: str
    make: Callable[[Run], object]

    def fits(self, moment: moments.Moment) -> bool:
        return moment.kind == moments.BETWEEN and moment.checkpoint

    def strike(self, run: Run, moment: moments.Moment) -> None:
        run.watch.meddled = True
        try:
            self.make(run)
        except (model.ModelError, errors.CoordinatorError):
            # Juju refuses the operator: nothing has changed.
            return
        run.sim.clock.advance(0.1)


def _add_unit(run: Run) -> None:
    run.sim.model.add_units(site.POSTGRESQL, 1)
    run.watch.added += 1
    run.mends.append(lambda: _remove_surplus(run))


def _remove_surplus(run: Run) -> None:
    """Remove what is more than there was, or all but one if the held operation asks for it."""
    asked = 'juju remove-unit' in run.sim.op.error
    surplus = len(run.sim.postgresql_units()) - (1 if asked else run.watch.units)
    for _ in range(min(run.watch.added, surplus)):
        _remove_newest(run)
    if not asked:
        # It may ask the next time.
        run.mends.append(lambda: _remove_surplus(run))
    run.sim.clock.advance(600)


def _remove_newest(run: Run) -> bool:
    units = run.sim.postgresql_units()
    if len(units) == 1:
        return False
    newest = max(units, key=lambda name: int(name.split('/')[1]))
    storage = run.sim.model.storage.values()
    run.watch.left |= {item.id for item in storage if item.owner == newest}
    run.sim.model.remove_unit(newest)
    return True


def _remove_unit(run: Run) -> None:
    run.watch.removed += _remove_newest(run)
    run.mends.append(lambda: faults.promote(run))


def _add_region(run: Run) -> None:
    (name,) = run.sim.model.add_units(site.MAAS, 1)
    run.mends.append(lambda: run.sim.model.remove_unit(name))


def _remove_relation(run: Run) -> None:
    run.sim.model.remove_relation(*_ENDS)
    if run.sim.op.kind == 'backup-all' or facts.UP_SINCE.known(run.sim.op):
        run.mends.append(lambda: run.sim.model.integrate(*_ENDS))


def _integrate(run: Run) -> None:
    run.sim.model.integrate(*_ENDS)


def _back_up(application: str) -> Callable[[Run], None]:
    def back_up(run: Run) -> None:
        unit = run.sim.model.application(application).leader or ''
        given = {'type': 'full'} if application == site.POSTGRESQL else {}
        run.sim.model.enqueue([(unit, 'create-backup', given, True, '')])

    return back_up


def _cancel(run: Run) -> None:
    for task in run.sim.model.tasks.values():
        if not task.ended:
            run.sim.model.cancel(task)


def _restart_agents(run: Run) -> None:
    for unit in run.sim.model.units:
        run.sim.model.restart_agent(unit)


def _restore_if_asked(run: Run) -> None:
    """Restore the database by the command that a held restore names, now or the next time."""
    asked = _RESTORE.search(run.sim.op.error)
    if asked is None:
        run.mends.append(lambda: _restore_if_asked(run))
    else:
        (unit,) = run.sim.postgresql_units()
        faults.restore_by_hand(run, unit, {'backup-id': asked['backup_id']})


def _aim_elsewhere(name: str) -> Callable[[Run], None]:
    def aim(run: Run) -> None:
        juju = run.sim.model
        former = str(run.sim.world.juju.config(name)['path'])
        juju.set_config(name, {'path': 'elsewhere'})
        run.mends.append(lambda: _restore_if_asked(run))
        run.mends.append(lambda: juju.set_config(name, {'path': former}))

    return aim


def _take_access(run: Run) -> None:
    run.sim.user.model_access = 'read'
    run.mends.append(lambda: setattr(run.sim.user, 'model_access', 'admin'))


def _block(run: Run) -> None:
    database = run.sim.site.postgresql
    database.block('extra user request')
    run.mends.append(lambda: database.block(''))


def _disable_commands(run: Run) -> None:
    run.sim.model.blocked['all'] = 'a change freeze'
    run.mends.append(run.sim.model.blocked.clear)


def _delete_sealed(run: Run) -> None:
    key = f'coordinator/backup-sets/{run.sim.op.id}/secrets.age'
    run.sim.world.maas_store.delete(key)


def _remove_secrets(run: Run) -> None:
    juju = run.sim.world.juju
    for secret in juju.secrets():
        if secret.owner.startswith('model-') and 'before restore' in secret.label:
            juju.remove_secret(secret.id)


def _fail_over(run: Run) -> None:
    """Another member becomes the primary, and the charm notices in its own time."""
    state = run.sim.site.postgresql
    others = [u for u in run.sim.postgresql_units() if u != state.state.get('primary')]
    if others:
        state.update(primary=others[0])


def _change_passwords(run: Run) -> None:
    former = scene.in_use(run.sim)
    sites.give_passwords(run.sim, 'changed meanwhile')
    if former:
        run.mends.append(lambda: sites.point_to(run.sim, former))


def _abort(run: Run) -> None:
    run.sim.op = steering.aborted(run.sim.op, run.sim.clock.now())


NEW_PASSWORDS = Move('changes the passwords of PostgreSQL', _change_passwords)
_ROCKY, _ALMA = 'custom/rocky-9/amd64', 'custom/alma-9/amd64'
_SYNCHRONISES = 100.0
"""Seconds until every region has an image that was uploaded to one."""


def _upload(run: Run) -> None:
    """Upload an image to a region that does not lead, so that the leader lacks it for a while."""
    last = list(run.sim.site.maas.states)[-1]
    if not run.sim.site.database:
        # It is being restored.
        return
    run.sim.api.upload_image(_ALMA, {last: 1.0})
    run.sim.clock.later(_SYNCHRONISES, lambda: _synchronise(run))


UPLOAD = Move('uploads an image', _upload)


def _synchronise(run: Run) -> None:
    if run.sim.site.database:
        run.sim.api.synchronise_all()


def _delete_image(run: Run) -> None:
    if run.sim.site.database:
        run.sim.api.delete_image(_ROCKY)


def _remove_machine(run: Run) -> None:
    machines = run.sim.site.database.get('machines', [])
    if machines:
        run.sim.api.remove_machine(machines[0])


def _forge(run: Run) -> None:
    """Have somebody who can write to the bucket sign the newest set anew, as his own."""
    store = run.sim.world.maas_store
    newest = catalogue.opened(store, catalogue.ids(store)[-1])
    thief = signers.with_key('thief')
    value = thief.sign(newest.purpose, newest.digest)
    catalogue.commit(store, newest.signed(thief.keys()[0], value))


FORGE = Move('forges the newest set', _forge)
REMOVE_MACHINE = Move('removes a machine', _remove_machine)
DELETE_IMAGE = Move('deletes an image', _delete_image)

MOVES: Sequence[faults.Fault] = [
    Move('adds a PostgreSQL unit', _add_unit),
    Move('removes a PostgreSQL unit', _remove_unit),
    Move('adds a region', _add_region),
    Move('takes the relation away', _remove_relation),
    Move('puts the relation back', _integrate),
    Move('backs up the database', _back_up(site.POSTGRESQL)),
    Move('backs up the files', _back_up(site.MAAS)),
    Move('cancels all tasks', _cancel),
    Move('restarts all agents', _restart_agents),
    Move('aims s3-postgresql elsewhere', _aim_elsewhere(site.S3_POSTGRESQL)),
    Move('aims s3-maas elsewhere', _aim_elsewhere(site.S3_MAAS)),
    Move('takes model admin away', _take_access),
    Move('blocks PostgreSQL', _block),
    Move('disables commands', _disable_commands),
    Move('deletes the sealed passwords', _delete_sealed),
    Move('removes the secrets put aside', _remove_secrets),
    Move('lets PostgreSQL fail over', _fail_over),
    NEW_PASSWORDS,
    UPLOAD,
    DELETE_IMAGE,
    REMOVE_MACHINE,
    FORGE,
    Move('aborts', _abort),
]


class Script:
    """Lets moves be made at given checkpoints: for runs that are drawn, not walked."""

    def __init__(self, moves: Sequence[tuple[int, faults.Fault]]):
        self._moves = sorted(moves, key=lambda pair: pair[0])
        self._checkpoint = -1

    def at(self, run: Run, moment: moments.Moment) -> None:
        if moment.kind != moments.BETWEEN or not moment.checkpoint:
            return
        self._checkpoint += 1
        while self._moves and self._moves[0][0] <= self._checkpoint:
            run.harmless = False
            self._moves.pop(0)[1].strike(run, moment)


def played(sim: simulation.Simulation, moves: Sequence[tuple[int, faults.Fault]]) -> Run:
    """Run an operation with moves made at given checkpoints."""
    run = Run(sim, Script(moves))
    run.to_the_end()
    return run
