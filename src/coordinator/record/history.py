"""The history of operations in the repository: for people, and for when the model is gone.

The record in the peer databag is authoritative. Only a coordinator without a record reads the
newest history, to take over an unfinished operation of an earlier coordinator.
Each operation is one object, which no operation of another model has: its record, the model it was
for, and, whole, the messages that the record had no room for.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import logging
from collections.abc import Generator
from typing import Any

from coordinator import errors, object_keys, ports, times
from coordinator.engine import operation
from coordinator.record import repository

logger = logging.getLogger(__name__)

MOST = 50
"""Operations of one model that are kept."""
_FOLDER, _SUFFIX = 'coordinator/operations/', '.json'
_LONGEST = 64 << 10
"""Bytes of all messages of one operation, the newest: an action's results must hold them."""
_LOOKED_AT, _AT_ONCE = 20_000, 100
"""Histories of all models that are listed, and of this one that are deleted, when an operation
ends: the rest when the next one does."""


@dataclasses.dataclass(frozen=True)
class Message:
    """A message that the record had no room for."""

    time: str
    step: str
    text: str


@dataclasses.dataclass(frozen=True)
class Told:
    """An operation and its messages, from its history."""

    operation: operation.Operation
    messages: tuple[Message, ...]


def key(operation_id: str, model_uuid: str) -> str:
    """Key of the history of a model's operation."""
    return f'{_FOLDER}{operation_id}-{model_uuid}{_SUFFIX}'


def is_behind(before: operation.Operation, now: operation.Operation) -> bool:
    """Whether the history must be written, after what it had of an operation before.

    What alone has changed of the wait of a step is not worth a connection to S3: a dispatch that
    dies after its effect leaves the same record, and every step goes on from that.
    """
    return bool(now.said) or _but_for_waiting(before) != _but_for_waiting(now)


def _but_for_waiting(op: operation.Operation) -> operation.Operation:
    steps = tuple(
        dataclasses.replace(entry, reason='', task=None) if entry.name == op.step else entry
        for entry in op.steps
    )
    return dataclasses.replace(op, steps=steps)


def write(op: operation.Operation, world: ports.World) -> None:
    """Store the state of an operation. If S3 refuses it, the operation continues nevertheless.

    Of a rehearsal nothing is stored: the repository is another site's.
    """
    if op.rehearses:
        return
    try:
        store = repository.of(op, world)
        document: dict[str, Any] = json.loads(op.to_json())
        document['model'] = {'name': world.model_name, 'uuid': world.model_uuid}
        document['messages'] = [
            dataclasses.asdict(message) for message in _messages(op, store, world)
        ]
        store.put(
            key(op.id, world.model_uuid),
            json.dumps(document, indent=2, ensure_ascii=False).encode(),
        )
        if op.terminal:
            _expire(store, world.model_uuid)
    except Exception as error:
        # No error here matters: the record is authoritative, and this is only a copy for people.
        reason = str(error) if isinstance(error, errors.CoordinatorError) else type(error).__name__
        level = logging.INFO if _is_checked(op, error) else logging.WARNING
        logger.log(level, '%s: its history was not stored: %s', op.at, reason)


def _is_checked(op: operation.Operation, error: Exception) -> bool:
    """Whether the operation's check waits for S3, and so says what is wrong with it itself."""
    return isinstance(error, errors.TransientError) and op.open and op.step == op.steps[0].name


def _messages(
    op: operation.Operation, store: ports.ObjectStore, world: ports.World
) -> list[Message]:
    """Return the messages so far, the newest last, as many as there is room for."""
    messages: list[Message] = []
    if op.cut > len(op.said):
        with contextlib.suppress(errors.NotFound, errors.ForeignRecordError):
            messages += read(op.id, store, world.model_uuid).messages
    now = times.stamp(world.now())
    for position, said in enumerate(op.said):
        # Why a step failed is said once more, as the error of its operation.
        if not any(said.text in later.text for later in op.said[position + 1 :]):
            messages.append(Message(now, said.step, said.text))
    room = _LONGEST
    for position, message in reversed(list(enumerate(messages))):
        room -= len(json.dumps(dataclasses.asdict(message)))
        if room < 0:
            return messages[position + 1 :]
    return messages


