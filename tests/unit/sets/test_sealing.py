"""Sealed passwords open for their identity and their backup set only, and nothing tells them."""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterator

import pyrage
import pytest

from coordinator import errors
from coordinator.sets import sealing
from tests import examples

BACKUP_ID = examples.BACKUP_ID
MODEL = 'deadbeef-0bad-400d-8000-4b1d0d06f00d'
PASSWORDS = {'operator': 'correct-horse', 'replication': 'battery-staple'}
IDENTITY = str(examples.IDENTITY)


def sealed(*recipients: str) -> bytes:
    return sealing.seal(BACKUP_ID, MODEL, PASSWORDS, recipients or (examples.RECIPIENT,))


def everything_told(error: BaseException) -> str:
    """Return all that a log could hold of an error, those included that it suppresses."""

    def chain(link: BaseException | None) -> Iterator[BaseException]:
        while link is not None:
            yield link
            link = link.__cause__ or link.__context__

    texts = [f'{link} {link!r} {link.args} {vars(link)}' for link in chain(error)]
    return '\n'.join([*texts, *traceback.format_exception(error)])


def assert_nothing_secret(error: BaseException, *more: str) -> None:
    told = everything_told(error)
    for secret in (*PASSWORDS.values(), IDENTITY, *more):
        assert secret not in told


def test_the_identity_opens_what_was_sealed():
    assert sealing.unseal(sealed(), IDENTITY, BACKUP_ID) == PASSWORDS


def test_an_identity_may_come_with_the_newline_of_its_file():
    assert sealing.unseal(sealed(), f'{IDENTITY}\n', BACKUP_ID) == PASSWORDS


def test_each_of_several_recipients_opens_it():
    other = pyrage.x25519.Identity.generate()
    content = sealed(examples.RECIPIENT, str(other.to_public()))
    assert sealing.unseal(content, IDENTITY, BACKUP_ID) == PASSWORDS
    assert sealing.unseal(content, str(other), BACKUP_ID) == PASSWORDS


def test_no_password_is_readable_in_the_file():
    assert not any(password.encode() in sealed() for password in PASSWORDS.values())


def test_another_identity_opens_nothing():
    other = str(pyrage.x25519.Identity.generate())
    with pytest.raises(errors.StepError, match='the identity does not decrypt') as caught:
        sealing.unseal(sealed(), other, BACKUP_ID)
    assert_nothing_secret(caught.value, other)


@pytest.mark.parametrize(
    'text',
    ['', 'hunter2', IDENTITY[:-1], examples.RECIPIENT],
    ids=['nothing', 'a-password', 'cut-off', 'a-public-key'],
)
def test_what_is_no_identity_opens_nothing_and_is_not_repeated(text: str):
    with pytest.raises(errors.StepError, match='the identity does not decrypt') as caught:
        sealing.unseal(sealed(), text, BACKUP_ID)
    assert_nothing_secret(caught.value, *filter(None, [text]))


def test_the_file_of_another_backup_set_is_refused():
    with pytest.raises(errors.StepError, match=f'are those of {BACKUP_ID}') as caught:
        sealing.unseal(sealed(), IDENTITY, '2026-08-23T10:15:00Z')
    assert_nothing_secret(caught.value)


@pytest.mark.parametrize('position', [0, 40, -1])
def test_a_tampered_file_is_refused(position: int):
    content = bytearray(sealed())
    content[position] ^= 1
    with pytest.raises(errors.StepError, match='does not decrypt') as caught:
        sealing.unseal(bytes(content), IDENTITY, BACKUP_ID)
    assert_nothing_secret(caught.value)


@pytest.mark.parametrize(
    'content',
    [
        f'correct-horse is no JSON {IDENTITY}',
        json.dumps(['correct-horse']),
        json.dumps({'passwords': PASSWORDS}),
        json.dumps({'backup-id': BACKUP_ID, 'pass': PASSWORDS}),
    ],
    ids=['no-json', 'a-list', 'no-backup-id', 'no-passwords'],
)
def test_content_that_seal_did_not_make_is_refused_and_not_repeated(content: str):
    foreign = pyrage.encrypt(content.encode(), [examples.IDENTITY.to_public()])
    with pytest.raises(errors.StepError) as caught:
        sealing.unseal(foreign, IDENTITY, BACKUP_ID)
    assert_nothing_secret(caught.value)


# --- Hashes -------------------------------------------------------------------------------------


def test_a_hash_matches_its_password_only():
    hashed = sealing.hash_password('correct-horse')
    assert sealing.matches('correct-horse', hashed)
    assert not sealing.matches('battery-staple', hashed)
    assert 'correct-horse' not in hashed


def test_equal_passwords_have_different_hashes():
    assert sealing.hash_password('correct-horse') != sealing.hash_password('correct-horse')


@pytest.mark.parametrize('hashed', ['', 'correct-horse', 'md5$c2FsdA==$aGFzaA==', 'scrypt$a$b'])
def test_what_is_no_hash_of_ours_matches_nothing(hashed: str):
    assert not sealing.matches('correct-horse', hashed)


# --- Recipients ----------------------------------------------------------------------------------


def test_public_keys_are_accepted():
    other = str(pyrage.x25519.Identity.generate().to_public())
    sealing.check_recipients((examples.RECIPIENT, other))


def test_without_recipients_the_sentence_says_how_to_make_one():
    with pytest.raises(errors.PreconditionError, match=r'age-keygen.*recipients=age1'):
        sealing.check_recipients(())


@pytest.mark.parametrize(
    'text',
    ['age1garbage', 'ssh-ed25519 AAAA', examples.RECIPIENT[:-1]],
    ids=['garbage', 'an-ssh-key', 'cut-off'],
)
def test_garbage_is_named_by_its_position(text: str):
    with pytest.raises(
        errors.PreconditionError, match='recipient 2 is not an age X25519'
    ) as caught:
        sealing.check_recipients((examples.RECIPIENT, text))
    assert text not in everything_told(caught.value)


@pytest.mark.parametrize('text', [IDENTITY, IDENTITY.lower()], ids=['upper', 'lower'])
def test_a_secret_key_that_was_pasted_by_mistake_is_not_repeated(text: str):
    with pytest.raises(errors.PreconditionError, match='recipient 1 is a secret key') as caught:
        sealing.check_recipients((text,))
    assert text not in everything_told(caught.value)
