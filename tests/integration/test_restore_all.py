"""restore-all on a deployed site, in the same model and in a fresh one."""

from __future__ import annotations

import pytest

from tests.integration import deployment, sites

pytestmark = [pytest.mark.long, pytest.mark.xdist_group('integration')]


def test_the_same_model_is_brought_back(site: sites.Site):
    backup_id = site.back_up()
    before = set(site.units(sites.POSTGRESQL))

    op = site.restore(backup_id)

    assert op['status'] == 'complete', op
    assert len(site.units(sites.POSTGRESQL)) == len(before)
    assert site.unattached_storage() == []


def test_without_confirm_nothing_changes(site: sites.Site):
    last = site.operation()['id']

    shown = site.run('restore-all', backup_id='latest').results

    assert {'checks', 'plan', 'replaces', 'verdict'} <= set(shown)
    assert site.operation()['id'] == last


def test_a_fresh_model_is_brought_back_from_a_set_of_another(
    site: sites.Site, deploy: deployment.Deploy
):
    backup_id = site.back_up()
    path = site.juju.config(sites.INTEGRATORS['postgresql'])['path']

    fresh = deploy('fresh', identity=site.identity, postgresql_path=path)
    op = fresh.restore(backup_id)

    assert op['status'] == 'complete', op
    restored = fresh.juju.config(sites.INTEGRATORS['postgresql'])['path']
    assert str(restored).startswith(f'{path}-restored-')