def read(operation_id: str, store: ports.ObjectStore, model_uuid: str) -> Told:
    """Return the history of an operation: this model's, or else the only one with its id.

    Raises:
        PreconditionError: this is no id of an operation, or several other models have an operation
            with it.
        NotFound: there is no history of it.
        ForeignRecordError: it cannot be read.
    """
    text = store.get(_key_there(_checked(operation_id), store, model_uuid))
    return _told(operation_id, text.decode(errors='replace'))


def newest(store: ports.ObjectStore, model_uuid: str) -> operation.Operation | None:
    """Return the newest operation that the history has of a model, if it has any.

    Raises:
        ForeignRecordError: it cannot be read.
    """
    ending = key('', model_uuid).removeprefix(_FOLDER)
    own = [item.key for item in store.list(_FOLDER) if item.key.endswith(ending)]
    if not own:
        return None
    # Ids are times, so the last key is the newest.
    operation_id = max(own).removeprefix(_FOLDER).removesuffix(ending)
    found = read(operation_id, store, model_uuid).operation
    if found.id != operation_id:
        raise errors.ForeignRecordError(
            f'the history of operation {operation_id} in {_FOLDER} has another id: it was changed'
        )
    return found


def _key_there(operation_id: str, store: ports.ObjectStore, model_uuid: str) -> str:
    """Return the key of the history that is meant."""
    own = key(operation_id, model_uuid)
    there = [item.key for item in store.list(_FOLDER + operation_id)]
    if own in there or not there:
        return own
    if len(there) > 1:
        raise errors.PreconditionError(
            f'no operation of this model has the id {operation_id}, '
            f'but {len(there)} of other models have: see {", ".join(there)} in the bucket'
        )
    return there[0]


def _told(operation_id: str, text: str) -> Told:
    with telling(operation_id):
        op = operation.Operation.from_json(text)
        names = [field.name for field in dataclasses.fields(Message)]
        messages: list[dict[str, Any]] = json.loads(text).get('messages', [])
        told = tuple(Message(**{name: str(raw[name]) for name in names}) for raw in messages)
        return Told(op, told)


@contextlib.contextmanager
def telling(operation_id: str) -> Generator[None]:
    """Say of what cannot be told that it was changed: others may write to the bucket.

    Raises:
        ForeignRecordError: the history is not what `write` made.
    """
    try:
        yield
    except (
        LookupError,
        TypeError,
        ValueError,
        ArithmeticError,
        AttributeError,
        RecursionError,
    ) as error:
        raise errors.ForeignRecordError(
            f'the history of operation {operation_id} in {_FOLDER} cannot be read '
            f'({type(error).__name__}): it was changed'
        ) from None


def _checked(operation_id: str) -> str:
    if not object_keys.ID.fullmatch(operation_id):
        raise errors.PreconditionError(
            f'{operation_id[:40]!r} is not an operation id: ids look like 2026-08-22T10:15:00Z, '
            'show-operation earlier=true lists them'
        )
    return operation_id


def _expire(store: ports.ObjectStore, model_uuid: str) -> None:
    """Delete the oldest histories of this model, in a bounded number of requests.

    Names tell whose they are, and nothing is read: those of other models are theirs, and those
    that older revisions have left, whose names tell no model, stay.
    """
    # A request lists a thousand histories, oldest first. The ones to delete are among the first.
    looked_at = itertools.islice(store.list(_FOLDER), _LOOKED_AT)
    own = [item.key for item in looked_at if item.key.endswith(f'-{model_uuid}{_SUFFIX}')]
    # Ids are times, so the first key is the oldest.
    for name in own[:-MOST][:_AT_ONCE]:
        store.delete(name)
