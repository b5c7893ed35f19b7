"""The table of failures, each played on a site in memory."""

from __future__ import annotations

from collections.abc import Iterable

from docs.generate import tables
from tests.on_call import cases, night

_HEAD = ('what happened', '`juju status` says', 'type', 'how it ends')


def table(played: Iterable[tuple[cases.Case, night.Night]]) -> str:
    """Return the table of cases."""
    rows = [_row(case, at) for case, at in played]
    return '\n'.join(tables.table(_HEAD, rows)).strip('\n')


def _row(case: cases.Case, at: night.Night) -> tuple[str, ...]:
    state, message = at.said
    typed = ', then '.join(_code(command) for command in at.typed)
    return (
        case.happens,
        f'{_code(state)}: {_code(message)}',
        typed,
        f'{case.ends}: {_code(at.ended)}',
    )


def _code(text: str) -> str:
    """Return a text as code, whatever it quotes."""
    ticks = '``' if '`' in text else '`'
    return f'{ticks}{tables.one_line(text)}{ticks}'
