"""Shapes of what the controller answers, as far as the coordinator reads it.

Unknown fields are ignored, and null is the same as absent: Go writes empty maps and lists so.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

from coordinator import errors
from coordinator.juju_api import shapes, wire

Name = Annotated[str, shapes.From(str, wire.name_of)]
"""Out of a unit's or application's tag."""
StorageId = Annotated[str, shapes.From(str, wire.storage_id)]
SecretId = Annotated[str, shapes.From(str, wire.secret_id)]
TaskId = Annotated[int, shapes.From(str, wire.task_id)]
Time = Annotated[datetime.datetime | None, shapes.From(str, wire.time_of)]
Content = Annotated[Mapping[str, str], shapes.From(Mapping[str, str], wire.decoded)]
Results = Annotated[Mapping[str, str], shapes.From(Mapping[str, Any], wire.results)]
"""Of an action: flat, and texts."""

_Shape = TypeVar('_Shape', bound=shapes.Shape)


def read(shape: type[_Shape], response: object, what: str) -> _Shape:
    """Return the response to the call `what` in its shape."""
    try:
        return shape.read(response)
    except shapes.ShapeError as error:
        # An answer may hold secrets: the error has none of its values, and no cause that has.
        wrong = str(error)
    except RecursionError:
        wrong = 'nested too deep'
    raise unexpected(what, wrong)


def unexpected(what: str, wrong: str) -> errors.UnexpectedAnswer:
    """Return the error for an answer that breaks the API's promise."""
    return errors.UnexpectedAnswer(f'The answer to {what} has not the expected shape: {wrong}.')


class Error(shapes.Shape):
    """An error of one item among several."""

    message: str = ''
    code: str = ''


class ErrorResult(shapes.Shape):
    """One item of a call that answers with nothing but errors."""

    error: Error | None = None


class ErrorResults(shapes.Shape):
    """As many items as the call had."""

    results: Sequence[ErrorResult] = ()


class StringResult(ErrorResult):
    """One item, a string."""

    result: str = ''


class StringResults(shapes.Shape):
    """As many items as the call had."""

    results: Sequence[StringResult] = ()


# --- Login -----------------------------------------------------------------------------------


class HostPort(shapes.Shape):
    """One address of one controller."""

    value: str
    port: int
    type: str = ''
    scope: str = ''


class Redirect(shapes.Shape):
    """Where a model has gone, in the error of a login."""

    servers: Sequence[Sequence[HostPort]] = ()
    controller_alias: str = ''


class UserInfo(shapes.Shape):
    """Who has logged in."""

    identity: str = ''
    controller_access: str = ''
    model_access: str = ''


class FacadeVersions(shapes.Shape):
    """The versions offered of one facade."""

    name: str
    versions: Sequence[int] = ()


class Login(shapes.Shape):
    """A login that succeeded, or at least did not fail: without facades it is a refusal."""

    facades: Sequence[FacadeVersions] = ()
    user_info: UserInfo = UserInfo()
    server_version: str = ''


# --- Client ----------------------------------------------------------------------------------


class Status(shapes.Shape):
    """One status value; life is filled for applications' and agents' only."""

    status: str = ''
    info: str = ''
    life: str = ''


class UnitStatus(shapes.Shape):
    """A unit, with the subordinate units that live beside it."""

    machine: str = ''
    leader: bool = False
    workload_version: str = ''
    workload_status: Status = Status()
    agent_status: Status = Status()
    subordinates: Mapping[str, UnitStatus] = shapes.NOTHING


class ApplicationStatus(shapes.Shape):
    """An application; subordinate ones have no units of their own here."""

    charm: str
    charm_channel: str = ''
    charm_rev: int | None = None
    """Left out by local charms and for revision 0."""
    status: Status = Status()
    workload_version: str = ''
    units: Mapping[str, UnitStatus] = shapes.NOTHING


class RemoteApplicationStatus(shapes.Shape):
    """An application of another model that is consumed here."""

    offer_url: str = ''


