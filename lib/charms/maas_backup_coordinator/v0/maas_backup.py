"""Request a fresh backup set of charmed MAAS, and read how old the newest good one is.

A charm that is about to do something risky to MAAS or its database, such as a refresh or a
migration, relates to the charm `maas-backup-coordinator` over the interface `maas_backup`. It
requests a backup set and gets an event: the set is ready, or there is none, with the reason.

Declare the endpoint in `charmcraft.yaml`:

```yaml
requires:
  backup:
    interface: maas_backup
    limit: 1
    optional: true
```

Create the requirer in `__init__` of the charm, and handle its two events:

```python
from charms.maas_backup_coordinator.v0 import maas_backup


class RiskyCharm(ops.CharmBase):
    def __init__(self, framework: ops.Framework):
        super().__init__(framework)
        self.backup = maas_backup.MaasBackupRequirer(self, 'backup')
        framework.observe(self.on.prepare_action, self._on_prepare)
        framework.observe(self.backup.on.backup_ready, self._on_backup_ready)
        framework.observe(self.backup.on.backup_failed, self._on_backup_failed)

    def _on_prepare(self, event: ops.ActionEvent):
        newest = self.backup.newest
        if newest is not None and newest.age() < datetime.timedelta(hours=1):
            self._migrate()
        else:
            # Only the leader may request. The events come in later hooks.
            self.backup.request_backup()

    def _on_backup_ready(self, event: maas_backup.BackupReadyEvent):
        logger.info('backup set %s is ready', event.backup_set.backup_id)
        self._migrate()

    def _on_backup_failed(self, event: maas_backup.BackupFailedEvent):
        logger.error('there is no backup: %s', event.reason)
```

What to know:

- A set is fresh: its backup began after the coordinator had read the request. Requests of several
  applications that wait for the same backup share it.
- A backup takes minutes to hours, and waits up to an hour for an operation that is running.
- A request is answered once. After a failure, request again: each call of `request_backup` makes a
  new request, which replaces the one before. After failures the coordinator makes pauses of up to
  16 minutes, so a charm may request again at once.
- Both events come on the leader only. Each comes at least once: after a hook that fails, Juju runs
  the hook again, and the event comes again.
- The requirer cannot choose options of the backup, and sees no secret.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import logging
import re
import uuid
from typing import Any

import ops

LIBID = 'b6a0f5b1d3c94e7f9c1f0f8d2a7e4c65'
LIBAPI = 0
LIBPATCH = 1
PYDEPS = ['ops>=2.10']

logger = logging.getLogger(__name__)

VERSION = 1
"""Of the documents in the databags. A newer one is not understood."""
LONGEST = 4096
"""Bytes of a document: a longer one is not read."""
WAITING, RUNNING, READY, FAILED, REFUSED = 'waiting', 'running', 'ready', 'failed', 'refused'
STATES = (WAITING, RUNNING, READY, FAILED, REFUSED)
"""Of an answer. The last three end it: failed means that a backup was begun, refused that none
was."""
OBJECTS, DEEP = 'objects', 'deep'
"""How a set was verified: all objects are in S3; every object was read."""

_REQUEST, _ANSWERED, _ANSWER, _NEWEST = 'request', 'answered', 'answer', 'newest'
"""Keys of the application databags: the first two of the requirer, the others of the provider."""
_REQUEST_ID = re.compile(r'[A-Za-z0-9][A-Za-z0-9._-]{0,63}')
_BACKUP_ID = re.compile(r'[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}Z')
_LONGEST_REASON = 400


class InvalidDocument(ValueError):
    """What the other side has put into its databag cannot be used; says why."""


class NotRelated(RuntimeError):
    """There is no relation over which a backup could be requested."""


class NotLeader(RuntimeError):
    """Only the leader of an application may request a backup, or take the request back."""


@dataclasses.dataclass(frozen=True)
class BackupSet:
    """A complete backup set."""

    backup_id: str
    """As the actions of the coordinator name it."""
    verified: str = OBJECTS
    """How it was verified: OBJECTS or DEEP."""
    proven: bool = False
    """Whether a restore of this set was compared with what MAAS held, without a difference."""

    @property
    def began(self) -> datetime.datetime:
        """When its backup began: what MAAS held then is in it."""
        return _time(self.backup_id)

    def age(self, now: datetime.datetime | None = None) -> datetime.timedelta:
        """Return how old it is, by the clock of this unit."""
        return (now or datetime.datetime.now(datetime.timezone.utc)) - self.began

    def as_dict(self) -> dict[str, Any]:
        """Return it as it is in a databag."""
        return {'backup-id': self.backup_id, 'verified': self.verified, 'proven': self.proven}

    @classmethod
    def from_dict(cls, raw: object) -> BackupSet:
        """Read what `as_dict` made.

        Raises:
            InvalidDocument: it is something else.
        """
        if not isinstance(raw, dict):
            raise InvalidDocument('a backup set is no object')
        found: dict[str, Any] = raw
        backup_id, verified = found.get('backup-id'), found.get('verified')
        if not isinstance(backup_id, str) or verified not in (OBJECTS, DEEP):
            raise InvalidDocument('a backup set has no usable backup-id or verified')
        _time(backup_id)
        return cls(backup_id, verified, found.get('proven') is True)


@dataclasses.dataclass(frozen=True)
class Answer:
    """What became of a request so far."""

    request_id: str
    state: str
    """One of STATES."""
    reason: str = ''
    """Why it waits, failed or was refused; of a set that is ready, what is left to do."""
    backup_set: BackupSet | None = None
    """The set of a request that is READY."""

    @property
    def ended(self) -> bool:
        """Whether it will not change again."""
        return self.state in (READY, FAILED, REFUSED)

    def to_json(self) -> str:
        """Return it as it is in a databag; equal answers give equal text."""
        made: dict[str, Any] = {
            'version': VERSION,
            'request': self.request_id,
            'state': self.state,
            'reason': self.reason,
        }
        if self.backup_set is not None:
            made['set'] = self.backup_set.as_dict()
        return json.dumps(made, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Answer:
        """Read what `to_json` made.

        Raises:
            InvalidDocument: it is something else.
        """
        raw = _document(text)
        request_id, state, reason = raw.get('request'), raw.get('state'), raw.get('reason', '')
        if not isinstance(request_id, str) or not isinstance(reason, str) or state not in STATES:
            raise InvalidDocument('the answer has no usable request, state or reason')
        found = BackupSet.from_dict(raw.get('set')) if state == READY else None
        return cls(request_id[:64], state, _plain(reason), found)


def request_to_json(request_id: str) -> str:
    """Return a request as it is in a databag.

    Raises:
        ValueError: this can be no id of a request.
    """
    _check_id(request_id)
    return json.dumps({'version': VERSION, 'id': request_id}, sort_keys=True)


def request_from_json(text: str) -> str:
    """Return the id of a request.

    Raises:
        InvalidDocument: it is no request.
    """
    request_id = _document(text).get('id')
    if not isinstance(request_id, str):
        raise InvalidDocument('the request has no id')
    return _check_id(request_id)


def _check_id(request_id: str) -> str:
    if not _REQUEST_ID.fullmatch(request_id):
        raise InvalidDocument(
            'the id of a request has 1 to 64 letters, digits, dots, hyphens and underscores, '
            'and begins with a letter or digit'
        )
    return request_id


def _document(text: str) -> dict[str, Any]:
    if len(text.encode(errors='replace')) > LONGEST:
        raise InvalidDocument(f'it has more than {LONGEST} bytes')
    try:
        raw: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidDocument('it is no JSON') from None
    if not isinstance(raw, dict):
        raise InvalidDocument('it is no JSON object')
    found: dict[str, Any] = raw
    version = found.get('version')
    if type(version) is not int or version < 1:
        raise InvalidDocument('it has no version')
    if version > VERSION:
        raise InvalidDocument(f'it has a version newer than {VERSION}, which is not supported')
    return found


def _time(backup_id: str) -> datetime.datetime:
    try:
        if not _BACKUP_ID.fullmatch(backup_id):
            raise ValueError(backup_id)
        found = datetime.datetime.strptime(backup_id, '%Y-%m-%dT%H:%M:%SZ')
    except ValueError:
        raise InvalidDocument('a backup-id is no time such as 2026-08-22T10:15:00Z') from None
    return found.replace(tzinfo=datetime.timezone.utc)


def _plain(text: str) -> str:
    """Return foreign text as one printable line."""
    line = ''.join(letter if letter.isprintable() else ' ' for letter in text)
    return ' '.join(line.split())[:_LONGEST_REASON]


# --- The side that requests --------------------------------------------------------------------


class _AnswerEvent(ops.EventBase):
    """A request is answered."""

    def __init__(self, handle: ops.Handle, answer: Answer):
        super().__init__(handle)
        self._answer = answer

    @property
    def request_id(self) -> str:
        """What `request_backup` returned."""
        return self._answer.request_id

    def snapshot(self) -> dict[str, Any]:
        """Keep the answer, for a handler that defers."""
        return {'answer': self._answer.to_json()}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Read what `snapshot` kept."""
        self._answer = Answer.from_json(snapshot['answer'])


