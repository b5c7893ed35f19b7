"""Shapes of what the controller answers, as far as the coordinator reads it.

Unknown fields are ignored, and null is the same as absent: Go writes empty maps and lists so.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import pydantic

from coordinator import errors
from coordinator.juju_api import wire

Name = Annotated[str, pydantic.AfterValidator(wire.name_of)]
"""Out of a unit's or application's tag."""
StorageId = Annotated[str, pydantic.AfterValidator(wire.storage_id)]
SecretId = Annotated[str, pydantic.AfterValidator(wire.secret_id)]
TaskId = Annotated[int, pydantic.BeforeValidator(lambda tag: wire.task_id(str(tag)))]
Time = Annotated[
    datetime.datetime | None, pydantic.BeforeValidator(lambda text: wire.time_of(str(text)))
]
Content = Annotated[dict[str, str], pydantic.AfterValidator(wire.decoded)]
Results = Annotated[dict[str, Any], pydantic.AfterValidator(wire.results)]
"""Of an action: flat, and texts."""


class Answer(pydantic.BaseModel):
    """Base of all shapes."""

    model_config = pydantic.ConfigDict(
        frozen=True,
        alias_generator=lambda name: name.replace('_', '-'),
        # An answer may hold secrets, and errors are shown to people.
        hide_input_in_errors=True,
        defer_build=True,
    )

    @pydantic.model_validator(mode='before')
    @classmethod
    def _without_nulls(cls, values: object) -> object:
        if isinstance(values, Mapping):
            return {key: value for key, value in values.items() if value is not None}
        return values


_Shape = TypeVar('_Shape', bound=Answer)


def read(shape: type[_Shape], response: object, what: str) -> _Shape:
    """Return the response to the call `what` in its shape."""
    try:
        return shape.model_validate(response)
    except pydantic.ValidationError as error:
        wrong = '; '.join(
            f'{".".join(str(part) for part in entry["loc"])}: {entry["type"]}'
            for entry in error.errors(
                include_url=False, include_context=False, include_input=False
            )
        )
    raise unexpected(what, wrong)


def unexpected(what: str, wrong: str) -> errors.UnexpectedAnswer:
    """Return the error for an answer that breaks the API's promise."""
    return errors.UnexpectedAnswer(f'The answer to {what} has not the expected shape: {wrong}.')


class Error(Answer):
    """An error of one item among several."""

    message: str = ''
    code: str = ''


class ErrorResult(Answer):
    """One item of a call that answers with nothing but errors."""

    error: Error | None = None


class ErrorResults(Answer):
    """As many items as the call had."""

    results: list[ErrorResult] = []


class StringResult(ErrorResult):
    """One item, a string."""

    result: str = ''


class StringResults(Answer):
    """As many items as the call had."""

    results: list[StringResult] = []


# --- Login -----------------------------------------------------------------------------------


class HostPort(Answer):
    """One address of one controller."""

    value: str
    port: int
    type: str = ''
    scope: str = ''


class Redirect(Answer):
    """Where a model has gone, in the error of a login."""

    servers: list[list[HostPort]] = []
    controller_alias: str = ''


class UserInfo(Answer):
    """Who has logged in."""

    identity: str = ''
    controller_access: str = ''
    model_access: str = ''


class FacadeVersions(Answer):
    """The versions offered of one facade."""

    name: str
    versions: list[int] = []


class Login(Answer):
    """A login that succeeded, or at least did not fail: without facades it is a refusal."""

    facades: list[FacadeVersions] = []
    user_info: UserInfo = UserInfo()
    server_version: str = ''


# --- Client ----------------------------------------------------------------------------------


class Status(Answer):
    """One status value; life is filled for applications' and agents' only."""

    status: str = ''
    info: str = ''
    life: str = ''


class UnitStatus(Answer):
    """A unit, with the subordinate units that live beside it."""

    machine: str = ''
    leader: bool = False
    workload_version: str = ''
    workload_status: Status = Status()
    agent_status: Status = Status()
    subordinates: dict[str, UnitStatus] = {}


