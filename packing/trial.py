"""Charmcraft, without its question whether this system is the one that the charm is built for.

On another system than the charm's base charmcraft builds nothing, as what is compiled there would
not run on the base. To see that the parts build, and what comes out, this runs the very same
steps nevertheless. What it makes is no charm for any unit.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from charmcraft import services
from charmcraft.services import lifecycle


class UncheckedLifecycle(lifecycle.LifecycleService):
    """The steps from pull to prime, on whatever system this is."""

    def _validate_build_plan(self) -> None:
        """Ask nothing."""


def main() -> int:
    """Run charmcraft's command line."""
    # `charmcraft.application.main` is a function, which hides the module of that name.
    application: Any = importlib.import_module('charmcraft.application.main')
    app = application.create_app()
    services.ServiceFactory.register('lifecycle', UncheckedLifecycle)
    return app.run()


if __name__ == '__main__':
    sys.exit(main())
