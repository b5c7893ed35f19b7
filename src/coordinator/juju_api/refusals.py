"""The controller's errors as ours: what happens next, and what a person can do about it."""

from __future__ import annotations

import dataclasses
import re

from coordinator import errors

# Some of these come without a code, or with another one than they should: the text decides.
_BUSY_TEXTS = ('migration in progress', 'maintenance in progress', 'upgrade in progress')
_BUSY_CODES = frozenset(
    {'upgrade in progress', 'try again', 'excessive contention', 'lease claim denied'}
)
_LOGIN_CODES = frozenset(
    {
        'discharge required',
        'macaroon discharge required',
        'no credentials provided',
        'login expired',
        'access required',
    }
)

CHECK_CREDENTIALS = (
    'Check `username` and `password` in the secret that the option juju-credentials names'
)


@dataclasses.dataclass(frozen=True)
class Caller:
    """Who asked: the advice in an error names the user and the model."""

    user: str
    model_uuid: str

    @property
    def grant(self) -> str:
        """What gives the user all that the coordinator needs."""
        return f'juju grant {self.user} admin {self.model_uuid}'


def translate(what: str, message: str, code: str, caller: Caller) -> errors.CoordinatorError:
    """Return the error for what the controller said to the call `what`."""
    said = f'{what}: {message}'
    if code in _BUSY_CODES or any(text in message for text in _BUSY_TEXTS):
        return errors.ControllerBusy(
            f'The controller is busy ({said}); the coordinator retries the request.'
        )
    if code == 'unauthorized access':
        return _unauthorised(message, said, caller)
    if code in _LOGIN_CODES:
        return errors.NotAuthorised(f'{said}. {CHECK_CREDENTIALS}.')
    if code == 'operation is blocked':
        return errors.OperationBlocked(
            f'{said or "blocked"}. `juju disabled-commands` shows what is disabled; run '
            f'{_enabling(what)}.'
        )
    if code == 'redirection required':
        return errors.ModelMoved(f'The model has moved to another controller ({said}).')
    if code == 'not implemented':
        return errors.UnexpectedAnswer(f'This controller does not know the call: {said}.')
    # Both versions sometimes omit the code, 4.0 often: then the text decides.
    if code.endswith('not found') or (not code and _is_missing(message)):
        return errors.NotFound(said)
    if code == 'already exists' or (not code and 'already exists' in message):
        return errors.AlreadyExists(said)
    return errors.StepError(said)


_REMOVALS = ('Application.Destroy', 'Storage.Remove')
"""How calls begin that `juju disable-command remove-object` forbids; `all` forbids any."""


def _enabling(what: str) -> str:
    everything = '`juju enable-command all`'
    if what.startswith(_REMOVALS):
        return f'`juju enable-command remove-object` or {everything}'
    return everything


# The last is how 3.6 says that an application has no such endpoint.
_MISSING = re.compile(r'.* not found|.*does not exist.*|.* has no "[^"]*" relation', re.DOTALL)


def _is_missing(message: str) -> bool:
    return _MISSING.fullmatch(message) is not None


def _unauthorised(message: str, said: str, caller: Caller) -> errors.NotAuthorised:
    if 'invalid entity name or password' in message:
        return errors.NotAuthorised(
            f'The controller does not let "{caller.user}" in: {message}. {CHECK_CREDENTIALS}.'
        )
    return errors.NotAuthorised(
        f'The Juju user "{caller.user}" may not do this ({said}). Run `{caller.grant}`.'
    )
