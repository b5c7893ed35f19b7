"""pgBackRest's info files are compared with the checksum in their last line."""

from __future__ import annotations

import pathlib

import hypothesis
import pytest
from hypothesis import strategies as st

from coordinator.integrity import check, info_file
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


def look(content: bytes, size: int = 1 << 20) -> None:
    looked = info_file.InfoFile()
    for at in range(0, len(content), size):
        looked.feed(content[at : at + size])
    looked.finish()


@pytest.mark.parametrize('size', [1, 13, 1 << 20])
def test_a_file_that_is_as_it_was_written_passes(size: int):
    look(WHOLE, size)


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
    with pytest.raises(check.Damaged):
        look(bytes(changed))


@hypothesis.given(st.integers(0, len(WHOLE) - 2))
def test_a_file_that_was_cut_off_does_not_pass(left: int):
    with pytest.raises(check.Damaged):
        look(WHOLE[:left])


def test_a_line_without_end_is_not_held():
    looked = info_file.InfoFile()
    looked.feed(bytes(1 << 20))
    with pytest.raises(check.Damaged, match='is no file of pgBackRest'):
        looked.feed(bytes(1))
