"""Who runs PostgreSQL: whoever runs the rehearsal, or for root the account of the package."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import pwd

_OF_THE_PACKAGE = 'postgres'
_LONGEST_PATH = 107 - len('/01234567-postgresql-999/.s.PGSQL.65535')
"""What the system allows for a socket, less what comes below the folder."""


class NoPlace(Exception):
    """The servers cannot be run in this place; says what can be done."""


@dataclasses.dataclass(frozen=True)
class Account:
    """An account of the machine."""

    uid: int
    gid: int

    @property
    def name(self) -> str:
        return pwd.getpwuid(self.uid).pw_name

    def own(self, path: pathlib.Path) -> pathlib.Path:
        """Make a folder that only this account, and root, may enter."""
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.take(path)
        return path

    def take(self, path: pathlib.Path) -> None:
        """Give a file or folder to this account."""
        if os.geteuid() == 0:
            os.chown(path, self.uid, self.gid)

    def check_way(self, path: pathlib.Path) -> None:
        """See whether the account can have sockets in folders in a folder of its own.

        Raises:
            NoPlace: a folder above it is closed to the account, or its path is too long.
        """
        parents = [] if self.uid == os.geteuid() else path.resolve().parents
        for parent in parents:
            seen = parent.stat()
            bit = 0o100 if seen.st_uid == self.uid else 0o010 if seen.st_gid == self.gid else 0o001
            if not seen.st_mode & bit:
                raise NoPlace(
                    f'PostgreSQL refuses to run as root, and {self.name} may not enter {parent}: '
                    f'run this as another user, or chmod o+x {parent}'
                )
        if len(str(path)) > _LONGEST_PATH:
            raise NoPlace(
                f'the path {path} is too long for sockets below it, by '
                f'{len(str(path)) - _LONGEST_PATH} characters: run this in another folder, with '
                'another TMPDIR'
            )


def current() -> Account:
    """Return the account that runs this process."""
    return Account(os.geteuid(), os.getegid())


def of_servers() -> Account:
    """Return the account that PostgreSQL runs as.

    Raises:
        NoPlace: this is root, and the package has left no account.
    """
    if os.geteuid() != 0:
        return current()
    try:
        entry = pwd.getpwnam(_OF_THE_PACKAGE)
    except KeyError:
        raise NoPlace(
            f'PostgreSQL refuses to run as root, and there is no account {_OF_THE_PACKAGE}: '
            'run this as another user'
        ) from None
    return Account(entry.pw_uid, entry.pw_gid)
