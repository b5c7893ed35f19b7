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
    """Base of all errors that a person may read. Each message says what to do.

    Messages quote charms, controllers and buckets, so they are made plain here, before they are
    printed, logged or shown.
    """

    met_as = ''
    """The kind of failure that the metrics count; '' if they do not count it."""

    def __init__(self, message: str):
        super().__init__(plain.one_line(message, LONGEST))
        if self.met_as:
            met[self.met_as] += 1


class PreconditionError(CoordinatorError):
    """The request is refused: nothing was started or changed."""


class TransientError(CoordinatorError):
    """The outside did not answer as expected: the next dispatch retries the request."""


class Lacking(TransientError):
    """Something that a person must provide is missing. The message is the same each time."""


class StepError(CoordinatorError):
    """The step cannot succeed as things are: the operation is undone, or held for a person."""

    def __init__(self, message: str, task: int | None = None):
        super().__init__(message)
        self.task = task
        """Id of the Juju task that failed, if any. A resumed operation ignores this task."""


class RefusedError(StepError):
    """Nothing was changed, so the operation can be undone even at the pivot."""


class BegunError(StepError):
    """The step to undo has already replaced data: the operation continues instead."""


class RetryStepError(StepError):
    """This attempt was interrupted from outside: another attempt may succeed."""


class BlockedUnit(StepError):
    """A unit needs a person if it does not settle within a minute."""


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
    """A request with an effect got no answer: it may still take effect."""


class ControllerBusy(TransientError):
    """The controller is upgrading, migrating the model, or asks to try again."""

    met_as = CONTROLLER_UNANSWERED


class ShutOut(StepError):
    """The controller refuses access. An undo needs the same access, so the operation is held."""

    met_as = CONTROLLER_REFUSED


class UntrustedController(ShutOut):
    """The certificate of the controller is not signed by the known CA, or has another name."""


class NotAuthorised(ShutOut):
    """The Juju user may not log in, or may not do this in the model."""


class NotFound(StepError):
    """The named thing is not in the model or the bucket."""


class OperationBlocked(StepError):
    """`juju disable-command` forbids the change."""

    met_as = CONTROLLER_REFUSED


class ModelMoved(ShutOut):
    """The model has migrated to another controller."""


class AlreadyExists(StepError):
    """The thing to create already exists."""


class UnexpectedAnswer(StepError):
    """An answer does not have the shape that its protocol promises."""


# What the object store says.


class StoreUnavailable(TransientError):
    """S3 did not answer, or is temporarily unavailable."""

    met_as = S3_UNANSWERED


class StoreAnswerLost(StoreUnavailable, AnswerLost):
    """A request to store or delete an object got no answer: it may still take effect."""


class StoreRefused(StepError):
    """S3 refused for good: no such bucket, wrong keys, no permission."""

    met_as = S3_REFUSED


class ObjectArchived(StoreRefused):
    """The object exists, but cannot be read until it is thawed."""


# What MAAS says.


class MaasUnavailable(TransientError):
    """MAAS did not answer, or is temporarily unavailable."""


class MaasNotFound(Lacking):
    """Neither the secret of `maas-api-key` nor maas-region has reported the URL of MAAS."""


class MaasRefused(StepError):
    """MAAS does not allow this to the user of the API key."""


class MaasKeyRefused(MaasRefused):
    """The API key is not valid. A restore also returns the keys to the time of the backup."""


class MaasUnintelligible(UnexpectedAnswer):
    """The server at the URL of MAAS does not speak its API, or its answer is too large."""
