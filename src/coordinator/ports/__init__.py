"""What steps may ask of the outside, and the plain data that comes back.

Adapters answer: `juju_api` for `JujuModel`, `s3` for `ObjectStore`; the rehearsal's in-memory
model answers for both in tests. `tests/contract/` holds every adapter to the same behaviour.
All names are Juju names (`postgresql/0`, never tags) and all times are aware UTC datetimes.
"""

from __future__ import annotations

from coordinator.ports.calendars import Calendars
from coordinator.ports.effects import effect, effects_of, looks_of
from coordinator.ports.juju import Access, JujuModel, Secret, Storage, Task
from coordinator.ports.reader import Reader, Reading
from coordinator.ports.signer import Signer
from coordinator.ports.status import Application, Machine, ModelStatus, Offer, Relation, Unit
from coordinator.ports.store import ObjectStore, StoredObject, Upload, UploadedPart
from coordinator.ports.world import World

__all__ = [
    'Access',
    'Application',
    'Calendars',
    'JujuModel',
    'Machine',
    'ModelStatus',
    'ObjectStore',
    'Offer',
    'Reader',
    'Reading',
    'Relation',
    'Secret',
    'Signer',
    'Storage',
    'StoredObject',
    'Task',
    'Unit',
    'Upload',
    'UploadedPart',
    'World',
    'effect',
    'effects_of',
    'looks_of',
]
