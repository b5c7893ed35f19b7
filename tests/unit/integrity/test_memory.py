"""Objects of any size are read in little memory: measured in a process of its own."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

_ROOT = pathlib.Path(__file__).resolve().parents[3]
_ALLOWED_MIB = 200
_PROGRAM = r"""
import contextlib, gzip, itertools, pathlib, re, tarfile
from coordinator.integrity import archives, check, inspection, pace
from rehearsal import memory_store

COUNT = {count}
unit = {unit}
packed = gzip.compress(unit, 1)
large = tarfile.TarInfo('squashfs')
large.size = COUNT * len(unit)
begin, end = gzip.compress(large.tobuf()), gzip.compress(bytes(1024))

class Endless(memory_store.MemoryStore):
    @contextlib.contextmanager
    def open(self, key):
        # In chunks as S3's are.
        parts = itertools.chain([begin], itertools.repeat(packed, COUNT), [end])
        yield (
            part[at : at + 1048576] for part in parts for at in range(0, len(part), 1048576)
        )

size = len(begin) + COUNT * len(packed) + len(end)
store = Endless(memory_store.MemoryBucket())
objects = [check.Object(store, f'{{n}}', size, check=archives.TarGz) for n in range(4)]
for _, verdict in inspection.inspect(objects, range(4), lambda: True, pace.Pace(0)):
    assert not verdict.findings, verdict
    assert verdict.contents == f'1 file with {{large.size}} bytes', verdict
# Not getrusage: its peak is that of the process that started this one, too.
status = pathlib.Path('/proc/self/status').read_text()
print(large.size * len(objects) >> 20, int(re.search(r'VmHWM:\s*(\d+) kB', status)[1]) >> 10)
"""


@pytest.mark.parametrize(
    ('unit', 'count', 'expected'),
    [
        # Images are packed already: as much goes in as comes out.
        ("__import__('random').Random(1).randbytes(16 << 20)", 32, 2048),
        # A hostile one, of which a thousand times as much comes out.
        ('bytes(64 << 20)', 32, 8192),
    ],
    ids=['packed', 'empty'],
)
def test_gibibytes_are_read_in_little_memory(unit: str, count: int, expected: int):
    program = _PROGRAM.format(unit=unit, count=count)
    run = subprocess.run(
        [sys.executable, '-c', program],
        env={'PYTHONPATH': f'{_ROOT / "src"}:{_ROOT}'},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    mebibytes, peak = map(int, run.stdout.split())
    assert mebibytes == expected
    assert peak < _ALLOWED_MIB
