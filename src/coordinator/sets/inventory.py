"""What MAAS holds, recorded in a backup set so that it can be compared later.

One object of lines, each of them JSON. The first one is a header. Then comes a line for each thing
that MAAS has: its kind, its key and a salted digest of the fields that count. The last line holds
the things themselves, with their names, sealed with age. So a comparison needs no identity, and
reports a thing that is missing by its key; with the identity it has a name.

Which fields count, and why others do not: docs/explanation/proof.md.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from coordinator import errors
from coordinator.ports import maas_port
from coordinator.sets import sealing

VERSION = 1
LARGEST = 64 << 20
"""Bytes of a stored inventory: 20,000 machines need about three million."""
SYNCHRONISED = 'synchronised'
"""Noted of an uploaded image: whether every region controller has all of it."""
_SEALED = 'sealed'
_GZIP = 31
_DIGEST_BYTES, _KEY_BYTES = 12, 6
KINDS: Mapping[str, str] = {
    'machine': 'machines',
    'controller': 'region controllers',
    'fabric': 'fabrics',
    'vlan': 'VLANs',
    'subnet': 'subnets',
    'user': 'users',
    'tag': 'tags',
    'pool': 'resource pools',
    'image': 'images',
    'setting': 'settings',
}
"""What is compared, with the word for several of it."""


@dataclasses.dataclass(frozen=True)
class Item:
    """One thing that MAAS has."""

    kind: str
    name: str
    """What people call it."""
    key: str = ''
    """What MAAS calls it; '' for what MAAS knows by a name that others must not read."""
    compared: Mapping[str, object] = dataclasses.field(default_factory=dict)
    """The fields that count."""
    noted: Mapping[str, object] = dataclasses.field(default_factory=dict)
    """Fields that MAAS changes by itself: they are stored for people."""


def items(maas: maas_port.Maas) -> Iterator[Item]:
    """Yield everything that MAAS has; nothing is held that was yielded.

    Raises:
        CannotSee: the user of the API key does not see everything.
    """
    controllers = list(maas.controllers())
    if not controllers:
        raise CannotSee(
            'the user of the API key sees no region controllers and not all machines: '
            'use the key of an admin'
        )
    for each in controllers:
        # After a restore a region controller has the same id on another machine.
        yield Item('controller', each.hostname, each.system_id, noted={'version': each.version})
    yield from map(_machine, maas.machines())
    for fabric in maas.fabrics():
        yield from _fabric(fabric)
    yield from map(_subnet, maas.subnets())
    yield from map(_image, maas.boot_resources())
    yield from _rest(maas)


def _rest(maas: maas_port.Maas) -> Iterator[Item]:
    for user in maas.users():
        yield Item('user', user.username, compared={'admin': user.admin})
    for tag in maas.tags():
        compared = {'definition': tag.definition, 'kernel-opts': tag.kernel_opts}
        yield Item('tag', tag.name, compared=compared)
    for pool in maas.pools():
        yield Item('pool', pool.name, str(pool.id), {'name': pool.name})
    for name, value in maas.settings().items():
        yield Item('setting', name, name, {'value': value})


class CannotSee(errors.MaasRefused):
    """The user of the API key does not see everything, so nothing can be compared."""


def _machine(machine: maas_port.Machine) -> Item:
    return Item(
        'machine',
        f'{machine.hostname}.{machine.domain}',
        machine.system_id,
        {
            'hostname': machine.hostname,
            'domain': machine.domain,
            'architecture': machine.architecture,
            'pool': machine.pool,
            'zone': machine.zone,
        },
        {
            'status': machine.status,
            'power-state': machine.power_state,
            'owner': machine.owner,
            'tags': list(machine.tags),
        },
    )


def _fabric(fabric: maas_port.Fabric) -> Iterator[Item]:
    yield Item('fabric', fabric.name, str(fabric.id), {'name': fabric.name})
    for vlan in fabric.vlans:
        compared = {'fabric': fabric.id, 'vid': vlan.vid, 'name': vlan.name, 'dhcp': vlan.dhcp}
        yield Item('vlan', f'{vlan.vid} of {fabric.name}', str(vlan.id), compared)


def _subnet(subnet: maas_port.Subnet) -> Item:
    compared = {
        'name': subnet.name,
        'cidr': subnet.cidr,
        'vlan': subnet.vlan,
        'gateway': subnet.gateway,
    }
    return Item('subnet', subnet.cidr, str(subnet.id), compared)


def _image(resource: maas_port.BootResource) -> Item:
    title = f'{resource.name} {resource.architecture}'
    # MAAS downloads newer versions by itself, but never an image that a person uploaded.
    files = [
        f'{file.sha256} {file.size}'
        for each in resource.sets
        for file in each.files
        if resource.uploaded
    ]
    compared = {'uploaded': resource.uploaded, 'files': sorted(files)}
    noted = {SYNCHRONISED: resource.complete} if resource.uploaded else {}
    return Item('image', title, title, compared, noted)


# --- Digests ---------------------------------------------------------------------------------


class Digests:
    """Turns things into keys and digests that say nothing to whoever does not know the things."""

    def __init__(self, salt: bytes):
        self._salt = salt

    def key(self, item: Item) -> str:
        """Return what a thing is called where others may read it."""
        return item.key or f'#{self._digest([item.kind, item.name], _KEY_BYTES)}'

    def of(self, item: Item) -> str:
        """Return the digest of the fields that count."""
        return self._digest([item.kind, item.key or item.name, item.compared], _DIGEST_BYTES)

    def _digest(self, content: Sequence[object], size: int) -> str:
        text = json.dumps(content, sort_keys=True, separators=(',', ':'))
        return hmac.new(self._salt, text.encode(), hashlib.sha256).digest()[:size].hex()


# --- Writing ---------------------------------------------------------------------------------


class Writer:
    """Takes things one by one; holds only what is stored of them."""

    def __init__(self, backup_id: str, taken: str, salt: bytes = b''):
        self._salt = salt or os.urandom(16)
        self._digests = Digests(self._salt)
        self._taken = taken
        self._lines = bytearray()
        self._packer = zlib.compressobj(wbits=_GZIP)
        self._packed = bytearray()
        self.counts: dict[str, int] = {}
        """How many of each kind there are."""
        self._pack({'backup-id': backup_id, 'version': VERSION})

    def add(self, item: Item) -> None:
        """Take one thing."""
        key = self._digests.key(item)
        self._lines += _line([item.kind, key, self._digests.of(item)])
        self._pack([item.kind, key, item.name, item.compared, item.noted])
        self.counts[item.kind] = self.counts.get(item.kind, 0) + 1

    def _pack(self, content: object) -> None:
        self._packed += self._packer.compress(_line(content))

    def content(self, recipients: Sequence[str]) -> bytes:
        """Return the inventory as stored; nothing can be added after that."""
        self._packed += self._packer.flush()
        header = {
            'version': VERSION,
            'taken': self._taken,
            'salt': self._salt.hex(),
            'counts': self.counts,
        }
        sealed = sealing.seal_content(bytes(self._packed), recipients)
        last = {_SEALED: base64.b64encode(sealed).decode()}
        return b''.join((_line(header), self._lines, _line(last)))


def _line(content: object) -> bytes:
    return json.dumps(content, separators=(',', ':')).encode() + b'\n'


# --- Reading ---------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Known:
    """A stored inventory."""

    taken: str
    digests: Digests
    things: Mapping[tuple[str, str], str]
    """Digest by kind and key."""
    sealed: bytes


def parse(content: bytes, source: str) -> Known:
    """Read a stored inventory; `source` names it in errors.

    Raises:
        ForeignRecordError: a newer revision wrote it.
        UnexpectedAnswer: it is damaged.
    """
    lines = content.splitlines()
    try:
        header: dict[str, Any] = json.loads(lines[0])
        if header['version'] > VERSION:
            raise errors.ForeignRecordError(
                f'{source} has version {header["version"]}, '
                f'this revision of the charm reads up to {VERSION}'
            )
        things: dict[tuple[str, str], str] = {}
        for line in lines[1:-1]:
            kind, key, digest = json.loads(line)
            things[str(kind), str(key)] = str(digest)
        return Known(
            taken=str(header['taken']),
            digests=Digests(bytes.fromhex(header['salt'])),
            things=things,
            sealed=base64.b64decode(json.loads(lines[-1])[_SEALED], validate=True),
        )
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise errors.UnexpectedAnswer(f'{source} is damaged ({type(error).__name__})') from None


def names(known: Known, identity: str, backup_id: str) -> dict[tuple[str, str], str]:
    """Return the name of each thing by kind and key, as the identity opens it.

    Raises:
        StepError: the identity does not fit, or the names are those of another set.
    """
    opened = sealing.unseal_content(known.sealed, identity)
    if opened is None:
        raise errors.StepError(
            f'the identity does not decrypt the inventory of backup set {backup_id}: '
            "use one whose recipient is named in the set's manifest"
        )
    found = _named(opened, backup_id)
    if found is None:
        raise errors.StepError(
            f'the sealed inventory of backup set {backup_id} is damaged, or belongs to another set'
        )
    return found


def _named(packed: bytes, backup_id: str) -> dict[tuple[str, str], str] | None:
    """Return the names, or None: an error would carry the text that it is about."""
    try:
        first, *lines = _unpacked(packed).splitlines()
        if json.loads(first)['backup-id'] != backup_id:
            return None
        rows = (json.loads(line) for line in lines)
        return {(str(kind), str(key)): str(name) for kind, key, name, *_ in rows}
    except (ValueError, LookupError, TypeError, zlib.error, RecursionError):
        return None


def _unpacked(packed: bytes) -> bytes:
    # Anybody can seal anything for a recipient, also what grows without an end.
    unpacker = zlib.decompressobj(wbits=_GZIP)
    content = unpacker.decompress(packed, LARGEST)
    if unpacker.unconsumed_tail or not unpacker.eof:
        raise ValueError('too large, or cut off')
    return content
