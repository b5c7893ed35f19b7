"""What the tests of a deployed site share.

By themselves they run on an embedded controller, behind a `juju` command that speaks to it. With
`--real` they run on the controller that the Juju CLI is logged in to, whose machines must reach
this one: it serves S3. There they skip, and say why, if nothing can be tested.
"""

from __future__ import annotations

import pathlib
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import pytest_jubilant

from rehearsal import embedded
from tests.integration import charms, deployment, embedded_juju, looking, s3_on_host, sites

ROOT = pathlib.Path(__file__).resolve().parents[2]


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup('coordinator')
    group.addoption('--real', action='store_true', help='on the controller that juju speaks to')
    group.addoption('--charm', type=pathlib.Path, help='the packed coordinator')
    group.addoption('--s3-address', help="this machine's address, as Juju's machines see it")
    group.addoption(
        '--embedded', choices=list(embedded.VERSIONS), default='4.0', help='which Juju to embed'
    )


def _real(config: pytest.Config) -> bool:
    # Where all tests are run, the options of these are not known.
    return bool(config.getoption('--real', default=False))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    here = [item for item in items if item.path.is_relative_to(ROOT / 'tests/integration')]
    reason = _obstacle(config) if here and _real(config) else ''
    for item in here if reason else ():
        item.add_marker(pytest.mark.skip(reason=reason))


def _obstacle(config: pytest.Config) -> str:
    """Return why nothing can be tested on a real controller; '' if it can."""
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


@pytest.fixture(scope='session', autouse=True)
def controller(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """What `juju` speaks to."""
    if _real(pytestconfig):
        yield
        return
    version = embedded.VERSIONS[str(pytestconfig.getoption('--embedded', default='4.0'))]
    with embedded_juju.on_path(tmp_path_factory.mktemp('juju'), version):
        yield


@pytest.fixture(scope='session')
def charm_files(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> charms.CharmFiles:
    """The coordinator, and the stand-ins' charms."""
    place = tmp_path_factory.mktemp('charms')
    if not _real(pytestconfig):
        return charms.CharmFiles(charms.from_source(place), place, with_packages=False)
    packed = _packed(pytestconfig)
    assert packed is not None
    return charms.CharmFiles(packed.resolve(), place)


@pytest.fixture(scope='module')
def s3(pytestconfig: pytest.Config) -> Iterator[s3_on_host.S3OnHost]:
    """An S3 server with both buckets, for one module's models."""
    address = pytestconfig.getoption('--s3-address', default=None)
    if not _real(pytestconfig):
        address = '127.0.0.1'
    with s3_on_host.S3OnHost(address) as server:
        yield server


@pytest.fixture(scope='module')
def deploy(
    pytestconfig: pytest.Config,
    juju_factory: pytest_jubilant.JujuFactory,
    charm_files: charms.CharmFiles,
    s3: s3_on_host.S3OnHost,
) -> deployment.Deploy:
    """What deploys charmed MAAS and the coordinator into a model of its own."""
    pace = deployment.REAL if _real(pytestconfig) else deployment.EMBEDDED

    def deploy(name: str = '', **how: Any) -> sites.Site:
        return deployment.deploy(juju_factory.get_juju(name), charm_files, s3, pace, **how)

    return deploy


@pytest.fixture(scope='module')
def shared_site(deploy: deployment.Deploy) -> sites.Site:
    """A site with three units of postgresql, and one region."""
    return deploy()


@pytest.fixture
def site(request: pytest.FixtureRequest, shared_site: sites.Site) -> Iterator[sites.Site]:
    """The site, on which no operation runs. When a test fails, it is shown as it was left."""
    before = request.session.testsfailed
    yield shared_site
    if request.session.testsfailed > before:
        juju = shared_site.juju
        print(looking.look(lambda: juju.cli('status', '--relations', '--storage')))
    shared_site.tidy()
