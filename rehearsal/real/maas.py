"""MAAS' API on a real database, and on the files that its regions have on their disks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import psycopg

from coordinator.ports import maas_port
from rehearsal import deployed, records
from rehearsal.real import installation, tables
from rehearsal.standins import installation as standin


class RealMaas:
    """A `records.Api` of one site."""

    def __init__(self, site: deployed.Site, regions: installation.Regions):
        self._site = site
        self._regions = regions

    def served(self) -> Callable[[], records.Records]:
        states = self._site.maas.states
        records.check_served(states)
        owners = {
            state['system-id']: self._region(unit)
            for unit, state in states.items()
            if 'system-id' in state
        }
        region, version = connected(self._site, self._regions), self._site.maas_switches.version
        return lambda: _read(region, version, owners)

    def add_key(self, key: str, username: str = records.ADMIN, *, admin: bool = True) -> None:
        tables.add_user(self._line, username, admin)
        tables.add_token(self._line, username, records.digest(key))

    def revoke_keys(self) -> None:
        tables.remove_tokens(self._line)

    def remove_machine(self, name: str) -> None:
        tables.remove_machine(self._line, name)

    def upload_image(self, name: str) -> None:
        image, content = installation.image_of(name)
        tables.add_image(self._line, image)
        self._region(next(iter(self._site.maas.states))).write('images', image.sha256, content)

    def remove_image_file(self, name: str) -> None:
        image, _ = installation.image_of(name)
        for unit in self._site.maas.states:
            self._region(unit).remove('images', image.sha256)

    def synchronise_all(self) -> None:
        for image in tables.images(self._line):
            for unit in self._site.maas.states:
                content = standin.content(image.name)
                self._region(unit).write('images', image.sha256, content)

    @property
    def _line(self) -> psycopg.Connection:
        return connected(self._site, self._regions).line

    def _region(self, unit: str) -> installation.Region:
        return self._regions.region(self._site.juju.uuid, unit)


def connected(site: deployed.Site, regions: installation.Regions) -> installation.Region:
    """Return a region that has a database.

    Raises:
        Silent: none has.
    """
    each = (regions.region(site.juju.uuid, unit) for unit in site.maas.application.units)
    found = next((region for region in each if region.connected), None)
    if found is None:
        raise records.Silent
    return found


def _read(
    region: installation.Region, version: str, owners: Mapping[str, installation.Region]
) -> records.Records:
    """Read the database and the disks.

    Args:
        region: one with a database.
        version: of MAAS.
        owners: by system id, the regions whose disks there are.
    """
    try:
        known = tables.read(region.line, version)
        images = tables.images(region.line)
    except psycopg.Error as error:
        raise records.Initialising from error
    there = [owners.get(controller.system_id) for controller in known.controllers]
    resources = (
        records.image(number, image.name, _file(image, there))
        for number, image in enumerate(images, start=1)
    )
    return dataclasses.replace(known, resources=tuple(resources))


def _file(image: tables.Image, regions: list[installation.Region | None]) -> maas_port.BootFile:
    sizes = [region.size('images', image.sha256) if region else 0 for region in regions]
    progress = records.synchronised(image.size, len(regions), sizes)
    return maas_port.BootFile(
        records.FILE_NAME, image.sha256, image.size, image.sha256, progress == 100.0, progress
    )
