"""What a dry run prints: the plan, the outcome of the checks, and what a restore replaces."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from coordinator import errors, figures, ports
from coordinator.engine import settings, step
from coordinator.report import status, tables
from coordinator.sets import manifest, rehearsal
from coordinator.steps import checking, other_databases, site
from coordinator.steps.postgresql import primary, strategy

_RESTART = datetime.timedelta(minutes=5)
"""What a restore takes beside moving the data: MAAS starts again, region after region."""
_LISTING_SECONDS = 3
"""Time for each files backup in the path: before a region restores, it lists them all, with three
sequential requests for each, every one with a new client."""


def plan_text(plan: step.Plan, config: settings.Settings, model: ports.ModelStatus) -> str:
    """Return what an operation would do, with this model's names and numbers."""
    words = _words(config, model)
    rows = [
        (str(number), entry.name, entry.tells.format_map(words))
        for number, entry in enumerate(plan.steps, start=1)
    ]
    return tables.table(('#', 'step', 'what it does'), rows)


def _words(config: settings.Settings, model: ports.ModelStatus) -> dict[str, str]:
    app = model.applications.get(config.postgresql)
    regions = model.applications.get(config.maas)
    units = sorted(app.units, key=site.number) if app else []
    primaries = {unit.name for unit in primary.shown_by(app)} if app else set[str]()
    others = [name for name in units if name not in primaries]
    choice = _choice(config, model)
    shrinks = choice.strategy == settings.SCALE_DOWN and len(units) > 1
    on_replica = choice.strategy == settings.REPLICA and len(units) > 1
    why = f' ({choice.why})' if config.strategy == settings.AUTO and len(units) > 1 else ''
    kept = next(iter(sorted(primaries)), 'the primary')
    going = ', '.join(others)
    if not primaries:
        # In a fresh model PostgreSQL is blocked, and its status does not say which it is.
        going = f'{len(units) - 1} of {going}'
    return {
        'maas': config.maas,
        'postgresql': config.postgresql,
        'recipients': str(len(config.recipients)),
        'scale_down': f'remove {going}, one at a time; keep {kept}{why}'
        if shrinks
        else f'nothing: keep all {len(units)} unit(s){why}',
        'backup_unit': f'a replica ({" or ".join(others)})' if on_replica else kept,
        'request': f'request {len(others)} unit(s) of {config.postgresql} again'
        if shrinks
        else 'nothing: no unit is missing',
        'units': str(len(units)),
        'retention': str(config.retention)
        + ('' if config.retention.rules else (', so all are kept')),
        'regions': str(len(regions.units)) if regions else '0',
        'others': _others(other_databases.found(model, config)),
    }


def _choice(config: settings.Settings, model: ports.ModelStatus) -> strategy.Choice:
    try:
        return strategy.chosen(model, config)
    except errors.StepError as error:
        # The check says so too; the plan still shows what the other steps would do.
        return strategy.Choice('', str(error))


def _others(found: Sequence[str]) -> str:
    """Return whose data is restored besides MAAS's, for the middle of a sentence."""
    return f', with the data of {", ".join(found)}' if found else ''


def verdict(outcomes: Sequence[checking.Check]) -> str:
    """Return whether all is ready, in a line."""
    bad = [check.name for check in outcomes if check.outcome in (checking.BAD, checking.LATER)]
    if bad:
        return f'not ready: {", ".join(bad)}'
    warned = [check.name for check in outcomes if check.outcome == checking.WARNING]
    risks = f', with warnings ({", ".join(warned)})' if warned else ''
    return f'ready{risks}. Nothing has been changed'


def replaced_text(
    found: manifest.Manifest,
    config: settings.Settings,
    files_backups: int,
    others: Sequence[str] = (),
    rehearsed: rehearsal.Result | None = None,
) -> str:
    """Return what a restore replaces, and how long MAAS is down.

    The estimate comes from the last rehearsal of the set, or else from the set's own timings.

    Args:
        found: the set.
        config: names the applications.
        files_backups: how many there are in the path that the set's is in.
        others: who keeps data in PostgreSQL besides MAAS.
        rehearsed: the last rehearsal of the set.
    """
    listing = files_backups * _LISTING_SECONDS
    # The regions restore at the same time as the database.
    files = listing + found.seconds.get('back-up-maas', 0)
    moving = max(found.seconds.get('back-up-postgresql', 0), files)
    down = status.span(datetime.timedelta(seconds=moving) + _RESTART)
    # A set that was adopted does not know how long anything took.
    estimate = (
        f'for about {down}'
        if found.seconds
        else 'for as long as the data transfer takes (no estimate available)'
    )
    if rehearsed is not None and rehearsed.downtime_seconds is not None:
        down = status.span(datetime.timedelta(seconds=rehearsed.downtime_seconds))
        estimate = f'for about {down}, as in the rehearsal of {rehearsed.outcome.day}'
    listed = status.span(datetime.timedelta(seconds=listing))
    return (
        f'the database of {config.postgresql} '
        f'({figures.size(found.postgresql.database_bytes)}){_others(others)}, images, '
        f'preseeds and controller ids of {len(found.maas.controllers)} region(s) '
        f'of {config.maas} ({figures.size(found.maas.bytes)}), '
        f'with those of {found.backup_id} from model {found.model.name}. '
        f'MAAS will be down {estimate}; each region needs about {listed} '
        f'of that to list the {files_backups} files backup(s) in its path'
    )


def checks_text(outcomes: Sequence[checking.Check]) -> str:
    """Return the outcome of each check."""
    return tables.table(
        ('check', 'outcome', 'what was found'),
        [(check.name, check.outcome, check.sentence) for check in outcomes],
    )
