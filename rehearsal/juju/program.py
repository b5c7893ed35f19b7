"""The program `juju` that goes on PATH: small, so that each call costs little."""

from __future__ import annotations

import pathlib
import sys

_TEXT = """\
#!{python} -IS
# The juju command of a rehearsal: hands its words to the process that the rehearsal runs in.
import json
import os
import socket
import sys

words = sys.argv[1:]
stdin = ''
if words[:1] in (['change-user-password'], ['login']):
    if '--no-prompt' in words or not sys.stdin.isatty():
        stdin = sys.stdin.read()
    else:
        import getpass

        stdin = getpass.getpass('password: ') + '\\n'
line = socket.socket(socket.AF_UNIX)
try:
    line.connect({socket!r})
    request = {{'words': words, 'folder': os.getcwd(), 'stdin': stdin}}
    line.sendall(json.dumps(request).encode() + b'\\n')
    reply = json.loads(line.makefile().readline())
except (OSError, ValueError):
    sys.exit('ERROR no rehearsal is up: python -m rehearsal up')
except KeyboardInterrupt:
    sys.exit(130)
sys.stdout.write(reply['stdout'])
sys.stderr.write(reply['stderr'])
sys.exit(reply['code'])
"""


def write(folder: pathlib.Path, socket: pathlib.Path) -> pathlib.Path:
    """Write the program into a folder for PATH, and return it.

    Args:
        folder: where to.
        socket: the socket file that the rehearsal listens on.
    """
    program = folder / 'juju'
    program.write_text(_TEXT.format(python=sys.executable, socket=str(socket.resolve())))
    program.chmod(0o755)
    return program
