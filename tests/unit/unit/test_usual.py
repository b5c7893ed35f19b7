"""How long steps took the last time is remembered on the unit's disk, as a hint."""

from __future__ import annotations

import pathlib

import pytest

from coordinator.unit import usual


@pytest.fixture
def kept(tmp_path: pathlib.Path) -> usual.Usual:
    return usual.Usual(tmp_path / usual.FILE)


def test_what_was_never_seen_is_not_known(kept: usual.Usual):
    assert kept.seconds('backup-all back-up-maas') == 0


def test_the_last_time_counts_for_each(kept: usual.Usual, tmp_path: pathlib.Path):
    kept.note('backup-all back-up-maas', 40)
    kept.note('backup-all back-up-postgresql', 300)
    kept.note('backup-all back-up-maas', 44)
    later = usual.Usual(tmp_path / usual.FILE)
    assert later.seconds('backup-all back-up-maas') == 44
    assert later.seconds('backup-all back-up-postgresql') == 300


@pytest.mark.parametrize('content', ['', '{', '[]', '{"a": "x"}'])
def test_what_cannot_be_read_is_passed_over(
    kept: usual.Usual, tmp_path: pathlib.Path, content: str
):
    (tmp_path / usual.FILE).write_text(content)
    assert kept.seconds('a') == 0
    kept.note('a', 7)
    assert kept.seconds('a') == 7


def test_a_disk_that_takes_nothing_stops_nothing(tmp_path: pathlib.Path):
    kept = usual.Usual(tmp_path / 'gone' / usual.FILE)
    kept.note('a', 7)
    assert kept.seconds('a') == 0
