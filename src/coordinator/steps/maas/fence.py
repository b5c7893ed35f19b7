"""The fence around the files backup: no image may be in motion while a backup set is made.

The database is backed up first. An image that it knows and that the files lack leaves MAAS
initialising forever after a restore. So MAAS is asked three times: before the database is backed
up, right before the files are, and right after. Until then every region controller must have all
of each image. What changed between two answers repeats the files backup, or makes the set
inconsistent. Without an answer nothing is known, and the set says so.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
from collections.abc import Sequence

from coordinator import errors, ports
from coordinator.engine import facts, operation, settings, step
from coordinator.ports import maas_port
from coordinator.record import repository
from coordinator.sets import catalogue, images, manifest
from coordinator.steps import tasks
from coordinator.steps.backup_set import beside
from coordinator.steps.maas import asking_maas, finding_maas
from coordinator.steps.maas_region import files_backup

READING = 'images'
"""Fact: the stored reading of the images, as a manifest says it; '' if MAAS gave none."""
SKIP = 'skip-image-sync'
"""Parameter: wait for no image."""
_JUDGED = 'images-judged'
"""Fact: what the manifest says of the images."""
_UNKNOWN = 'images-unknown'
"""Fact: why MAAS did not say anything of its images."""
_AWAITED = 'images-awaited'
"""Fact: since when an image is waited for."""
_READ_FOR = 'images-read-for'
"""Fact: the attempt of the files backup that the stored reading was made for."""
_UNREAD = 'nothing has read the images before the database backup'
_FOR_ANSWERS = datetime.timedelta(minutes=30)
"""For a MAAS that does not answer."""
ATTEMPTS = 3
"""The files backup is repeated twice at most."""


def deadline(config: settings.Settings) -> datetime.timedelta:
    """Return the deadline of the first reading, which stops waiting for images by itself."""
    return config.image_sync_deadline + _FOR_ANSWERS


def files_deadline(config: settings.Settings) -> datetime.timedelta:
    """Return the deadline of one files backup with the readings around it."""
    return config.maas_backup_deadline + deadline(config)


def mark(op: operation.Operation, world: ports.World) -> step.Mark:
    """Remember the newest question where MAAS is."""
    return finding_maas.mark(op, world)


def await_images(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Wait until every region controller has all of each image; store which images there are."""
    waiting = too_soon(op, world) or asking_maas.find(op, world)
    if waiting is not None:
        return waiting
    reading = _ask(op, world, 'images')
    if isinstance(reading, step.Wait):
        return reading
    if isinstance(reading, asking_maas.Unknown):
        return step.Done({_UNKNOWN: reading.why})
    waiting = _incomplete(op, reading)
    if waiting is not None:
        return waiting
    return step.Done({**_store(op, world, reading), **_awaited(reading)})


def too_soon(op: operation.Operation, world: ports.World) -> step.Wait | None:
    """Wait on without asking: that is a request for each image, and it may last hours."""
    reason = op.current.reason
    if not images.is_waited_for(reason) or world.look_is_due(op.age):
        return None
    return step.Wait(reason)


def _ask(
    op: operation.Operation, world: ports.World, phase: str
) -> images.Reading | step.Wait | asking_maas.Unknown:
    def read(maas: maas_port.Maas) -> images.Reading:
        return images.Reading.of(maas.boot_resources())

    return asking_maas.ask(op, world, phase, read)


def await_uploaded(op: operation.Operation, maas: maas_port.Maas) -> step.Wait | None:
    """Wait after a restore until every region controller has all of each uploaded image.

    None once that is so, or was waited for long enough.
    """
    uploaded = (each for each in maas.boot_resources() if each.uploaded)
    return _incomplete(op, images.Reading.of(uploaded))


def _incomplete(op: operation.Operation, reading: images.Reading) -> step.Wait | None:
    """Return what to wait for; None if nothing is missing, or that was waited for long enough."""
    if not reading.incomplete or op.parameters.get(SKIP) == 'true':
        return None
    seconds = int(op.settings.image_sync_deadline.total_seconds())
    noted = tasks.patience(op, _AWAITED, seconds)
    return step.Wait(images.waiting_for(reading), facts=noted) if noted else None


