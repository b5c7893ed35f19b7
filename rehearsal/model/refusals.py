"""How a model and its agents say no."""

from __future__ import annotations


class ModelError(Exception):
    """A refusal, in Juju's words. `code` is the API's error code; empty where Juju gives none."""

    def __init__(self, message: str, code: str = ''):
        super().__init__(message)
        self.code = code


def differing(juju4: bool, in_3: tuple[str, str], in_4: tuple[str, str]) -> ModelError:
    """Return a refusal that the two Jujus word, or code, in their own ways."""
    return ModelError(*(in_4 if juju4 else in_3))


class HookFailed(Exception):
    """Raised by an agent: the hook ended with an error and will be retried."""


class HookTerminated(Exception):
    """Raised by an agent: the hook's process was killed; it is run again at once."""


class ActionFailed(Exception):
    """Raised by an agent: the action ends failed with this message."""


class ActionRejected(ActionFailed):
    """Raised by an agent before it runs an action: the task ends in error, never started."""
