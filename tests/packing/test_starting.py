"""Whether a packed charm starts is found out by starting it."""

from __future__ import annotations

import pathlib
import sys

import pytest

from packing import starting

_WITH_PYTHON = """\
#!/bin/sh
exec python3 "$JUJU_CHARM_DIR/charm.py"
"""


@pytest.fixture
def unpacked(tmp_path: pathlib.Path) -> pathlib.Path:
    """A charm whose code a test writes."""
    charm = tmp_path / 'charm'
    charm.mkdir()
    (charm / 'dispatch').write_text(_WITH_PYTHON)
    return charm


def problem(unpacked: pathlib.Path, code: str) -> str:
    (unpacked / 'charm.py').write_text(code)
    tools = unpacked.parent / 'tools'
    tools.mkdir()
    return starting.problem(unpacked, tools, 'python3')


def test_a_charm_that_ends_well_has_started(unpacked: pathlib.Path):
    asks = 'import subprocess; print(subprocess.check_output(["relation-ids", "peers"]))'

    assert problem(unpacked, asks) == ''


def test_a_charm_that_misses_a_package_does_not_start(unpacked: pathlib.Path):
    assert "No module named 'nowhere'" in problem(unpacked, 'import nowhere')


def test_the_packages_of_whoever_packs_are_not_there(
    unpacked: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    (unpacked.parent / 'helpful.py').write_text('')
    monkeypatch.setenv('PYTHONPATH', str(unpacked.parent))
    monkeypatch.setenv('HOME', str(unpacked.parent))

    said = problem(unpacked, 'import os; assert "HOME" not in os.environ; import helpful')

    assert "No module named 'helpful'" in said


def test_no_event_of_the_charm_is_run(unpacked: pathlib.Path):
    code = 'import os; raise SystemExit(os.environ["JUJU_DISPATCH_PATH"] != "hooks/trial")'

    assert problem(unpacked, code) == ''


def test_a_version_managers_wrapper_does_not_stand_between_the_charm_and_its_packages(
    unpacked: pathlib.Path,
):
    wrapper = unpacked.parent / 'wrapper'
    wrapper.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    wrapper.chmod(0o755)
    tools = unpacked.parent / 'tools'
    tools.mkdir()
    (unpacked / 'charm.py').write_text('')

    starting.problem(unpacked, tools, str(wrapper))

    assert (tools / 'python3').readlink() == pathlib.Path(sys.executable)