class ApplicationStatus(Answer):
    """An application; subordinate ones have no units of their own here."""

    charm: str
    charm_channel: str = ''
    charm_rev: int | None = None
    """Left out by local charms and for revision 0."""
    status: Status = Status()
    workload_version: str = ''
    units: dict[str, UnitStatus] = {}


class RemoteApplicationStatus(Answer):
    """An application of another model that is consumed here."""

    offer_url: str = ''


class OfferStatus(Answer):
    """An offer of an application of this model; endpoints go by the names of the application."""

    application_name: str = ''
    endpoints: dict[str, Any] = {}
    total_connected_count: int = 0


class MachineStatus(Answer):
    """A machine with its containers."""

    id: str
    instance_id: str = ''
    jobs: list[str] = []
    containers: dict[str, MachineStatus] = {}


class EndpointStatus(Answer):
    """One side of a relation."""

    application: str
    name: str


class RelationStatus(Answer):
    """A relation."""

    id: int
    endpoints: list[EndpointStatus] = []


class ModelInfo(Answer):
    """The model itself."""

    name: str
    version: str = ''


class FullStatus(Answer):
    """All of a model."""

    model: ModelInfo
    applications: dict[str, ApplicationStatus] = {}
    machines: dict[str, MachineStatus] = {}
    relations: list[RelationStatus] = []
    remote_applications: dict[str, RemoteApplicationStatus] = {}
    offers: dict[str, OfferStatus] = {}
    controller_timestamp: Time = None


# --- Action ----------------------------------------------------------------------------------


class Action(Answer):
    """What was asked of whom."""

    tag: TaskId
    receiver: Name
    name: str
    parameters: dict[str, Any] = {}


class ActionResult(ErrorResult):
    """A task. Without `action` it is only an error."""

    action: Action | None = None
    enqueued: Time = None
    started: Time = None
    completed: Time = None
    status: str = ''
    message: str = ''
    output: Results = {}


class ActionResults(Answer):
    """As many items as the call had."""

    results: list[ActionResult] = []


class EnqueuedActions(Answer):
    """The tasks of a new Juju operation."""

    actions: list[ActionResult] = []


class OperationResult(ErrorResult):
    """A Juju operation with its tasks."""

    actions: list[ActionResult] = []


class CharmActions(ErrorResult):
    """The actions that one application's charm defines, by name."""

    actions: dict[str, Any] = {}


class CharmActionsResults(Answer):
    """As many items as the call had."""

    results: list[CharmActions] = []


class OperationResults(Answer):
    """One page of a listing."""

    results: list[OperationResult] = []
    truncated: bool = False


# --- Application -----------------------------------------------------------------------------


class AddedUnits(Answer):
    """The names of new units."""

    units: list[str] = []


class ConfigValue(Answer):
    """One option; without a value it is unset."""

    value: Any = None


class ApplicationConfig(Answer):
    """The options of an application."""

    config: dict[str, ConfigValue] = {}


# --- Secrets and storage ---------------------------------------------------------------------


class SecretValue(ErrorResult):
    """The content of a secret."""

    data: Content = {}


class SecretResult(Answer):
    """A secret, with its content when that was asked for."""

    uri: SecretId
    owner_tag: str = ''
    label: str = ''
    update_time: Time = None
    value: SecretValue | None = None


class SecretResults(Answer):
    """The secrets that pass a filter."""

    results: list[SecretResult] = []


class Attachment(Answer):
    """Storage attached to a unit."""

    unit_tag: Name


class StorageDetails(Answer):
    """A storage instance."""

    storage_tag: StorageId
    owner_tag: Name = ''
    life: str = ''
    attachments: dict[str, Attachment] = {}


class StorageResult(ErrorResult):
    """What passes one filter."""

    result: list[StorageDetails] = []


class StorageResults(Answer):
    """One item a filter."""

    results: list[StorageResult] = []
