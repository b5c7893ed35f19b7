"""Reads and changes a MAAS whose database is a document in the stand-ins' state.

The document holds names; what else there is to say of a machine or of an image follows from its
name. `syncs` holds the bytes that each region has of an image that is still being synchronised.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from coordinator.ports import maas_port
from rehearsal import deployed, records
from rehearsal.standins import installation

_SIZE = len(installation.content(''))


def read(
    document: Mapping[str, Any],
    version: str,
    gone: Sequence[str] = (),
    there: Mapping[str, Sequence[str]] | None = None,
) -> records.Records:
    """Return what a database document says.

    Args:
        document: the database.
        version: of MAAS.
        gone: controllers that are gone, and that nobody has deleted.
        there: by controller, the images whose files it has. Regions look for themselves: a
            database that was restored knows less of that.
    """
    known = {**records.DEFAULTS, **document}
    controllers: list[str] = [*known.get('controllers', []), *gone]
    states: Mapping[str, Mapping[str, Any]] = known.get('states', {})
    again: Mapping[str, int] = known.get('uploads', {})
    syncs = _syncs(known.get('syncs', {}), there or {})
    return records.Records(
        version=version,
        machines=tuple(
            records.machine(name, **states.get(name, {})) for name in known.get('machines', [])
        ),
        controllers=tuple(maas_port.Controller(id_, id_, version) for id_ in controllers),
        resources=tuple(
            records.image(
                number + 1000 * again.get(name, 0),
                name,
                _file(name, again.get(name, 0), len(controllers), syncs.get(name)),
            )
            for number, name in enumerate(known.get('images', []), start=1)
        ),
        fabrics=records.fabrics(known['fabrics']),
        subnets=tuple(
            maas_port.Subnet(number, cidr, cidr, records.vlan_of(fabric), '')
            for number, (cidr, fabric) in enumerate(known['subnets'].items(), start=1)
        ),
        users=tuple(maas_port.User(name, admin) for name, admin in known['users'].items()),
        tags=tuple(maas_port.Tag(name, '', '') for name in known['tags']),
        pools=tuple(maas_port.Pool(number, name) for number, name in enumerate(known['pools'])),
        settings=known['settings'],
        keys=known['keys'],
    )


def _syncs(
    known: Mapping[str, Mapping[str, int]], there: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, int]]:
    """Return the bytes that each controller has of each image that not all of them had."""
    return {
        name: {**parts, **{id_: _SIZE for id_, images in there.items() if name in images}}
        for name, parts in known.items()
    }


def _file(
    name: str, uploads: int, regions: int, synced: Mapping[str, int] | None
) -> maas_port.BootFile:
    content = installation.content(name)
    # Whoever uploads an image of the same name again has changed it.
    sha256 = hashlib.sha256(content + bytes(uploads)).hexdigest()
    progress = 100.0 if synced is None else records.synchronised(_SIZE, regions, synced.values())
    return maas_port.BootFile(
        records.FILE_NAME, sha256, len(content), name, progress == 100.0, progress
    )


class ModelledMaas:
    """The site's MAAS, as its users and its own services change it."""

    def __init__(self, site: deployed.Site):
        self._site = site

    def now(self) -> records.Records:
        """Return what the database says."""
        switches = self._site.maas_switches
        states = self._site.maas.states.values()
        there = {state['system-id']: state.get('images', []) for state in states if state}
        return read(self._known, switches.version, switches.gone, there)

    def served(self) -> Callable[[], records.Records]:
        records.check_served(self._site.maas.states)
        known = self.now()
        return lambda: known

    def add_key(self, key: str, username: str = records.ADMIN, *, admin: bool = True) -> None:
        known = {**records.DEFAULTS, **self._known}
        self._update(
            users={**known['users'], username: admin},
            keys={**known['keys'], records.digest(key): username},
        )

    def revoke_keys(self) -> None:
        self._update(keys={})

    def change_machine(self, name: str, **fields: Any) -> None:
        """Change what is known of a machine: `status`, `owner`, `tags`, ..."""
        states = self._known.get('states', {})
        self._update(states={**states, name: {**states.get(name, {}), **fields}})

    def remove_machine(self, name: str) -> None:
        self._update(machines=[each for each in self._known['machines'] if each != name])

    def set(self, **values: Any) -> None:
        """Replace other parts of the document: `users`, `tags`, `settings`, ..."""
        self._update(**values)

    def upload_image(self, name: str, parts: Mapping[str, float] | None = None) -> None:
        """Upload an image, new or again, of which regions have these parts so far.

        Args:
            name: such as `custom/rocky-9/amd64`.
            parts: 0 to 1 by the unit's name. None: the first unit has all of it, others nothing.
        """
        known = self._known
        if parts is None:
            parts = {next(iter(self._site.maas.states)): 1.0}
        uploads: dict[str, int] = known.get('uploads', {})
        if name in known['images']:
            self._update(uploads={**uploads, name: uploads.get(name, 0) + 1})
            for unit, state in self._site.maas.states.items():
                there = [each for each in state['images'] if each != name]
                self._site.maas.update_unit(unit, images=there)
        else:
            self._update(images=[*known['images'], name])
        self._update(syncs={**self._known.get('syncs', {}), name: {}})
        for unit, part in parts.items():
            self.synchronise(name, unit, part)

    def synchronise(self, name: str, unit: str, part: float = 1.0) -> None:
        """Let a region have a part of an image; the file is there once it has all of it."""
        state = self._site.maas.states[unit]
        synced = self._known.get('syncs', {})
        mine = {**synced.get(name, {}), state['system-id']: int(_SIZE * part)}
        if part == 1.0 and name not in state['images']:
            self._site.maas.update_unit(unit, images=[*state['images'], name])
        rest = {image: each for image, each in synced.items() if image != name}
        if sum(mine.values()) < _SIZE * len(self.now().controllers):
            rest[name] = mine
        self._update(syncs=rest)

    def synchronise_all(self) -> None:
        for name in self._known.get('syncs', {}):
            for unit in self._site.maas.states:
                self.synchronise(name, unit)

    def remove_image_file(self, name: str) -> None:
        """Lose the file of an image on every region; the database goes on naming it."""
        for unit, state in self._site.maas.states.items():
            there = [each for each in state['images'] if each != name]
            self._site.maas.update_unit(unit, images=there)
        self._update(syncs={**self._known.get('syncs', {}), name: {}})

    def delete_image(self, name: str) -> None:
        """Delete an image: from the database, and from the files of every region."""
        self.remove_image_file(name)
        known = self._known
        syncs = {each: synced for each, synced in known.get('syncs', {}).items() if each != name}
        images = [each for each in known['images'] if each != name]
        self._update(images=images, syncs=syncs)

    @property
    def _known(self) -> Mapping[str, Any]:
        return self._site.postgresql.state.get('database', {})

    def _update(self, **values: Any) -> None:
        self._site.postgresql.update(database={**self._known, **values})
