"""What goes wrong with S3, in our own words: the library's may hold a header with a key."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Generator, Mapping
from typing import Any

import botocore.exceptions
import botocore.parsers

from coordinator import archives, errors

_ABSENT = {'NoSuchKey', '404', 'NotFound'}
_ELSEWHERE = {
    '301',
    'AuthorizationHeaderMalformed',
    'PermanentRedirect',
    'IllegalLocationConstraintException',
}
_PASSING = {'SlowDown', 'RequestTimeout', 'InternalError', 'ServiceUnavailable', 'Throttling'}
_PASSING_KMS = {'KMS.ThrottlingException', 'KMS.InternalException', 'KMS.KeyUnavailableException'}
_KMS = ('KMS', 'XKMS', 'XMinioKMS')
"""Prefixes of error codes about a key of the key management service."""
_FORBIDDEN = {'AccessDenied', '403', 'AllAccessDisabled'}
_LASTING = {'NotImplemented', 'MethodNotAllowed', 'InvalidBucketState', '405', '501'}
"""Permanent refusals, although their HTTP status may suggest a retry."""
_REGION = re.compile(r'[a-z0-9-]{1,40}')
_UNUSABLE = (
    botocore.exceptions.ParamValidationError,
    botocore.exceptions.InvalidRegionError,
    botocore.exceptions.InvalidEndpointConfigurationError,
)


@dataclasses.dataclass(frozen=True)
class Translator:
    """Translates the library's errors at the door."""

    integrator: str
    bucket: str
    endpoint: str
    region: str = ''
    prefix: str = ''
    """The path that all keys begin with, to name objects in full."""

    @contextlib.contextmanager
    def opening(self) -> Generator[None]:
        """Translate what goes wrong while a client is made: it is about what was configured."""
        try:
            yield
        except (botocore.exceptions.BotoCoreError, ValueError) as error:
            raise self._unusable(error) from None

    @contextlib.contextmanager
    def request(self, key: str, effect: bool = False) -> Generator[None]:
        """Translate what goes wrong with a request; with `effect`, of one that has one."""
        try:
            yield
        except botocore.exceptions.ClientError as error:
            raise self._refusal(error, key) from error
        except botocore.exceptions.SSLError as error:
            raise errors.StoreRefused(
                f'the certificate of {self.endpoint} is not trusted: '
                f'set tls-ca-chain with juju config {self.integrator}'
            ) from error
        except _UNUSABLE as error:
            raise self._unusable(error) from None
        except botocore.exceptions.BotoCoreError as error:
            # The library repeats a request: an earlier one may be on its way all the same.
            unanswered = errors.StoreAnswerLost if effect else errors.StoreUnavailable
            raise unanswered(
                f'S3 at {self.endpoint or "AWS"} does not answer ({type(error).__name__})'
            ) from None
        except (botocore.parsers.ResponseParserError, ValueError, LookupError) as error:
            raise errors.UnexpectedAnswer(
                f'the answer of {self.endpoint or "AWS"} is not that of an S3 server '
                f'({type(error).__name__}): check endpoint in juju config {self.integrator}'
            ) from None

    def _unusable(self, error: Exception) -> errors.StoreRefused:
        return errors.StoreRefused(
            f'the settings of {self.integrator} are not usable ({type(error).__name__}): '
            f'see juju config {self.integrator}'
        )

    def _refusal(
        self, error: botocore.exceptions.ClientError, key: str
    ) -> errors.CoordinatorError:
        answer: Mapping[str, Any] = error.response
        code = str(answer.get('Error', {}).get('Code', ''))[:80]
        status = answer.get('ResponseMetadata', {}).get('HTTPStatusCode', 0)
        if code == 'NoSuchBucket':
            return errors.StoreRefused(
                f'bucket {self.bucket} does not exist: '
                f'create it, or name another one with juju config {self.integrator} bucket=...'
            )
        if code in _ELSEWHERE:
            return errors.StoreRefused(
                f'S3 refuses {error.operation_name} in bucket {self.bucket}: {code}. '
                f'{self._elsewhere(answer)}'
            )
        if code in _ABSENT:
            return errors.NotFound(f'{key} is not in bucket {self.bucket}')
        if code == 'RequestTimeTooSkewed':
            return errors.StoreRefused(
                "S3 refuses this unit's clock: set the time of its machine (timedatectl)"
            )
        if lasting := self._lasting(error.operation_name, code, answer, key):
            return lasting
        transient = status in (408, 409, 429) or status >= 500
        if code in _PASSING | _PASSING_KMS or (transient and code not in _LASTING):
            return errors.StoreUnavailable(
                f'S3 at {self.endpoint or "AWS"} cannot answer now ({code})'
            )
        return errors.StoreRefused(
            f'S3 refuses {error.operation_name} in bucket {self.bucket}: {code or status}. '
            f'Check the keys of {self.integrator} and their permissions'
        )

    def _elsewhere(self, answer: Mapping[str, Any]) -> str:
        """Return what to do about a bucket in another region or endpoint."""
        headers = answer.get('ResponseMetadata', {}).get('HTTPHeaders', {})
        told = str(answer.get('Error', {}).get('Region') or headers.get('x-amz-bucket-region', ''))
        region = told if _REGION.fullmatch(told) else ''
        if self.region and region in ('', self.region):
            return (
                f'The bucket is not in region {self.region} of {self.endpoint or "AWS"}: '
                f'correct region or endpoint with juju config {self.integrator} region=... '
                'endpoint=...'
            )
        where = f'region {region}' if region else 'another region'
        return (
            f'The bucket is in {where}: set it with juju config {self.integrator} '
            f'region={region or "..."}'
        )

    def _lasting(
        self, operation: str, code: str, answer: Mapping[str, Any], key: str
    ) -> errors.StoreRefused | None:
        """Return the error for a permanent refusal that concerns one object."""
        full = self.prefix + key
        what = f'S3 refuses {operation} of {full} in bucket {self.bucket}: {code}.'
        told: Mapping[str, Any] = answer.get('Error', {})
        if code == 'InvalidObjectState':
            return errors.ObjectArchived(archives.advice(self.bucket, [full], _archive(told)))
        # The server's own message is never repeated, as it may hold anything.
        of_kms = code.startswith(_KMS) or (
            code in _FORBIDDEN and 'kms:' in str(told.get('Message', ''))
        )
        if of_kms and code not in _PASSING_KMS:
            return errors.StoreRefused(
                f'{what} The KMS key that encrypts the object is disabled, '
                f'deleted or not allowed: enable it, and allow the keys that {self.integrator} '
                'gives to use it (kms:Decrypt, kms:GenerateDataKey)'
            )
        if code in _FORBIDDEN:
            return errors.StoreRefused(
                f'{what} Check the keys that {self.integrator} gives: '
                'their policy, or that of the bucket, must allow this'
            )
        if code == 'InvalidRequest' and operation in ('GetObject', 'HeadObject'):
            return errors.StoreRefused(
                f'{what} '
                'The charms cannot read an object that is encrypted with a customer-provided key '
                '(SSE-C): copy it over itself without that encryption'
            )
        return None


def _archive(told: Mapping[str, Any]) -> str:
    """Return the storage class, and the tier in it, that an error names."""
    return ' '.join(
        name
        for name in (str(told.get('StorageClass', '')), str(told.get('AccessTier', '')))
        if archives.NAME.fullmatch(name)
    )
