"""What is costly to import is executed at its first use, in a dispatch as Juju runs it."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

import late

SOURCE = pathlib.Path(late.__file__).parent
DISPATCH = """
import sys
import late
late.install()
import charm
import world
from coordinator.operations import plans
"""


def run(program: str, *path: pathlib.Path) -> str:
    searched = os.pathsep.join(map(str, (*path, SOURCE.parent / 'lib', SOURCE)))
    environment = {**os.environ, 'PYTHONPATH': searched}
    command = [sys.executable, '-c', program]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return ended.stdout.strip()


def test_what_waits_for_nothing_of_s3_loads_neither_pydantic_nor_boto3():
    loaded = run(
        f'{DISPATCH}print(*sorted({{"pydantic", "boto3", "botocore"}} & set(sys.modules)))'
    )
    assert loaded == ''


def test_a_dispatch_executes_none_of_the_modules_that_it_does_not_use():
    program = f'{DISPATCH}print(*(n for n, m in sys.modules.items() if type(m) is late.Late))'
    unused = set(run(program).split())
    assert {'coordinator.operations.plans', 'coordinator.record.history', 'websocket'} <= unused
    assert not unused & {'coordinator.steps', 'actions.base', 'ops', 'charm'}


def test_a_module_is_there_when_it_is_used():
    program = f"""{DISPATCH}
from coordinator.sets import manifest
print(manifest.Manifest.__name__, type(manifest) is late.Late)
"""
    assert run(program) == 'Manifest False'


def test_the_whole_plan_can_be_executed():
    program = f'{DISPATCH}print(*plans.PLANS)'
    assert 'restore-all' in run(program).split()


def test_a_module_that_does_not_exist_is_not_found():
    assert late.Finder.find_spec('coordinator.nothing', [str(SOURCE / 'coordinator')]) is None


@pytest.fixture
def package(tmp_path: pathlib.Path) -> pathlib.Path:
    """Return the folder of another package `coordinator`, which is found before ours."""
    folder = tmp_path / 'coordinator'
    folder.mkdir()
    (folder / '__init__.py').touch()
    return folder


def test_no_thread_sees_a_module_of_which_only_half_was_executed(package: pathlib.Path):
    (package / 'slow.py').write_text(
        'import threading\n'
        'import __main__\n'
        '__main__.begun.set()\n'
        # What the other thread could do meanwhile it has done by now.
        '__main__.other.join(0.5)\n'
        'end = 1\n'
    )
    program = """
import threading
import late
late.install()
from coordinator import slow
begun = threading.Event()
seen = []
def look():
    begun.wait()
    seen.append(slow.end)
other = threading.Thread(target=look)
other.start()
print(slow.end)
other.join()
print(*seen)
"""
    assert run(program, package.parent).split() == ['1', '1']


def test_a_module_that_fails_says_so_to_each_who_uses_it(package: pathlib.Path):
    (package / 'broken.py').write_text('1 / 0\n')
    program = """
import late
late.install()
from coordinator import broken
for _ in range(2):
    try:
        broken.anything
    except ZeroDivisionError:
        print('failed')
"""
    assert run(program, package.parent).split() == ['failed', 'failed']
