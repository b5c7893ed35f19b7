"""The history of operations in the repository: for people, and for when the model is gone.

The record in the peer databag is what counts; nothing is ever read back from here to decide.
"""

from __future__ import annotations

import json
import logging

from coordinator import errors, operation, ports

logger = logging.getLogger(__name__)


def key(operation_id: str) -> str:
    """Key of an operation's history."""
    return f'coordinator/operations/{operation_id}.json'


def write(op: operation.Operation, world: ports.World) -> None:
    """Store how far an operation has come; that S3 does not take it stops no operation."""
    try:
        text = json.dumps(json.loads(op.to_json()), indent=2)
        world.maas_store.put(key(op.id), text.encode())
    except Exception as error:
        # Whatever it is: the record is what counts, and this is only a copy for people.
        reason = str(error) if isinstance(error, errors.CoordinatorError) else type(error).__name__
        logger.warning('%s: its history was not stored: %s', op.id, reason)
