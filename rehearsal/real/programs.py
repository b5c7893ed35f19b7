"""Which PostgreSQL and pgBackRest this machine has."""

from __future__ import annotations

import dataclasses
import pathlib
import re
import shutil
import subprocess
from collections.abc import Sequence

SERVERS = pathlib.Path('/usr/lib/postgresql')
"""Where Debian's and Ubuntu's packages put each major version."""
OLDEST, NEWEST = 15, 16
OLDEST_PGBACKREST = (2, 45)
_BLOCKS_SINCE = (2, 46)
_PACKAGE = 'pgbackrest'


class Missing(Exception):
    """A program is not there, or too old; says which package to install."""


@dataclasses.dataclass(frozen=True)
class Programs:
    """What was found."""

    server: pathlib.Path
    """Folder of the server's programs."""
    version: str
    """PostgreSQL's, such as 15.18."""
    pgbackrest: pathlib.Path
    pgbackrest_version: tuple[int, ...]

    @property
    def major(self) -> int:
        return int(self.version.partition('.')[0])

    @property
    def makes_blocks(self) -> bool:
        """Whether block-incremental backups are ready for use in this pgBackRest."""
        return self.pgbackrest_version >= _BLOCKS_SINCE

    def of_server(self, name: str) -> str:
        """Return the path of one of the server's programs."""
        return str(self.server / name)


def find(servers: pathlib.Path = SERVERS, path: str | None = None) -> Programs:
    """Return the newest programs of the machine that the rehearsal knows.

    Args:
        servers: folder with one folder for each major version of PostgreSQL.
        path: where to look for pgBackRest; None for PATH.

    Raises:
        Missing: names every package that is not there, and how to install it.
    """
    server = _server(servers)
    pgbackrest = shutil.which('pgbackrest', path=path)
    wanted = [
        *([] if server else [f'postgresql-{_offered()}']),
        *([] if pgbackrest else [_PACKAGE]),
    ]
    if server is None or pgbackrest is None:
        raise Missing(
            f'not installed: {" and ".join(wanted)}; PostgreSQL {OLDEST} or {NEWEST} and '
            f'pgBackRest are needed: sudo apt-get install {" ".join(wanted)}'
        )
    version = tuple(map(int, _version([pgbackrest, 'version']).split('.')))
    if version < OLDEST_PGBACKREST:
        raise Missing(
            f'{pgbackrest} is {".".join(map(str, version))}, older than '
            f'{".".join(map(str, OLDEST_PGBACKREST))}: sudo apt-get install {_PACKAGE}'
        )
    return Programs(
        server,
        _version([str(server / 'postgres'), '--version']),
        pathlib.Path(pgbackrest),
        version,
    )


def _server(servers: pathlib.Path) -> pathlib.Path | None:
    for major in range(NEWEST, OLDEST - 1, -1):
        folder = servers / str(major) / 'bin'
        if (folder / 'postgres').exists():
            return folder
    return None


def _offered() -> int:
    """Return which of the major versions this system's packages have."""
    try:
        release = pathlib.Path('/etc/os-release').read_text()
    except OSError:
        return NEWEST
    return OLDEST if 'VERSION_CODENAME=bookworm' in release else NEWEST


def _version(command: Sequence[str]) -> str:
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r'\d+(\.\d+)+', said)
    if found is None:
        raise Missing(f'{" ".join(command)} tells no version: {said.strip()}')
    return found[0]
