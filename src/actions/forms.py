"""Parameters of the actions on operations, and which of them an operation keeps."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

from coordinator import errors, object_keys
from coordinator.engine import operation
from coordinator.sets import catalogue
from coordinator.steps import other_databases
from coordinator.steps.backup_set import vouching
from coordinator.steps.checks import before_restore
from coordinator.steps.maas import fence

_SECRET = re.compile(r'secret:(//[0-9a-f-]{36}/)?[0-9a-v]{20}')


@dataclasses.dataclass(frozen=True)
class BackupAll:
    """Parameters of backup-all."""

    dry_run: bool = False
    skip_image_sync: bool = False

    @property
    def kept(self) -> dict[str, str]:
        """Return the parameters for the operation's record, without those that are false."""
        return {fence.SKIP: 'true'} if self.skip_image_sync else {}


@dataclasses.dataclass(frozen=True)
class _Opening:
    """Parameters of an action that may decrypt what a backup set contains."""

    identity: str = ''

    def __post_init__(self) -> None:
        """Refuse what may not be kept.

        Raises:
            PreconditionError: a parameter does not have the right form. The message does not
                repeat the identity, because it may be the key itself.
        """
        identity = self.identity.strip()
        if identity and not _SECRET.fullmatch(identity):
            raise errors.PreconditionError(
                'identity must be the URI of a user secret (secret:<id>), never the key itself: '
                'juju add-secret backup-identity identity#file=backup-identity.txt'
            )


@dataclasses.dataclass(frozen=True)
class ProveRestore(_Opening):
    """Parameters of prove-restore."""

    backup_id: str = ''

    def kept(self, restored: Callable[[], str]) -> dict[str, str]:
        """Return what the operation carries.

        Args:
            restored: gives the set of the last restore, if none was named.

        Raises:
            PreconditionError: the set is none.
        """
        backup_id = catalogue.check_id(self.backup_id.strip() or restored())
        identity = self.identity.strip()
        return {'backup-id': backup_id, **({'identity': identity} if identity else {})}


@dataclasses.dataclass(frozen=True)
class ResumeOperation(_Opening):
    """Parameters of resume-operation, which are those of any restore."""

    postgresql_path: str = ''

    def __post_init__(self) -> None:
        """Refuse what may not be kept.

        Raises:
            PreconditionError: a parameter does not have the right form.
        """
        super().__post_init__()
        if not object_keys.is_plain(self.postgresql_path.strip().strip('/')):
            raise errors.PreconditionError('postgresql-path must be a plain path, without ".."')

    @property
    def kept(self) -> dict[str, str]:
        """Return the given parameters for the operation's record."""
        given = {'identity': self.identity, 'postgresql-path': self.postgresql_path}
        return {key: value.strip() for key, value in given.items() if value}


@dataclasses.dataclass(frozen=True)
class RestoreAll(ResumeOperation):
    """Parameters of restore-all."""

    backup_id: str = ''
    postgresql_units: int = 0
    confirm: bool = False
    other_databases: bool = False
    inconsistent: bool = False
    rehearsal: bool = False
    accept_unsigned: bool = False

    def __post_init__(self) -> None:
        """Refuse what may not be kept.

        Raises:
            PreconditionError: a parameter does not have the right form.
        """
        super().__post_init__()
        if self.backup_id.strip() != 'latest':
            catalogue.check_id(self.backup_id.strip())

    @property
    def kept(self) -> dict[str, str]:
        """Return the parameters for the operation's record, without empty and false ones."""
        kept = {'backup-id': self.backup_id.strip(), **super().kept}
        if self.postgresql_units:
            kept['postgresql-units'] = str(self.postgresql_units)
        allowed = {
            other_databases.ALLOWED: self.other_databases,
            before_restore.INCONSISTENT: self.inconsistent,
            operation.REHEARSAL: self.rehearsal,
            vouching.ACCEPT_UNSIGNED: self.accept_unsigned,
        }
        return {**kept, **{name: 'true' for name, given in allowed.items() if given}}


@dataclasses.dataclass(frozen=True)
class ShowOperation:
    """Parameters of show-operation."""

    operation_id: str = ''
    earlier: bool = False
    format: str = 'table'


@dataclasses.dataclass(frozen=True)
class AbortOperation:
    """Parameters of abort-operation."""

    force: bool = False


@dataclasses.dataclass(frozen=True)
class AcknowledgeOperation:
    """Parameters of acknowledge-operation."""

    operation_id: str = ''
