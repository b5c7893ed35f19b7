"""What a unit of the stand-in maas-region has below its charm: MAAS's records and its files.

Records lie in the database, files on the machine. Both may be real, or modelled in the unit's own
state. As with `body`, a method may block: it is called beside the model, and uses of `here` only
what `here` is, and `own`.
"""

from __future__ import annotations

import dataclasses
import functools
import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from rehearsal.standins import host

CUSTOM = 'custom/'
IMAGES = ('bootloaders/uefi/amd64', 'ubuntu/noble/amd64', f'{CUSTOM}rocky-9/amd64')
PRESEEDS = ('curtin', 'curtin_userdata', 'enlist')
FILES: Mapping[str, Sequence[str]] = {'images': IMAGES, 'preseeds': PRESEEDS}
"""What MAAS installs, by kind."""


class Unreachable(Exception):
    """The database does not let MAAS in."""


@dataclasses.dataclass(frozen=True)
class Access:
    """The database, as the relation gives it."""

    endpoint: str
    database: str
    user: str = ''
    password: str = dataclasses.field(default='', repr=False)
    images: Sequence[str] = ()
    """What a modelled database says: the images that it knows."""


class Installation(Protocol):
    """MAAS on the machines of one application."""

    def install(self, here: host.Host) -> None:
        """Lay out the files of a new region."""
        ...

    def start(self, here: host.Host, access: Access) -> Sequence[str]:
        """Have MAAS work on its database; return the custom images whose file is not here.

        Raises:
            Unreachable: the database does not let it in.
        """
        ...

    def stop(self, here: host.Host) -> None:
        """Have MAAS let its database go."""
        ...

    def controllers(self, here: host.Host) -> Sequence[str] | None:
        """Return the ids of the region controllers in the database; None: ask the units."""
        ...

    def archive(self, here: host.Host, kind: str) -> bytes:
        """Return a tar.gz of the files of a kind."""
        ...

    def clear(self, here: host.Host, kind: str) -> None:
        """Remove the files of a kind."""
        ...

    def unpack(self, here: host.Host, kind: str, files: Mapping[str, bytes]) -> None:
        """Lay out these files of a kind."""
        ...

    def removed(self, model_uuid: str, unit: str) -> None:
        """Delete what a removed unit has left. Does not block."""
        ...


class Modelled:
    """Keeps the names of files in the unit's state; what is in them follows from the names."""

    def install(self, here: host.Host) -> None:
        here.own.update({kind: list(names) for kind, names in FILES.items()})

    def start(self, here: host.Host, access: Access) -> Sequence[str]:
        return [
            image
            for image in access.images
            if image.startswith(CUSTOM) and image not in here.own['images']
        ]

    def stop(self, here: host.Host) -> None:
        pass

    def controllers(self, here: host.Host) -> Sequence[str] | None:
        return None

    def archive(self, here: host.Host, kind: str) -> bytes:
        return named(tuple(here.own[kind]))

    def clear(self, here: host.Host, kind: str) -> None:
        here.own[kind] = []

    def unpack(self, here: host.Host, kind: str, files: Mapping[str, bytes]) -> None:
        here.own[kind] = list(files)

    def removed(self, model_uuid: str, unit: str) -> None:
        pass


def content(name: str) -> bytes:
    """Return the content of a file that follows from its name."""
    return hashlib.shake_128(name.encode()).digest(1024)


def archive(files: Iterable[tuple[str, bytes]]) -> bytes:
    """Return a tar.gz of files by name, the same for the same ones."""
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode='wb', mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode='w') as tar,
    ):
        for name, held in sorted(files):
            entry = tarfile.TarInfo(name)
            entry.size = len(held)
            tar.addfile(entry, io.BytesIO(held))
    return packed.getvalue()


@functools.lru_cache(maxsize=64)
def named(names: Sequence[str]) -> bytes:
    """Return a tar.gz of files whose content follows from their names."""
    return archive((name, content(name)) for name in names)
