"""A sample of the exploration, in a process of its own: it forks, and pytest has threads."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_whatever_goes_wrong_nothing_is_lost():
    explored = subprocess.run(
        [sys.executable, '-m', 'tests.exploration', '--sample', '200'],
        cwd=ROOT,
        env={**os.environ, 'PYTHONPATH': 'src:lib', 'PYTHONHASHSEED': '0'},
        capture_output=True,
        text=True,
        check=False,
    )
    assert explored.returncode == 0, explored.stdout + explored.stderr
