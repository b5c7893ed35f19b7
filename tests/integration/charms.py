"""The charm files that the tests deploy."""

from __future__ import annotations

import dataclasses
import pathlib
import zipfile

import yaml

from rehearsal.agent import charm_files
from rehearsal.thin_charm import charm, charm_file
from tests import requirers

_ROOT = pathlib.Path(__file__).resolve().parents[2]


@dataclasses.dataclass(frozen=True)
class CharmFiles:
    """The packed coordinator, and where the stand-ins' charms are made."""

    coordinator: pathlib.Path
    place: pathlib.Path
    with_packages: bool = True
    """Whether the stand-ins bring their packages, as they must to a real machine."""

    def stand_in(self, name: str) -> pathlib.Path:
        """Return the file of a stand-in's charm, which is made when it is first asked for."""
        directory = self.place / name
        if not directory.exists():
            directory.mkdir()
            charm_file.write(charm.stand_in_of(name), directory, self._packages())
        return directory / f'{name}.charm'

    @property
    def requirer(self) -> pathlib.Path:
        """The file of the charm that requests backups, made when it is first asked for."""
        target = self.place / f'{requirers.NAME}.charm'
        if not target.exists():
            tree = requirers.lay_out(self.place / f'{requirers.NAME}-tree')
            charm_file.pack(tree, target, self._packages())
        return target

    def _packages(self) -> pathlib.Path | None:
        packages = self.place / 'packages'
        if self.with_packages and not packages.exists():
            charm_file.install_packages(packages)
        return packages if self.with_packages else None


def from_source(directory: pathlib.Path) -> pathlib.Path:
    """Write the coordinator as a charm for the embedded model, which has its packages."""
    target = directory / 'maas-backup-coordinator.charm'
    with zipfile.ZipFile(target, 'w') as archive:
        for name, document in charm_files.packed_documents(_ROOT).items():
            archive.writestr(name, yaml.safe_dump(dict(document)))
        for folder in ('lib', 'src'):
            for path in sorted((_ROOT / folder).rglob('*.py')):
                archive.write(path, path.relative_to(_ROOT))
    return target
