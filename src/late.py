"""Loads modules at their first use that are costly to import and that few dispatches need."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Sequence

MODULES = frozenset(
    {
        # The manifests of backup sets: with them pydantic, and dozens of models to build.
        'coordinator.sets.catalogue',
        'coordinator.sets.documents',
        'coordinator.sets.images',
        'coordinator.sets.index',
        'coordinator.sets.manifest',
        # ops has it for workload containers, which machines have none of.
        'websocket',
    }
)


class Finder:
    """Finds these modules as Python does, and has them executed when something of them is used."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec of one of the modules; None leaves all others to Python."""
        if name not in MODULES:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = importlib.util.LazyLoader(spec.loader)
        return spec


def install() -> None:
    """Load them late from now on."""
    sys.meta_path.insert(0, Finder)
