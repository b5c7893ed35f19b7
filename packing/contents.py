"""What a packed charm holds, its size, and how long its import takes."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Sequence

from packing import starting

EXPECTED = {
    'LICENSE', 'actions.yaml', 'config.yaml', 'dispatch', 'icon.svg', 'lib', 'manifest.yaml',
    'metadata.yaml', 'src', 'venv',
}  # fmt: skip
_OURS = {
    'lib/charms/maas_backup_coordinator/v0/maas_backup.py', 'src/charm.py', 'src/world.py',
    'src/coordinator/operations/plans.py',
}  # fmt: skip
_LEFT_OVERS = ('__pycache__', '.pytest_cache', '.ruff_cache', '.git', 'tests', 'rehearsal')
_RUNS = 5
_SHOWN = 10
_IMPORT = """
import late
late.install()
import charm
"""
_MAKE_STORE = f"""{_IMPORT}
from coordinator.s3 import object_store
place = object_store.Connection('s3', 'bucket', 'key', 'secret', 'https://s3.invalid', 'region')
object_store.S3Store(place)
"""
IMPORTS = {
    'the charm is imported': _IMPORT,
    'the charm is ready to speak to S3': _MAKE_STORE,
    'the charm is ready to answer requests': (
        f'{_IMPORT}from charms.maas_backup_coordinator.v0 import maas_backup as used; used.__doc__'
    ),
}


@dataclasses.dataclass(frozen=True)
class Size:
    """How large a charm is, in bytes."""

    packed: int
    unpacked: int
    files: int


def misplaced(names: Sequence[str]) -> Iterator[str]:
    """Yield what is in a charm and should not be there, or the other way round."""
    top = {name.split('/')[0] for name in names}
    for name in sorted(top - EXPECTED):
        yield f'{name} does not belong into the charm'
    for name in sorted(EXPECTED - top) + sorted(_OURS - set(names)):
        yield f'{name} is not in the charm'
    for name in names:
        folders = name.split('/')[:-1]
        # What a package on PyPI calls so is its own affair.
        own = folders if folders[:1] != ['venv'] else [f for f in folders if f.startswith('__')]
        if any(folder in _LEFT_OVERS for folder in own):
            yield f'{name} does not belong into the charm'


def size(charm: pathlib.Path) -> Size:
    """Return how large a packed charm is."""
    with zipfile.ZipFile(charm) as archive:
        files = [entry for entry in archive.infolist() if not entry.is_dir()]
    unpacked = sum(entry.file_size for entry in files)
    return Size(charm.stat().st_size, unpacked, len(files))


def import_seconds(unpacked: pathlib.Path, python: str, statement: str) -> float:
    """Return how long a fresh interpreter takes to start and import, at best.

    The first run fills the caches, as the first dispatch on a unit does.

    Raises:
        subprocess.CalledProcessError: something cannot be imported.
    """
    packages = next(unpacked.glob('venv/lib/python3*/site-packages'))
    path = os.pathsep.join(map(str, (unpacked / 'lib', unpacked / 'src', packages)))
    environment = os.environ | {'PYTHONPATH': path}
    took: list[float] = []
    for _ in range(_RUNS + 1):
        before = time.perf_counter()
        subprocess.run([python, '-c', statement], env=environment, check=True, cwd=unpacked)
        took.append(time.perf_counter() - before)
    return min(took[1:])


def report(charm: pathlib.Path, scratch: pathlib.Path, python: str) -> bool:
    """Print what a packed charm is like; return whether it is whole, and starts."""
    unpacked, tools = scratch / 'charm', scratch / 'tools'
    tools.mkdir()
    with zipfile.ZipFile(charm) as archive:
        found = list(misplaced(archive.namelist()))
        archive.extractall(unpacked)
    measured = size(charm)
    print(
        f'{charm.name}: {measured.packed / 1e6:.1f} MB packed, {measured.unpacked / 1e6:.1f} MB '
        f'unpacked, {measured.files} files'
    )
    for what, statement in IMPORTS.items():
        seconds = import_seconds(unpacked, python, statement)
        print(f'{what} after {seconds * 1000:.0f} ms')
    why = starting.problem(unpacked, tools, python)
    if why:
        found.insert(0, f'the charm does not start in a bare environment: {why}')
    else:
        print('the charm starts in a bare environment')
    for mistake in found[:_SHOWN]:
        print(mistake, file=sys.stderr)
    if len(found) > _SHOWN:
        print(f'and {len(found) - _SHOWN} more', file=sys.stderr)
    return not found
