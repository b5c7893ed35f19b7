"""What a real MAAS database and real files hold, read and written as a region does."""

from __future__ import annotations

import hashlib
from typing import Any

import psycopg

from rehearsal import deployed, records
from rehearsal.real import installation, maas, tables


class RealContents:
    """The `contents.Contents` of regions on real databases."""

    def __init__(self, regions: installation.Regions):
        self._regions = regions

    def begin(self, site: deployed.Site) -> None:
        """MAAS fills a new database itself, when it first starts on it."""

    def database(self, site: deployed.Site) -> dict[str, Any]:
        return tables.rows(self._line(site))

    def files(self, site: deployed.Site, unit: str) -> dict[str, Any]:
        region = self._regions.region(site.juju.uuid, unit)
        return {
            kind: {
                name: hashlib.sha256(content).hexdigest()
                for name, content in region.files(kind).items()
            }
            for kind in ('images', 'preseeds')
        }

    def add_machine(self, site: deployed.Site, name: str) -> None:
        system_id = hashlib.sha256(name.encode()).hexdigest()[:6]
        tables.add_machine(self._line(site), system_id, name)

    def add_subnet(self, site: deployed.Site, name: str, cidr: str) -> None:
        """Let MAAS know one more subnet."""
        tables.add_subnet(self._line(site), name, cidr)

    def add_image(self, site: deployed.Site, name: str) -> None:
        image, content = installation.image_of(name)
        tables.add_image(self._line(site), image)
        for unit in site.maas.application.units:
            self._regions.region(site.juju.uuid, unit).write('images', image.sha256, content)

    def api(self, site: deployed.Site) -> records.Api:
        return maas.RealMaas(site, self._regions)

    def _line(self, site: deployed.Site) -> psycopg.Connection:
        """Return the connection of a region that has one."""
        return maas.connected(site, self._regions).line
