"""Executes modules at their first use. No dispatch needs more than a part of the charm.

Modules are imported at the top of a file, as everywhere. With this installed, such an import
costs next to nothing until something of the module is used. `importlib.util.LazyLoader` does the
same, but before Python 3.12.3 another thread could see a module of which only half was executed.
"""

from __future__ import annotations

import importlib.machinery
import sys
import threading
import types
import typing
from collections.abc import Sequence

# It loads more than some dispatches need in all.
from importlib import abc

_OURS = ('charms.', 'coordinator.')
# ops has websocket for workload containers, which machines have none of.
_OTHERS = ('glances', 'websocket', 'world')
_ONE_THREAD = threading.RLock()


class Late(types.ModuleType):
    """A module that has not been executed yet."""

    def __getattribute__(self, name: str) -> typing.Any:
        spec = object.__getattribute__(self, '__spec__')
        if name == '__spec__':
            # Each import asks for it.
            return spec
        with _ONE_THREAD:
            if type(self) is Late and not spec.loader_state:
                spec.loader_state = 'executing'
                try:
                    spec.loader.exec_module(self)
                except BaseException:
                    spec.loader_state = None
                    raise
                object.__setattr__(self, '__class__', types.ModuleType)
        return types.ModuleType.__getattribute__(self, name)


class _Loader:
    """Leaves a module to be executed later."""

    def __init__(self, loader: abc.Loader):
        self._loader = loader

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: types.ModuleType) -> None:
        assert module.__spec__ is not None
        module.__spec__.loader = module.__loader__ = self._loader
        module.__class__ = Late


class Finder:
    """Finds modules as Python does, and has ours executed when something of them is used."""

    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec of such a module; None leaves all others to Python."""
        if not name.startswith(_OURS) and name not in _OTHERS:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = typing.cast('abc.Loader', _Loader(spec.loader))
        return spec


def install() -> None:
    """Load them late from now on."""
    sys.meta_path.insert(0, Finder)
