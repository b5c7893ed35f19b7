"""What is to be read of a backup set, and what each object should hold."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from coordinator import checksums, errors, ports
from coordinator.integrity import archives, check, database
from coordinator.parts import maas_backup
from coordinator.sets import catalogue, images, manifest


def objects(
    backup_set: manifest.Manifest,
    repository: ports.ObjectStore,
    maas_store: ports.ObjectStore,
    postgresql_store: ports.ObjectStore,
) -> list[check.Object]:
    """Return all objects of a set, the largest first: none of them is left alone at the end.

    Args:
        backup_set: its manifest.
        repository: where the manifest and the sealed passwords lie.
        maas_store: where `backup_set.maas` lies.
        postgresql_store: where `backup_set.postgresql` lies.

    Raises:
        EncryptedRepository: only pgBackRest can read its objects.
        UnexpectedAnswer: the manifest of its backup is damaged.
        NotFound: that is missing.
    """
    sealed, maas = backup_set.passwords.sealed, backup_set.maas
    digested = {maas_backup.folder(maas.backup_id) + name for name in maas_backup.OBJECTS}
    certain = _etags_are_md5s(repository, sealed)
    wanted = _images(backup_set, repository)
    found = [
        check.Object(
            store=store,
            key=item.key,
            size=item.size,
            expected=expected(item, certain),
            check=_check(item.key, wanted),
            digest=item.key in digested and not item.sha256,
        )
        for store, item in (
            *((maas_store, item) for item in maas.objects),
            (repository, sealed),
        )
    ]
    found += database.objects(postgresql_store, backup_set.postgresql)
    return sorted(found, key=lambda item: (-item.size, item.key))


def _images(backup_set: manifest.Manifest, repository: ports.ObjectStore) -> list[archives.Wanted]:
    """Return the files of uploaded images that the set was synchronised with.

    No region can download these again. Of other sets nobody knows which images they should hold.

    Raises:
        UnexpectedAnswer: the list of images was changed.
    """
    told = backup_set.images
    if told is None or told.state != manifest.SYNCHRONISED or told.reading is None:
        return []
    key = told.reading.key
    if key not in catalogue.images_keys(backup_set.backup_id):
        # The manifest lies where others may write.
        raise errors.UnexpectedAnswer(f'{key} is not a list of images of this set')
    content = repository.get(key, images.LARGEST)
    if hashlib.sha256(content).hexdigest() != told.reading.sha256:
        raise errors.UnexpectedAnswer(f'{key} is not what was stored for this set')
    return [
        archives.Wanted(file.stored_as or file.sha256, file.size, image.title)
        for image in images.parse(content, key).images
        if image.uploaded
        for file in image.files
    ]


def _check(key: str, wanted: Sequence[archives.Wanted]) -> Callable[[], check.Check]:
    name = key.rpartition('/')[2]
    if name == maas_backup.IMAGES:
        return lambda: archives.TarGz(wanted)
    if name in maas_backup.ARCHIVES:
        return archives.TarGz
    if name == maas_backup.METADATA:
        return _document(maas_backup.version_in)
    if name == maas_backup.CONTROLLERS:
        return _document(maas_backup.controllers_in)
    return check.Bytes


def _document(read: Callable[[bytes, str], object]) -> Callable[[], check.Check]:
    return lambda: archives.Document(lambda content: read(content, 'it'))


def _etags_are_md5s(store: ports.ObjectStore, known: manifest.Object) -> bool:
    """Whether an object that the coordinator stored itself has the ETag that S3 promises."""
    try:
        content = store.get(known.key)
    except (errors.NotFound, errors.UnexpectedAnswer):
        return False
    md5 = hashlib.md5(content, usedforsecurity=False).digest()
    return checksums.of_etag(known.etag) == checksums.Checksum('MD5', md5)


def expected(item: manifest.Object, certain_etag: bool) -> list[checksums.Checksum]:
    """Return what a manifest says of an object's content.

    Args:
        item: the object, in whichever manifest.
        certain_etag: whether ETags there are MD5s.
    """
    found = [
        checksums.of_etag(item.etag, certain_etag),
        checksums.parse(item.checksum),
        checksums.parse(f'sha256:{item.sha256}'),
    ]
    return [checksum for checksum in found if checksum is not None]
