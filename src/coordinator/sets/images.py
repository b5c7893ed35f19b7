"""The images of MAAS as MAAS reported them: one reading, and what has changed between two.

A restored database names images, and the files must hold them: MAAS never finishes initialising
while an uploaded image is missing. A reading is stored beside the backup set, so that it can be
compared later; it holds no secrets.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any

import pydantic

from coordinator import errors
from coordinator.ports import maas_port
from coordinator.sets import documents, manifest

LARGEST = 8 << 20
"""Bytes of a stored reading: ten thousand images with a few files each."""
VERSION = 1
_STEP = 5
"""Percent between two reasons to wait: each new one is a checkpoint."""
_WAITS = 'image '
"""How each such reason begins."""
_NAMED = 3
"""Images that one sentence names; the others are counted."""


class File(documents.Part):
    """One file of an image, in the image storage of each region."""

    name: documents.Text
    sha256: documents.Text
    size: manifest.Count
    stored_as: documents.Text = ''
    """Its name in the storage; '' if MAAS did not say."""


class Image(documents.Part):
    """One image. Of an image that MAAS downloads, only the newest version counts."""

    id: int
    """Another one once an image was deleted and uploaded again."""
    name: documents.Text
    architecture: documents.Text
    uploaded: bool
    files: Annotated[tuple[File, ...], pydantic.Field(max_length=10_000)]
    complete: bool
    """Whether every region controller has all of it."""
    percent: int = 100

    @property
    def title(self) -> str:
        """What people call it."""
        return f'{self.name} {self.architecture}'


class Reading(documents.Part):
    """All images at one time."""

    version: int = VERSION
    images: Annotated[tuple[Image, ...], pydantic.Field(max_length=10_000)]

    @classmethod
    def of(cls, resources: Iterable[maas_port.BootResource]) -> Reading:
        """Return the reading that MAAS' boot resources are, ordered by name.

        Raises:
            MaasUnintelligible: a reading cannot hold what MAAS said.
        """
        try:
            images = sorted(map(_image, resources), key=lambda image: (image.title, image.id))
            found = cls(images=tuple(images))
        except pydantic.ValidationError as error:
            field = '.'.join(map(str, error.errors()[0]['loc']))
            raise _unrecordable(f'{field} is out of range') from None
        if len(found.to_json()) > LARGEST:
            raise _unrecordable(f'they take more than {LARGEST >> 20} MiB')
        return found

    @property
    def incomplete(self) -> Sequence[Image]:
        """Images that not every region controller has."""
        return [image for image in self.images if not image.complete]

    def to_json(self) -> bytes:
        """Return it as stored; equal readings give equal bytes."""
        content: dict[str, Any] = json.loads(self.model_dump_json(by_alias=True))
        return json.dumps(content, separators=(',', ':')).encode()


def parse(content: bytes, source: str) -> Reading:
    """Read a stored reading; `source` names it in errors.

    Raises:
        ForeignRecordError: a newer revision wrote it.
        UnexpectedAnswer: it is damaged.
    """
    return documents.read(Reading, content, source, VERSION)


def _unrecordable(why: str) -> errors.MaasUnintelligible:
    return errors.MaasUnintelligible(f'MAAS lists images that cannot be recorded: {why}')


def _image(resource: maas_port.BootResource) -> Image:
    counted, complete = resource.counted, resource.complete
    return Image(
        id=resource.id,
        name=resource.name,
        architecture=resource.architecture,
        uploaded=resource.uploaded,
        files=tuple(
            File(name=f.name, sha256=f.sha256, size=f.size, stored_as=f.stored_as)
            for each in counted
            for f in each.files
        ),
        complete=complete,
        percent=100 if complete else int(min((s.progress for s in counted), default=0)),
    )


# --- Words -----------------------------------------------------------------------------------


def named(images: Iterable[str]) -> str:
    """Return the first few names, and how many more there are."""
    titles = list(dict.fromkeys(images))
    more = len(titles) - _NAMED
    return ', '.join(titles[:_NAMED]) + (f' and {more} more' if more > 0 else '')


def is_waited_for(reason: str) -> bool:
    """Whether a step waits for this reason because an image is not complete."""
    return reason.startswith(_WAITS)


def waiting_for(reading: Reading) -> str:
    """Return what is waited for; stable while less than a few percent are gained."""
    first, *others = reading.incomplete
    more = f', {len(others)} other image(s) are not complete either' if others else ''
    percent = first.percent // _STEP * _STEP
    return (
        f'{_WAITS}{first.title} is {percent}% synchronised{more}: '
        'waiting until every region controller has all of it'
    )


# --- Between two readings --------------------------------------------------------------------


def lost(before: Reading, now: Reading) -> list[str]:
    """Return the uploaded images of which a file is gone: no region can download it again."""
    there = {file.sha256 for image in now.images for file in image.files}
    return [
        image.title
        for image in before.images
        if image.uploaded and any(file.sha256 not in there for file in image.files)
    ]


def changed(before: Reading, now: Reading) -> list[str]:
    """Return what has happened to each image that was uploaded, deleted or imported."""
    then, there = _by_title(before), _by_title(now)
    found: list[str] = []
    for title in sorted(then.keys() | there.keys()):
        if title not in there:
            found.append(f'{title} was deleted')
        elif title not in then:
            what = 'uploaded' if there[title].uploaded else 'imported'
            found.append(f'{title} was {what}')
        elif _essence(then[title]) != _essence(there[title]):
            what = 'uploaded again' if there[title].uploaded else 'imported again'
            found.append(f'{title} was {what}')
    return found


def _by_title(reading: Reading) -> Mapping[str, Image]:
    return {image.title: image for image in reading.images}


def _essence(image: Image) -> tuple[object, ...]:
    files = sorted((file.name, file.sha256, file.size) for file in image.files)
    return (image.id, image.complete, tuple(files))
