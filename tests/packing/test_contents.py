"""What does not belong into a charm is found in it."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import zipfile

import pytest

import charm
from packing import contents

WHOLE = [
    'LICENSE',
    'actions.yaml',
    'config.yaml',
    'dispatch',
    'icon.svg',
    'lib/charms/maas_backup_coordinator/v0/maas_backup.py',
    'manifest.yaml',
    'metadata.yaml',
    'src/charm.py',
    'src/world.py',
    'src/coordinator/operations/plans.py',
    'venv/lib/python3.12/site-packages/websocket/tests/test_app.py',
]


def test_a_whole_charm_is_right():
    assert not list(contents.misplaced(WHOLE))


@pytest.mark.parametrize(
    'name',
    [
        'rehearsal/model/entities.py',
        'tests/conftest.py',
        '.venv/bin/python',
        'src/tests/test_charm.py',
        'src/coordinator/__pycache__/plans.cpython-312.pyc',
        'venv/lib/python3.12/site-packages/ops/__pycache__/charm.cpython-312.pyc',
    ],
)
def test_what_does_not_belong_is_named(name: str):
    assert any(name.startswith(told.split()[0]) for told in contents.misplaced([*WHOLE, name]))


@pytest.mark.parametrize(
    'name', ['src/coordinator/operations/plans.py', 'icon.svg', 'manifest.yaml']
)
def test_what_is_missing_is_named(name: str):
    left = [other for other in WHOLE if other != name]

    assert list(contents.misplaced(left)) == [f'{name} is not in the charm']


def test_sizes_are_those_of_the_archive(tmp_path: pathlib.Path):
    charm = tmp_path / 'a.charm'
    with zipfile.ZipFile(charm, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('src/charm.py', '#' * 10_000)
        archive.mkdir('venv')

    measured = contents.size(charm)

    assert (measured.unpacked, measured.files) == (10_000, 1)
    assert measured.packed == charm.stat().st_size < 1_000


def test_an_import_that_fails_is_told(tmp_path: pathlib.Path):
    (tmp_path / 'venv/lib/python3.12/site-packages').mkdir(parents=True)

    with pytest.raises(subprocess.CalledProcessError):
        contents.import_seconds(tmp_path, 'python3', 'raise SystemExit(1)')


@pytest.mark.parametrize('what', contents.IMPORTS)
def test_what_is_timed_can_be_imported(what: str):
    source = pathlib.Path(charm.__file__).parent
    paths = (source.parent / 'lib', source)
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(map(str, paths))}
    subprocess.run([sys.executable, '-c', contents.IMPORTS[what]], env=environment, check=True)
