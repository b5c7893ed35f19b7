"""What one backup set holds, as its manifest says it.

The manifest is the backup set: written last and in one PUT, it makes the set exist. A reader
refuses a version newer than it knows and ignores fields that it does not know.
"""

from __future__ import annotations

import re
from typing import Annotated

import pydantic

from coordinator import object_keys
from coordinator.sets import documents
from coordinator.sets.documents import Part, Text

VERSION = 1

# A manifest lies where others may write, and its own checksum is no signature: whatever becomes
# a key, a setting or an action's parameter must have the form of one, and the rest is shown.


def _like(form: str | re.Pattern[str]) -> pydantic.AfterValidator:
    pattern = re.compile(form)

    def check(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError('does not have the right form')
        return text

    return pydantic.AfterValidator(check)


def _plain_key(text: str) -> str:
    if not object_keys.is_plain(text):
        raise ValueError('is not a valid object key')
    return text


Id = Annotated[str, _like(object_keys.ID)]
Key = Annotated[str, pydantic.AfterValidator(_plain_key)]
Bucket = Annotated[str, _like(object_keys.BUCKET)]
Name = Annotated[str, _like(r'[A-Za-z0-9][A-Za-z0-9._-]{0,254}')]
"""Of a stanza, a WAL archive or a controller."""
Segment = Annotated[str, _like(r'([0-9A-F]{24})?')]
"""Name of a WAL segment, or ''."""
Count = Annotated[int, pydantic.Field(ge=0, lt=1 << 62)]
Seconds = Annotated[int, pydantic.Field(ge=0, lt=1 << 31)]
Few = pydantic.Field(max_length=100)
"""Limit for lists of which a set has few items."""


class Object(Part):
    """One object in S3; `key` is relative to the path of its place."""

    key: Key
    size: Count
    etag: Text = ''
    checksum: Text = ''
    """What S3 itself said of its content, as `checksums` writes it; '' if it said nothing."""
    sha256: Text = ''
    """Only where the coordinator had the content in hand anyway."""


class Place(Part):
    """Where in S3 a part lies."""

    endpoint: Text = ''
    """For people: a restore asks the S3 server that it is related to, and no other."""
    bucket: Bucket
    path: Key = ''
    region: Text = ''


class Charm(Part):
    """An application as it was when the backup was made."""

    application: Text
    charm: Text
    channel: Text = ''
    revision: Count = 0
    workload_version: Text = ''
    units: Count


class Maas(Part):
    """The files backup that maas-region made."""

    charm: Charm
    backup_id: Id
    version: Text
    """MAAS version, as maas-region recorded it."""
    place: Place
    controllers: Annotated[tuple[Name, ...], Few]
    objects: Annotated[tuple[Object, ...], Few, pydantic.Field(min_length=1)]

    @property
    def bytes(self) -> int:
        """Size of its objects."""
        return sum(item.size for item in self.objects)


class PostgreSQL(Part):
    """The database backup that pgBackRest made."""

    charm: Charm
    backup_id: Id
    label: Annotated[str, _like(object_keys.LABEL)]
    stanza: Name
    place: Place
    archive: Name
    wal_start: Segment
    wal_stop: Segment
    lsn_start: Text
    lsn_stop: Text
    objects: Count
    bytes: Count
    database_bytes: Count
    """Size of the database, uncompressed."""
    manifest: Object
    """pgBackRest's own manifest, which has a checksum of each file."""


class Passwords(Part):
    """The system users' passwords: sealed, and hashed for comparison."""

    sealed: Object
    recipients: Annotated[tuple[Text, ...], Few]
    hashes: Annotated[dict[str, str], Few]


SYNCHRONISED, INCONSISTENT, UNKNOWN = 'synchronised', 'inconsistent', 'unknown'


class Images(Part):
    """Whether the files contain every image that the database refers to."""

    state: Text
    """SYNCHRONISED, INCONSISTENT, or UNKNOWN when MAAS could not be asked."""
    why: Text = ''
    """Why it is not SYNCHRONISED, with the names of images."""
    reading: Object | None = None
    """What MAAS reported of its images right before the files were backed up."""


class Inventory(Part):
    """What MAAS held right after the database was backed up."""

    stored: Object | None = None
    """None if MAAS could not be asked."""
    counts: Annotated[dict[str, Count], Few] = pydantic.Field(default_factory=dict[str, int])
    """How many things of each kind."""
    why: Text = ''
    """Why there is none."""


class Model(Part):
    """The Juju model that was backed up."""

    name: Text
    uuid: Text
    juju_version: Text


class Manifest(documents.Signed):
    """One backup set."""

    purpose = 'backup-set'

    version: int = VERSION
    backup_id: Id
    started: Text
    verified: Text
    """When both parts were found complete in S3; times are UTC."""
    coordinator_version: Text
    strategy: Text
    model: Model
    maas: Maas
    postgresql: PostgreSQL
    passwords: Passwords
    seconds: Annotated[dict[str, Seconds], Few]
    """How long each step took: what a restore's estimate starts from."""
    images: Images | None = None
    """None in an adopted set, and in one of a revision that did not ask MAAS."""
    inventory: Inventory | None = None
    """None as `images`."""

    @property
    def inconsistent(self) -> str:
        """Why the files may lack an image that the database knows; '' if they do not."""
        if self.images is None or self.images.state != INCONSISTENT:
            return ''
        return self.images.why or 'images changed while it was made'


def parse(content: bytes, source: str) -> Manifest:
    """Read a manifest; `source` names it in errors.

    Raises:
        ForeignRecordError: its version is newer than this one.
        UnexpectedAnswer: it is damaged.
    """
    return documents.read_signed(Manifest, content, source, VERSION)
