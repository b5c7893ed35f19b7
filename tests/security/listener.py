"""Notes what a charm's process opens for writing, starts and connects to.

`install` copies this very file into a charm's folder as `sitecustomize`, which Python imports
before anything else: from then on its audit hook sees all that the process does, libraries
included (https://docs.python.org/3/library/audit_events.html).
"""

import json
import os
import pathlib
import shutil
import sys

STARTS = ('subprocess.Popen', 'os.exec', 'os.posix_spawn', 'os.spawn', 'os.system', 'os.fork')
_NOTES = 'audit'


def install(charm_dir: pathlib.Path) -> None:
    """Listen to what this charm does from its next dispatch on."""
    folder = charm_dir / 'lib'
    if folder.is_symlink():
        # The source tree's, where every charm would listen from now on.
        source = folder.resolve()
        folder.unlink()
        shutil.copytree(source, folder)
    (folder / _NOTES).mkdir(parents=True, exist_ok=True)
    shutil.copy(__file__, folder / 'sitecustomize.py')


def heard(charm_dir: pathlib.Path) -> list[list[str]]:
    """Return what was noted: the event and its arguments, as texts."""
    notes = sorted((charm_dir / 'lib' / _NOTES).iterdir())
    return [json.loads(line) for note in notes for line in note.read_text().splitlines()]


def _listen(folder: pathlib.Path) -> None:
    notes = os.open(folder / str(os.getpid()), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        if event == 'open':
            path, _, flags = arguments
            changes = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
            if not isinstance(flags, int) or not flags & changes or isinstance(path, int):
                return
            arguments = (path,)
        elif event in STARTS:
            # What a child inherits is not among the arguments.
            arguments = (*arguments, dict(os.environ))
        elif event not in ('tempfile.mkstemp', 'tempfile.mkdtemp', 'sqlite3.connect'):
            return
        os.write(notes, json.dumps([event, *map(repr, arguments)]).encode() + b'\n')

    sys.addaudithook(hear)


if __name__ == 'sitecustomize':
    _listen(pathlib.Path(__file__).parent / _NOTES)
