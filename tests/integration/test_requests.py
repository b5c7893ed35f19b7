"""A charm that uses the library requests a backup on a deployed site."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jubilant
import pytest

from tests import requirers
from tests.integration import charms, looking, sites

pytestmark = [pytest.mark.long, pytest.mark.xdist_group('integration')]

LEADER = f'{requirers.NAME}/leader'


@pytest.fixture
def related(site: sites.Site, charm_files: charms.CharmFiles) -> Iterator[sites.Site]:
    """The site, with the charm that requests backups related to the coordinator."""
    site.juju.deploy(charm_files.requirer, requirers.NAME)
    site.juju.integrate(f'{requirers.NAME}:backup', f'{sites.APP}:backup')
    site.until(
        lambda status: (
            jubilant.all_active(status, requirers.NAME)
            and jubilant.all_agents_idle(status, requirers.NAME, sites.APP)
        ),
        sites.DEPLOYED_SECONDS,
    )
    yield site
    site.juju.remove_application(requirers.NAME)
    site.until(lambda status: requirers.NAME not in status.apps, sites.DEPLOYED_SECONDS)


def shown(site: sites.Site) -> dict[str, Any]:
    found = site.juju.run(LEADER, 'show', wait=sites.ACTION_SECONDS)
    return json.loads(found.results['shown'])


def test_the_charm_gets_a_fresh_set(related: sites.Site):
    before = related.sets()

    made = related.juju.run(LEADER, 'request', wait=sites.ACTION_SECONDS)
    request = made.results['request']
    looking.until(lambda: bool(shown(related)['told']), sites.OPERATION_SECONDS)

    (told,) = shown(related)['told']
    assert told['request'] == request
    assert told['ready'] in related.sets()
    assert told['ready'] not in before
    assert related.until_ended()['id'] == told['ready']
    expected = {'backup-id': told['ready'], 'verified': 'objects', 'proven': False}
    looking.until(lambda: shown(related)['newest'] == expected, sites.OPERATION_SECONDS)
