"""What the tests on a real Juju share. They skip, and say why, where there is none.

The Juju CLI must be logged in to a controller whose machines reach this one: it serves S3.
"""

from __future__ import annotations

import pathlib
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import jubilant
import pytest
import pytest_jubilant

from tests.integration import charms, s3_on_host, sites

ROOT = pathlib.Path(__file__).resolve().parents[2]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup('coordinator')
    group.addoption('--charm', type=pathlib.Path, help='the packed coordinator')
    group.addoption('--s3-address', help="this machine's address, as Juju's machines see it")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    here = [item for item in items if item.path.is_relative_to(ROOT / 'tests/integration')]
    reason = _obstacle(config) if here else ''
    for item in here if reason else ():
        item.add_marker(pytest.mark.skip(reason=reason))


def _obstacle(config: pytest.Config) -> str:
    """Return why nothing can be tested here; '' if it can."""
    juju = shutil.which('juju')
    if juju is None:
        return 'there is no juju on this machine'
    asked = subprocess.run([juju, 'whoami'], check=False, capture_output=True)
    if asked.returncode != 0:
        return 'juju is logged in to no controller: juju login, or juju bootstrap'
    if _packed(config) is None:
        return 'the charm is not packed: make pack'
    return ''


def _packed(config: pytest.Config) -> pathlib.Path | None:
    given: pathlib.Path | None = config.getoption('--charm', default=None)
    found = sorted(ROOT.glob('maas-backup-coordinator_*.charm'))
    return given or (found[0] if found else None)


@pytest.fixture(scope='session')
def charm_files(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> charms.CharmFiles:
    """The packed coordinator, and the stand-ins' charms made with it."""
    packed = _packed(request.config)
    assert packed is not None
    return charms.CharmFiles(packed.resolve(), tmp_path_factory.mktemp('charms'))


@pytest.fixture(scope='module')
def s3(request: pytest.FixtureRequest) -> Iterator[s3_on_host.S3OnHost]:
    """An S3 server with both buckets, for one module's models."""
    with s3_on_host.S3OnHost(request.config.getoption('--s3-address', default=None)) as server:
        yield server


@pytest.fixture(scope='module')
def deploy(
    juju_factory: pytest_jubilant.JujuFactory,
    charm_files: charms.CharmFiles,
    s3: s3_on_host.S3OnHost,
) -> sites.Deploy:
    """What deploys charmed MAAS and the coordinator into a model of its own."""

    def deploy(name: str = '', **how: Any) -> sites.Site:
        return sites.deploy(juju_factory.get_juju(name), charm_files, s3, **how)

    return deploy


@pytest.fixture(scope='module')
def site(deploy: sites.Deploy) -> sites.Site:
    """A site with three units of postgresql, and one region."""
    return deploy()


@pytest.fixture(autouse=True)
def told(request: pytest.FixtureRequest) -> Iterator[None]:
    """Show how a model was left when a test in it fails."""
    before = request.session.testsfailed
    yield
    if request.session.testsfailed > before and 'site' in request.fixturenames:
        juju: jubilant.Juju = request.getfixturevalue('site').juju
        print(juju.cli('status', '--relations', '--storage'))
