"""The calls of the API that the coordinator makes, one module for each facade.

Names go in and come out, never tags. An error of a single item is raised like one of the whole
call. What differs between Juju 3.6 and 4.0 is evened out here.
"""

from __future__ import annotations

from coordinator.juju_api.facades import action, application, client, secrets, storage

__all__ = ['action', 'application', 'client', 'secrets', 'storage']
