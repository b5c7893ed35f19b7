"""Runs a charm's program and notes what that cost: `python profiled.py FOLDER MODE PROGRAM`.

A program with few imports, as what it has imported the charm need not import. The note is JSON:
CPU seconds of the process and of its children, its modules, and what it has called how often. With
the mode `calls` a profile of all calls of Python functions lies beside it.
"""

from __future__ import annotations

import os
import resource
import sys
import time

CALLS = 'calls'
_COUNTED = ('socket.connect', 'os.fsync')


class _Counts:
    """How often programs were run, and other things done that cost."""

    def __init__(self) -> None:
        self.found: dict[str, int] = {}

    def hear(self, event: str, given: tuple[object, ...]) -> None:
        """Count an event of Python's auditing."""
        if event == 'subprocess.Popen':
            self._count(os.path.basename(str(given[0])))
        elif event in _COUNTED:
            self._count(event)

    def _count(self, name: str) -> None:
        self.found[name] = self.found.get(name, 0) + 1


def main(folder: str, mode: str, program: str) -> None:
    """Run the program as the main module, as Python itself would."""
    counts = _Counts()
    sys.addaudithook(counts.hear)
    note = os.path.join(folder, str(time.time_ns()))
    sys.argv = [program]
    sys.path[0] = os.path.dirname(program)
    try:
        _run(program, f'{note}.calls' if mode == CALLS else '')
    finally:
        own, children = time.process_time(), resource.getrusage(resource.RUSAGE_CHILDREN)
        import json

        with open(f'{note}.json', 'w') as file:
            json.dump(
                {
                    'own': own,
                    'children': children.ru_utime + children.ru_stime,
                    'modules': len(sys.modules),
                    'called': counts.found,
                },
                file,
            )


def _run(program: str, calls: str) -> None:
    import runpy

    if not calls:
        runpy.run_path(program, run_name='__main__')
        return
    import cProfile

    profiler = cProfile.Profile(time.process_time)
    try:
        profiler.runcall(runpy.run_path, program, run_name='__main__')
    finally:
        profiler.dump_stats(calls)


if __name__ == '__main__':
    main(*sys.argv[1:])
