"""What Juju forbids a user: for want of access, or because a command is disabled."""

from __future__ import annotations

from rehearsal import model

LEVELS = ('', 'read', 'write', 'admin')
"""Of access to a model, the lowest first."""

_BLOCKED_BY = {'change': ('all',), 'remove': ('remove-object', 'all')}
"""Kind of change to the sets of `juju disable-command` that forbid it."""


def allows(user: model.User, access: str) -> bool:
    """Whether a user has this access to the model: '', read, write or admin."""
    if user.controller_access == 'superuser':
        return True
    return LEVELS.index(user.model_access) >= LEVELS.index(access)


def check_access(user: model.User, access: str) -> None:
    """Refuse a user who lacks this access to the model."""
    if not allows(user, access):
        raise model.ModelError('permission denied', 'unauthorized access')


def check_blocked(juju: model.Model, kind: str) -> None:
    """Refuse a `change` or a `remove` that `juju disable-command` forbids."""
    for name in _BLOCKED_BY[kind]:
        if name in juju.blocked:
            message = juju.blocked[name] or 'the operation has been blocked'
            raise model.ModelError(message, 'operation is blocked')
