"""Decides which backup sets a policy keeps. Pure: other modules delete.

Each rule counts separately. It goes from the newest set to the oldest, keeps the newest set of
each of its periods, and ends when it has kept its number of sets. A set is kept if any rule keeps
it. What follows from that, and why it is so and not otherwise: docs/explanation/retention.md.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
from collections.abc import Iterable, Sequence

from coordinator import object_keys, times
from coordinator.sets import rules

COMPLETE = 'complete'
INCONSISTENT = 'inconsistent'
"""All of it is there, but images changed while it was made: MAAS may not come up from it."""
DATABASE_EXPIRED = 'database-expired'
"""Complete once. pgBackRest's repository was read, and has the set's label no more."""
DAMAGED = 'damaged'
"""Complete once. verify-backup has found objects of it missing, or other than they were."""
ARCHIVED = 'archived'
"""Complete. verify-backup has found objects of it in an archive of S3, to be thawed first."""
FAILED = 'failed'
"""It never became complete, or objects of it are missing."""
UNREADABLE = 'unreadable'
"""Its manifest is damaged, or belongs to another set."""
NEWER = 'newer'
"""Its manifest has a version that this revision does not know."""

WHOLE = frozenset({COMPLETE, INCONSISTENT})
"""Sets of which every object is there, as far as that is known."""

_LEFT_ALONE = {
    DAMAGED: 'verify-backup found it damaged: only delete-backup deletes it',
    ARCHIVED: 'S3 keeps it in an archive: only delete-backup deletes it',
    FAILED: 'not complete: only delete-backup deletes it',
    UNREADABLE: 'its manifest cannot be read: only delete-backup deletes it',
    NEWER: 'written by a newer revision of the charm, so not deleted: refresh the charm',
}
_OTHER_MODEL = 'of another model, so not deleted'
_NO_TIME = 'its id is not a valid time, so not deleted'
_FUTURE = 'dated in the future, so not deleted before that time'
_PINNED = 'pinned'
_IN_USE = 'in use by {}'
_ELSEWHERE = 'its files are in {}, so not deleted'


@dataclasses.dataclass(frozen=True)
class BackupSet:
    """What retention looks at of a backup set."""

    backup_id: str
    model_uuid: str = ''
    state: str = COMPLETE
    pinned: bool = False
    """Whether keep-backup exempts it."""
    in_use: str = ''
    """The restore that uses it, if any. The rules treat it like any other set."""
    elsewhere: str = ''
    """Bucket and path of its files, if they are in another repository: it counts all the same."""

    @functools.cached_property
    def time(self) -> datetime.datetime | None:
        """When its backup began, UTC; None for an id that has only the form of a time."""
        if not object_keys.ID.fullmatch(self.backup_id):
            return None
        try:
            return times.parse_stamp(self.backup_id)
        except ValueError:
            return None


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Whether a set is kept, and why."""

    backup_set: BackupSet
    rules: tuple[str, ...] = ()
    """Those that keep it."""
    exempt: str = ''
    """Why no rule is needed to keep it; '' if one is."""

    @property
    def goes(self) -> bool:
        """Whether it is to be deleted."""
        return not self.rules and not self.exempt

    @property
    def reason(self) -> str:
        """Why it is kept, for people; '' if it is deleted."""
        return ', '.join(filter(None, (self.exempt, *self.rules)))


def verdicts(
    sets: Iterable[BackupSet], policy: rules.Policy, model_uuid: str, now: datetime.datetime
) -> list[Verdict]:
    """Judge backup sets, each of another id; oldest first.

    Args:
        sets: all of the repository, in any order.
        policy: the rules.
        model_uuid: the model whose sets may go.
        now: the time.
    """
    ordered = sorted(sets, key=lambda item: item.backup_id)
    left_alone = {item.backup_id: _left_alone(item, model_uuid, now) for item in ordered}
    judged = [item for item in ordered if not left_alone[item.backup_id]]
    # A set without its database part must not replace a set that can be restored. But it is kept
    # as long as with its database part: only an existing set can be reported, and a wrong reading
    # of pgBackRest's repository must not delete sets.
    restorable = [item for item in judged if item.state == COMPLETE]
    kept = {
        rule: _kept(rule, count, restorable) | _kept(rule, count, judged)
        for rule, count in policy.rules.items()
    }

    def verdict(item: BackupSet) -> Verdict:
        name = item.backup_id
        exempt = left_alone[name] or (_PINNED if item.pinned else '')
        if item.in_use:
            exempt = exempt or _IN_USE.format(item.in_use)
        if item.elsewhere:
            exempt = exempt or _ELSEWHERE.format(item.elsewhere)
        if not policy.rules:
            exempt = exempt or str(policy)
        return Verdict(item, tuple(r for r, names in kept.items() if name in names), exempt)

    return [verdict(item) for item in ordered]


def _left_alone(item: BackupSet, model_uuid: str, now: datetime.datetime) -> str:
    """Return why a set is neither deleted nor counted; '' if the rules apply to it."""
    if item.state in _LEFT_ALONE:
        return _LEFT_ALONE[item.state]
    if item.model_uuid != model_uuid:
        return _OTHER_MODEL
    if item.time is None:
        return _NO_TIME
    # After a clock that was years ahead, such a set would be the newest for years, and every new
    # set would be deleted immediately.
    return _FUTURE if item.time > now else ''


def _kept(rule: str, count: int, sets: Sequence[BackupSet]) -> set[str]:
    """Return the ids that a rule keeps of these sets, which come oldest first."""
    period = rules.PERIODS[rule]
    newest = {period(item.time): item.backup_id for item in sets if item.time}
    return set(list(newest.values())[-count:])
