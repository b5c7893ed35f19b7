"""How a model and its agents say no."""

from __future__ import annotations


class ModelError(Exception):
    """A refusal, in Juju's words. `code` is the API's error code; empty where Juju gives none."""

    def __init__(self, message: str, code: str = ''):
        super().__init__(message)
        self.code = code


class HookFailed(Exception):
    """Raised by an agent: the hook ended with an error and will be retried."""


class HookTerminated(Exception):
    """Raised by an agent: the hook's process was killed; it is run again at once."""


class ActionFailed(Exception):
    """Raised by an agent: the action ends failed with this message."""
