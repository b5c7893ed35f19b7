"""A Juju model in memory: what is deployed, and the rules by which it changes.

The rules are those of Juju 3.6 and 4.0: a unit runs one event at a time, a machine lock keeps its
units apart, removal is asynchronous, tasks and operations draw ids from one sequence, a change of
relation data wakes the units that can see it. What differs between the two versions *on the
wire* is the controller's business; what differs in behaviour asks `Model.juju4`.

`declared` is what a charm declares, `entities` what is in a model, `refusals` how it says no. The
rules are layers, each on the one before: `execution`, `relating`, `configuring`, `acting`, and
`deploying` with the whole `Model`.

Nothing here is thread-safe: everything happens on the clock's thread.
"""

from rehearsal.model.acting import COMMANDS, ActionCall
from rehearsal.model.configuring import secret_id
from rehearsal.model.declared import ActionSpec, CharmSpec, Endpoint, Option
from rehearsal.model.deploying import Model
from rehearsal.model.entities import (
    Agent,
    Application,
    Consumed,
    Event,
    JujuOperation,
    Kind,
    LogLine,
    Machine,
    Offer,
    Relation,
    Secret,
    Status,
    Storage,
    Task,
    Unit,
    User,
)
from rehearsal.model.refusals import (
    ActionFailed,
    ActionRejected,
    HookFailed,
    HookTerminated,
    ModelError,
    differing,
)

__all__ = [
    'COMMANDS',
    'ActionCall',
    'ActionFailed',
    'ActionRejected',
    'ActionSpec',
    'Agent',
    'Application',
    'CharmSpec',
    'Consumed',
    'Endpoint',
    'Event',
    'HookFailed',
    'HookTerminated',
    'JujuOperation',
    'Kind',
    'LogLine',
    'Machine',
    'Model',
    'ModelError',
    'Offer',
    'Option',
    'Relation',
    'Secret',
    'Status',
    'Storage',
    'Task',
    'Unit',
    'User',
    'differing',
    'secret_id',
]
