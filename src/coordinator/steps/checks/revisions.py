"""Pairs of charm revisions between which a restore succeeds but leaves a problem behind."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from coordinator import ports
from coordinator.engine import settings
from coordinator.sets import manifest
from coordinator.steps import checking, site


@dataclasses.dataclass(frozen=True)
class _Pair:
    charm: str
    made_until: int
    """Sets made by this revision and older ones."""
    restored_from: int
    """Restored by this revision and newer ones."""
    trouble: str
    cure: str


_PAIRS = (
    # canonical/postgresql-operator#1874, which is open: data lies in `16/main` below each storage.
    _Pair(
        'postgresql',
        1089,
        1158,
        'the tablespace temp remains at its old location, '
        'so no replica can join and no backup succeeds (pgBackRest error 070)',
        'restore into a model with an older one, '
        'juju deploy postgresql --channel=16/stable --revision=1089, '
        'and refresh that afterwards; or move the tablespace, as the page on restoring shows',
    ),
)


def check(
    wanted: manifest.Manifest, config: settings.Settings, status: ports.ModelStatus
) -> str | checking.Warned:
    """Warn if these revisions are known to have problems with sets of the older revisions."""
    known = '. '.join(_known(wanted, config, status))
    return checking.Warned(known) if known else 'these revisions have no known problem'


def _known(
    wanted: manifest.Manifest, config: settings.Settings, status: ports.ModelStatus
) -> Iterator[str]:
    for then, name in (
        (wanted.maas.charm, config.maas),
        (wanted.postgresql.charm, config.postgresql),
    ):
        now = site.application(status, name)
        for pair in _PAIRS:
            # Revisions of a local file are counted by another controller.
            published = then.channel and now.channel
            fits = pair.charm == then.charm and then.revision <= pair.made_until
            if published and fits and now.revision >= pair.restored_from:
                yield (
                    f'the set was made by revision {then.revision} of {pair.charm}, '
                    f'{name} has revision {now.revision}: {pair.trouble}. Fix: {pair.cure}'
                )
