"""Longer rows of an operator's moves than the exploration walks through, drawn at random."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.exploration import families, faults, meddling

_CHECKPOINTS = 45
_MOVES = st.lists(
    st.tuples(st.integers(0, _CHECKPOINTS), st.sampled_from(list(meddling.MOVES))),
    min_size=3,
    max_size=6,
)


@pytest.mark.parametrize('scenario', [families.BACKUPS[0], families.RESTORES[1]])
def test_whatever_an_operator_does_meanwhile_nothing_is_lost(scenario: str):
    @given(_MOVES)
    def holds(moves: list[tuple[int, faults.Fault]]) -> None:
        run = meddling.played(families.SCENARIOS[scenario](), moves)
        made = ', '.join(f'{number}: {move.name}' for number, move in moves)
        assert run.watch.faults == [], f'after {made}'
        assert run.sim.op.terminal

    holds()
