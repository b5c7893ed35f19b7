"""Where the CPU seconds of dispatches go: `python -m tests.bench --only-profile`.

One backup on the embedded model is run twice: once to take what dispatches cost, and once to
profile their calls, which makes them about twice as dear. Dispatches are told apart as `story`
does.
"""

from __future__ import annotations

import collections
import dataclasses
import io
import json
import pathlib
import pstats
import re
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence

from coordinator.report import tables
from rehearsal import embedded
from rehearsal.agent import charm_agent
from tests.bench import dispatch_cost, profiled, recording, story

_PROGRAM = pathlib.Path(profiled.__file__)
_SETTLE_SECONDS = 120.0
_IDLE_DISPATCHES = 5
_COSTLY = 20
"""Lines of a profile."""
IDLE, WAITS, CHECKPOINT = 'nothing to do', 'waits', 'leaves a checkpoint'


@dataclasses.dataclass(frozen=True)
class Profiled:
    """One dispatch."""

    kind: str
    dispatch: charm_agent.Dispatch
    own: float
    """CPU seconds of the charm's process."""
    children: float
    """CPU seconds of hook tools and other programs."""
    modules: int
    called: Mapping[str, int]
    calls: pathlib.Path


def measure(work: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """Back up twice, and yield what to print."""
    with tempfile.TemporaryDirectory(prefix='profile-') as root:
        plain = list(_dispatches(pathlib.Path(root, 'plain'), 'plain', work))
        yield _costs(plain)
        yield _programs(plain)
        for kind, dispatches in _kinds(
            _dispatches(pathlib.Path(root, 'calls'), profiled.CALLS, work)
        ).items():
            yield f'dispatch that has {kind}:' if kind == IDLE else f'dispatch that {kind}:'
            yield _imports(dispatches)
            yield _calls(dispatches)


def _dispatches(
    root: pathlib.Path, mode: str, work: Mapping[str, Mapping[str, float]]
) -> Iterator[Profiled]:
    notes = root / 'notes'
    notes.mkdir(parents=True)
    with embedded.Embedded(root / 'model') as running:
        running.settle(_SETTLE_SECONDS)
        running.call(_interpret, running, notes, mode)
        before = len(running.agent.dispatches)
        idle = dispatch_cost.idle(running, _IDLE_DISPATCHES)
        switches = {'postgresql': running.postgresql, 'maas': running.maas}
        for name, seconds in work.items():
            for switch, value in seconds.items():
                running.call(setattr, switches[name], switch, value)
        run = recording.Recorder(running).back_up()
        kinds = {
            id(dispatch): kind
            for kind, found in (
                (IDLE, idle), (WAITS, story.waited(run)), (CHECKPOINT, story.advanced(run))
            )
            for dispatch in found
        }  # fmt: skip
        all_of_them = running.agent.dispatches[before:]
    # Names of notes are times, and a unit runs one dispatch after the other.
    for note, dispatch in zip(sorted(notes.glob('*.json')), all_of_them, strict=False):
        if id(dispatch) in kinds:
            found = json.loads(note.read_text())
            calls = note.with_suffix('.calls')
            yield Profiled(kinds[id(dispatch)], dispatch, calls=calls, **found)


def _interpret(running: embedded.Embedded, notes: pathlib.Path, mode: str) -> None:
    unit = running.model.unit(f'{embedded.APP}/0')
    running.agent.interpret(unit, sys.executable, str(_PROGRAM), str(notes), mode)


def _kinds(dispatches: Iterator[Profiled] | Sequence[Profiled]) -> Mapping[str, list[Profiled]]:
    found: dict[str, list[Profiled]] = collections.defaultdict(list)
    for each in dispatches:
        found[each.kind].append(each)
    return found


def _costs(dispatches: Sequence[Profiled]) -> str:
    head = ('dispatch', 'how many', 'CPU s', 'own', 'programs', 'modules', 'programs run')
    return tables.table(head, [_cost(*each) for each in _kinds(dispatches).items()])


def _cost(kind: str, dispatches: Sequence[Profiled]) -> Sequence[str]:
    tools = [sum(each.called.values()) for each in dispatches]
    return (
        kind,
        str(len(dispatches)),
        f'{statistics.median(each.dispatch.cpu_seconds for each in dispatches):.2f}',
        f'{statistics.median(each.own for each in dispatches):.2f}',
        f'{statistics.median(each.children for each in dispatches):.2f}',
        f'{statistics.median(each.modules for each in dispatches):.0f}',
        f'{statistics.median(tools):.0f}',
    )


def _programs(dispatches: Sequence[Profiled]) -> str:
    """Return how often each program is run in a dispatch, on average."""
    kinds = _kinds(dispatches)
    names = sorted({name for each in dispatches for name in each.called})
    rows = [
        (
            name,
            *(
                f'{sum(d.called.get(name, 0) for d in found) / len(found):.1f}'
                for found in kinds.values()
            ),
        )
        for name in names
    ]
    return tables.table(('run in a dispatch, on average', *kinds), rows)


def _imports(dispatches: Sequence[Profiled]) -> str:
    """Return what the imports of modules cost, those that they import in turn included."""
    stats = _stats(dispatches)
    costs = sorted(
        (
            (cumulative / len(dispatches), _module(file))
            for (file, _, name), (_, _, _, cumulative, _) in stats.items()
            if name == '<module>'
        ),
        reverse=True,
    )
    rows = [(module, f'{seconds:.3f}') for seconds, module in costs[:_COSTLY]]
    return tables.table(('import, with what it imports', 's'), rows)


def _calls(dispatches: Sequence[Profiled]) -> str:
    """Return what calls of our own functions cost, and of others that they call."""
    stats = _stats(dispatches)
    costs = sorted(
        (
            (cumulative / len(dispatches), f'{_module(file)}.{name}')
            for (file, _, name), (_, _, _, cumulative, _) in stats.items()
            if '/src/' in file and name != '<module>'
        ),
        reverse=True,
    )
    rows = [(what, f'{seconds:.3f}') for seconds, what in costs[:_COSTLY]]
    return tables.table(('our functions, with all that they call', 's'), rows)


def _stats(dispatches: Sequence[Profiled]) -> Mapping[tuple[str, int, str], tuple[float, ...]]:
    found = pstats.Stats(*(str(each.calls) for each in dispatches), stream=io.StringIO())
    return vars(found)['stats']


def _module(file: str) -> str:
    """Return the name of the module that is in a file, as far as that is known."""
    inside = re.split(r'/site-packages/|/src/|/lib/python[\d.]+/', file)[-1]
    return inside.removesuffix('.py').removesuffix('/__init__').replace('/', '.')
