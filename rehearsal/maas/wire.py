"""What MAAS' API 2.0 answers, as JSON can hold it: the shapes of canonical/maas' own examples.

Of machines there are more fields than anybody here reads, as there are in MAAS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from coordinator.ports import maas_port
from rehearsal import records

ROOT = '/MAAS/api/2.0/'
Json = dict[str, Any]


def resource(found: maas_port.BootResource, *, with_sets: bool = False) -> Json:
    """Return an image; the list of them has no sets."""
    shown: Json = {
        'id': found.id,
        'type': 'Uploaded' if found.uploaded else 'Synced',
        'name': found.name,
        'architecture': found.architecture,
        'resource_uri': f'{ROOT}boot-resources/{found.id}/',
        'last_deployed': None,
        'subarches': 'generic',
    }
    if with_sets:
        shown['sets'] = {each.version: _set(found, each) for each in found.sets}
    return shown


def _set(found: maas_port.BootResource, each: maas_port.BootSet) -> Json:
    return {
        'version': each.version,
        'label': 'uploaded' if found.uploaded else 'candidate',
        'size': sum(file.size for file in each.files),
        'complete': each.complete,
        **({} if each.complete else {'progress': each.progress}),
        'files': {file.name: _file(found, file) for file in each.files},
    }


def _file(found: maas_port.BootResource, file: maas_port.BootFile) -> Json:
    shown: Json = {
        'filename': file.name,
        'filetype': file.name,
        'sha256': file.sha256,
        'filename_on_disk': file.stored_as,
        'size': file.size,
        'complete': file.complete,
    }
    if not file.complete:
        shown['progress'] = file.progress
        if found.uploaded:
            shown['upload_uri'] = f'{ROOT}boot-resources/{found.id}/upload/{found.id}/'
    return shown


def machine(found: maas_port.Machine) -> Json:
    """Return a machine."""
    return {
        'system_id': found.system_id,
        'hostname': found.hostname,
        'description': '',
        'hardware_uuid': None,
        'domain': {'id': 0, 'name': found.domain, 'ttl': None, 'authoritative': True},
        'fqdn': f'{found.hostname}.{found.domain}',
        'owner': found.owner or None,
        'owner_data': {},
        'locked': False,
        'architecture': found.architecture,
        'cpu_count': 8,
        'memory': 16384,
        'status': 4,
        'status_name': found.status,
        'power_type': 'ipmi',
        'power_state': found.power_state,
        # MAAS has no order of them.
        'tag_names': list(reversed(found.tags)),
        'ip_addresses': [],
        'interface_set': [{'id': 1, 'name': 'eth0', 'type': 'physical', 'tags': [], 'links': []}],
        'zone': {'id': 1, 'name': found.zone, 'description': ''},
        'pool': {'id': 0, 'name': found.pool, 'description': ''},
        'node_type': 0,
        'node_type_name': 'Machine',
        'resource_uri': f'{ROOT}machines/{found.system_id}/',
    }


def controller(found: maas_port.Controller) -> Json:
    """Return a region controller."""
    return {
        'system_id': found.system_id,
        'hostname': found.hostname,
        'node_type': 3,
        'node_type_name': 'Region controller',
        'version': found.version,
        'resource_uri': f'{ROOT}regioncontrollers/{found.system_id}/',
    }


def fabric(found: maas_port.Fabric) -> Json:
    """Return a fabric with its VLANs."""
    return {
        'id': found.id,
        'name': found.name,
        'class_type': None,
        'vlans': [_vlan(found, each) for each in found.vlans],
        'resource_uri': f'{ROOT}fabrics/{found.id}/',
    }


def _vlan(found: maas_port.Fabric, each: maas_port.Vlan) -> Json:
    return {
        'id': each.id,
        'name': each.name,
        'vid': each.vid,
        'fabric': found.name,
        'fabric_id': found.id,
        'mtu': 1500,
        'primary_rack': None,
        'secondary_rack': None,
        'dhcp_on': each.dhcp,
        'external_dhcp': None,
        'relay_vlan': None,
        'space': 'undefined',
        'resource_uri': f'{ROOT}vlans/{each.id}/',
    }


def subnet(found: maas_port.Subnet) -> Json:
    """Return a subnet, which has its VLAN in it."""
    return {
        'id': found.id,
        'name': found.name,
        'description': '',
        'vlan': {'id': found.vlan, 'name': 'untagged', 'vid': 0},
        'space': 'undefined',
        'cidr': found.cidr,
        'gateway_ip': found.gateway or None,
        'dns_servers': [],
        'managed': True,
        'resource_uri': f'{ROOT}subnets/{found.id}/',
    }


def user(found: maas_port.User) -> Json:
    """Return a user."""
    return {
        'username': found.username,
        'email': f'{found.username}@maas.invalid',
        'is_local': True,
        'is_superuser': found.admin,
        'resource_uri': f'{ROOT}users/{found.username}/',
    }


def tag(found: maas_port.Tag) -> Json:
    """Return a tag."""
    return {
        'name': found.name,
        'definition': found.definition,
        'comment': '',
        'kernel_opts': found.kernel_opts,
        'resource_uri': f'{ROOT}tags/{found.name}/',
    }


def pool(found: maas_port.Pool) -> Json:
    """Return a resource pool."""
    return {
        'id': found.id,
        'name': found.name,
        'description': '',
        'resource_uri': f'{ROOT}resourcepool/{found.id}/',
    }


LISTS: Mapping[str, Callable[[records.Records], list[Json]]] = {
    'boot-resources/': lambda known: [resource(each) for each in known.resources],
    'machines/': lambda known: [machine(each) for each in known.machines],
    'regioncontrollers/': lambda known: [controller(each) for each in known.controllers],
    'fabrics/': lambda known: [fabric(each) for each in known.fabrics],
    'subnets/': lambda known: [subnet(each) for each in known.subnets],
    'users/': lambda known: [user(each) for each in known.users],
    'tags/': lambda known: [tag(each) for each in known.tags],
    'resourcepools/': lambda known: [pool(each) for each in known.pools],
}
"""What each collection answers."""
