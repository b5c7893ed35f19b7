"""Whose data a restore replaces besides MAAS' data: PostgreSQL only restores the whole cluster."""

from __future__ import annotations

from collections.abc import Mapping

from coordinator import errors, ports
from coordinator.engine import settings
from coordinator.steps import checking, relations

ALLOWED = 'other-databases'
"""Parameter of restore-all."""
_ENDPOINTS = ('database', 'db', 'db-admin')
"""What postgresql provides databases by; the last two are those of track 14."""


def found(status: ports.ModelStatus, config: settings.Settings) -> list[str]:
    """Return who keeps data in PostgreSQL besides MAAS: endpoints, and offers that are used.

    What another model relates to an offer is in no list of relations: only the number is known.
    """
    provided = {f'{config.postgresql}:{endpoint}' for endpoint in _ENDPOINTS}
    clients = sorted(
        end
        for relation in status.relations
        if provided & set(relation.endpoints)
        for end in relation.endpoints
        if end not in provided and end != relations.maas_end(config)
    )
    offers = sorted(
        f'{offer.connections} relation(s) of other models to offer {offer.name}'
        for offer in status.offers
        if offer.application == config.postgresql
        and offer.connections
        and set(offer.endpoints) & set(_ENDPOINTS)
    )
    return [*clients, *offers]


def check(
    status: ports.ModelStatus, config: settings.Settings, parameters: Mapping[str, str]
) -> str | checking.Warned:
    """Make sure that a restore replaces data of other applications only if allowed.

    Raises:
        StepError: others keep data in PostgreSQL, and nobody has allowed it.
    """
    others = found(status, config)
    if not others:
        return f'{config.postgresql} holds the database of {config.maas} only'
    told = (
        f'{config.postgresql} also holds the data of {", ".join(others)}: '
        'a restore returns it to the time of the backup set'
    )
    if parameters.get(ALLOWED) != 'true':
        raise errors.StepError(
            f'{told}. If that is intended, stop these applications and add {ALLOWED}=true. '
            'Otherwise, first move their data to another PostgreSQL'
        )
    return checking.Warned(told)
