"""`make pack`: check the declarations, pack, look at what came out."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from packing import contents, declaration

SOURCES = (
    'LICENSE', 'actions.yaml', 'charmcraft.yaml', 'config.yaml', 'icon.svg', 'lib',
    'requirements.txt', 'src',
)  # fmt: skip
"""All that a charm is made of. Charmcraft sees nothing else of the source tree."""
PYTHON = 'python3'
"""As charmcraft's plugin finds it on PATH: the one that the charm's packages are chosen for."""
_ROOT = pathlib.Path(__file__).resolve().parents[1]
_WRONG_SYSTEM = 'builds cannot be performed on this'
_OPTIONS = ('pack', '--destructive-mode', '--verbosity=brief')


def main() -> int:
    """Pack; return how the process ends."""
    mistakes = list(declaration.mistakes(_ROOT))
    for mistake in mistakes:
        print(mistake, file=sys.stderr)
    if mistakes:
        return 1
    with tempfile.TemporaryDirectory(prefix='packing-') as scratch:
        return _pack(pathlib.Path(scratch))


def _pack(scratch: pathlib.Path) -> int:
    project = scratch / 'project'
    project.mkdir()
    for name in SOURCES:
        _copy(_ROOT / name, project / name)
    packed = _run(project, '-m', 'charmcraft')
    print(packed.stderr.strip() or packed.stdout.strip())
    if packed.returncode == 0:
        return 0 if contents.report(_keep(project), scratch, PYTHON) else 1
    if _WRONG_SYSTEM not in packed.stderr:
        return packed.returncode
    print(
        'So no charm is packed here. The same steps build one for the Python of this system, to\n'
        'check what it holds, how large it is and that it starts. It is not kept.'
    )
    tried = _run(project, '-m', 'packing.trial')
    if tried.returncode != 0:
        print(tried.stderr, file=sys.stderr)
        return tried.returncode
    trial = scratch / 'trial build, no charm'
    next(project.glob('*.charm')).rename(trial)
    return 0 if contents.report(trial, scratch, PYTHON) else 1


def _copy(source: pathlib.Path, target: pathlib.Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns('__pycache__'))
    else:
        shutil.copy2(source, target)


def _run(project: pathlib.Path, *module: str) -> subprocess.CompletedProcess[str]:
    """Run charmcraft's command line in a project."""
    # Behind all else: charmcraft needs its `craftctl` there, the charm another `python3`.
    path = f'{os.environ["PATH"]}{os.pathsep}{pathlib.Path(sys.executable).parent}'
    environment = os.environ | {'PATH': path, 'PYTHONPATH': str(_ROOT)}
    command = [sys.executable, '-W', 'ignore', *module, *_OPTIONS]
    return subprocess.run(
        command, cwd=project, env=environment, check=False, text=True, capture_output=True
    )


def _keep(project: pathlib.Path) -> pathlib.Path:
    """Put the charm into the source tree's root, in place of an older one."""
    charm = next(project.glob('*.charm'))
    return pathlib.Path(shutil.move(charm, _ROOT / charm.name))


if __name__ == '__main__':
    sys.exit(main())
