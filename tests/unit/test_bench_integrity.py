"""What `make bench` compares deep verification with: the same archive, read whole by both."""

from __future__ import annotations

import pathlib
import shutil
import tarfile

import pytest

from tests.bench import figures, integrity


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which('gzip') is None:
        pytest.skip('there is no gzip here to compare with')
    monkeypatch.setattr(integrity, '_UNIT', 1 << 20)
    monkeypatch.setattr(integrity, '_FILE', 64 << 10)


def test_the_archive_is_one_that_others_can_read(tmp_path: pathlib.Path):
    path = tmp_path / 'archive.tar.gz'
    assert integrity.write_archive(path, 2) == 2 << 20
    with tarfile.open(path) as archive:
        entries = archive.getmembers()
    # With their headers, they are all that both units have.
    assert sum(512 + entry.size for entry in entries) == 2 << 20
    assert len(entries) > 20


def test_both_ways_are_measured_as_often():
    printed = list(integrity.measure(1))
    measured = [figure for figure in printed if isinstance(figure, figures.Figure)]
    assert len(measured) == 6
    assert {len(figure.values) for figure in measured} == {3}
    assert [figure for figure in measured if min(figure.values) < 0] == []
