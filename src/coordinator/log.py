"""Names the operation in what adapters log, which know nothing of operations."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Generator

from coordinator import operation


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
