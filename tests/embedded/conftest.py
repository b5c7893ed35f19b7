"""Sites on embedded models. Setting one up takes seconds, so tests share them.

Each site is a group of its own for xdist: the tests of a group run on one worker.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from rehearsal import embedded
from tests.embedded import charmed_maas

Deployed = Callable[[str], charmed_maas.CharmedMaas]

LAYOUTS = {
    'juju-3.6': embedded.Layout(version='3.6.26', s3_track=1),
    'juju-4.0': embedded.Layout(version='4.0.15', s3_track=2, regions=1),
    'three-coordinators': embedded.Layout(
        version='4.0.15', regions=1, postgresql_units=2, coordinators=3, strategy='replica'
    ),
}


def on(name: str) -> object:
    """Return the parameter of a fixture that is the site of this layout."""
    return pytest.param(name, id=name, marks=pytest.mark.xdist_group(name))


@pytest.fixture(scope='session')
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    """What returns the site of a layout, which is deployed at the first call."""
    sites: dict[str, charmed_maas.CharmedMaas] = {}
    with contextlib.ExitStack() as stack:

        def deploy(name: str) -> charmed_maas.CharmedMaas:
            if name not in sites:
                root = tmp_path_factory.mktemp(name)
                maas = charmed_maas.CharmedMaas(root, LAYOUTS[name])
                sites[name] = stack.enter_context(maas)
            return sites[name]

        yield deploy


def borrowed(maas: charmed_maas.CharmedMaas) -> Iterator[charmed_maas.CharmedMaas]:
    """Lend a site to a test, and put it right afterwards."""
    yield maas
    maas.reset()


@pytest.fixture(params=[on('juju-3.6'), on('juju-4.0')])
def maas(request: pytest.FixtureRequest, deployed: Deployed) -> Iterator[charmed_maas.CharmedMaas]:
    """A site on either Juju."""
    yield from borrowed(deployed(request.param))


@pytest.fixture(params=[on('juju-3.6')])
def maas36(
    request: pytest.FixtureRequest, deployed: Deployed
) -> Iterator[charmed_maas.CharmedMaas]:
    """The site on Juju 3.6, with track 1 of the s3-integrator."""
    yield from borrowed(deployed(request.param))


@pytest.fixture(params=[on('juju-4.0')])
def maas40(
    request: pytest.FixtureRequest, deployed: Deployed
) -> Iterator[charmed_maas.CharmedMaas]:
    """The site on Juju 4.0, with track 2 of the s3-integrator."""
    yield from borrowed(deployed(request.param))


@pytest.fixture(params=[on('three-coordinators')])
def trio(request: pytest.FixtureRequest, deployed: Deployed) -> Iterator[charmed_maas.CharmedMaas]:
    """A small site with three units of the coordinator."""
    yield from borrowed(deployed(request.param))
