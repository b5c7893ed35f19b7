"""What the operator configured, checked, in the form that an operation carries with it."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Mapping

from coordinator import errors, this
from coordinator.sets import rules, sealing, signing

AUTO, REPLICA, SCALE_DOWN = 'auto', 'replica', 'scale-down'
STRATEGIES = (AUTO, REPLICA, SCALE_DOWN)
OBJECTS, DEEP = DEPTHS = 'objects', 'deep'
"""How thoroughly a schedule verifies."""
MOST_RECIPIENTS = 16
"""An operation carries them in its record, which is small."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """Fixed when an operation starts: changed options never affect a running operation."""

    maas: str
    """Name of the maas-region application."""
    postgresql: str
    """Name of the postgresql application."""
    recipients: tuple[str, ...] = ()
    """age X25519 public keys."""
    s3_maas: str = ''
    """Name of the s3-integrator application of `s3-maas`."""
    s3_postgresql: str = ''
    """Name of the s3-integrator application of `s3-postgresql`."""
    strategy: str = SCALE_DOWN
    """As configured; for `auto` the checks of a backup choose one of the others."""
    scaling_minutes: int = 120
    postgresql_backup_minutes: int = 720
    maas_backup_minutes: int = 360
    image_sync_minutes: int = 60
    trusted_signers: tuple[str, ...] = ()
    """Public keys whose sets a restore accepts, besides those of this application; none: any."""
    retention: rules.Policy = dataclasses.field(default_factory=rules.Policy)
    """Which backup sets are kept; a record of an earlier revision without this field keeps all."""

    @property
    def scaling_deadline(self) -> datetime.timedelta:
        """For PostgreSQL's units to be removed, and again for new units to join."""
        return datetime.timedelta(minutes=self.scaling_minutes)

    @property
    def postgresql_backup_deadline(self) -> datetime.timedelta:
        """For the database backup."""
        return datetime.timedelta(minutes=self.postgresql_backup_minutes)

    @property
    def maas_backup_deadline(self) -> datetime.timedelta:
        """For the files backup."""
        return datetime.timedelta(minutes=self.maas_backup_minutes)

    @property
    def image_sync_deadline(self) -> datetime.timedelta:
        """For the images of MAAS to reach every region controller."""
        return datetime.timedelta(minutes=self.image_sync_minutes)

    def to_dict(self) -> dict[str, object]:
        """Return what JSON can hold."""
        raw: dict[str, object] = {
            **dataclasses.asdict(self),
            'recipients': list(self.recipients),
        }
        del raw['retention'], raw['trusted_signers']
        if self.trusted_signers:
            raw['trusted_signers'] = list(self.trusted_signers)
        if self.image_sync_minutes == Settings.image_sync_minutes:
            del raw['image_sync_minutes']
        # Most operations have none, and a record has little room.
        return {**raw, 'retention': self.retention.to_dict()} if self.retention.rules else raw

    @classmethod
    def from_dict(cls, raw: Mapping[str, object]) -> Settings:
        """Read what `to_dict` made; unknown keys are ignored, missing ones get defaults."""
        known = {field.name for field in dataclasses.fields(cls)}
        values: dict[str, object] = {key: value for key, value in raw.items() if key in known}
        values['recipients'] = tuple(values.get('recipients') or ())  # type: ignore[arg-type]
        values['trusted_signers'] = tuple(values.get('trusted_signers') or ())  # type: ignore[arg-type]
        values['retention'] = rules.Policy.from_dict(raw.get('retention') or {})  # type: ignore[arg-type]
        return cls(**values)  # type: ignore[arg-type]


@dataclasses.dataclass(frozen=True)
class Applications:
    """Names of the related applications."""

    maas: str
    postgresql: str
    s3_maas: str
    s3_postgresql: str


def from_config(
    config: Mapping[str, object], related: Applications, *, for_restore: bool = False
) -> Settings:
    """Read the charm's config.

    Args:
        config: options as Juju gives them, types checked by it.
        related: names of the related applications.
        for_restore: a restore seals nothing, and always scales down.

    Raises:
        PreconditionError: an option has no usable value; says which and what to set.
    """
    strategy = str(config.get('postgresql-backup-strategy'))
    if strategy not in STRATEGIES:
        raise errors.PreconditionError(
            f'postgresql-backup-strategy is {strategy[:40]!r}, but must be '
            f'{", ".join(STRATEGIES[:-1])} or {STRATEGIES[-1]}'
        )
    recipients = tuple(re.split(r'[\s,]+', str(config.get('recipients') or '').strip(' ,\n')))
    recipients = tuple(text for text in recipients if text)
    if len(recipients) > MOST_RECIPIENTS:
        raise errors.PreconditionError(
            f'recipients names {len(recipients)}, but at most {MOST_RECIPIENTS} are allowed: '
            'juju config '
            f'{this.application()} recipients=...'
        )
    # Backups trust nobody, but the status shows a wrong key before a restore needs it.
    signers = signing.signers(str(config.get('trusted-signers') or ''))
    if not for_restore:
        sealing.check_recipients(recipients)
    else:
        # PostgreSQL restores with a single unit, whatever it is backed up with.
        strategy = SCALE_DOWN
    return Settings(
        **dataclasses.asdict(related),
        recipients=recipients,
        strategy=strategy,
        scaling_minutes=_minutes(config, 'scaling-deadline'),
        postgresql_backup_minutes=_minutes(config, 'postgresql-backup-deadline'),
        maas_backup_minutes=_minutes(config, 'maas-backup-deadline'),
        image_sync_minutes=_minutes(config, 'image-sync-deadline'),
        trusted_signers=signers if for_restore else (),
        retention=rules.Policy.from_config(config),
    )


def verifies_deeply(config: Mapping[str, object]) -> bool:
    """Return whether a scheduled verification reads every object.

    Raises:
        PreconditionError: the option has no usable value.
    """
    depth = str(config.get('verify-depth'))
    if depth not in DEPTHS:
        raise errors.PreconditionError(
            f'verify-depth is {depth[:40]!r}, but must be {" or ".join(DEPTHS)}'
        )
    return depth == DEEP


def _minutes(config: Mapping[str, object], option: str) -> int:
    value = config.get(option)
    if not isinstance(value, int) or value < 1:
        raise errors.PreconditionError(
            f'{option} is {value}, but must be a number of minutes, 1 or more'
        )
    return value
