"""Where a reading stands is kept in little, and gone on from."""

from __future__ import annotations

import random

import hypothesis
import pytest
from hypothesis import strategies as st

from coordinator.integrity import check, inspection, tally
from rehearsal import memory_store

GOOD = inspection.Verdict('key', 10)


def finding(number: int) -> inspection.Verdict:
    return inspection.Verdict('key', 10, findings=(f'finding {number}',))


@hypothesis.given(st.integers(0, 60), st.integers(1, 6), st.integers(), st.data())
def test_what_is_not_done_is_what_is_left(
    count: int, workers: int, seed: int, data: st.DataObject
):
    # As many at a time, ended in any order.
    chance, kept, done = random.Random(seed), tally.Tally('list'), set[int]()
    for _ in range(data.draw(st.integers(0, count))):
        index = chance.choice(list(kept.rest(count))[:workers])
        kept = kept.adding(index, GOOD)
        done.add(index)
        assert list(kept.rest(count)) == [each for each in range(count) if each not in done]
    assert kept.bytes == 10 * len(done)


def test_a_tally_stays_small():
    kept = tally.Tally('list')
    for index in range(100_000):
        kept = kept.adding(index ^ 3, finding(index))
    assert (kept.begun, kept.damaged) == (100_000, 100_000)
    assert kept.findings == tuple(f'finding {number}' for number in range(5))
    assert len(kept.to_json()) < 1000


def test_a_stored_tally_is_gone_on_from():
    kept = tally.Tally('list').adding(0, GOOD).adding(3, finding(3))
    assert kept.unfinished == (1, 2)
    assert tally.Tally.from_json(kept.to_json(), 'list') == kept


@pytest.mark.parametrize('text', ['', '{}', '[1]', 'null', '{"of":"list","begun":[]}'])
def test_a_damaged_tally_is_begun_anew(text: str):
    assert tally.Tally.from_json(text, 'list') == tally.Tally('list')


def test_a_tally_of_another_list_is_begun_anew():
    store = memory_store.MemoryStore(memory_store.MemoryBucket())
    names = [
        tally.name_of([check.Object(store, key, size) for key, size in listed])
        for listed in ([('a', 1), ('b', 2)], [('b', 2), ('a', 1)], [('a', 1), ('b', 3)], [])
    ]
    assert len(set(names)) == 4
    kept = tally.Tally(names[0]).adding(0, GOOD)
    assert tally.Tally.from_json(kept.to_json(), names[1]) == tally.Tally(names[1])
