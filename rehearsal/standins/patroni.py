"""Who is in the PostgreSQL cluster, and who is its primary: what Patroni would say.

A member says of itself what it is (`member` in its own state); the leading unit keeps the list
of the members that Raft knows, the primary and the timeline, in the shared state.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from rehearsal import clock
from rehearsal.standins import behaviour, body, host

RUNNING = 'running'


def primary(here: host.Host, switches: behaviour.PostgresqlBehaviour) -> str:
    """Return the primary that Patroni keeps; '' when it does not answer or there is none."""
    if switches.no_primary or here.shared.get('quorum-lost') or 'restore' in here.shared:
        return ''
    return here.shared.get('primary', '')


def ask_primary(
    here: host.Host, switches: behaviour.PostgresqlBehaviour, below: body.Body
) -> clock.Answering[str]:
    """Return the primary by what the servers themselves say; '' as `primary` does."""
    if not primary(here, switches):
        return ''
    return (yield functools.partial(below.primary, here))


def running(here: host.Host) -> list[str]:
    """Return the units that are members, run, and are not being removed."""
    states = here.states()
    return [name for name in here.units() if states.get(name, {}).get('member') == RUNNING]


def join(
    here: host.Host,
    switches: behaviour.PostgresqlBehaviour,
    below: body.Body,
    passwords: Mapping[str, str],
) -> clock.Work:
    """Become a member: the first one makes the cluster, others copy it."""
    if here.own.get('member') == RUNNING:
        return
    if 'primary' not in here.shared:
        if not here.is_leader():
            here.set_status('waiting', 'awaiting for cluster to start')
            return
        yield functools.partial(below.bootstrap, here, passwords)
        here.shared.update({'primary': here.unit, 'members': [here.unit], 'timeline': 1})
    else:
        here.set_status('waiting', 'awaiting for member to start')
        if switches.stuck_replica:
            return
        yield switches.join
        yield functools.partial(below.join, here, passwords)
    here.own['member'] = RUNNING


def follow(
    here: host.Host, switches: behaviour.PostgresqlBehaviour, below: body.Body
) -> clock.Work:
    """As leader, keep the list of members: take out who leaves, one at a time; let others in."""
    if not here.is_leader() or 'primary' not in here.shared or here.shared.get('quorum-lost'):
        return
    while leaving := _leaving(here):
        yield switches.remove
        members: list[str] = here.shared['members']
        lost = len(_leaving(here))
        if lost > 1 and len(members) - lost < len(members) // 2 + 1:
            # Raft can change its members only with the consent of most of those it knows.
            here.shared['quorum-lost'] = True
            return
        here.shared['members'] = [name for name in members if name != leaving[0]]
    members = here.shared['members']
    here.shared['members'] = members + [name for name in running(here) if name not in members]
    if here.shared['primary'] not in here.shared['members']:
        yield from _fail_over(here, switches, below)


def forget_the_lost(here: host.Host) -> None:
    """Let Raft begin again with the members that are left."""
    here.shared['quorum-lost'] = False
    here.shared['members'] = running(here)


def _leaving(here: host.Host) -> list[str]:
    staying = here.units()
    return [name for name in here.shared['members'] if name not in staying]


def _fail_over(
    here: host.Host, switches: behaviour.PostgresqlBehaviour, below: body.Body
) -> clock.Work:
    candidates = running(here)
    if not candidates:
        return
    yield switches.failover
    yield functools.partial(below.promote, here, candidates[0])
    here.shared['primary'] = candidates[0]
    here.shared['timeline'] += 1


def hint(here: host.Host) -> str:
    """Return what the primary's status message says behind `Primary`."""
    if here.shared.get('quorum-lost'):
        return ' (read-only)'
    return ' (degraded)' if len(running(here)) < len(here.units()) else ''
