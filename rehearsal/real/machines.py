"""The machines of a rehearsal: real servers, files and programs below the stand-ins."""

from __future__ import annotations

import os
import pathlib
import shutil

from rehearsal import deployed
from rehearsal.real import account, cluster, contents, installation, processes, programs, server


class Machines:
    """All that is real in one rehearsal, in one folder.

    Raises:
        Missing: a package is not installed; says which.
        NoPlace: PostgreSQL cannot be run here as it must be.
    """

    def __init__(self, root: pathlib.Path):
        self.programs = programs.find()
        self._root = root
        who = account.of_servers()
        root.mkdir(mode=0o711, parents=True, exist_ok=True)
        if os.geteuid() != who.uid:
            # The account of the servers passes through, and sees nothing of what lies here.
            root.chmod(0o711)
        home = who.own(root / 'postgresql')
        who.check_way(home)
        self._crew = processes.Crew(who)
        self.ground = server.Ground(home, self._crew, self.programs)
        self.clusters = cluster.Clusters(self.ground)
        self.regions = installation.Regions(root / 'maas')
        self.contents = contents.RealContents(self.regions)

    @property
    def below(self) -> deployed.Below:
        """What the stand-ins stand upon."""
        return deployed.Below(self.clusters, self.regions, self.contents)

    def lose(self, model_uuid: str) -> None:
        """Let all machines of a model go at once, with what is on them."""
        self.regions.lose(model_uuid)
        self.clusters.lose(model_uuid)

    def close(self) -> None:
        """Leave nothing behind: no server, no connection, no file."""
        self.regions.close()
        self._crew.close()
        for name in ('postgresql', 'maas'):
            shutil.rmtree(self._root / name, ignore_errors=True)
