"""pgBackRest's info files are compared with the checksum in their last line."""

from __future__ import annotations

import pathlib

import hypothesis
import pytest
from hypothesis import strategies as st

from coordinator import errors
from coordinator.parts import pgbackrest_info
from rehearsal.standins import pgbackrest

SAMPLES = pathlib.Path(__file__).parents[3].parent / 'shared' / 'samples' / 'pgbackrest'
WHOLE = pgbackrest.render(
    {
        'db': {'db-id': 1, 'db-version': '16'},
        'target:file': {
            'pg_data/PG_VERSION': {'checksum': 'ab', 'size': 3},
            'pg_data/odd=name={x': {'size': 1},
            'pg_data/grün': {'size': 1},
        },
    }
).encode()


def look(content: bytes) -> None:
    pgbackrest_info.sound(content, 'it')


def test_a_file_that_is_as_it_was_written_passes():
    look(WHOLE)


def test_the_last_line_may_lack_its_end():
    look(WHOLE[:-1])


@pytest.mark.skipif(not SAMPLES.is_dir(), reason='the sampled repository is not beside this one')
@pytest.mark.parametrize('name', ['backup.info', 'archive.info'])
def test_a_file_that_pgbackrest_wrote_passes(name: str):
    look((SAMPLES / name).read_bytes())


@hypothesis.given(st.integers(0, len(WHOLE) - 2), st.integers(0, 7))
@hypothesis.settings(max_examples=200)
def test_a_file_that_was_changed_does_not_pass(at: int, bit: int):
    changed = bytearray(WHOLE)
    changed[at] ^= 1 << bit
    with pytest.raises(errors.UnexpectedAnswer):
        look(bytes(changed))


@hypothesis.given(st.integers(0, len(WHOLE) - 2))
def test_a_file_that_was_cut_off_does_not_pass(left: int):
    with pytest.raises(errors.UnexpectedAnswer):
        look(WHOLE[:left])
