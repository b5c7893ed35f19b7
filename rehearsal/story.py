"""What `make rehearse` shows: one backup of a charmed MAAS, from `juju run` to the listed set."""

from __future__ import annotations

import dataclasses
import gzip
import io
import json
import pathlib
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator

from rehearsal import embedded, juju_cli, site

_SETTLE_SECONDS = 120.0
_END_SECONDS = 900.0


class Failed(Exception):
    """The rehearsal did not end as it should; says how."""


@dataclasses.dataclass
class Teller:
    """Prints what happens, with the seconds since the beginning."""

    begun: float = dataclasses.field(default_factory=time.monotonic)

    def say(self, text: str) -> None:
        """Print a line with the time."""
        print(f'[{time.monotonic() - self.begun:6.1f} s] {text}', flush=True)

    def show(self, text: str) -> None:
        """Print a block, indented."""
        print('\n' + '\n'.join(f'    {line}'.rstrip() for line in text.splitlines()) + '\n')


def back_up(running: embedded.Embedded, teller: Teller) -> None:
    """Deploy, back up, follow, check.

    Raises:
        Failed: the set is not complete, a unit is missing, or a secret can be read.
    """
    teller.say(f'deploying charmed MAAS and the coordinator on Juju {running.layout.version}')
    running.settle(_SETTLE_SECONDS)
    restarts = running.call(lambda: running.site.maas_restarts)
    teller.show(_status(running))
    teller.say(f'$ juju run {embedded.APP}/leader backup-all')
    teller.show(_run(running, 'backup-all'))
    follow(running, teller)
    teller.say(f'$ juju run {embedded.APP}/leader show-operation')
    teller.show(_run(running, 'show-operation'))
    teller.say(f'$ juju run {embedded.APP}/leader list-backups')
    teller.show(_run(running, 'list-backups'))
    running.settle(_SETTLE_SECONDS)
    for claim, check in _claims(running, restarts):
        problem = check()
        if problem:
            raise Failed(f'{claim}: {problem}')
        teller.say(f'checked: {claim}')


def follow(running: embedded.Embedded, teller: Teller) -> None:
    """Say every change of the coordinator's status until its operation has ended."""
    shown = ''

    def news() -> str:
        status = running.model.application_status(running.model.application(embedded.APP))
        return status.message if status.message != shown else ''

    end = time.monotonic() + _END_SECONDS
    while time.monotonic() < end:
        shown = running.until(news, _END_SECONDS)
        teller.say(shown)
        if not shown.startswith('backup-all') or running.operation()['status'] != 'open':
            return
    raise Failed(f'no end after {_END_SECONDS} s')


def _status(running: embedded.Embedded) -> str:
    with running.operator() as juju:
        return juju_cli.status_text(juju.status())


def _run(running: embedded.Embedded, action: str) -> str:
    task = running.run_action(f'{embedded.APP}/leader', action)
    if task.status != 'completed':
        raise Failed(f'{action} {task.status}: {task.message}')
    shown = {key: value for key, value in task.output.items() if key != 'return-code'}
    if len(shown) == 1:
        return next(iter(shown.values()))
    return '\n'.join(f'{key}: {value}' for key, value in shown.items())


def _claims(running: embedded.Embedded, restarts: int) -> Iterator[tuple[str, Callable[[], str]]]:
    """Yield what must be so at the end, each with what says why it is not."""
    units = running.layout.postgresql_units
    yield 'one complete backup set is listed', lambda: _one_set(running)
    yield f'PostgreSQL has its {units} unit(s) back', lambda: units_back(running)
    yield 'no storage is left behind', lambda: no_storage_left(running)
    yield 'MAAS was not restarted', lambda: no_restart(running, restarts)
    yield 'no password is readable in S3, logs, databags or results', lambda: no_secret(running)


def _one_set(running: embedded.Embedded) -> str:
    task = running.run_action(f'{embedded.APP}/leader', 'list-backups', format='json')
    sets = json.loads(task.output['backups'])
    states = [entry['status'] for entry in sets]
    return '' if states == ['complete'] else f'there are {states}'


def units_back(running: embedded.Embedded) -> str:
    """Return which of PostgreSQL's units are well when some are not, or ''."""
    with running.operator() as juju:
        units = juju.status().applications[site.POSTGRESQL].units.values()
    good = [unit.name for unit in units if unit.alive and unit.workload == 'active']
    wanted = running.layout.postgresql_units
    return '' if len(good) == wanted else f'{len(good)} of {wanted}: {good}'


def no_storage_left(running: embedded.Embedded) -> str:
    """Return the storage that no unit has, or ''."""
    with running.operator() as juju:
        left = [item.id for item in juju.storage() if not item.owner]
    return ', '.join(left)


def no_restart(running: embedded.Embedded, before: int) -> str:
    """Return how often MAAS was restarted since there were so many restarts, or ''."""
    count = running.call(lambda: running.site.maas_restarts) - before
    return f'{count} restart(s)' if count else ''


def no_secret(running: embedded.Embedded) -> str:
    """Return where a password can be read, or ''. Archives are opened to look inside."""
    passwords = [
        value.encode()
        for value in (
            *running.call(lambda: dict(running.site.passwords)).values(),
            *running.passwords.values(),
        )
    ]
    found = [
        name for name, content in _readable(running) if any(word in content for word in passwords)
    ]
    return ', '.join(found)


def _readable(running: embedded.Embedded) -> Iterator[tuple[str, bytes]]:
    for bucket in embedded.BUCKETS.values():
        store = running.store_for(running.s3.connection(bucket))
        for item in store.list(''):
            yield from _opened(f'{bucket}/{item.key}', store.get(item.key, limit=1 << 26))
    for log in sorted((running.root / 'logs').glob('*')):
        yield str(log), log.read_bytes()
    yield 'databags', running.call(lambda: _databags(running)).encode()
    yield 'results', running.call(lambda: _results(running)).encode()


def _databags(running: embedded.Embedded) -> str:
    # The stand-ins keep their own state in their peer databags; the charms they stand for do not.
    relations = [
        relation
        for relation in running.model.relations.values()
        if not relation.peer or embedded.APP in relation.endpoints
    ]
    return json.dumps([[relation.app_data, relation.unit_data] for relation in relations])


def _results(running: embedded.Embedded) -> str:
    tasks = running.model.tasks.values()
    return json.dumps([[task.message, task.output] for task in tasks], default=str)


def _opened(name: str, content: bytes) -> Iterable[tuple[str, bytes]]:
    yield name, content
    if name.endswith('.tar.gz'):
        with tarfile.open(fileobj=io.BytesIO(content)) as archive:
            for member in archive:
                file = archive.extractfile(member)
                if file is not None:
                    yield f'{name}:{member.name}', file.read()
    elif name.endswith('.gz'):
        yield f'{name}:', gzip.decompress(content)


def rehearse(root: pathlib.Path, layout: embedded.Layout) -> int:
    """Tell the whole story; return the exit code."""
    teller = Teller()
    try:
        with embedded.Embedded(root, layout) as running:
            back_up(running, teller)
    except (Failed, TimeoutError) as error:
        teller.say(f'FAILED: {error}')
        teller.say(f'logs are in {root / "logs"}')
        return 1
    teller.say('the backup set is complete, and the site is as it was')
    return 0
