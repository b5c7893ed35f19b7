"""MAAS on the machines of a rehearsal: a `standins.installation.Installation` that is real.

Each region has a folder of its own with its images, by their SHA-256 as MAAS keeps them, and its
preseeds; and a connection to the database, which it keeps while the relation lasts.
"""

from __future__ import annotations

import contextlib
import hashlib
import pathlib
import shutil
import threading
from collections.abc import Generator, Mapping, Sequence

import psycopg

from rehearsal import records
from rehearsal.real import tables
from rehearsal.standins import host
from rehearsal.standins import installation as standin

_Key = tuple[str, str]
"""A model's UUID and a unit's name."""


class Region:
    """One region controller: its files, and its way to the database."""

    def __init__(self, home: pathlib.Path):
        self.home = home
        self._access: standin.Access | None = None
        self._line: psycopg.Connection | None = None

    def connect(self, access: standin.Access) -> None:
        """Work on this database from now on."""
        self.disconnect()
        self._access = access

    def disconnect(self) -> None:
        """Let the database go."""
        if self._line is not None:
            self._line.close()
        self._line = self._access = None

    @property
    def connected(self) -> bool:
        return self._access is not None

    @property
    def line(self) -> psycopg.Connection:
        """The connection; one that was broken off is made anew.

        Raises:
            OperationalError: the database lets nobody in.
        """
        if self._access is None:
            raise psycopg.OperationalError(f'{self.home.name} has no database')
        if self._line is None or self._line.closed:
            address, _, port = self._access.endpoint.partition(':')
            self._line = psycopg.connect(
                host=address,
                port=int(port),
                user=self._access.user,
                password=self._access.password,
                dbname=self._access.database,
                connect_timeout=10,
                autocommit=True,
            )
        return self._line

    def write(self, kind: str, name: str, content: bytes) -> None:
        """Lay out a file."""
        path = self.home / kind / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def remove(self, kind: str, name: str) -> None:
        """Delete a file, if it is there."""
        (self.home / kind / name).unlink(missing_ok=True)

    def size(self, kind: str, name: str) -> int:
        """Return the size of a file, 0 if it is not there."""
        path = self.home / kind / name
        return path.stat().st_size if path.is_file() else 0

    def files(self, kind: str) -> dict[str, bytes]:
        """Return the files of a kind by their names."""
        folder = self.home / kind
        return {
            str(path.relative_to(folder)): path.read_bytes()
            for path in sorted(folder.rglob('*'))
            if path.is_file()
        }


class Regions:
    """The region controllers of every model of a rehearsal. Safe to use from several threads."""

    def __init__(self, root: pathlib.Path):
        self._root = root
        self._lock = threading.Lock()
        self._regions: dict[_Key, Region] = {}

    def install(self, here: host.Host) -> None:
        own = self._own(here)
        for name in standin.PRESEEDS:
            own.write('preseeds', name, standin.content(name))
        for name in standin.IMAGES:
            image, content = image_of(name)
            own.write('images', image.sha256, content)

    def start(self, here: host.Host, access: standin.Access) -> Sequence[str]:
        own = self._own(here)
        own.connect(access)
        with _reaching(access):
            tables.create(own.line)
            if not tables.images(own.line):
                for name in standin.IMAGES:
                    tables.add_image(own.line, image_of(name)[0])
            tables.add_user(own.line, records.ADMIN, True)
            known = tables.images(own.line)
            tables.register(own.line, here.own['system-id'], here.unit.replace('/', '-'))
        there = {name: len(content) for name, content in own.files('images').items()}
        lacks = [
            image.name
            for image in known
            if image.name.startswith(standin.CUSTOM) and there.get(image.sha256) != image.size
        ]
        if lacks:
            own.disconnect()
        return lacks

    def stop(self, here: host.Host) -> None:
        self._own(here).disconnect()

    def controllers(self, here: host.Host) -> Sequence[str] | None:
        try:
            return tables.controllers(self._own(here).line)
        except psycopg.Error as error:
            raise standin.Unreachable(str(error)) from error

    def archive(self, here: host.Host, kind: str) -> bytes:
        return standin.archive(self._own(here).files(kind).items())

    def clear(self, here: host.Host, kind: str) -> None:
        shutil.rmtree(self._own(here).home / kind, ignore_errors=True)

    def unpack(self, here: host.Host, kind: str, files: Mapping[str, bytes]) -> None:
        for name, content in files.items():
            self._own(here).write(kind, name, content)

    def removed(self, model_uuid: str, unit: str) -> None:
        with self._lock:
            gone = self._regions.pop((model_uuid, unit), None)
        if gone is not None:
            gone.disconnect()
            shutil.rmtree(gone.home, ignore_errors=True)

    def region(self, model_uuid: str, unit: str) -> Region:
        """Return a unit's region, which is made when it is first asked for."""
        with self._lock:
            home = self._root / f'{model_uuid[:8]}-{unit.replace("/", "-")}'
            return self._regions.setdefault((model_uuid, unit), Region(home))

    def lose(self, model_uuid: str) -> None:
        """Let the machines of a model go, with all that is on them."""
        for uuid, unit in list(self._regions):
            if uuid == model_uuid:
                self.removed(uuid, unit)

    def close(self) -> None:
        """Let every database go, and take the files away."""
        for uuid, unit in list(self._regions):
            self.removed(uuid, unit)

    def _own(self, here: host.Host) -> Region:
        return self.region(here.model_uuid, here.unit)


def image_of(name: str) -> tuple[tables.Image, bytes]:
    """Return an image, and its file's content, which follows from its name."""
    content = standin.content(name)
    return tables.Image(name, hashlib.sha256(content).hexdigest(), len(content)), content


@contextlib.contextmanager
def _reaching(access: standin.Access) -> Generator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise standin.Unreachable(f'the database at {access.endpoint}: {error}') from error
