"""What a MAAS database says of itself, and who may see it."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from coordinator.ports import maas_port
from rehearsal.standins import installation

ADMIN = 'admin'
DOMAIN, POOL, ZONE = 'maas', 'default', 'default'
SET_VERSION = '20260822.1'
FILE_NAME = 'root-tgz'
DEFAULTS: Mapping[str, Any] = {
    'users': {ADMIN: True},
    'keys': {},
    'subnets': {'10.0.0.0/24': 0},
    'fabrics': ['fabric-0'],
    'tags': ['virtual'],
    'pools': [POOL],
    'settings': {'maas_name': 'rehearsal', 'ntp_servers': 'ntp.ubuntu.com'},
}
"""What a new MAAS has beside machines, images and controllers, as `Modelled` keeps it."""


class Initialising(Exception):
    """No region serves the API just now, but one is starting."""


class Silent(Exception):
    """No region runs: nothing answers."""


@dataclasses.dataclass(frozen=True)
class Records:
    """Everything that the API tells."""

    version: str
    machines: tuple[maas_port.Machine, ...] = ()
    controllers: tuple[maas_port.Controller, ...] = ()
    resources: tuple[maas_port.BootResource, ...] = ()
    fabrics: tuple[maas_port.Fabric, ...] = ()
    subnets: tuple[maas_port.Subnet, ...] = ()
    users: tuple[maas_port.User, ...] = ()
    tags: tuple[maas_port.Tag, ...] = ()
    pools: tuple[maas_port.Pool, ...] = ()
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    keys: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Username by the digest of an API key."""

    def user_of(self, key: str) -> maas_port.User | None:
        """Return whose API key this is; None if it is nobody's."""
        name = self.keys.get(digest(key))
        return next((user for user in self.users if user.username == name), None)

    def seen_by(self, user: maas_port.User) -> Records:
        """Return what a user sees, by the rules of MAAS before 3.8.

        Whoever is no admin sees no controller, and no machine of another user
        (`maasserver/models/node.py`, `_filter_visible_nodes`).
        """
        if user.admin:
            return self
        mine = [machine for machine in self.machines if machine.owner in ('', user.username)]
        return dataclasses.replace(self, controllers=(), machines=tuple(mine))


class Api(Protocol):
    """A site's MAAS, as its API tells of it, and as users change it."""

    def served(self) -> Callable[[], Records]:
        """Return what reads the database, which may block: call it beside the model.

        Raises:
            Initialising: no region serves the API yet. What reads the database may raise it too.
            Silent: no region has a database.
        """
        ...

    def add_key(self, key: str, username: str = ADMIN, *, admin: bool = True) -> None:
        """Let a user, who may be new, have one more API key."""
        ...

    def revoke_keys(self) -> None:
        """Delete every API key."""
        ...

    def remove_machine(self, name: str) -> None:
        """Delete a machine."""
        ...

    def remove_image_file(self, name: str) -> None:
        """Lose the file of an image on every region; the database goes on naming it."""
        ...

    def upload_image(self, name: str) -> None:
        """Upload an image, which the first region has all of, and the others nothing yet."""
        ...

    def synchronise_all(self) -> None:
        """Let every region that there is have all of every image."""
        ...


def check_served(states: Mapping[str, Mapping[str, Any]]) -> None:
    """Make sure that a region serves the API.

    Args:
        states: of the units of maas-region.

    Raises:
        Initialising: none does yet.
        Silent: none has a database.
    """
    if not any(state.get('endpoints') for state in states.values()):
        waits = any(state.get('waits-for-turn') for state in states.values())
        raise Initialising if waits else Silent


def digest(key: str) -> str:
    """Return what is stored of an API key.

    MAAS stores the key itself. Here everybody may look for a key where none should be, so a
    database backup of the rehearsal holds none.
    """
    return hashlib.sha256(key.encode()).hexdigest()


def system_id(name: str) -> str:
    """Return the id of a machine of this name."""
    return hashlib.sha256(name.encode()).hexdigest()[:6]


def machine(name: str, **other: Any) -> maas_port.Machine:
    """Return a machine as it is after its commissioning; `other` fields replace that."""
    made = maas_port.Machine(
        system_id=system_id(name),
        hostname=name,
        domain=DOMAIN,
        architecture='amd64/generic',
        status='Ready',
        power_state='off',
        owner='',
        pool=POOL,
        zone=ZONE,
        tags=(),
    )
    return dataclasses.replace(made, **{**other, 'tags': tuple(sorted(other.get('tags', ())))})


def image(
    number: int, path: str, file: maas_port.BootFile, version: str = SET_VERSION
) -> maas_port.BootResource:
    """Return an image with one file.

    Args:
        number: its id.
        path: such as `custom/rocky-9/amd64`; the architecture may be missing.
        file: the file.
        version: of its only set.
    """
    name, _, architecture = path.rpartition('/')
    if '/' not in name:
        name, architecture = path, 'amd64'
    uploaded = path.startswith(installation.CUSTOM)
    sets = (maas_port.BootSet(version, (file,)),)
    return maas_port.BootResource(number, name, f'{architecture}/generic', uploaded, sets)


def fabrics(names: list[str]) -> tuple[maas_port.Fabric, ...]:
    """Return fabrics with the VLAN that each has from the start."""
    return tuple(
        maas_port.Fabric(number, name, (maas_port.Vlan(vlan_of(number), 'untagged', 0, False),))
        for number, name in enumerate(names)
    )


def vlan_of(fabric: int) -> int:
    """Return the id of the VLAN that a fabric has from the start."""
    return 5001 + fabric


def synchronised(size: int, regions: int, synced: Iterable[int]) -> float:
    """Return the percentage of a file that all regions together have.

    Args:
        size: of the file.
        regions: how many there are, also those that are down.
        synced: bytes that they have. Whoever is missing has nothing.
    """
    return 100.0 * sum(synced) / (size * regions) if regions else 0.0
