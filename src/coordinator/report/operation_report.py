"""What show-operation prints: tables for people, JSON for programs."""

from __future__ import annotations

import dataclasses
import datetime
import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from coordinator import errors, plain, times
from coordinator.engine import facts, operation
from coordinator.record import ended, history
from coordinator.report import progress, status, tables
from coordinator.steps.backup_set import chosen_set
from coordinator.steps.maas import proving

_CONFIRMED = ('restore-all', 'delete-backup')
"""What replaces or deletes: without `confirm=true` these only tell what they would do."""
_NONE: Mapping[str, str] = {}
OWN_SECRET = 'secret:<id>'
"""What an operator puts one of his own for, in a command."""


def operation_text(
    op: operation.Operation,
    app: str,
    now: datetime.datetime,
    messages: Sequence[history.Message] | None = None,
    site: Sequence[str] = (),
    ahead: progress.Progress | None = None,
) -> str:
    """Return an operation for people: a line, its steps, and what to do next.

    Args:
        op: the operation.
        app: this application's name, for commands.
        now: the time.
        messages: those that the record has no room for; None when they were not read.
        site: how the site is now.
        ahead: how far its step has come; None if that is not asked for.
    """
    steps = tables.table(
        ('step', 'state', 'since', 'took', 'task', 'reason'),
        [_step_row(op, entry, now) for entry in op.steps],
    )
    lines = ['', f'progress: {ahead}'] if ahead is not None and str(ahead) else []
    by = facts.REQUESTED_BY.of(op)
    lines += ['', f'requested by: {by}'] if by else []
    lines += [*_moved(op), *_restored(op)]
    lines += _downtime(op, now)
    lines += _proof(op)
    lines += ['', *(f'now: {line}' for line in site)] if site else []
    if op.error and not (op.status == operation.HELD and op.error == op.current.reason):
        lines += ['', f'error: {op.error}']
    told = 'left to do' if op.unfinished else 'problem'
    lines += [f'{told}: {problem}' for problem in op.problems if problem != op.error]
    lines += [f'warning: {warning}' for warning in op.warnings]
    lines += _whole(op, app, messages)
    if op.status == operation.HELD:
        lines += ['', f'held: {op.current.reason}']
        mend = 'fix this, then ' if op.current.reason else ''
        lines += ['', f'next: {mend}juju run {app}/leader resume-operation']
    elif op.status == operation.FAILED:
        # The id of an adopted set follows from its parts: no action takes it.
        given = {name: text for name, text in op.parameters.items() if name != operation.ADOPTED}
        mend = 'fix this, then ' if op.error or op.problems else ''
        lines += ['', f'next: {mend}{command(app, op.kind, given)}']
    elif op.status == operation.COMPLETE and op.rehearses:
        model = op.fact(operation.THROWAWAY)
        lines += [
            '',
            'next: list-backups in the model of the site shows the result. '
            'This model has the credentials of the site: '
            f'juju destroy-model {shlex.quote(model)}',
        ]
    elif op.status == operation.COMPLETE:
        # What was restored has no backup set of its own yet.
        following = 'backup-all' if op.kind == 'restore-all' else 'list-backups'
        lines += ['', f'next: {command(app, following)}']
    return '\n'.join([_line(_headline(op, now)), '', steps, *map(_line, lines)])


def command(app: str, kind: str, parameters: Mapping[str, str] = _NONE) -> str:
    """Return the command that begins an operation of a kind, with what it was given.

    It is copied into a shell, and a history in the bucket may have been written by anybody.
    """
    given = [
        f'{key}={value}' if value == OWN_SECRET else shlex.quote(f'{key}={value}')
        for key, value in parameters.items()
    ]
    confirmed = ['confirm=true'] if kind in _CONFIRMED else []
    return ' '.join(('juju run', f'{app}/leader', shlex.quote(kind), *given, *confirmed))


def _line(text: str) -> str:
    """Make a line plain, but for its indentation: what came out of S3 may hold anything."""
    indent = len(text) - len(text.lstrip(' '))
    return ' ' * indent + plain.one_line(text, errors.LONGEST)


def _whole(
    op: operation.Operation, app: str, messages: Sequence[history.Message] | None
) -> list[str]:
    """Return the messages that were cut, or how to see them."""
    if messages is None and op.cut:
        command = f'juju run {app}/leader show-operation operation-id={op.id}'
        return ['', f'{op.cut} message(s) were shortened or left out: {command}']
    return [f'in full: {m.time} {m.step}: {m.text}' for m in messages or ()]