def _awaited(reading: images.Reading) -> dict[str, str]:
    """Return the fact that ends the waiting; the next image has the whole time again."""
    return {} if reading.incomplete else {_AWAITED: ''}


def _store(op: operation.Operation, world: ports.World, reading: images.Reading) -> dict[str, str]:
    """Store a reading beside the set, and not in place of the one that the record names.

    A dispatch that dies after this must find that one as it was.
    """
    first, second = catalogue.images_keys(op.backup_id)
    key = second if op.fact(READING) and _named(op).key == first else first
    entry = beside.put(op, world, key, reading.to_json())
    return {READING: entry.model_dump_json(by_alias=True)}


def _named(op: operation.Operation) -> manifest.Object:
    return manifest.Object.model_validate_json(op.fact(READING))


def _stored(op: operation.Operation, world: ports.World) -> images.Reading:
    """Return the reading that was stored last.

    Raises:
        StepError: it is gone, or somebody changed it.
    """
    entry = _named(op)
    content = repository.of(op, world).get(entry.key, images.LARGEST)
    if hashlib.sha256(content).hexdigest() != entry.sha256:
        raise errors.StepError(
            f'{entry.key} is not the object that was stored: somebody has changed it'
        )
    return images.parse(content, entry.key)


def discard(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Undo: delete what was stored."""
    for key in catalogue.images_keys(op.backup_id):
        beside.delete(op, world, key)
    return step.Done({READING: ''})


def remains(op: operation.Operation) -> list[str]:
    """Return what may be in S3 when an operation ends as it is."""
    if op.entry('await-images').state in (operation.TO_DO, operation.UNDONE):
        return []
    keys = ' and '.join(catalogue.images_keys(op.backup_id))
    return [f'{keys} may be left in the repository']


# --- Around the files backup -----------------------------------------------------------------


def mark_back_up(op: operation.Operation, world: ports.World) -> step.Mark:
    """Note what the files backup needs, and whether the images are still as they were read.

    If they are not, or nobody knows, `back_up` reads them in a separate dispatch.
    """
    marked = files_backup.mark(op, world)
    attempt = str(op.current.attempts + 1)
    try:
        rest = bool(op.fact(READING)) and _rest(op, world, attempt)
    except errors.CoordinatorError:
        rest = False
    return dataclasses.replace(marked, facts={**marked.facts, _READ_FOR: attempt if rest else ''})


def _rest(op: operation.Operation, world: ports.World, attempt: str) -> bool:
    reading = _ask(op, world, f'images-before-{attempt}')
    known = isinstance(reading, images.Reading) and not reading.incomplete
    return known and reading == _stored(op, world)


def back_up(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Have the files backed up while no image changes.

    Raises:
        RetryStepError: an image changed meanwhile; what `files_backup.back_up` raises.
    """
    if op.fact(READING) and op.fact(_READ_FOR) != _attempt(op):
        return too_soon(op, world) or _before(op, world)
    outcome = files_backup.back_up(op, world)
    return outcome if isinstance(outcome, step.Wait) else _after(op, world, outcome)


def _attempt(op: operation.Operation) -> str:
    return str(op.current.attempts)


def _before(op: operation.Operation, world: ports.World) -> step.Wait:
    """Bring the stored reading up to date; the files backup begins in a later dispatch."""
    reading = _ask(op, world, f'images-before-{_attempt(op)}')
    if isinstance(reading, step.Wait):
        return reading
    read_for = {_READ_FOR: _attempt(op)}
    if isinstance(reading, asking_maas.Unknown):
        why = 'MAAS does not report its images, and the files are backed up without them'
        return step.Wait(why, facts={**read_for, READING: '', _UNKNOWN: reading.why})
    waiting = _incomplete(op, reading)
    if waiting is not None:
        return waiting
    former = _stored(op, world)
    gone = [*facts.IMAGES_LOST.of(op), *images.lost(former, reading)]
    noted = _store(op, world, reading) if reading != former else {}
    why = 'MAAS has reported its images'
    return step.Wait(why, facts={**read_for, **noted, **_awaited(reading), **_losing(gone)})


def _losing(gone: Sequence[str]) -> dict[str, str]:
    """Return the fact that remembers images that are gone: the record is small."""
    return facts.IMAGES_LOST.put([images.named(gone)]) if gone else {}


def _after(op: operation.Operation, world: ports.World, done: step.Done) -> step.Outcome:
    """Judge the images once the files are backed up.

    Raises:
        RetryStepError: one changed meanwhile, and another files backup can have it.
    """
    if not op.fact(READING):
        return _ending(op, done, _judged(manifest.UNKNOWN, op.fact(_UNKNOWN, _UNREAD)))
    now = _ask(op, world, f'images-after-{_attempt(op)}')
    if isinstance(now, step.Wait):
        return dataclasses.replace(now, facts={**done.facts, **now.facts})
    if isinstance(now, asking_maas.Unknown):
        why = f'MAAS reported its images before the files backup, but not after it: {now.why}'
        return _ending(op, done, _judged(manifest.UNKNOWN, why, op.fact(READING)))
    former = _stored(op, world)
    gone = [*facts.IMAGES_LOST.of(op), *images.lost(former, now)]
    changed = images.changed(former, now)
    if changed and not gone and _may_repeat(op):
        return _repeat(op, done, images.named(changed))
    why = _why(former, gone, changed)
    state = manifest.INCONSISTENT if why else manifest.SYNCHRONISED
    return _ending(op, done, _judged(state, why, op.fact(READING)))


def _may_repeat(op: operation.Operation) -> bool:
    return op.current.attempts < ATTEMPTS and op.parameters.get(SKIP) != 'true'


def _repeat(op: operation.Operation, done: step.Done, changed: str) -> step.Wait:
    """Note the files backup that is replaced, and then begin another attempt.

    Raises:
        RetryStepError: it is noted.
    """
    backup_id, replaced = done.facts[files_backup.BACKUP_ID], facts.FILES_REPLACED.of(op)
    why = f'{changed} while the files were backed up: backing them up again'
    if backup_id in replaced:
        raise errors.RetryStepError(why)
    noted = facts.FILES_REPLACED.put([*replaced, backup_id])
    return step.Wait(why, facts={**done.facts, **noted})


def _why(former: images.Reading, gone: Sequence[str], changed: Sequence[str]) -> str:
    """Return why a set is inconsistent; '' if it is not."""
    reasons: list[str] = []
    if gone:
        reasons.append(
            f'{images.named(gone)} was deleted or uploaded again while the backup ran: '
            'the database may refer to it, but the files do not contain it'
        )
    elif changed:
        reasons.append(f'{images.named(changed)} while the files were backed up')
    late = [f'{image.title} ({image.percent}%)' for image in former.incomplete]
    if late:
        reasons.append(
            f'not every region controller had {images.named(late)} completely (MAAS also waits '
            'for controllers that are gone and that nobody has deleted in MAAS)'
        )
    return '; '.join(reasons)


def _judged(state: str, why: str, reading: str = '') -> manifest.Images:
    entry = manifest.Object.model_validate_json(reading) if reading else None
    return manifest.Images(state=state, why=why, reading=entry)


def _ending(op: operation.Operation, done: step.Done, judged: manifest.Images) -> step.Done:
    superfluous = [
        name for name in facts.FILES_REPLACED.of(op) if name != done.facts[files_backup.BACKUP_ID]
    ]
    warnings = (
        f'files backup {", ".join(superfluous)} of {op.settings.maas} belongs to no backup set, '
        'because images changed while it was made: its objects can be deleted from the bucket',
    )
    over = {READING: '', facts.IMAGES_LOST.name: '', _AWAITED: ''}
    noted = {**done.facts, **over, _JUDGED: judged.model_dump_json(by_alias=True)}
    return dataclasses.replace(
        done, facts=noted, warnings=(*done.warnings, *(warnings if superfluous else ()))
    )


def judged(op: operation.Operation) -> manifest.Images | None:
    """Return what the manifest says of the images; None if no step asked for them."""
    text = op.fact(_JUDGED)
    return manifest.Images.model_validate_json(text) if text else None
