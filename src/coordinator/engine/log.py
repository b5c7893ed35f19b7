"""Log lines about operations: adds their names, and logs faults in our code."""

from __future__ import annotations

import contextlib
import logging
import traceback
from collections.abc import Generator

from coordinator.engine import operation

logger = logging.getLogger(__name__)


def fault(where: str, error: Exception) -> str:
    """Log a fault in our code, and return a message about it.

    Its text may hold anything, so the answer names only its kind and its place.
    """
    kind = type(error).__name__
    logger.error('%s: %s\n%s', where, kind, ''.join(traceback.format_tb(error.__traceback__)))
    return f'internal error ({kind}), the traceback is in juju debug-log'


@contextlib.contextmanager
def naming(op: operation.Operation) -> Generator[None]:
    """Put where an operation is before each line of ours that does not begin with its id."""

    def name(line: logging.LogRecord) -> bool:
        ours = line.name.startswith('coordinator.')
        if ours and not line.getMessage().startswith(op.id):
            line.msg = f'{op.at}: {line.msg}'
        return True

    # A logger's filters see only what is logged on that very logger, a handler's see all.
    handlers = tuple(logging.getLogger().handlers)
    for handler in handlers:
        handler.addFilter(name)
    try:
        yield
    finally:
        for handler in handlers:
            handler.removeFilter(name)