def _moved(op: operation.Operation) -> list[str]:
    """Return the id under which a backup is published, if another model had taken its own."""
    if not op.fact(operation.BACKUP_ID):
        return []
    return [
        '',
        f'its backup set has the id {op.backup_id}, '
        f'because {op.id} was already taken in this repository',
    ]


def _restored(op: operation.Operation) -> list[str]:
    """Return what a restore has put where."""
    given = facts.CONTROLLERS.of(op)
    if not given:
        return []
    found = chosen_set.of(op)
    renewed = any(e.name == 'renew-repository' and e.state == operation.DONE for e in op.steps)
    path = facts.NEW_PATH.of(op) or found.postgresql.place.path
    goes_on = f'; its backups are now in {path}' if renewed else ''
    regions = ', '.join(f'{unit} is {controller}' for unit, controller in sorted(given.items()))
    return [
        '',
        f'from backup set {found.backup_id} of model {found.model.name}:',
        f'  {op.settings.postgresql}: database backup {found.postgresql.backup_id}{goes_on}',
        f'  {op.settings.maas}: files backup {found.maas.backup_id}; {regions}',
    ]


def _proof(op: operation.Operation) -> list[str]:
    """Return whether MAAS holds what the set does."""
    return ['', op.fact(proving.PROOF)] if op.fact(proving.PROOF) else []


def _downtime(op: operation.Operation, now: datetime.datetime) -> list[str]:
    """Return what a restore has restored, and how long MAAS was down for it."""
    since, until = facts.DOWN_SINCE.of(op), facts.UP_SINCE.of(op)
    if not since:
        return []
    if until:
        return [
            '',
            f'MAAS was down for {_took(since, times.parse_stamp(until))}, from {since}',
        ]
    return ['', f'MAAS is down since {since}, for {_took(since, now)}']


def _headline(op: operation.Operation, now: datetime.datetime) -> str:
    end = times.parse_stamp(op.ended) if op.ended else now
    state = 'undoing' if op.open and op.undoing else 'running' if op.open else op.status
    names = [entry.name for entry in op.steps]
    where = f', step {names.index(op.step) + 1} of {len(names)}' if not op.terminal else ''
    what = f'rehearsal of {op.kind}' if op.rehearses else op.kind
    return f'{what} {op.id}: {state}{where}, {_took(op.started, end)}'


def _step_row(
    op: operation.Operation, entry: operation.StepEntry, now: datetime.datetime
) -> Sequence[str]:
    begun = entry.started or entry.since
    running = entry.state in (operation.DOING, operation.UNDOING) and not op.terminal
    end = now if running else times.parse_stamp(entry.ended) if entry.ended else None
    return (
        entry.name,
        entry.state,
        begun,
        _took(begun, end) if begun and end else '',
        str(entry.task or ''),
        entry.reason,
    )


def _took(begin: str, end: datetime.datetime) -> str:
    return status.span(end - times.parse_stamp(begin))


def operation_json(
    op: operation.Operation,
    messages: Sequence[history.Message] | None = None,
    ahead: progress.Progress | None = None,
) -> str:
    """Return an operation for programs: the record without what only later steps need."""
    raw: dict[str, Any] = json.loads(op.to_json())
    if op.fact(operation.BACKUP_ID):
        raw['backup-id'] = op.backup_id
    if op.fact(proving.PROOF):
        raw['proof'] = op.fact(proving.PROOF)
    del raw['facts']
    if ahead is not None:
        raw['progress'] = ahead.for_programs()
    if messages is not None:
        raw['messages'] = [dataclasses.asdict(message) for message in messages]
    return json.dumps(raw)


def earlier_text(entries: Sequence[ended.Ended], app: str) -> str:
    """Return operations that have ended for people, newest first."""
    rows = [
        (past.id, past.kind, past.status, past.step, _took_in_all(past), past.error)
        for past in entries
    ]
    head = ('operation-id', 'kind', 'status', 'last step', 'took', 'error')
    following = f'next: juju run {app}/leader show-operation operation-id=...'
    return f'{tables.table(head, rows)}\n\n{following}'


def _took_in_all(past: ended.Ended) -> str:
    try:
        return _took(past.started, times.parse_stamp(past.ended))
    except ValueError:
        return ''


def earlier_json(entries: Sequence[ended.Ended]) -> str:
    """Return operations that have ended for programs, newest first."""
    return json.dumps([dataclasses.asdict(past) for past in entries])