class BackupReadyEvent(_AnswerEvent):
    """The backup set that was requested exists, and the coordinator has finished with it."""

    @property
    def backup_set(self) -> BackupSet:
        """The set."""
        assert self._answer.backup_set is not None
        return self._answer.backup_set

    @property
    def reason(self) -> str:
        """What is left to do on the site after the backup; '' if nothing is."""
        return self._answer.reason


class BackupFailedEvent(_AnswerEvent):
    """The request is answered, and there is no backup set for it."""

    @property
    def reason(self) -> str:
        """Why, with what an operator can do about it."""
        return self._answer.reason

    @property
    def begun(self) -> bool:
        """Whether a backup was begun. If not, the coordinator has changed nothing."""
        return self._answer.state == FAILED


class MaasBackupRequirerEvents(ops.ObjectEvents):
    """What the requirer tells its charm."""

    backup_ready = ops.EventSource(BackupReadyEvent)
    backup_failed = ops.EventSource(BackupFailedEvent)


class MaasBackupRequirer(ops.Object):
    """Requests backup sets from the coordinator."""

    on = MaasBackupRequirerEvents()

    def __init__(self, charm: ops.CharmBase, relation_name: str = 'backup'):
        """Begin to listen for answers.

        Args:
            charm: the charm.
            relation_name: its endpoint of the interface `maas_backup`.
        """
        super().__init__(charm, f'maas-backup-{relation_name}')
        self._charm = charm
        self._relation_name = relation_name
        changed = charm.on[relation_name].relation_changed
        # A leader that was elected since the answer came has not told its charm yet.
        for event in (changed, charm.on.leader_elected):
            self.framework.observe(event, self._on_answer)

    def request_backup(self, request_id: str = '') -> str:
        """Request a fresh backup set; on the leader only.

        Args:
            request_id: names the request, by default with a name that is new. The id of the
                current request changes nothing, so a hook that Juju runs again makes no second
                request. An id of an earlier request must not be used again.

        Returns:
            The request's id.

        Raises:
            NotRelated: the coordinator is not related.
            ValueError: this can be no id of a request.
            NotLeader: this unit does not lead.
        """
        self._must_lead()
        relation = self._relation
        if relation is None:
            raise NotRelated(f'endpoint {self._relation_name} is not related')
        request_id = request_id or uuid.uuid4().hex
        relation.data[self._charm.app][_REQUEST] = request_to_json(request_id)
        return request_id

    def withdraw(self) -> None:
        """Take the current request back. A backup that has begun continues.

        Raises:
            NotLeader: this unit does not lead.
        """
        self._must_lead()
        relation = self._relation
        if relation is not None:
            relation.data[self._charm.app].pop(_REQUEST, None)

    @property
    def request_id(self) -> str:
        """The current request; '' if there is none, and on a unit that does not lead."""
        text = self._own(_REQUEST)
        return request_from_json(text) if text else ''

    @property
    def answer(self) -> Answer | None:
        """What became of the current request so far; None on a unit that does not lead."""
        text, current = self._theirs(_ANSWER), self.request_id
        if not text or not current:
            return None
        try:
            found = Answer.from_json(text)
        except InvalidDocument as error:
            logger.warning('the answer of the coordinator cannot be used: %s', error)
            return None
        return found if found.request_id == current else None

    @property
    def newest(self) -> BackupSet | None:
        """The newest good backup set that the coordinator knows; on every unit."""
        text = self._theirs(_NEWEST)
        if not text:
            return None
        try:
            return BackupSet.from_dict(_document(text))
        except InvalidDocument as error:
            logger.warning('what the coordinator says of backup sets cannot be used: %s', error)
            return None

    def _on_answer(self, event: ops.EventBase) -> None:
        answer = self.answer
        if answer is None or not answer.ended or self._own(_ANSWERED) == answer.request_id:
            return
        if answer.state == READY:
            self.on.backup_ready.emit(answer)
        else:
            self.on.backup_failed.emit(answer)
        relation = self._relation
        assert relation is not None
        # Kept with what the handler has stored: all of it, or nothing if the hook fails.
        relation.data[self._charm.app][_ANSWERED] = answer.request_id

    def _must_lead(self) -> None:
        if not self._charm.unit.is_leader():
            raise NotLeader(f'{self._charm.unit.name} is not the leader')

    @property
    def _relation(self) -> ops.Relation | None:
        relation = self._charm.model.get_relation(self._relation_name)
        return relation if relation is not None and relation.active else None

    def _own(self, key: str) -> str:
        relation = self._relation
        if relation is None or not self._charm.unit.is_leader():
            return ''
        return relation.data[self._charm.app].get(key, '')

    def _theirs(self, key: str) -> str:
        relation = self._relation
        return relation.data[relation.app].get(key, '') if relation is not None else ''


