"""Each failure once: what happens, what is typed, how it ends, and what the site is like then."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping

from rehearsal import model
from tests import charm_states
from tests.on_call import night

_ABORT = f'{night.LEADER} abort-operation'
_RESUME = f'{night.LEADER} resume-operation'
_BACK_UP = f'{night.LEADER} backup-all'
_REMOVE_STORAGE = r'juju remove-storage(?: [a-z]+/\d+)+'


@dataclasses.dataclass(frozen=True)
class Case:
    """One failure."""

    happens: str
    """What happened, for people."""
    ends: str
    """How it ends, for people."""
    plays: Callable[[night.Night], None]
    """Lets it happen, and lets the operator read and type until it has ended."""


_CASES: dict[str, Case] = {}


def case(name: str, happens: str, ends: str) -> Callable[..., Callable[[night.Night], None]]:
    """Make a function the play of a case."""

    def register(plays: Callable[[night.Night], None]) -> Callable[[night.Night], None]:
        _CASES[name] = Case(happens, ends, plays)
        return plays

    return register


def cases() -> Mapping[str, Case]:
    """Return all cases by name, in the order of the table."""
    return _CASES


@functools.cache
def played(name: str) -> night.Night:
    """Return the site after a case."""
    found = night.Night()
    _CASES[name].plays(found)
    found.ended = found.status()[0]
    return found


# --- Complete, with something left to do ---------------------------------------------------------


@case(
    'backup-with-a-unit-missing',
    'a new unit of PostgreSQL does not join after a backup',
    'the set was complete before; when nothing is left to do, the message disappears',
)
def _unit_missing(at: night.Night) -> None:
    at.sim.at_step('back-up-maas')
    at.sim.model.remove_unit(at.sim.postgresql_units()[-1])
    at.goes_on()
    at.looks()
    at.types('juju add-unit postgresql')
    at.settles()
    at.looks()
    at.types(at.last_printed(_REMOVE_STORAGE))


@case(
    'restore-with-a-unit-missing',
    'a new unit of PostgreSQL does not join after a restore',
    'the restore was complete before; do not repeat it',
)
def _unit_missing_after_restore(at: night.Night) -> None:
    at.restoring().at_step('restore-postgresql-scale')
    at.sim.model.remove_unit(at.sim.postgresql_units()[-1])
    at.goes_on()
    at.looks()
    at.types('juju add-unit postgresql')
    at.settles()
    at.looks()
    at.types(at.last_printed(_REMOVE_STORAGE))


@case(
    'units-late-after-a-failure',
    'the database backup fails, and the new units join too late',
    'the second backup is complete, and no storage is left over',
)
def _late(at: night.Night) -> None:
    at.sim.database.fail_next('create-backup', 'no space left')
    at.sim.database.stuck_replica = True
    at.goes_on()
    at.looks()
    at.sim.database.stuck_replica = False
    at.sim.site.postgresql.poke()
    at.settles()
    at.types(at.last_printed(_REMOVE_STORAGE))
    at.types(_BACK_UP)
    at.goes_on()


# --- Lost machines -------------------------------------------------------------------------------


@case(
    'database-machine-lost',
    'the machine of the only unit of PostgreSQL dies during its backup',
    'PostgreSQL has new units with the data of the last backup set',
)
def _database_lost(at: night.Night) -> None:
    at.has_a_set()
    at.sim.database.hang_next('create-backup')
    at.sim.until(lambda: any(t.status == 'running' for t in at.sim.tasks('create-backup')))
    at.loses('postgresql/0')
    at.goes_on()
    at.looks()
    at.types('juju remove-unit --force postgresql/0')
    at.types(_ABORT)
    at.goes_on()
    at.settles()
    given = f'backup-id={at.set_id} identity={night.IDENTITY} confirm=true'
    at.types(f'{night.LEADER} restore-all {given}', knows=True)
    at.goes_on()


@case(
    'region-machine-lost',
    'the machine of a region dies during a restore',
    'the new region is restored in place of the lost one, and MAAS is up',
)
def _region_lost(at: night.Night) -> None:
    sim = at.restoring()
    sim.maas.hang_next('restore-backup')
    sim.until(lambda: len(sim.tasks('restore-backup')) == 2)
    lost = sim.tasks('restore-backup')[0].unit
    at.loses(lost)
    at.goes_on()
    at.looks()
    at.types(f'juju remove-unit --force {lost}')
    at.types('juju add-unit maas-region')
    at.settles()
    at.types(_RESUME)
    at.goes_on()


@case(
    'dying-unit-lost',
    'the machine of a unit that is being removed dies',
    'the backup continues and is complete',
)
def _dying_lost(at: night.Night) -> None:
    at.sim.at_step('scale-down-postgresql')
    at.loses('postgresql/2')
    at.sim.model.remove_unit('postgresql/2')
    at.lasts(240)
    at.looks()
    at.types('juju remove-unit --force postgresql/2')
    at.goes_on()


@case(
    'dying-unit-with-a-failed-hook',
    'a hook fails on a unit that is being removed',
    'the unit is removed, and the backup continues and is complete',
)
def _dying_failed(at: night.Night) -> None:
    at.sim.at_step('scale-down-postgresql')
    unit = at.sim.model.unit('postgresql/2')
    unit.failed_hook = model.Event(model.Kind.HOOK, 'stop')
    at.sim.model.set_status(unit, 'error', 'hook failed: "stop"')
    at.sim.model.remove_unit('postgresql/2')
    at.lasts(240)
    at.looks()
    at.types('juju resolved postgresql/2')
    at.goes_on()


# --- The coordinator -----------------------------------------------------------------------------


@case(
    'coordinator-removed',
    'the coordinator is removed during a backup, and deployed again',
    'the last unit had requested the missing units; the new coordinator undoes the rest',
)
def _removed(at: night.Night) -> None:
    at.sim.at_step('back-up-postgresql')
    at.types(f'juju remove-application {night.APP}', knows=True)
    at.typed.clear()
    at.types(f'juju deploy ./{night.APP}_*.charm {night.APP}', knows=True)
    at.looks()
    at.types(_ABORT)
    at.goes_on()


@case(
    'login-revoked',
    "the coordinator's login is revoked during a backup",
    'the backup continues and is complete',
)
def _login(at: night.Night) -> None:
    at.sim.at_step('back-up-postgresql')
    at.revokes_login()
    at.lasts(120)
    at.looks()
    at.types(f'juju grant-secret {charm_states.SECRET} {night.APP}')
    at.goes_on()


# --- Somebody else -------------------------------------------------------------------------------


@case(
    'units-added-again',
    'Terraform adds each unit of PostgreSQL that the backup removes',
    'the first backup failed and changed nothing; the second keeps all units',
)
def _added(at: night.Night) -> None:
    at.sim.at_step('scale-down-postgresql')

    def keep_three() -> bool:
        missing = 3 - len(at.sim.postgresql_units())
        if missing > 0 and not at.sim.op.undoing:
            at.sim.model.add_units('postgresql', missing)
        return at.sim.op.undoing

    at.sim.until(keep_three)
    at.goes_on()
    at.looks()
    at.types(f'juju config {night.APP} postgresql-backup-strategy=replica')
    at.types(_BACK_UP)
    at.goes_on()


@case(
    'units-removed-again',
    'something removes each unit of PostgreSQL that the coordinator requests',
    'PostgreSQL has its units; the first backup failed, the second is complete',
)
def _removed_again(at: night.Night) -> None:
    at.sim.at_step('back-up-postgresql')
    at.sim.database.fail_next('create-backup', 'no space left')

    def keep_one() -> bool:
        for unit in at.sim.postgresql_units():
            if unit != 'postgresql/0' and at.sim.op.undoing:
                at.sim.model.remove_unit(unit)
        return not at.sim.op.open

    at.sim.until(keep_one)
    at.looks()
    at.types('juju add-unit postgresql -n 2')
    at.types(_RESUME)
    at.goes_on()
    at.looks()
    at.types(_BACK_UP)
    at.goes_on()


@case(
    'command-disabled',
    'somebody has disabled the command remove-object',
    'the first backup changed nothing; the second is complete',
)
def _disabled(at: night.Night) -> None:
    at.sim.model.blocked['remove-object'] = 'not on a Friday'
    at.goes_on()
    at.looks()
    at.types('juju enable-command remove-object')
    at.types(_BACK_UP)
    at.goes_on()


@case(
    'integrator-aimed-elsewhere',
    'somebody changes the path of an s3-integrator during a restore',
    'the restore continues, and MAAS is up',
)
def _aimed(at: night.Night) -> None:
    sim = at.restoring()
    sim.at_step('restore-maas')
    sim.model.set_config('s3-integrator-maas', {'path': 'elsewhere'})
    at.settles()
    at.goes_on()
    at.looks()
    at.types('juju config s3-integrator-maas bucket=maas-backups path=maas')
    at.settles()
    at.types(_RESUME)
    at.goes_on()


@case(
    'ended-by-force',
    'somebody ends a restore by force while MAAS is detached',
    'MAAS and PostgreSQL are as before the restore',
)
def _forced(at: night.Night) -> None:
    sim = at.restoring()
    sim.at_step('detach-maas')
    sim.until(lambda: sim.op.step != 'detach-maas')
    at.types(f'{_ABORT} force=true', knows=True)
    at.typed.clear()
    at.settles()
    at.looks()
    at.types('juju integrate maas-region:maas-db postgresql:database')
    at.types('juju add-unit postgresql -n 2')
    at.settles()
    at.looks()
    at.types(f'{night.LEADER} acknowledge-operation', knows=True)
