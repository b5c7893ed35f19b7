"""What the charm declares is read with charmcraft's own models, and a mistake is found.

Charmcraft is in an environment of its own, which `make test` sets up.
"""

from __future__ import annotations

import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTHON = ROOT / '.venv-pack/bin/python'
FILES = ('charmcraft.yaml', 'actions.yaml', 'config.yaml', 'icon.svg', 'requirements.txt')

pytestmark = pytest.mark.skipif(
    not PYTHON.exists(), reason='charmcraft is not set up: make .venv-pack/.pack'
)


def read(directory: pathlib.Path) -> tuple[int, str]:
    """Return how the check of a charm's declarations ends, and what it says."""
    ended = subprocess.run(
        [PYTHON, '-m', 'packing.declaration', directory],
        cwd=ROOT,
        check=False,
        text=True,
        capture_output=True,
    )
    assert not ended.stderr, ended.stderr
    return ended.returncode, ended.stdout


@pytest.fixture
def copy(tmp_path: pathlib.Path) -> pathlib.Path:
    for name in FILES:
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def test_the_charm_declares_what_charmcraft_and_charmhub_want():
    code, said = read(ROOT)

    assert code == 0, said


@pytest.mark.parametrize(
    ('file', 'right', 'wrong', 'told'),
    [
        ('charmcraft.yaml', 'assumes:', 'asumes:', 'asumes'),
        ('charmcraft.yaml', 'juju >= 3.4.3', 'juju >= 2.9', 'juju >= 3.4.3 is missing'),
        ('charmcraft.yaml', 'ubuntu@24.04:amd64:', 'ubuntu@24.04:sparc:', 'sparc'),
        ('charmcraft.yaml', 'python-requirements:', 'python-requires:', 'python-requires'),
        ('charmcraft.yaml', '  website:', '  home:', 'home'),
        ('charmcraft.yaml', '  contact:', '  # contact:', 'contact is missing'),
        ('actions.yaml', 'dry-run:', 'dry_run:', "'dry_run' is no name"),
        ('actions.yaml', 'parallel: true', 'paralel: true', 'paralel means nothing to Juju'),
        ('actions.yaml', 'required: [backup-id]', 'required: [id]', 'id is required'),
        ('actions.yaml', 'type: boolean', 'type: bool', 'of type bool'),
        ('config.yaml', 'type: int', 'type: integer', 'integer'),
        ('config.yaml', 'default: 120', 'default: "120"', 'scaling-deadline'),
    ],
)
def test_a_mistake_is_named(copy: pathlib.Path, file: str, right: str, wrong: str, told: str):
    text = (copy / file).read_text()
    assert right in text
    (copy / file).write_text(text.replace(right, wrong, 1))

    code, said = read(copy)

    assert code == 1
    assert told in said


def test_a_charm_without_an_icon_is_not_listed(copy: pathlib.Path):
    (copy / 'icon.svg').unlink()

    assert read(copy) == (1, 'icon.svg is missing\n')