# --- The side that backs up --------------------------------------------------------------------


class MaasBackupProvider:
    """Reads requests and writes answers, for the coordinator's leader.

    It observes no event, and keeps nothing: writing the same again changes nothing.
    """

    def __init__(self, model: ops.Model, relation_name: str):
        self._app = model.app
        found = model.relations[relation_name]
        self.relations = sorted(
            (relation for relation in found if relation.active),
            key=lambda relation: relation.id,
        )
        """Those that there are, oldest first."""

    @staticmethod
    def request(relation: ops.Relation) -> str:
        """Return the id of the request of a relation, '' if there is none.

        Raises:
            InvalidDocument: what is there is no request.
        """
        text = relation.data[relation.app].get(_REQUEST, '')
        return request_from_json(text) if text else ''

    def answer(self, relation: ops.Relation, answer: Answer | None) -> None:
        """Put the answer to the request of a relation; None takes away what is there."""
        self._put(relation, _ANSWER, answer.to_json() if answer is not None else '')

    def publish(self, relation: ops.Relation, newest: BackupSet | None) -> None:
        """Put the newest good backup set; None if there is none."""
        made = {'version': VERSION, **newest.as_dict()} if newest is not None else None
        self._put(relation, _NEWEST, json.dumps(made, sort_keys=True) if made else '')

    def _put(self, relation: ops.Relation, key: str, text: str) -> None:
        bag = relation.data[self._app]
        if bag.get(key, '') != text:
            bag[key] = text
