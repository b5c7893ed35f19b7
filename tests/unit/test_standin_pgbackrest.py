"""The stand-in's info files are pgBackRest's: proven on files that pgBackRest has written."""

from __future__ import annotations

import datetime
import pathlib

import pytest

from rehearsal.standins import pgbackrest

# Written by pgBackRest 2.45 for a cluster of PostgreSQL 15.
ARCHIVE_INFO = """\
[backrest]
backrest-format=5
backrest-version="2.45"

[db]
db-id=1
db-system-id=7710909084746483203
db-version="15"

[db:history]
1={"db-id":7710909084746483203,"db-version":"15"}

[backrest]
backrest-checksum="59457aa48a69bec1c76cf897f5063e2d277fb706"
"""
SAMPLES = pathlib.Path(__file__).parents[3] / 'shared' / 'samples' / 'pgbackrest'


def test_the_checksum_of_a_file_that_pgbackrest_wrote_is_recomputed():
    sections = pgbackrest.parse(ARCHIVE_INFO)

    assert sections['db']['db-system-id'] == 7710909084746483203


@pytest.mark.parametrize('name', ['archive.info', 'backup.info'])
def test_the_checksums_of_the_whole_samples_are_recomputed(name: str):
    if not SAMPLES.is_dir():
        pytest.skip('the sampled repository is not beside this project')

    assert pgbackrest.parse((SAMPLES / name).read_text())


def test_a_rendered_file_differs_from_pgbackrests_by_nothing_but_the_version(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setitem(pgbackrest.OWN, 'backrest-version', '2.45')

    assert pgbackrest.render(pgbackrest.parse(ARCHIVE_INFO)) == ARCHIVE_INFO


def test_a_changed_file_is_noticed():
    with pytest.raises(pgbackrest.DamagedError, match='checksum'):
        pgbackrest.parse(ARCHIVE_INFO.replace('db-id=1', 'db-id=2'))


def test_half_a_file_is_noticed():
    with pytest.raises(pgbackrest.DamagedError):
        pgbackrest.parse(ARCHIVE_INFO[:100])


def test_a_file_name_may_hold_an_equals_sign():
    sections = {'target:file': {'pg_data/odd=name={x': {'size': 1}}}

    assert pgbackrest.parse(pgbackrest.render(sections)) == sections


def test_labels_carry_their_time_and_what_they_depend_on():
    at = datetime.datetime(2026, 8, 22, 10, 15, tzinfo=datetime.UTC)
    full = pgbackrest.label('full', at)
    later = at + datetime.timedelta(minutes=1)
    incremental = pgbackrest.label('incr', later, full)

    assert (full, incremental) == ('20260822-101500F', '20260822-101500F_20260822-101600I')
    assert pgbackrest.label_time(full) == at
    assert pgbackrest.label_time(incremental) == later
