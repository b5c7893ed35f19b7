"""`python -m tests.bench`: measure, and print each number beside its aim."""

from __future__ import annotations

import argparse
import os
import pathlib
import statistics
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence

_SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(_SOURCE / 'src')]

from rehearsal import embedded  # noqa: E402  (src comes first)
from rehearsal.agent import charm_agent  # noqa: E402
from rehearsal.standins import behaviour  # noqa: E402
from tests.bench import (  # noqa: E402
    beats,
    critical_path,
    database,
    dispatch_cost,
    fence,
    figures,
    integrity,
    listing,
    maas,
    profile,
    reactions,
    recording,
    restore,
    story,
)

_SETTLE_SECONDS = 120.0
_IDLE_DISPATCHES = 10
_ARCHIVE_MIB = 1024
_ROWS = 2_000_000
_QUICK = {'postgresql': {'install': 0.5, 'join': 1.0, 'remove': 0.5, 'backup': 4.0},
          'maas': {'backup': 4.0}}  # fmt: skip
_TWO_MINUTES = {'postgresql': {'install': 5.0, 'join': 20.0, 'remove': 10.0, 'backup': 45.0},
                'maas': {'backup': 46.0}}  # fmt: skip
"""What the other charms' work takes, such that the critical path has about two minutes of it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; return 1 if a backup or a restore failed."""
    parser = argparse.ArgumentParser(prog='python -m tests.bench', description=__doc__)
    parser.add_argument('--juju', choices=list(embedded.VERSIONS), default='3.6')
    parser.add_argument('--verbose', action='store_true', help='tell what each dispatch did')
    parser.add_argument(
        '--only-restore',
        type=float,
        metavar='SECONDS',
        help='only compare restore-all with the hand, with dispatches that take so long',
    )
    parser.add_argument(
        '--only-integrity',
        type=int,
        metavar='MIB',
        help='only compare deep verification with gzip -t, on an archive that holds so much',
    )
    parser.add_argument(
        '--only-database',
        type=int,
        metavar='ROWS',
        help='only compare deep verification with pgbackrest verify, on a table with these rows',
    )
    parser.add_argument(
        '--only-list', action='store_true', help='only compare listing with the way of maas-region'
    )
    parser.add_argument(
        '--only-costs',
        action='store_true',
        help='only weigh what beats ask of the controller, and a list of damaged sets of S3',
    )
    parser.add_argument(
        '--only-profile',
        action='store_true',
        help='only show where the CPU seconds of dispatches go',
    )
    parser.add_argument(
        '--only-maas',
        type=int,
        nargs='*',
        metavar='MACHINES',
        help='only measure the fence and the inventory, of sites with these numbers of machines',
    )
    parser.add_argument(
        '--only-fence',
        action='store_true',
        help='only measure what the fence adds to a whole backup while no image is in motion',
    )
    given = parser.parse_args(arguments)
    try:
        if given.only_profile:
            _print_all(profile.measure(_QUICK))
            return 0
        if given.only_costs:
            _print_all(beats.measure())
            _print_all(listing.measure_damaged())
            return 0
        if given.only_maas is not None:
            _print_all(maas.measure(given.only_maas or maas.COUNTS))
            return 0
        if given.only_fence:
            _print_all(fence.measure())
            return 0
        if given.only_list:
            _print_all(listing.measure())
            return 0
        if given.only_integrity is not None:
            _print_all(integrity.measure(given.only_integrity))
            return 0
        if given.only_database is not None:
            _print_all(database.measure(given.only_database))
            return 0
        if given.only_restore is not None:
            _print_all(restore.measure(given.only_restore))
            return 0
        with tempfile.TemporaryDirectory(prefix='bench-') as root:
            _measure(pathlib.Path(root), given.juju, given.verbose)
    except (recording.OperationFailed, TimeoutError) as error:
        print(f'FAILED: {error}', file=sys.stderr)
        return 1
    return 0


