"""MAAS's tables, as far as the rehearsal needs them: named and shaped as MAAS has them."""

from __future__ import annotations

import dataclasses
from typing import Any

import psycopg

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


def images(line: psycopg.Connection) -> list[Image]:
    """Return every image that the database knows."""
    found = line.execute(
        'select r.name, f.sha256, f.size from maasserver_bootresource r '
        'join maasserver_bootresourcefile f on f.resource_id = r.id order by r.name'
    ).fetchall()
    return [Image(*row) for row in found]


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
    }


def _rows(line: psycopg.Connection, query: Any) -> list[list[Any]]:
    return sorted(list(row) for row in line.execute(query).fetchall())
