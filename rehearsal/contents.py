"""Contents of a site whose machines are modelled: they lie in the stand-ins' own state."""

from __future__ import annotations

from typing import Any

from rehearsal import deployed, records
from rehearsal.maas import modelled
from rehearsal.standins import installation, maas_region

MACHINES = ('able-ant', 'brave-bee', 'calm-cat')


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
