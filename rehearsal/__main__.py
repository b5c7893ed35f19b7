"""`python -m rehearsal`: an embedded charmed MAAS with the coordinator, to look at and break."""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

_SOURCE = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_SOURCE / 'src')]

from coordinator.engine import settings  # noqa: E402
from rehearsal import control, embedded, private, story, watching  # noqa: E402  (src comes first)
from rehearsal.juju import serving  # noqa: E402
from rehearsal.real import account, programs  # noqa: E402

HOME = _SOURCE / '.rehearsal'
CONNECTION = HOME / 'connection.json'
BIN = HOME / 'bin'
"""Folder for PATH, with the rehearsal's `juju`."""
JUJU_DATA = HOME / 'juju-client'


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    if words[:1] == ['juju']:
        return _juju(words[1:])
    given = _parser().parse_args(words)
    return given.command(given)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='python -m rehearsal', description=__doc__)
    commands = parser.add_subparsers(metavar='COMMAND', required=True)
    up = commands.add_parser('up', help='run it until it is taken down, in the foreground')
    up.set_defaults(command=_up)
    up.add_argument(
        '--set',
        action='append',
        default=[],
        metavar='APP.SWITCH=VALUE',
        help='a duration or fault from the start, such as postgresql.backup=60',
    )
    rehearse = commands.add_parser('rehearse', help='up, back up, lose it, restore, check, down')
    rehearse.set_defaults(command=_rehearse)
    for command in (up, rehearse):
        _add_layout(command)
    down = commands.add_parser('down', help='take down what `up` runs')
    down.set_defaults(command=_down)
    watch = commands.add_parser(
        'watch', help='show the operation of what `up` runs, until its end'
    )
    watch.set_defaults(command=_watch)
    commands.add_parser('juju', help='the familiar commands, against what `up` runs')
    switches = '\n'.join(f'  {name} {words}' for name, (_, words) in control.SWITCHES.items())
    switch = commands.add_parser(
        'switch',
        help='let things fail, hang or die in what `up` runs',
        description=f'switches:\n{switches}',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    switch.set_defaults(command=_switch)
    switch.add_argument('name', choices=list(control.SWITCHES), metavar='SWITCH')
    switch.add_argument('words', nargs='*')
    return parser


def _add_layout(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--juju', choices=list(embedded.VERSIONS), default='3.6')
    parser.add_argument('--regions', type=int, default=3)
    parser.add_argument('--postgresql-units', type=int, default=3)
    parser.add_argument('--coordinators', type=int, default=1)
    parser.add_argument('--strategy', choices=settings.STRATEGIES, default=settings.SCALE_DOWN)
    parser.add_argument('--s3-track', type=int, choices=[1, 2], default=1)
    parser.add_argument(
        '--rootfs-storage',
        action='store_true',
        help="keep PostgreSQL's storage in the root file system: Juju deletes it with its unit",
    )
    parser.add_argument(
        '--real-postgresql',
        action='store_true',
        help="this machine's PostgreSQL and pgBackRest below the stand-ins, and S3 over TLS",
    )


def _layout(given: argparse.Namespace) -> embedded.Layout:
    return embedded.Layout(
        version=embedded.VERSIONS[given.juju],
        regions=given.regions,
        postgresql_units=given.postgresql_units,
        coordinators=given.coordinators,
        strategy=given.strategy,
        s3_track=given.s3_track,
        detachable_storage=not given.rootfs_storage,
        # PostgreSQL notices the end of a restore on this hook: a rehearsal waits less for it.
        update_status_seconds=15,
        maas_key=True,
        real_postgresql=given.real_postgresql,
    )


def _rehearse(given: argparse.Namespace) -> int:
    # A folder of its own: a rehearsal that is up beside it is not disturbed.
    root = pathlib.Path(tempfile.mkdtemp(prefix='rehearsal-'))
    # Whoever ends it early wants no logs, and gets no traceback; servers end on the way out.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = story.rehearse(root, _layout(given))
    except KeyboardInterrupt:
        print('broken off', file=sys.stderr)
        code = 130
    if code in (0, 130):
        shutil.rmtree(root)
    return code


def _up(given: argparse.Namespace) -> int:
    if _pid() is not None:
        print('a rehearsal is up already: python -m rehearsal down', file=sys.stderr)
        return 1
    shutil.rmtree(HOME, ignore_errors=True)
    down = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: down.set())
    try:
        running = embedded.Embedded(HOME, _layout(given))
        for switch in given.set:
            control.throw(running, 'set', switch.split('=', 1))
    except (programs.Missing, account.NoPlace) as error:
        print(error, file=sys.stderr)
        return 1
    except control.SwitchError as error:
        print(f'--set: {error}', file=sys.stderr)
        return 2
    try:
        _serve(running, down)
    except TimeoutError as error:
        print(f'{error}: is the machine busy? Try again: python -m rehearsal up', file=sys.stderr)
        return 1
    return 0


def _serve(running: embedded.Embedded, down: threading.Event) -> None:
    """Run what is up until it is taken down."""
    with running:
        lines = (
            running.thread.run(control.serve(running, HOME / 'control.sock')),
            running.thread.run(serving.serve(running.cloud, BIN)),
        )
        running.write_connection_file(CONNECTION)
        # As the operator keeps it, for a restore by hand.
        private.write(HOME / 'backup-identity.txt', f'{running.identity}\n')
        print(f'up; how to connect is in {CONNECTION}', flush=True)
        path = f'export PATH={shlex.quote(str(BIN))}:$PATH'
        selected = f'export JUJU_DATA={shlex.quote(str(JUJU_DATA))}'
        print(f'a juju command for it: {path}', flush=True)
        print(f'to use your own juju client: {selected}', flush=True)
        print('settling: juju status', flush=True)
        down.wait()
        for each in lines:
            running.call(each.close)
    CONNECTION.unlink(missing_ok=True)
    shutil.rmtree(BIN)
    shutil.rmtree(JUJU_DATA, ignore_errors=True)


def _pid() -> int | None:
    """Return the process of the rehearsal that is up."""
    try:
        pid: int = json.loads(CONNECTION.read_text())['pid']
        os.kill(pid, 0)
    except (OSError, ValueError, KeyError):
        return None
    return pid


def _down(given: argparse.Namespace) -> int:
    pid = _pid()
    if pid is None:
        print('no rehearsal is up', file=sys.stderr)
        return 1
    os.kill(pid, signal.SIGTERM)
    return 0


def _watch(given: argparse.Namespace) -> int:
    if not (BIN / 'juju').exists():
        print('no rehearsal is up: python -m rehearsal up', file=sys.stderr)
        return 1
    return watching.watch(BIN / 'juju')


def _juju(words: list[str]) -> int:
    """Run the rehearsal's own `juju`, which is the same as typing it."""
    if not (BIN / 'juju').exists():
        print('no rehearsal is up: python -m rehearsal up', file=sys.stderr)
        return 1
    return subprocess.run([BIN / 'juju', *words], check=False).returncode


def _switch(given: argparse.Namespace) -> int:
    try:
        print(control.ask(HOME / 'control.sock', given.name, given.words))
    except control.SwitchError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
