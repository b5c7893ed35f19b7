"""What is missing on a machine is named, with the command that installs it."""

from __future__ import annotations

import pathlib

import pytest

from rehearsal.real import account, programs


def installed(folder: pathlib.Path, name: str, says: str) -> None:
    """Install a program that says its version."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f'#!/bin/sh\necho "{says}"\n')
    (folder / name).chmod(0o755)


def find(root: pathlib.Path) -> programs.Programs:
    return programs.find(root / 'lib', str(root / 'bin'))


def test_the_newest_server_that_is_known_is_taken(tmp_path: pathlib.Path):
    for major in (14, 15, 16, 17):
        installed(tmp_path / f'lib/{major}/bin', 'postgres', f'postgres (PostgreSQL) {major}.3')
    installed(tmp_path / 'bin', 'pgbackrest', 'pgBackRest 2.55')

    found = find(tmp_path)

    assert (found.version, found.major) == ('16.3', 16)
    assert found.of_server('initdb') == str(tmp_path / 'lib/16/bin/initdb')
    assert found.makes_blocks


def test_debians_pgbackrest_makes_no_blocks_yet(tmp_path: pathlib.Path):
    installed(tmp_path / 'lib/15/bin', 'postgres', 'postgres (PostgreSQL) 15.18 (Debian)')
    installed(tmp_path / 'bin', 'pgbackrest', 'pgBackRest 2.45')
    assert not find(tmp_path).makes_blocks


@pytest.mark.parametrize(
    ('there', 'missing'),
    [
        ((), r'postgresql-1\d and pgbackrest.*apt-get install postgresql-1\d pgbackrest$'),
        (('postgres',), 'pgbackrest;.*apt-get install pgbackrest$'),
        (('pgbackrest',), r'postgresql-1\d;.*apt-get install postgresql-1\d$'),
    ],
)
def test_each_missing_package_is_named(
    tmp_path: pathlib.Path, there: tuple[str, ...], missing: str
):
    if 'postgres' in there:
        installed(tmp_path / 'lib/15/bin', 'postgres', 'postgres (PostgreSQL) 15.18')
    if 'pgbackrest' in there:
        installed(tmp_path / 'bin', 'pgbackrest', 'pgBackRest 2.45')
    with pytest.raises(programs.Missing, match=f'not installed: {missing}'):
        find(tmp_path)


def test_a_pgbackrest_that_is_too_old_is_refused(tmp_path: pathlib.Path):
    installed(tmp_path / 'lib/15/bin', 'postgres', 'postgres (PostgreSQL) 15.18')
    installed(tmp_path / 'bin', 'pgbackrest', 'pgBackRest 2.30')
    with pytest.raises(programs.Missing, match=r'is 2\.30, older than 2\.45: sudo apt-get'):
        find(tmp_path)


def test_a_folder_that_the_servers_account_cannot_reach_is_named(tmp_path: pathlib.Path):
    closed = tmp_path / 'closed'
    closed.mkdir(0o700)
    nobody = account.Account(65534, 65534)
    with pytest.raises(account.NoPlace, match=r'may not enter .*: run this as another user'):
        nobody.check_way(closed / 'postgresql')
    account.current().check_way(pathlib.Path('/closed/postgresql'))


def test_a_folder_too_deep_for_sockets_is_refused(tmp_path: pathlib.Path):
    with pytest.raises(account.NoPlace, match=r'too long .* by \d+ characters: .*TMPDIR'):
        account.current().check_way(tmp_path / ('deep/' * 20))
