"""What `expire` prints: for people a table of which sets stay and why, for programs JSON."""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence

from coordinator import figures, ports
from coordinator.report import status, tables
from coordinator.sets import deletion, retention, rules

_MOST = 400
"""Sets that are shown, the newest: what an action returns has its bounds."""


def text(
    verdicts: Sequence[retention.Verdict],
    policy: rules.Policy,
    app: str,
    now: datetime.datetime,
) -> str:
    """Return the outcome of a dry run for people, newest last."""
    head = ('backup-id', 'status', 'age', 'outcome', 'kept by')
    table = tables.table(head, [_row(verdict, now) for verdict in verdicts[-_MOST:]])
    if len(verdicts) > _MOST:
        table += f'\n\n{len(verdicts) - _MOST} older backup set(s) are not shown'
    going = sum(verdict.goes for verdict in verdicts)
    tally = f'{going} of {len(verdicts)} backup set(s) would be deleted by {policy}'
    if not policy.rules:
        tally = f'no backup set would be deleted: {policy}'
    return f'{table}\n\n{tally}\n\nnext: {_next(bool(going), policy, app)}'


def _next(going: bool, policy: rules.Policy, app: str) -> str:
    if going:
        return f'juju run {app}/leader expire; keep-backup backup-id=... exempts a set from it'
    names = ' '.join(f'{rule}=...' for rule in policy.rules or rules.NAMES)
    return f'juju config {app} {names}'


def _row(verdict: retention.Verdict, now: datetime.datetime) -> tuple[str, ...]:
    judged = verdict.backup_set
    age = status.span(now - judged.time) if judged.time and judged.time <= now else ''
    outcome = 'deleted' if verdict.goes else 'kept'
    return (judged.backup_id, judged.state, age, outcome, verdict.reason)


def as_json(verdicts: Sequence[retention.Verdict]) -> str:
    """Return the outcome for programs, newest last."""
    return json.dumps(
        [
            {
                'backup-id': verdict.backup_set.backup_id,
                'status': verdict.backup_set.state,
                'pinned': verdict.backup_set.pinned,
                'goes': verdict.goes,
                'rules': list(verdict.rules),
                'exempt': verdict.exempt,
            }
            for verdict in verdicts[-_MOST:]
        ]
    )


def deletion_text(target: deletion.Target, found: Sequence[ports.StoredObject]) -> str:
    """Return what delete-backup would delete, in its order, and what stays."""
    table = tables.table(
        ('object', 'size'), [(item.key, figures.size(item.size)) for item in found]
    )
    count, size = len(found), figures.size(sum(item.size for item in found))
    kept = "its database backup remains in PostgreSQL's repository until pgBackRest expires it"
    return f'{table}\n\n{count} object(s), {size}, of {target.backup_id} would be deleted; {kept}'
