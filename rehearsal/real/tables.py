"""MAAS's tables, as far as the rehearsal needs them: named and shaped as MAAS has them."""

from __future__ import annotations

import dataclasses
from typing import Any

import psycopg

from coordinator.ports import maas_port
from rehearsal import records

MACHINE, REGION = 0, 3
"""What `node_type` says."""
_READY = 4
"""What `status` says of a machine that can be deployed."""
_SCHEMA = (
    """create table if not exists maasserver_node (
        id bigserial primary key,
        system_id varchar(41) not null unique,
        hostname varchar(255) not null unique,
        node_type integer not null,
        status integer not null
    )""",
    """create table if not exists maasserver_subnet (
        id bigserial primary key,
        name varchar(255) not null,
        cidr cidr not null unique
    )""",
    """create table if not exists maasserver_bootresource (
        id bigserial primary key,
        name varchar(255) not null unique,
        architecture varchar(255) not null
    )""",
    """create table if not exists maasserver_bootresourcefile (
        id bigserial primary key,
        resource_id bigint not null references maasserver_bootresource,
        filename varchar(255) not null,
        sha256 varchar(64) not null,
        size bigint not null
    )""",
    """create table if not exists auth_user (
        id bigserial primary key,
        username varchar(150) not null unique,
        is_superuser boolean not null
    )""",
    """create table if not exists piston3_token (
        id bigserial primary key,
        secret varchar(64) not null unique,
        user_id bigint not null references auth_user
    )""",
)


@dataclasses.dataclass(frozen=True)
class Image:
    """A boot resource with its file."""

    name: str
    """Such as `custom/rocky-9/amd64`: the last part is the architecture."""
    sha256: str
    size: int


def create(line: psycopg.Connection) -> None:
    """Make the tables of a database that has none."""
    for command in _SCHEMA:
        line.execute(command)


def register(line: psycopg.Connection, system_id: str, hostname: str) -> None:
    """Enter a region controller; one that is known may have another name by now."""
    line.execute(
        'insert into maasserver_node (system_id, hostname, node_type, status) '
        'values (%s, %s, %s, %s) '
        'on conflict (system_id) do nothing',
        [system_id, f'{hostname}.{system_id}', REGION, _READY],
    )


def controllers(line: psycopg.Connection) -> list[str]:
    """Return the system ids of the region controllers."""
    found = line.execute(
        'select system_id from maasserver_node where node_type = %s', [REGION]
    ).fetchall()
    return [system_id for (system_id,) in found]


def add_machine(line: psycopg.Connection, system_id: str, hostname: str) -> None:
    """Enter a machine that was commissioned."""
    line.execute(
        'insert into maasserver_node (system_id, hostname, node_type, status) '
        'values (%s, %s, %s, %s)',
        [system_id, hostname, MACHINE, _READY],
    )


def add_subnet(line: psycopg.Connection, name: str, cidr: str) -> None:
    """Enter a subnet."""
    line.execute('insert into maasserver_subnet (name, cidr) values (%s, %s)', [name, cidr])


def add_image(line: psycopg.Connection, image: Image) -> None:
    """Enter an image and its file; one that is known stays as it is."""
    with line.transaction():
        entered = line.execute(
            'insert into maasserver_bootresource (name, architecture) values (%s, %s) '
            'on conflict (name) do nothing returning id',
            [image.name, image.name.rpartition('/')[2]],
        ).fetchone()
        if entered is not None:
            line.execute(
                'insert into maasserver_bootresourcefile (resource_id, filename, sha256, size) '
                'values (%s, %s, %s, %s)',
                [entered[0], 'root-tgz', image.sha256, image.size],
            )


def remove_machine(line: psycopg.Connection, hostname: str) -> None:
    """Delete a machine."""
    line.execute(
        'delete from maasserver_node where hostname = %s and node_type = %s', [hostname, MACHINE]
    )


def add_user(line: psycopg.Connection, username: str, admin: bool) -> None:
    """Enter a user; one that is known stays as it is."""
    line.execute(
        'insert into auth_user (username, is_superuser) values (%s, %s) '
        'on conflict (username) do nothing',
        [username, admin],
    )


def add_token(line: psycopg.Connection, username: str, digest: str) -> None:
    """Enter an API key of a user: MAAS keeps the key, here it is a digest."""
    line.execute(
        'insert into piston3_token (secret, user_id) '
        'select %s, id from auth_user where username = %s',
        [digest, username],
    )


def remove_tokens(line: psycopg.Connection) -> None:
    """Delete every API key."""
    line.execute('delete from piston3_token')


def images(line: psycopg.Connection) -> list[Image]:
    """Return every image that the database knows."""
    found = line.execute(
        'select r.name, f.sha256, f.size from maasserver_bootresource r '
        'join maasserver_bootresourcefile f on f.resource_id = r.id order by r.name'
    ).fetchall()
    return [Image(*row) for row in found]


def read(line: psycopg.Connection, version: str) -> records.Records:
    """Return what the API tells of machines, controllers, subnets, users and their keys.

    What else it tells is as in every new MAAS; the images are for the regions to add.
    """
    nodes = line.execute(
        'select system_id, hostname, node_type from maasserver_node order by id'
    ).fetchall()
    users = line.execute('select username, is_superuser from auth_user order by username')
    subnets = line.execute('select id, name, cidr::text from maasserver_subnet order by id')
    keys = line.execute(
        'select t.secret, u.username from piston3_token t join auth_user u on u.id = t.user_id'
    )
    return records.Records(
        version=version,
        machines=tuple(
            records.machine(hostname, system_id=system_id)
            for system_id, hostname, kind in nodes
            if kind == MACHINE
        ),
        controllers=tuple(
            maas_port.Controller(system_id, hostname, version)
            for system_id, hostname, kind in nodes
            if kind == REGION
        ),
        subnets=tuple(
            maas_port.Subnet(*row, vlan=records.vlan_of(0), gateway='') for row in subnets
        ),
        users=tuple(maas_port.User(*row) for row in users),
        keys=dict(keys.fetchall()),
        fabrics=records.fabrics(records.DEFAULTS['fabrics']),
        tags=tuple(maas_port.Tag(name, '', '') for name in records.DEFAULTS['tags']),
        pools=(maas_port.Pool(0, records.POOL),),
        settings=records.DEFAULTS['settings'],
    )


def rows(line: psycopg.Connection) -> dict[str, list[list[Any]]]:
    """Return everything, table by table, in the order of the ids."""
    return {
        'maasserver_node': _rows(
            line, 'select id, system_id, hostname, node_type, status from maasserver_node'
        ),
        'maasserver_subnet': _rows(line, 'select id, name, cidr::text from maasserver_subnet'),
        'maasserver_bootresource': _rows(
            line, 'select id, name, architecture from maasserver_bootresource'
        ),
        'maasserver_bootresourcefile': _rows(
            line,
            'select id, resource_id, filename, sha256, size from maasserver_bootresourcefile',
        ),
        'auth_user': _rows(line, 'select id, username, is_superuser from auth_user'),
        'piston3_token': _rows(line, 'select id, secret, user_id from piston3_token'),
    }


def _rows(line: psycopg.Connection, query: Any) -> list[list[Any]]:
    return sorted(list(row) for row in line.execute(query).fetchall())
