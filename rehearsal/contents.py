"""What MAAS holds, in its database and in files: what a restore must bring back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from rehearsal.maas import modelled, records
from rehearsal.standins import installation, maas_region

if TYPE_CHECKING:
    from rehearsal import deployed

SYNCS = 'syncs'
"""What of a modelled database says which region has which image."""
MACHINES = ('able-ant', 'brave-bee', 'calm-cat')


class Contents(Protocol):
    """The contents of a site, modelled or real."""

    def begin(self, site: deployed.Site) -> None:
        """Give a site that was just deployed what it has from the start."""
        ...

    def database(self, site: deployed.Site) -> dict[str, Any]:
        """Return what the database holds, as plain data."""
        ...

    def files(self, site: deployed.Site, unit: str) -> dict[str, Any]:
        """Return what files a region has, as plain data by kind."""
        ...

    def add_machine(self, site: deployed.Site, name: str) -> None:
        """Let MAAS commission one more machine."""
        ...

    def add_image(self, site: deployed.Site, name: str) -> None:
        """Upload an image: into the database, and to the files of every region."""
        ...

    def api(self, site: deployed.Site) -> records.Api:
        """Return what MAAS' API tells of the site."""
        ...


class Modelled:
    """Contents that lie in the stand-ins' own state."""

    def begin(self, site: deployed.Site) -> None:
        site.postgresql.update(
            database={
                'machines': list(MACHINES),
                'images': list(installation.IMAGES),
                'controllers': [
                    maas_region.system_id(site.juju.uuid, unit)
                    for unit in site.maas.application.units
                ],
            }
        )

    def database(self, site: deployed.Site) -> dict[str, Any]:
        return site.postgresql.state.get('database', {})

    def files(self, site: deployed.Site, unit: str) -> dict[str, Any]:
        return {kind: sorted(site.maas.states[unit][kind]) for kind in installation.FILES}

    def add_machine(self, site: deployed.Site, name: str) -> None:
        known = site.database
        site.postgresql.update(database={**known, 'machines': [*known['machines'], name]})

    def add_image(self, site: deployed.Site, name: str) -> None:
        known = site.database
        site.postgresql.update(database={**known, 'images': [*known['images'], name]})
        for unit, state in site.maas.states.items():
            site.maas.update_unit(unit, images=[*state['images'], name])

    def api(self, site: deployed.Site) -> records.Api:
        return modelled.ModelledMaas(site)
