"""What steps may ask of MAAS itself, and the plain data that comes back.

`maas_api` answers over HTTP, the rehearsal's `DirectMaas` from the model's data; `tests/contract/`
holds both to the same behaviour. The facts are those of MAAS' API 2.0, versions 3.5 to 3.8
(canonical/maas, `src/maasserver/api/`). Nothing here changes anything in MAAS.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

SETTINGS = (
    'active_discovery_interval',
    'boot_images_auto_import',
    'commissioning_distro_series',
    'default_distro_series',
    'default_min_hwe_kernel',
    'default_osystem',
    'default_storage_layout',
    'dnssec_validation',
    'enable_http_proxy',
    'kernel_opts',
    'maas_internal_domain',
    'maas_name',
    'network_discovery',
    'ntp_external_only',
    'ntp_servers',
    'upstream_dns',
)
"""The settings that are read. Each exists from 3.5 to 3.8, and none can hold a password or a key,
as `http_proxy`, `vcenter_password` and `maas_auto_ipmi_k_g_bmc_key` can (`forms/settings.py`).
"""


@dataclasses.dataclass(frozen=True)
class BootFile:
    """One file of an image."""

    name: str
    """Such as `root-tgz` or `squashfs`; unique in its set."""
    sha256: str
    size: int
    stored_as: str
    """Its name in a region's image storage: the beginning of its SHA-256, since MAAS 3.5."""
    complete: bool
    """Whether every region controller that MAAS knows has all of it, also those that are down."""
    progress: float = 100.0
    """Percentage over all region controllers."""


@dataclasses.dataclass(frozen=True)
class BootSet:
    """One version of an image."""

    version: str
    """Such as `20260822.1`."""
    files: tuple[BootFile, ...]

    @property
    def complete(self) -> bool:
        """Whether every region controller has every file."""
        return all(file.complete for file in self.files)

    @property
    def progress(self) -> float:
        """Percentage over all files and region controllers."""
        size = sum(file.size for file in self.files)
        if not size:
            return 100.0 if self.complete else 0.0
        return sum(file.size * file.progress for file in self.files) / size


@dataclasses.dataclass(frozen=True)
class BootResource:
    """One image."""

    id: int
    """Another one after an image was deleted and uploaded again."""
    name: str
    """Such as `ubuntu/noble` or `custom/rocky-9`."""
    architecture: str
    """Such as `amd64/ga-24.04` or `amd64/generic`; unique together with the name."""
    uploaded: bool
    """Whether a person uploaded it, so that it can be downloaded from nowhere."""
    sets: tuple[BootSet, ...]
    """Newest first. Machines boot from the newest one that is complete."""

    @property
    def complete(self) -> bool:
        """Whether every region controller has every set that counts.

        Of an image that MAAS downloads only the newest one does. An upload that has just begun
        has no files yet, so MAAS cannot call it complete.
        """
        counted = self.counted
        return bool(counted) and all(each.files and each.complete for each in counted)

    @property
    def counted(self) -> tuple[BootSet, ...]:
        """The sets that a backup must have."""
        return self.sets if self.uploaded else self.sets[:1]


@dataclasses.dataclass(frozen=True)
class Machine:
    """One machine."""

    system_id: str
    hostname: str
    domain: str
    architecture: str
    status: str
    """Such as `Ready` or `Deployed`: MAAS changes it by itself."""
    power_state: str
    """on, off, unknown or error: MAAS changes it by itself."""
    owner: str
    """Username; empty if nobody has allocated it."""
    pool: str
    zone: str
    tags: tuple[str, ...]
    """In order."""


@dataclasses.dataclass(frozen=True)
class Controller:
    """One region controller."""

    system_id: str
    hostname: str
    version: str
    """Of MAAS; empty until it has reported one."""


@dataclasses.dataclass(frozen=True)
class Vlan:
    """One VLAN."""

    id: int
    name: str
    vid: int
    dhcp: bool


@dataclasses.dataclass(frozen=True)
class Fabric:
    """One fabric with its VLANs."""

    id: int
    name: str
    vlans: tuple[Vlan, ...]


@dataclasses.dataclass(frozen=True)
class Subnet:
    """One subnet."""

    id: int
    name: str
    cidr: str
    vlan: int
    """Id of its VLAN."""
    gateway: str
    """Empty if it has none."""


@dataclasses.dataclass(frozen=True)
class User:
    """One user of MAAS."""

    username: str
    admin: bool


@dataclasses.dataclass(frozen=True)
class Tag:
    """One tag."""

    name: str
    definition: str
    """XPath that decides which machines have it; empty for one that is set by hand."""
    kernel_opts: str


@dataclasses.dataclass(frozen=True)
class Pool:
    """One resource pool."""

    id: int
    name: str


class Maas(Protocol):
    """The site's MAAS, as the user of the API key sees it.

    Every method makes one request, `boot_resources` and `settings` several; each has a timeout and
    a limit of its size, and is repeated by the adapter a bounded number of times. What is iterated
    is read as it is iterated: errors come then, and nothing is held in memory that was passed on.
    Nothing makes a second pass over an iterator.

    Raises (all of it):
        MaasUnavailable: MAAS did not answer, or is starting: a later dispatch asks again.
        MaasKeyRefused: the key is not, or no longer, valid.
        MaasRefused: the user of the key may not do this.
        MaasUnintelligible: the answer is not MAAS', or far too large.
    """

    @property
    def endpoint(self) -> str:
        """URL of MAAS, such as `http://10.0.0.1:5240/MAAS`, for messages."""
        ...

    def version(self) -> str:
        """Return the version, such as `3.6.1`. It needs no valid key."""
        ...

    def whoami(self) -> User:
        """Return the user of the key.

        Any user sees images, networks, tags, users and settings. Before 3.8 only an admin sees
        region controllers, and machines that others have allocated; from 3.8 on a group may
        entitle a user to both.
        """
        ...

    def boot_resources(self) -> Iterator[BootResource]:
        """Yield every image; one that is deleted meanwhile may be left out."""
        ...

    def machines(self) -> Iterator[Machine]:
        """Yield every machine that the user may see, in the order of their making.

        The API has no pages: MAAS renders all of them before it sends the first byte, which takes
        minutes where there are thousands.
        """
        ...

    def controllers(self) -> Iterator[Controller]:
        """Yield every region controller: none at all to a user who may see none."""
        ...

    def fabrics(self) -> Iterator[Fabric]:
        """Yield every fabric with its VLANs."""
        ...

    def subnets(self) -> Iterator[Subnet]:
        """Yield every subnet."""
        ...

    def users(self) -> Iterator[User]:
        """Yield every user."""
        ...

    def tags(self) -> Iterator[Tag]:
        """Yield every tag."""
        ...

    def pools(self) -> Iterator[Pool]:
        """Yield every resource pool that the user may see."""
        ...

    def settings(self, names: Sequence[str] = SETTINGS) -> Mapping[str, str]:
        """Return settings as JSON texts by their names; those that this MAAS lacks are absent."""
        ...
