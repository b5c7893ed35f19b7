"""What goes wrong with S3, in our own words: the library's may hold a header with a key."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Generator, Mapping
from typing import Any

import botocore.exceptions
import botocore.parsers

from coordinator import errors

_ABSENT = {'NoSuchKey', '404', 'NotFound'}
_ELSEWHERE = {
    'AuthorizationHeaderMalformed',
    'PermanentRedirect',
    'IllegalLocationConstraintException',
}
_PASSING = {'SlowDown', 'RequestTimeout', 'InternalError', 'ServiceUnavailable', 'Throttling'}
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
                f'the certificate of {self.endpoint} is not trusted: set tls-ca-chain '
                f'with juju config {self.integrator}'
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
                f'what {self.endpoint or "AWS"} answers is no answer of S3 '
                f'({type(error).__name__}): is endpoint right in juju config {self.integrator}?'
            ) from None

    def _unusable(self, error: Exception) -> errors.StoreRefused:
        return errors.StoreRefused(
            f'what {self.integrator} gives is not usable ({type(error).__name__}): see juju '
            f'config {self.integrator}'
        )

    def _refusal(
        self, error: botocore.exceptions.ClientError, key: str
    ) -> errors.CoordinatorError:
        answer: Mapping[str, Any] = error.response
        code = str(answer.get('Error', {}).get('Code', ''))[:80]
        status = answer.get('ResponseMetadata', {}).get('HTTPStatusCode', 0)
        if code == 'NoSuchBucket':
            return errors.StoreRefused(
                f'bucket {self.bucket} does not exist: create it, or name another one with juju '
                f'config {self.integrator} bucket=...'
            )
        if code in _ELSEWHERE:
            return errors.StoreRefused(
                f'S3 refuses {error.operation_name} in bucket {self.bucket}: {code}. The bucket '
                f'is in another region: name it with juju config {self.integrator} region=...'
            )
        if code in _ABSENT:
            return errors.NotFound(f'{key} is not in bucket {self.bucket}')
        if code == 'RequestTimeTooSkewed':
            return errors.StoreRefused(
                "S3 refuses this unit's clock: set the time of its machine (timedatectl)"
            )
        if code in _PASSING or status in (408, 409, 429) or status >= 500:
            return errors.StoreUnavailable(
                f'S3 at {self.endpoint or "AWS"} cannot answer now ({code})'
            )
        return errors.StoreRefused(
            f'S3 refuses {error.operation_name} in bucket {self.bucket}: {code or status}. Check '
            f'the keys that {self.integrator} gives and what they may do'
        )
