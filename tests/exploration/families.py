"""What is explored: which faults, in which operations, on which sites."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from coordinator.engine import settings
from coordinator.sets import catalogue, rules
from rehearsal import site
from tests import backup_sets, by_hand, restores, simulation
from tests.exploration import faults, meddling, sites

SHORT = {'scaling_minutes': 40, 'postgresql_backup_minutes': 60, 'maas_backup_minutes': 50}
"""Deadlines: what never ends is waited for, in virtual time, but dispatch by dispatch."""


Furnish = Callable[[simulation.Simulation], None]


def _backup(
    *furnish: Furnish, maas_key: str = simulation.MAAS_KEY, **deployed: object
) -> simulation.Simulation:
    sim = simulation.Simulation(maas_key=maas_key, **deployed)  # type: ignore[arg-type]
    for each in (sites.age, *furnish):
        each(sim)
    # Of another coordinator: this one has yet to make its own.
    sim.world.signing.private.clear()
    sim.begin('backup-all')
    return _hurried(sim)


def _restore(
    *furnish: Furnish,
    fresh: bool,
    regions: int = 1,
    version: str = '3.6.26',
    maas_key: str = simulation.MAAS_KEY,
    trusts: bool = False,
    **given: str,
) -> simulation.Simulation:
    lost = restores.backed_up(regions=regions, version=version, maas_key=maas_key)
    sim = lost
    if fresh:
        sim = restores.simulate(after=lost, regions=regions, version=version, maas_key=maas_key)
    for each in furnish:
        each(sim)
    if trusts:
        keys = tuple(lost.world.signer.keys())
        sim.config = dataclasses.replace(sim.config, trusted_signers=keys)
    restores.restore(sim, lost, **given)
    return _hurried(sim)


def _proof() -> simulation.Simulation:
    """Return a site whose database was restored, and that is about to be proven once more."""
    lost = restores.backed_up(regions=1, postgresql_units=1, maas_key=simulation.MAAS_KEY)
    sim = restores.simulate(
        after=lost, regions=1, postgresql_units=1, maas_key=simulation.MAAS_KEY
    )
    found = restores.restore(sim, lost)
    sim.run()
    sim.saved.clear()
    sim.clock.advance(60)
    sim.begin('prove-restore', backup_id=found)
    return sim


def _rehearsal() -> simulation.Simulation:
    """Return a throw-away model beside a site, at the beginning of a rehearsal."""
    lives = restores.backed_up(regions=1, postgresql_units=1, maas_key=simulation.MAAS_KEY)
    sim = restores.throwaway(lives, regions=1, postgresql_units=2)
    restores.rehearse(sim, lives)
    return _hurried(sim)


def _rehearsal_at_home() -> simulation.Simulation:
    """Return a site where somebody rehearses its own set."""
    sim = restores.backed_up(regions=1, postgresql_units=1, maas_key=simulation.MAAS_KEY)
    restores.rehearse(sim, sim)
    sim.to_be_refused = True
    return _hurried(sim)


def _aim_elsewhere(sim: simulation.Simulation) -> None:
    sim.model.set_config(site.S3_POSTGRESQL, {'path': 'other'})
    sim.clock.advance(300)
    site.settle(sim.model, ('active', 'blocked'))


def _new_passwords(sim: simulation.Simulation) -> None:
    sites.set_passwords(sim, 'administrator')


def _on_sets(kind: str, **parameters: str) -> simulation.Simulation:
    sim = backup_sets.simulate(rules.Policy(last=2))
    # With an index no manifests are read at the same time, where no run can be forked.
    catalogue.entries(sim.world.maas_store, heal=True)
    sim.begin(kind, **parameters)
    return sim


def _hurried(sim: simulation.Simulation) -> simulation.Simulation:
    for switches in (sim.database, sim.maas):
        # Longer than an answer is waited for, or all would be over before anybody looks again.
        switches.backup = switches.restore = 45.0
    config: settings.Settings = dataclasses.replace(sim.op.settings, **SHORT)
    sim.op = dataclasses.replace(sim.op, settings=config)
    return sim


SCENARIOS: dict[str, Callable[[], simulation.Simulation]] = {
    'backup-all': lambda: _backup(sites.fail_over),
    'backup-all, replica': lambda: _backup(sites.fail_over, strategy='replica'),
    'backup-all, 1 region, Juju 4.0': lambda: _backup(regions=1, version='4.0.15'),
    'backup-all, 1 database unit, no key of MAAS': lambda: _backup(
        postgresql_units=1, regions=1, maas_key=''
    ),
    'backup-all, shared machines, slow': lambda: _backup(
        sites.share_machines, sites.slow_down, regions=1
    ),
    'backup-all, two models': lambda: _backup(sites.accompany, regions=1, postgresql_units=1),
    'restore-all, fresh model': lambda: _restore(_new_passwords, fresh=True, regions=3),
    'restore-all, fresh model, 1 region': lambda: _restore(
        fresh=True, backup_id='latest', trusts=True
    ),
    'restore-all, same model, 3 regions, Juju 4.0': lambda: _restore(
        fresh=False, regions=3, version='4.0.15'
    ),
    'restore-all, same model, 1 region': lambda: _restore(
        sites.fail_over, _new_passwords, fresh=False
    ),
    'restore-all, same model, shared machines, slow': lambda: _restore(
        sites.share_machines, sites.slow_down, fresh=False
    ),
    'restore-all, fresh model, aimed elsewhere, no key of MAAS': lambda: _restore(
        _aim_elsewhere, fresh=True, maas_key=''
    ),
    'prove-restore': _proof,
    'rehearsal': _rehearsal,
    'rehearsal, in the model of the set': _rehearsal_at_home,
    'expire': lambda: _on_sets('expire'),
    'delete-backup': lambda: _on_sets(
        'delete-backup', backup_id=backup_sets.name(backup_sets.DAYS[0])
    ),
    'adopt-backup': by_hand.adopting_them,
    'verify-backup': lambda: _on_sets('verify-backup', backup_id='all', deep='false'),
    'verify-backup, whole': lambda: _on_sets('verify-backup', backup_id='latest', deep='true'),
}
ADOPTIONS = ('adopt-backup',)
PROOFS = ('prove-restore',)
DELETIONS = ('expire', 'delete-backup')
VERIFICATIONS = ('verify-backup', 'verify-backup, whole')
BACKUPS = tuple(name for name in SCENARIOS if name.startswith('backup'))
RESTORES = tuple(name for name in SCENARIOS if name.startswith('restore'))
REHEARSALS = tuple(name for name in SCENARIOS if name.startswith('rehearsal'))
ALL = BACKUPS + RESTORES


@dataclasses.dataclass(frozen=True)
class Family:
    """Runs of one kind: `levels` are what goes wrong first, second and so on."""

    name: str
    levels: Sequence[Sequence[faults.Fault]]
    scenarios: Sequence[str] = ALL
    one_in: int = 1
    """One in this number of faults of each level is run; the others are left out."""


_ERRORS = faults.refusals(for_good=False)
_OUTAGES = faults.refusals(for_good=True)
_EFFECTS = faults.LOSSES_THAT_COUNT

FAMILIES: Sequence[Family] = (
    Family('one loss', [faults.LOSSES], (*BACKUPS[:2], RESTORES[1])),
    Family('one loss, sample', [faults.LOSSES], ALL, one_in=12),
    Family('two losses', [_EFFECTS, _EFFECTS], BACKUPS[:1]),
    Family('two losses, sample', [_EFFECTS, _EFFECTS], ALL[1:], one_in=12),
    Family('one error', [_ERRORS], (BACKUPS[0], RESTORES[1])),
    Family('one error, sample', [_ERRORS], ALL, one_in=8),
    Family('an error until it is mended', [_OUTAGES], (BACKUPS[0], RESTORES[1])),
    Family('an error until it is mended, sample', [_OUTAGES], ALL, one_in=12),
    Family('such an error, then a loss, sample', [_OUTAGES, _EFFECTS], ALL, one_in=25),
    Family('one answer lost', [faults.LOST_ANSWERS]),
    Family('an answer, then a loss, sample', [faults.LOST_ANSWERS, _EFFECTS], ALL, one_in=20),
    Family('an answer, then an error, sample', [faults.LOST_ANSWERS, _ERRORS], ALL, one_in=32),
    Family('a leader lost for good', [faults.LOST_FOR_GOOD]),
    Family('a dispatch that raises', [faults.RAISED], one_in=2),
    Family('units', [faults.UNITS]),
    Family('units, then a loss, sample', [faults.UNITS, _EFFECTS], ALL, one_in=4),
    Family('another leader', [faults.DEPOSED], BACKUPS[:1]),
    Family('another leader, sample', [faults.DEPOSED], ALL[1:], one_in=12),
    Family('abort', [faults.ABORTS]),
    Family('abort, then a loss', [faults.ABORTS, _EFFECTS], BACKUPS[:1]),
    Family('abort, then a loss, sample', [faults.ABORTS, _EFFECTS], ALL[1:], one_in=12),
    Family(
        'a loss, then abort, every other one', [_EFFECTS, faults.ABORTS], BACKUPS[:1], one_in=2
    ),
    Family('a loss, then abort, sample', [_EFFECTS, faults.ABORTS], ALL[1:], one_in=16),
    Family('a forced abort', [faults.FORCED]),
    Family('a loss, then a forced abort, sample', [_EFFECTS, faults.FORCED], ALL, one_in=16),
    Family('an action goes wrong', [faults.ACTIONS]),
    Family('an action, then a loss', [faults.ACTIONS, _EFFECTS], BACKUPS[:1]),
    Family(
        'an action, then abort',
        [faults.ACTIONS, faults.ABORTS_THAT_COUNT],
        (BACKUPS[0], RESTORES[1]),
    ),
    Family('a deletion: one loss', [faults.LOSSES], DELETIONS),
    Family('a deletion: two losses', [_EFFECTS, _EFFECTS], DELETIONS),
    Family('a deletion: one error', [_ERRORS], DELETIONS),
    Family('a deletion: an error until it is mended', [_OUTAGES], DELETIONS),
    Family('a deletion: one answer lost', [faults.LOST_ANSWERS], DELETIONS),
    Family('a deletion: another leader', [faults.DEPOSED], DELETIONS),
    Family('a deletion: abort', [faults.ABORTS], DELETIONS),
    Family('a deletion: abort, then a loss', [faults.ABORTS, _EFFECTS], DELETIONS),
    Family('an adoption: one loss', [faults.LOSSES], ADOPTIONS),
    Family('an adoption: two losses', [_EFFECTS, _EFFECTS], ADOPTIONS),
    Family('an adoption: one error', [_ERRORS], ADOPTIONS),
    Family('an adoption: an error until it is mended', [_OUTAGES], ADOPTIONS),
    Family('an adoption: one answer lost', [faults.LOST_ANSWERS], ADOPTIONS),
    Family('an adoption: another leader', [faults.DEPOSED], ADOPTIONS),
    Family('an adoption: abort, then a loss', [faults.ABORTS, _EFFECTS], ADOPTIONS),
    Family('a verification: one loss', [faults.LOSSES], VERIFICATIONS),
    Family('a verification: two losses, sample', [_EFFECTS, _EFFECTS], VERIFICATIONS, one_in=4),
    Family('a verification: one error', [_ERRORS], VERIFICATIONS),
    Family(
        'a verification: an error until it is mended, sample', [_OUTAGES], VERIFICATIONS, one_in=4
    ),
    Family('a verification: another leader', [faults.DEPOSED], VERIFICATIONS),
    Family('a verification: abort, then a loss', [faults.ABORTS, _EFFECTS], VERIFICATIONS),
    Family('a proof: one loss', [faults.LOSSES], PROOFS),
    Family('a proof: two losses', [_EFFECTS, _EFFECTS], PROOFS),
    Family('a proof: one error', [_ERRORS], PROOFS),
    Family('a proof: an error until it is mended', [_OUTAGES], PROOFS),
    Family('a proof: one answer lost', [faults.LOST_ANSWERS], PROOFS),
    Family('a proof: another leader', [faults.DEPOSED], PROOFS),
    Family('a proof: abort, then a loss', [faults.ABORTS, _EFFECTS], PROOFS),
    Family('a rehearsal: one loss', [faults.LOSSES], REHEARSALS, one_in=2),
    Family('a rehearsal: two losses, sample', [_EFFECTS, _EFFECTS], REHEARSALS, one_in=8),
    Family('a rehearsal: one error, sample', [_ERRORS], REHEARSALS, one_in=4),
    Family('a rehearsal: an error until it is mended, sample', [_OUTAGES], REHEARSALS, one_in=6),
    Family('a rehearsal: one answer lost', [faults.LOST_ANSWERS], REHEARSALS, one_in=2),
    Family('a rehearsal: another leader, sample', [faults.DEPOSED], REHEARSALS, one_in=6),
    Family(
        'a rehearsal: abort, then a loss, sample', [faults.ABORTS, _EFFECTS], REHEARSALS, one_in=6
    ),
    Family('a rehearsal: a forced abort', [faults.FORCED], REHEARSALS, one_in=2),
    Family('one move of an operator', [meddling.MOVES], (BACKUPS[0], RESTORES[1])),
    Family('one move, sample', [meddling.MOVES], ALL, one_in=8),
    Family('two moves, sample', [meddling.MOVES, meddling.MOVES], ALL, one_in=36),
)
