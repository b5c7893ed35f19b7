"""Runs a program that must not outlive whoever started this: a script, started by `processes`.

`keeper.py SIGNAL UID GID PROGRAM ARGUMENT...` runs the program as an account. When standard input
closes, as it does when the starter ends in whatever way, the program gets the signal. Should this
process be killed itself, the kernel sends the signal.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from typing import Any

PATIENCE = 10.0
"""Seconds that a program has to end."""
_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> int:
    """Run the program to its end; return its exit code."""
    ending = signal.Signals[arguments[0]]
    uid, gid = map(int, arguments[1:3])
    libc = ctypes.CDLL(None)
    starter = os.getpid()

    def end_with_starter() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, ending)
        if os.getppid() != starter:
            os._exit(1)

    account: dict[str, Any] = {}
    if uid != os.geteuid():
        account = {'user': uid, 'group': gid, 'extra_groups': []}
    # No thread runs yet, so the function before exec is safe.
    program = subprocess.Popen(
        arguments[3:], stdin=subprocess.DEVNULL, preexec_fn=end_with_starter, **account
    )
    threading.Thread(target=_watch, args=(program, ending), daemon=True).start()
    return program.wait()


def _watch(program: subprocess.Popen[bytes], ending: signal.Signals) -> None:
    while os.read(0, 1 << 10):
        pass
    program.send_signal(ending)
    try:
        program.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        program.kill()


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
