"""The charm files that the tests deploy."""

from __future__ import annotations

import dataclasses
import pathlib

from rehearsal.thin_charm import charm, charm_file


@dataclasses.dataclass(frozen=True)
class CharmFiles:
    """The packed coordinator, and where the stand-ins' charms are made."""

    coordinator: pathlib.Path
    place: pathlib.Path

    def stand_in(self, name: str) -> pathlib.Path:
        """Return the file of a stand-in's charm, which is made when it is first asked for."""
        directory = self.place / name
        if not directory.exists():
            directory.mkdir()
            charm_file.write(charm.stand_in_of(name), self.coordinator, directory)
        return directory / f'{name}.charm'
