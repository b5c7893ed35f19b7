"""What is costly to import is imported at its first use, in a dispatch as Juju runs it."""

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


def run(program: str) -> str:
    environment = {**os.environ, 'PYTHONPATH': str(SOURCE)}
    command = [sys.executable, '-c', program]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return ended.stdout.strip()


def test_what_waits_for_nothing_of_s3_loads_neither_pydantic_nor_boto3():
    loaded = run(
        f'{DISPATCH}print(*sorted({{"pydantic", "boto3", "botocore"}} & set(sys.modules)))'
    )
    assert loaded == ''


def test_a_late_module_is_there_when_it_is_used():
    program = f'{DISPATCH}from coordinator.sets import manifest\nprint(manifest.Manifest.__name__)'
    assert run(program) == 'Manifest'


@pytest.mark.parametrize('name', sorted(late.MODULES))
def test_each_of_them_exists(name: str):
    found = late.Finder.find_spec(name, None if '.' not in name else [str(parent(name))])
    assert found is not None


def parent(name: str) -> pathlib.Path:
    return SOURCE.joinpath(*name.split('.')[:-1])


def test_all_others_are_left_to_python():
    assert late.Finder.find_spec('coordinator', None) is None