class OfferStatus(shapes.Shape):
    """An offer of an application of this model; endpoints go by the names of the application."""

    application_name: str = ''
    endpoints: Mapping[str, Any] = shapes.NOTHING
    total_connected_count: int = 0


class MachineStatus(shapes.Shape):
    """A machine with its containers."""

    id: str
    instance_id: str = ''
    jobs: Sequence[str] = ()
    containers: Mapping[str, MachineStatus] = shapes.NOTHING


class EndpointStatus(shapes.Shape):
    """One side of a relation."""

    application: str
    name: str


class RelationStatus(shapes.Shape):
    """A relation."""

    id: int
    endpoints: Sequence[EndpointStatus] = ()


class ModelInfo(shapes.Shape):
    """The model itself."""

    name: str
    version: str = ''


class FullStatus(shapes.Shape):
    """All of a model."""

    model: ModelInfo
    applications: Mapping[str, ApplicationStatus] = shapes.NOTHING
    machines: Mapping[str, MachineStatus] = shapes.NOTHING
    relations: Sequence[RelationStatus] = ()
    remote_applications: Mapping[str, RemoteApplicationStatus] = shapes.NOTHING
    offers: Mapping[str, OfferStatus] = shapes.NOTHING
    controller_timestamp: Time = None


# --- Action ----------------------------------------------------------------------------------


class Action(shapes.Shape):
    """What was asked of whom."""

    tag: TaskId
    receiver: Name
    name: str
    parameters: Mapping[str, Any] = shapes.NOTHING


class ActionResult(ErrorResult):
    """A task. Without `action` it is only an error."""

    action: Action | None = None
    enqueued: Time = None
    started: Time = None
    completed: Time = None
    status: str = ''
    message: str = ''
    output: Results = shapes.NOTHING


class ActionResults(shapes.Shape):
    """As many items as the call had."""

    results: Sequence[ActionResult] = ()


class EnqueuedActions(shapes.Shape):
    """The tasks of a new Juju operation."""

    actions: Sequence[ActionResult] = ()


class OperationResult(ErrorResult):
    """A Juju operation with its tasks."""

    actions: Sequence[ActionResult] = ()


class CharmActions(ErrorResult):
    """The actions that one application's charm defines, by name."""

    actions: Mapping[str, Any] = shapes.NOTHING


class CharmActionsResults(shapes.Shape):
    """As many items as the call had."""

    results: Sequence[CharmActions] = ()


class OperationResults(shapes.Shape):
    """One page of a listing."""

    results: Sequence[OperationResult] = ()
    truncated: bool = False


# --- Application -----------------------------------------------------------------------------


class AddedUnits(shapes.Shape):
    """The names of new units."""

    units: Sequence[str] = ()


class ConfigValue(shapes.Shape):
    """One option; without a value it is unset."""

    value: Any = None


class ApplicationConfig(shapes.Shape):
    """The options of an application."""

    config: Mapping[str, ConfigValue] = shapes.NOTHING


# --- Secrets and storage ---------------------------------------------------------------------


class SecretValue(ErrorResult):
    """The content of a secret."""

    data: Content = shapes.NOTHING


class SecretResult(shapes.Shape):
    """A secret, with its content when that was asked for."""

    uri: SecretId
    owner_tag: str = ''
    label: str = ''
    update_time: Time = None
    value: SecretValue | None = None


class SecretResults(shapes.Shape):
    """The secrets that pass a filter."""

    results: Sequence[SecretResult] = ()


class Attachment(shapes.Shape):
    """Storage attached to a unit."""

    unit_tag: Name


class StorageDetails(shapes.Shape):
    """A storage instance."""

    storage_tag: StorageId
    owner_tag: Name = ''
    life: str = ''
    attachments: Mapping[str, Attachment] = shapes.NOTHING


class StorageResult(ErrorResult):
    """What passes one filter."""

    result: Sequence[StorageDetails] = ()


class StorageResults(shapes.Shape):
    """One item a filter."""

    results: Sequence[StorageResult] = ()
