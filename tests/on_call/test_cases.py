"""Each failure of the table: the operator types what is printed, and the site is put right.

A play types nothing that was not printed before, but for what people know without being told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from coordinator.engine import operation
from rehearsal import site
from tests.on_call import cases, night

pytestmark = pytest.mark.xdist_group('on-call')


def is_complete(at: night.Night) -> None:
    assert at.sim.op.status == operation.COMPLETE
    assert len(at.sim.manifests()) == 1


def is_restored(at: night.Night) -> None:
    assert (at.sim.op.kind, at.sim.op.status) == ('restore-all', operation.COMPLETE)
    assert at.sim.site.fingerprint() == at.at_backup


def is_new_region_restored(at: night.Night) -> None:
    is_restored(at)
    assert set(at.sim.model.application('maas-region').units) == {'maas-region/1', 'maas-region/2'}


def is_database_back(at: night.Night) -> None:
    is_restored(at)
    assert 'postgresql/0' not in at.sim.postgresql_units()


def is_undone(at: night.Night) -> None:
    assert at.sim.op.status == operation.ABORTED
    assert at.sim.manifests() == []


def is_as_before(at: night.Night) -> None:
    assert at.sim.op.status == operation.ABORTED
    assert at.sim.tasks('restore') == []


WELL: Mapping[str, Callable[[night.Night], None]] = {
    'backup-with-a-unit-missing': is_complete,
    'restore-with-a-unit-missing': is_restored,
    'units-late-after-a-failure': is_complete,
    'database-machine-lost': is_database_back,
    'region-machine-lost': is_new_region_restored,
    'dying-unit-lost': is_complete,
    'dying-unit-with-a-failed-hook': is_complete,
    'coordinator-removed': is_undone,
    'login-revoked': is_complete,
    'units-added-again': is_complete,
    'units-removed-again': is_complete,
    'command-disabled': is_complete,
    'integrator-aimed-elsewhere': is_restored,
    'ended-by-force': is_as_before,
}
"""By case: what must be true of its operation at the end."""


def test_each_case_says_what_is_well_at_its_end():
    assert list(WELL) == list(cases.cases())


@pytest.mark.parametrize('name', WELL)
def test_what_is_printed_puts_the_site_right(name: str):
    at = cases.played(name)
    assert at.typed
    # A fresh model without a restore is as it was: blocked by the repository of the lost one.
    fresh = (at.sim.op.kind, at.sim.op.status) == ('restore-all', operation.ABORTED)
    site.settle(at.sim.model, ('active', 'blocked') if fresh else ('active',), limit=900)
    WELL[name](at)
    assert len(at.sim.postgresql_units()) == 3
    relations = [set(relation.endpoints) for relation in at.sim.model.relations.values()]
    assert {'maas-region', 'postgresql'} in relations
    assert at.ended == 'active'


@pytest.mark.parametrize(
    'name', [n for n in WELL if n not in ('dying-unit-lost', 'dying-unit-with-a-failed-hook')]
)
def test_what_needs_a_person_is_blocked_at_the_first_look(name: str):
    assert cases.played(name).said[0] == 'blocked'


def test_the_operator_types_only_what_was_printed():
    at = night.Night()
    at.looks()
    with pytest.raises(night.NotPrinted):
        at.types('juju remove-application postgresql')
