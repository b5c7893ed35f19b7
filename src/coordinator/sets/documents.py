"""What all documents of a backup set have in common: their form, versions, checksum and signature.

A document lies where others may write. Its checksum shows damage and careless changes, and its
signature shows who vouches for it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Annotated, Any, ClassVar, Self, TypeVar

import pydantic

from coordinator import errors, plain, this
from coordinator.sets import signing

Text = Annotated[str, pydantic.AfterValidator(plain.one_line)]
"""For people."""


class Part(pydantic.BaseModel):
    """A part of a stored document. Its fields have hyphens there, and unknown ones are ignored."""

    model_config = pydantic.ConfigDict(
        alias_generator=lambda name: name.replace('_', '-'),
        populate_by_name=True,
        extra='ignore',
        frozen=True,
        # Every dispatch of an operation imports this, few need it.
        defer_build=True,
    )


class Signature(Part):
    """Who vouches for what a document says."""

    key: Text
    """Public key, as `signing` writes it."""
    value: Text
    """The signature, in Base64."""
    covers: str = pydantic.Field(default='', exclude=True)
    """SHA-256 of what the document says, computed when it was read: never what is stored."""


class Signed(Part):
    """A document that has a checksum, and may have a signature of the same content."""

    purpose: ClassVar[str]
    """What kind of document a signature of it is good for."""
    signature: Signature | None = None
    """None if nobody has signed it, as in a document of an earlier revision."""

    @property
    def digest(self) -> str:
        """SHA-256 of what it says, without its signature."""
        return _digest(json.loads(self.model_dump_json(by_alias=True)))

    def signed(self, key: str, value: str) -> Self:
        """Return it with a signature."""
        signature = Signature(key=key, value=value, covers=self.digest)
        return self.model_copy(update={'signature': signature})

    def standing(self, accepted: Collection[str]) -> str:
        """Return SIGNED, OTHER_KEY, UNSIGNED or BAD of `signing`.

        Args:
            accepted: the public keys that count.
        """
        if self.signature is None:
            return signing.UNSIGNED
        signature = self.signature
        return signing.judge(
            signature.key, self.purpose, signature.covers, signature.value, accepted
        )

    def to_json(self) -> bytes:
        """Return it as stored, its own checksum included, which covers the signature as well."""
        content: dict[str, Any] = json.loads(self.model_dump_json(by_alias=True))
        return json.dumps({**content, _CHECKSUM: checksum(content)}, indent=2).encode()


_CHECKSUM, _SIGNATURE = 'checksum', 'signature'


def checksum(content: Mapping[str, Any]) -> str:
    """SHA-256 of a document without its checksum, as compact JSON with sorted keys."""
    text = json.dumps(content, sort_keys=True, separators=(',', ':'))
    return hashlib.sha256(text.encode()).hexdigest()


def _digest(content: Mapping[str, Any]) -> str:
    """Return what a signature covers: fields that only a newer revision knows as well."""
    outside = (_CHECKSUM, _SIGNATURE)
    return checksum({name: value for name, value in content.items() if name not in outside})


class _Version(Part):
    version: int


Document = TypeVar('Document', bound=Part)
SignedDocument = TypeVar('SignedDocument', bound=Signed)


def read(
    form: type[Document], content: bytes, source: str, newest: int, *, checked: bool = False
) -> Document:
    """Read a stored document.

    Args:
        form: what it should be.
        content: the document, as JSON.
        source: names it in errors.
        newest: the newest version of it that this revision knows.
        checked: whether it has a checksum.

    Raises:
        ForeignRecordError: its version is newer.
        UnexpectedAnswer: it is damaged.
    """
    try:
        version = _Version.model_validate_json(content).version
        if version > newest:
            raise errors.ForeignRecordError(
                f'{source} has version {version}, '
                f'but this revision of the charm only reads versions up to {newest}: '
                f'juju refresh {this.application()}'
            )
        raw: dict[str, Any] = json.loads(content)
        if checked and raw.pop(_CHECKSUM, None) != checksum(raw):
            raise errors.UnexpectedAnswer(
                f'{source} was changed after it was written: its checksum does not match'
            )
        return form.model_validate(raw)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = '.'.join(str(part) for part in first['loc'])
        raise errors.UnexpectedAnswer(f'{source} is damaged: {where} {first["msg"]}') from None


def read_signed(
    form: type[SignedDocument], content: bytes, source: str, newest: int
) -> SignedDocument:
    """Read a stored document that may have a signature; raises and takes what `read` does.

    Whether the signature holds is another question: `standing` answers it.
    """
    found = read(form, content, source, newest, checked=True)
    if found.signature is None:
        return found
    covers = _digest(json.loads(content))
    signature = found.signature.model_copy(update={'covers': covers})
    return found.model_copy(update={'signature': signature})
