"""What is said to a PostgreSQL server in SQL: users, and the databases of clients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import LiteralString

import psycopg
from psycopg import sql

from rehearsal.real import server

_ATTRIBUTES: Mapping[str, LiteralString] = {
    'operator': 'superuser',
    'replication': 'replication',
    'rewind': '',
    'monitoring': '',
    server.BACKUP: 'superuser',
}
CLIENTS = 'relation-'
"""What the names of clients' users begin with."""


def create_users(where: server.Server, passwords: Mapping[str, str]) -> None:
    """Make the system users of a new cluster; its superuser is there."""
    with where.log_in(server.SUPERUSER, passwords[server.SUPERUSER]) as line:
        for user, attributes in _ATTRIBUTES.items():
            if user != server.SUPERUSER:
                line.execute(
                    sql.SQL('create role {} login {}').format(
                        sql.Identifier(user), sql.SQL(attributes)
                    )
                )
            if user in passwords:
                line.execute(_password(line, user, passwords[user]))


def set_passwords(where: server.Server, passwords: Mapping[str, str]) -> None:
    """Change passwords. The server sees no password, so that no log can."""
    with where.log_in_locally() as line:
        for user, word in passwords.items():
            line.execute(_password(line, user, word))


def opens(where: server.Server, user: str, password: str) -> bool:
    """Whether a user gets in with a password.

    Raises:
        OperationalError: the server is not there.
    """
    try:
        where.log_in(user, password).close()
    except psycopg.OperationalError as error:
        # A refused login comes without a code, as there is no session yet.
        if 'password authentication failed' in str(error):
            return False
        raise
    return True


def users(where: server.Server) -> set[str]:
    """Return the users that may log in."""
    return {name for (name,) in where.ask('select rolname from pg_roles where rolcanlogin')}


def admit(where: server.Server, clients: Mapping[str, Mapping[str, str]]) -> None:
    """Let these clients have their databases, and no others; see `body.Body.admit`."""
    there = users(where)
    with where.log_in_locally() as line:
        for user, wanted in clients.items():
            _create_database(line, wanted['database'])
            for command in _client(user, wanted['database'], known=user in there):
                line.execute(command)
            line.execute(_password(line, user, wanted['password']))
        for user in there - set(clients):
            if user.startswith(CLIENTS):
                line.execute(
                    'select pg_terminate_backend(pid) from pg_stat_activity where usename = %s',
                    [user],
                )
                line.execute(sql.SQL('drop role {}').format(sql.Identifier(user)))


def _create_database(line: psycopg.Connection, name: str) -> None:
    """Make a database that belongs to no client: it stays when they go."""
    found = line.execute('select from pg_database where datname = %s', [name]).fetchone()
    if found is None:
        owner = sql.Identifier(_owner(name))
        line.execute(sql.SQL('create role {}').format(owner))
        line.execute(sql.SQL('create database {} owner {}').format(sql.Identifier(name), owner))


def _client(user: str, database: str, *, known: bool) -> Iterator[sql.Composed]:
    """Yield what makes a user whose every object is the database's owner's."""
    own, owner = sql.Identifier(user), sql.Identifier(_owner(database))
    if not known:
        yield sql.SQL('create role {} login').format(own)
    yield sql.SQL('grant {} to {}').format(owner, own)
    yield sql.SQL('alter role {} set role {}').format(own, owner)


def _owner(database: str) -> str:
    return f'{database}_owner'


def _password(line: psycopg.Connection, user: str, word: str) -> sql.Composed:
    """Return what sets a password, of which it holds a digest."""
    digest = line.pgconn.encrypt_password(word.encode(), user.encode(), b'scram-sha-256')
    return sql.SQL('alter role {} password {}').format(
        sql.Identifier(user), sql.Literal(digest.decode())
    )
