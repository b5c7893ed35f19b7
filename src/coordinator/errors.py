"""What can go wrong, sorted by what happens next."""

from __future__ import annotations

import collections

from coordinator import plain

LONGEST = 8 << 10
"""Bytes of one message: Juju takes it as an argument of a program."""
S3_UNANSWERED, S3_REFUSED = 's3-unanswered', 's3-refused'
CONTROLLER_UNANSWERED, CONTROLLER_REFUSED = 'controller-unanswered', 'controller-refused'
met: collections.Counter[str] = collections.Counter()
"""How many failures of S3 and the controller this process has met, for the metrics."""


class CoordinatorError(Exception):
    """Base of all errors that a person may read: each message says what to do about it.

    Messages quote charms, controllers and buckets, and are printed, logged and shown as they are:
    so they are made plain here, once.
    """

    met_as = ''
    """What the metrics count it as; '' if they do not."""

    def __init__(self, message: str):
        super().__init__(plain.one_line(message, LONGEST))
        if self.met_as:
            met[self.met_as] += 1


class PreconditionError(CoordinatorError):
    """Nothing has begun and nothing was changed: the request is refused."""


class TransientError(CoordinatorError):
    """The outside did not answer as it should: the next dispatch tries again."""


class Lacking(TransientError):
    """What a person must give is missing, in words that are the same each time it is found so."""


class StepError(CoordinatorError):
    """The step cannot succeed as things are: the operation is undone, or held for a person."""

    def __init__(self, message: str, task: int | None = None):
        super().__init__(message)
        self.task = task
        """The Juju task that failed, when it was one: a resumed operation looks past it."""


class RefusedError(StepError):
    """Nothing was touched, so the operation can be undone even from the pivot."""


class BegunError(StepError):
    """What should be undone has replaced data by now: nothing goes back, the operation goes on."""


class RetryStepError(StepError):
    """This attempt came to nothing, through no fault of its own: another attempt may succeed."""


class BlockedUnit(StepError):
    """A unit needs a person, unless it settles within a minute by itself."""


class AgentLost(StepError):
    """The agent of a unit with a running task is lost: the task may never end."""


class NeedsDecision(StepError):
    """Neither continuing nor undoing is safe: the operation is held for a person."""


class ForeignRecordError(CoordinatorError):
    """A stored document was written by a newer version than this one: it is left untouched."""


# What the controller says. Adapters raise these; steps may let them pass.


class ConnectionFailed(TransientError):
    """No controller address answered, or the connection broke in mid-call."""

    met_as = CONTROLLER_UNANSWERED


class AnswerLost(ConnectionFailed):
    """A request with an effect was sent, and no answer came: it may take effect yet."""


class ControllerBusy(TransientError):
    """The controller is upgrading, migrating the model, or asks to try again."""

    met_as = CONTROLLER_UNANSWERED


class ShutOut(StepError):
    """The controller refuses access. An undo needs the same access, so the operation is held."""

    met_as = CONTROLLER_REFUSED


class UntrustedController(ShutOut):
    """The controller's certificate is not vouched for by the CA that is known."""


class NotAuthorised(ShutOut):
    """The Juju user may not log in, or may not do this in the model."""


class NotFound(StepError):
    """The thing named is not in the model, or not in the bucket."""


class OperationBlocked(StepError):
    """`juju disable-command` forbids the change."""

    met_as = CONTROLLER_REFUSED


class ModelMoved(ShutOut):
    """The model has migrated to another controller."""


class AlreadyExists(StepError):
    """What should be made is there already."""


class UnexpectedAnswer(StepError):
    """An answer does not have the shape that its protocol promises."""


# What the object store says.


class StoreUnavailable(TransientError):
    """S3 did not answer, or answered that it cannot just now."""

    met_as = S3_UNANSWERED


class StoreAnswerLost(StoreUnavailable, AnswerLost):
    """Something was to be stored or deleted, and no answer came: it may take effect yet."""


class StoreRefused(StepError):
    """S3 refused for good: no such bucket, wrong keys, no permission."""

    met_as = S3_REFUSED


class ObjectArchived(StoreRefused):
    """The object exists, but cannot be read until it is thawed."""


# What MAAS says.


class MaasUnavailable(TransientError):
    """MAAS did not answer, or answered that it cannot just now."""


class MaasNotFound(Lacking):
    """Neither the secret of `maas-api-key` nor maas-region has said where MAAS is."""


class MaasRefused(StepError):
    """MAAS does not allow this to the user of the API key."""


class MaasKeyRefused(MaasRefused):
    """The API key is not valid: a restore puts those of the backup in force again."""


class MaasUnintelligible(UnexpectedAnswer):
    """What answers at MAAS' address does not speak its API, or its answer is far too large."""