def _measure(root: pathlib.Path, juju: str, verbose: bool) -> None:
    print(f'Juju {juju}, {os.cpu_count()} CPUs, load {_load()}: this takes five minutes')
    layout = embedded.Layout(version=embedded.VERSIONS[juju])
    with embedded.Embedded(root, layout) as running:
        running.settle(_SETTLE_SECONDS)
        idle = dispatch_cost.idle(running, _IDLE_DISPATCHES)
        _print_all(_costs('dispatch with nothing to do', idle, '0.30 s', '120 MiB'))
        recorder = recording.Recorder(running)
        runs = [_back_up(running, recorder, work) for work in (_QUICK, _QUICK, _TWO_MINUTES)]
        if verbose:
            print(*story.lines(runs[-1]), sep='\n')
        _print_all(_of_runs(runs))
    _print_all(restore.measure(_dispatch_seconds(runs)))
    _print_all(integrity.measure(_ARCHIVE_MIB))
    _print_all(database.measure(_ROWS))
    _print_all(listing.measure())
    _print_all(beats.measure())
    _print_all(listing.measure_damaged())
    _print_all(fence.measure())
    _print_all(maas.measure())
    print(f'load at the end {_load()}')


def _load() -> str:
    return f'{os.getloadavg()[0]:.2f}'


def _back_up(
    running: embedded.Embedded,
    recorder: recording.Recorder,
    work: Mapping[str, Mapping[str, float]],
) -> recording.Run:
    switches: dict[str, behaviour.Behaviour] = {
        'postgresql': running.postgresql,
        'maas': running.maas,
    }
    for name, seconds in work.items():
        for switch, value in seconds.items():
            running.call(setattr, switches[name], switch, value)
    return recorder.back_up()


def _dispatch_seconds(runs: Sequence[recording.Run]) -> float:
    return statistics.median(dispatch.seconds for run in runs for dispatch in run.dispatches)


def _of_runs(runs: Sequence[recording.Run]) -> Iterator[figures.Figure]:
    advanced = [dispatch for run in runs for dispatch in story.advanced(run)]
    waited = [dispatch for run in runs for dispatch in story.waited(run)]
    yield from _costs('dispatch that leaves a checkpoint', advanced, '0.70 s')
    yield from _costs('dispatch that waits', waited, '0.40 s')
    response = [run.response_seconds for run in runs]
    yield figures.Figure('response of backup-all', 's', response, 'under 2 s')
    reacted = [seconds for run in runs for seconds in reactions.seconds(run)]
    yield figures.Figure(
        'from the end of a sub-action to the next step', 's', reacted, 'median under 1.2 s'
    )
    longest = runs[-1]
    work = sum(piece.seconds for piece in critical_path.pieces(longest))
    yield figures.Figure('operation of two minutes: its time', 's', [longest.seconds])
    yield figures.Figure("operation of two minutes: the charms' own work", 's', [work])
    yield figures.Figure(
        'operation of two minutes: coordination', 's', [longest.seconds - work], 'under 10 s'
    )
    ratio = critical_path.ratio(longest)
    yield figures.Figure("its time over the charms' own work", '', [ratio], 'under 1.1', digits=3)


def _costs(
    of_what: str,
    dispatches: Sequence[charm_agent.Dispatch],
    cpu_aim: str = '',
    memory_aim: str = '',
) -> Iterator[figures.Figure]:
    cpu = [dispatch.cpu_seconds for dispatch in dispatches]
    memory = [dispatch_cost.mebibytes(dispatch) for dispatch in dispatches]
    yield figures.Figure(f'{of_what}: CPU', 's', cpu, cpu_aim and f'under {cpu_aim}')
    yield figures.Figure(
        f'{of_what}: peak memory', 'MiB', memory, memory_aim and f'under {memory_aim}', digits=0
    )


def _print_all(found: Iterable[object]) -> None:
    for line in found:
        print(line, flush=True)


if __name__ == '__main__':
    sys.exit(main())
