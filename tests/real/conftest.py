"""Rehearsals on a real PostgreSQL: skipped where the packages cannot be had, never in CI."""

from __future__ import annotations

import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator

import pytest

from rehearsal import embedded
from rehearsal.real import account, programs
from tests.real import real_site


@pytest.fixture(scope='session')
def packages() -> programs.Programs:
    """PostgreSQL and pgBackRest of this machine."""
    try:
        account.of_servers()
        return programs.find()
    except (programs.Missing, account.NoPlace) as error:
        if os.environ.get('CI') == 'true':
            raise
        pytest.skip(str(error))


@pytest.fixture(scope='session')
def roots() -> Iterator[pathlib.Path]:
    """Folder that the servers' account may pass through, which pytest's own is not."""
    root = pathlib.Path(tempfile.mkdtemp(prefix='real-'))
    root.chmod(0o711)
    yield root
    shutil.rmtree(root)


@pytest.fixture(scope='session')
def trio(packages: programs.Programs, roots: pathlib.Path) -> Iterator[real_site.RealSite]:
    """A site with a primary and two replicas, and one region."""
    layout = embedded.Layout(regions=1, real_postgresql=True, s3_track=2, strategy='replica')
    with real_site.RealSite(roots / 'trio', layout) as site:
        yield site


@pytest.fixture(scope='session')
def single(packages: programs.Programs, roots: pathlib.Path) -> Iterator[real_site.RealSite]:
    """A site with one server and one region, and a backup set."""
    layout = embedded.Layout(regions=1, postgresql_units=1, real_postgresql=True)
    with real_site.RealSite(roots / 'single', layout) as site:
        yield site
