"""What the rehearsal shows of a real PostgreSQL, beside what it shows of a modelled one."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from coordinator import times
from rehearsal import deployed
from rehearsal.real import database, machines
from rehearsal.standins import system_users

MACHINES = 200
SUBNETS = 12
IMAGES = ('custom/alma-9/amd64', 'custom/debian-12/arm64', 'custom/esxi-8/amd64')
Claim = tuple[str, Callable[[], str]]


def fill(real: machines.Machines, site: deployed.Site) -> str:
    """Let MAAS have what a small site has; return what that is, for people."""
    for number in range(MACHINES):
        site.add_machine(f'machine-{number:03d}')
    for number in range(SUBNETS):
        real.contents.add_subnet(site, f'fabric-{number}', f'10.{number}.0.0/16')
    for name in IMAGES:
        site.add_image(name)
    return counts(site.database)


def counts(tables: Mapping[str, list[Any]]) -> str:
    """Say how many rows there are."""
    return ', '.join(f'{len(rows)} in {name}' for name, rows in tables.items())


def passwords(site: deployed.Site) -> dict[str, str]:
    """Return the passwords of the system users, as the model has them now."""
    known = site.passwords
    users = (*system_users.USERS, 'backup')
    return {user: known[f'{user}-password'] for user in users if f'{user}-password' in known}


def claims(
    real: machines.Machines,
    site: deployed.Site,
    captured: Mapping[str, str],
    fresh: Mapping[str, str],
) -> Iterator[Claim]:
    """Yield what must be so after a restore in a fresh model.

    Args:
        real: the machines.
        site: the restored site.
        captured: the passwords at the backup.
        fresh: those that the fresh model had drawn.
    """
    primary = site.postgresql.state['primary']
    server = real.clusters.server(site.juju.uuid, primary)

    def who_gets_in(words: Mapping[str, str]) -> set[str]:
        return {user for user, word in words.items() if database.opens(server, user, word)}

    def refused() -> str:
        return ', '.join(sorted(set(captured) - who_gets_in(captured)))

    def let_in() -> str:
        return ', '.join(sorted(who_gets_in(fresh)))

    def timeline() -> str:
        return '' if server.timeline > 1 else f'it is {server.timeline}'

    users = ', '.join(captured)
    yield f'{users} log in with the passwords of the backup', refused
    yield f'{", ".join(fresh)} do not with those of the fresh model', let_in
    yield 'the database is on a new timeline', timeline


def step_times(real: machines.Machines, record: Mapping[str, Any]) -> Iterator[str]:
    """Yield each step of an operation with its time, and with its own work's beside it."""
    steps = [step for step in record['steps'] if step.get('started')]
    begun = [times.parse_stamp(step['started']) for step in steps]
    ends = [*begun[1:], times.parse_stamp(record['ended']) + datetime.timedelta(seconds=1)]
    for step, start, end in zip(steps, begun, ends, strict=True):
        works = [work for work in real.clusters.works if start <= work.begun < end]
        told = '; '.join(f'{work.what} on {work.unit} {work.seconds:.1f} s' for work in works)
        yield f'{(end - start).total_seconds():5.0f} s  {step["name"]:<26} {told}'.rstrip()
