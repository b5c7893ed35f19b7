"""postgresql's system users: their passwords in the peer secret, and as roles in the database.

The charm logs in to its own database with the passwords of its peer secret. A backup holds the
roles and not the secret, so after a restore the two agree only if the secret was given the
passwords of the backup before.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping

from rehearsal import clock
from rehearsal.standins import behaviour, body, host, patroni

PEERS = 'database-peers'
USERS = ('operator', 'replication', 'rewind', 'monitoring')
"""Whose passwords the charm draws."""
GIVEN = (*USERS, 'backup')
"""Whose it takes over: what `system-users` once gave for `backup` stays in the peer secret."""
UPDATE_FAILED = 'Password update for system users failed.'
OPTION = 'system-users'
_OTHERS = ('patroni', 'raft')
_TRIES = ('config-changed', 'secret-changed')


class SystemUsers:
    """The system users of one application."""

    def __init__(self, switches: behaviour.PostgresqlBehaviour, below: body.Body):
        self._switches = switches
        self._body = below

    def generate(self, here: host.Host) -> None:
        """As leader, draw the passwords, once."""
        if here.secret(_label(here)) is None:
            users = (*USERS, *_OTHERS)
            here.set_secret(_label(here), {_key(user): password(here, user) for user in users})

    def passwords(self, here: host.Host) -> Mapping[str, str]:
        """Return what the peer secret holds for the users of the database."""
        known = here.secret(_label(here)) or {}
        return {user: known[_key(user)] for user in GIVEN if _key(user) in known}

    def may_log_in(self, here: host.Host) -> clock.Answering[bool]:
        """Whether the database knows the passwords of the peer secret that the charm uses."""
        # As `backup` nobody logs in by password.
        used = {user: word for user, word in self.passwords(here).items() if user in USERS}
        return (yield functools.partial(self._body.may_log_in, here, used))

    def follow(self, here: host.Host, hook: str) -> clock.Work:
        """As leader, take over the passwords of the secret in the config option `system-users`.

        It is tried when the config or a secret has changed, and put off until every member runs.
        The grant of a secret wakes nobody: one that comes too late is not noticed.
        """
        uri = here.config.get(OPTION, '')
        if not uri or not here.is_leader():
            return
        if hook in _TRIES:
            here.own.pop('system-users-tried', None)
        if here.own.get('system-users-tried') == uri or not self._all_members_run(here):
            return
        here.own['system-users-tried'] = uri
        taken = yield from self._take_over(here, uri)
        here.own['users-block'] = '' if taken else UPDATE_FAILED

    def _all_members_run(self, here: host.Host) -> bool:
        primary = patroni.primary(here, self._switches)
        return bool(primary) and len(patroni.running(here)) == len(here.units())

    def _take_over(self, here: host.Host, uri: str) -> clock.Answering[bool]:
        """Change the passwords that differ; other users' are ignored, as missing ones are."""
        known = dict(here.secret(_label(here)) or {})
        try:
            given = here.read_secret(uri)
        except (LookupError, PermissionError):
            return False
        wanted = {user: given[user] for user in GIVEN if user in given}
        news = {user: word for user, word in wanted.items() if known.get(_key(user)) != word}
        if news:
            if not (yield from self.may_log_in(here)):
                return False
            yield functools.partial(self._body.set_passwords, here, news)
        here.set_secret(_label(here), known | {_key(user): word for user, word in news.items()})
        return True


def password(here: host.Host, user: str) -> str:
    """Return a password that looks random and is always the same for this model."""
    seed = f'{here.model_uuid} {here.application} {user}'
    return hashlib.sha256(seed.encode()).hexdigest()[:32]


def _label(here: host.Host) -> str:
    return f'{PEERS}.{here.application}.app'


def _key(user: str) -> str:
    return f'{user}-password'
