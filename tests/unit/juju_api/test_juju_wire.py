"""Names, ids, times and values as the API spells them."""

from __future__ import annotations

import datetime

import hypothesis
import pytest
from hypothesis import strategies as st

from coordinator.juju_api import wire

NAMES = st.from_regex(r'[a-z][a-z0-9]*(-[a-z0-9]*[a-z][a-z0-9]*)*', fullmatch=True)
NUMBERED = st.tuples(NAMES, st.integers(0, 10**6)).map(lambda pair: f'{pair[0]}/{pair[1]}')


@hypothesis.given(NUMBERED)
def test_a_unit_comes_back_from_its_tag(name: str):
    assert wire.name_of(wire.unit_tag(name)) == name


@hypothesis.given(NAMES)
def test_an_application_comes_back_from_its_tag(name: str):
    assert wire.name_of(wire.application_tag(name)) == name


@hypothesis.given(NUMBERED)
def test_storage_comes_back_from_its_tag(storage_id: str):
    assert wire.storage_id(wire.storage_tag(storage_id)) == storage_id


@hypothesis.given(st.dictionaries(st.sampled_from(('operator', 'rewind')), st.text()))
def test_a_secret_comes_back_from_base64(content: dict[str, str]):
    assert wire.decoded(wire.encoded(content)) == content


def test_a_number_is_split_off_at_the_last_hyphen():
    assert wire.name_of('unit-maas-region-0') == 'maas-region/0'
    assert wire.storage_id('storage-pg-data-12') == 'pg-data/12'


def test_an_empty_tag_is_nobody():
    assert wire.name_of('') == ''


@pytest.mark.parametrize('tag', ['unit-pg', 'unit--1', 'unit-pg-x', 'machine-3', 'user-admin'])
def test_a_tag_of_nothing_that_is_named_is_refused(tag: str):
    with pytest.raises(ValueError, match=tag):
        wire.name_of(tag)


@pytest.mark.parametrize('uri', ['secret:d0q1', 'secret://3f1c/d0q1', 'd0q1'])
def test_a_secret_has_one_id_however_it_is_written(uri: str):
    assert wire.secret_id(uri) == 'd0q1'


def test_a_time_in_nanoseconds_is_read():
    time = wire.time_of('2026-08-22T12:15:00.123456789+02:00')

    assert time == datetime.datetime(2026, 8, 22, 10, 15, 0, 123456, tzinfo=datetime.UTC)
    assert time is not None
    assert time.tzinfo is datetime.UTC


def test_the_year_1_is_no_time():
    assert wire.time_of('0001-01-01T00:00:00Z') is None


def test_a_time_beyond_the_last_year_is_no_time():
    with pytest.raises(ValueError, match='is not a time in UTC'):
        wire.time_of('9999-12-31T23:59:59-23:59')


def test_results_are_flat_and_only_what_the_action_set():
    output = {
        'return-code': 0,
        'stdout': 'noise',
        'stderr-encoding': 'base64',
        'backup': {'id': 'b1', 'in': {'path': 'p'}},
        'note': 'stdout',
    }

    assert wire.results(output) == {'backup.id': 'b1', 'backup.in.path': 'p', 'note': 'stdout'}
