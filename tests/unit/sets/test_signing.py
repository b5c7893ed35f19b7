"""Signatures of what lies in a bucket that others can write to."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from coordinator import errors
from coordinator.sets import documents, manifest, signing
from tests import examples

SOURCE = 'coordinator/backup-sets/x/manifest.json'
PRIVATE, OTHER = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))
OWN = signing.public_key(PRIVATE)
FOREIGN = signing.public_key(OTHER)


def signed(private: str = PRIVATE) -> manifest.Manifest:
    made = examples.backup_set()
    value = signing.sign(private, manifest.Manifest.purpose, made.digest)
    return made.signed(signing.public_key(private), value)


def document() -> dict[str, Any]:
    return json.loads(signed().to_json())


def stored(content: dict[str, Any]) -> manifest.Manifest:
    """Read a manifest as somebody has written it who knows how its checksum is made."""
    content.pop('checksum', None)
    content['checksum'] = documents.checksum(content)
    return manifest.parse(json.dumps(content).encode(), SOURCE)


def test_what_is_signed_is_read_and_holds():
    read = manifest.parse(signed().to_json(), SOURCE)
    assert read == signed()
    assert read.standing([OWN]) == signing.SIGNED


def test_a_signature_by_a_key_that_does_not_count_is_of_another_key():
    assert manifest.parse(signed(OTHER).to_json(), SOURCE).standing([OWN]) == signing.OTHER_KEY


def test_a_set_of_an_earlier_revision_is_unsigned():
    content = document()
    del content['signature']
    assert stored(content).standing([OWN]) == signing.UNSIGNED


def test_equal_content_has_equal_signatures():
    assert signed().to_json() == signed().to_json()


def _change_size(content: dict[str, Any]) -> None:
    content['maas']['objects'][0]['size'] += 1


def _change_sealed(content: dict[str, Any]) -> None:
    content['passwords']['sealed']['sha256'] = '0' * 64


def _add_field(content: dict[str, Any]) -> None:
    content['colour'] = 'blue'


def _change_id(content: dict[str, Any]) -> None:
    content['backup-id'] = '2026-08-23T10:15:00Z'


def _truncate(content: dict[str, Any]) -> None:
    content['signature']['value'] = content['signature']['value'][:40]


def _empty(content: dict[str, Any]) -> None:
    content['signature']['value'] = ''


def _no_base64(content: dict[str, Any]) -> None:
    content['signature']['value'] = '?' + content['signature']['value'][1:]


def _swap_key(content: dict[str, Any]) -> None:
    content['signature']['key'] = FOREIGN


def _no_key(content: dict[str, Any]) -> None:
    content['signature']['key'] = 'ed25519:'


def _other_spelling(content: dict[str, Any]) -> None:
    """Base64 has two unused bits here: another text of the same key must not count as another."""
    content['signature']['key'] = OWN[:-2] + chr(ord(OWN[-2]) + 1) + '='


def _say_what_it_covers(content: dict[str, Any]) -> None:
    content['signature']['covers'] = signed().digest
    _change_size(content)


@pytest.mark.parametrize(
    'attack',
    [
        _change_size,
        _change_sealed,
        _add_field,
        _change_id,
        _truncate,
        _empty,
        _no_base64,
        _swap_key,
        _no_key,
        _other_spelling,
        _say_what_it_covers,
    ],
)
def test_what_was_changed_has_a_bad_signature(attack: Callable[[dict[str, Any]], None]):
    content = document()
    attack(content)
    assert stored(content).standing([OWN, FOREIGN]) == signing.BAD


def test_a_signature_of_one_purpose_is_good_for_no_other():
    digest = examples.backup_set().digest
    value = signing.sign(PRIVATE, 'something-else', digest)
    assert examples.backup_set().signed(OWN, value).standing([OWN]) == signing.BAD


def test_a_signature_of_another_shape_is_damage():
    content = {**document(), 'signature': ['x']}
    with pytest.raises(errors.UnexpectedAnswer, match='is damaged: signature'):
        stored(content)


def test_an_earlier_revision_reads_a_signed_manifest():
    # It knows no signature: the checksum is of everything else, and an unknown field is ignored.
    content = document()
    written = content.pop('checksum')
    assert written == documents.checksum(content)


def test_what_a_newer_revision_adds_is_covered():
    newer = {**json.loads(examples.backup_set().to_json()), 'colour': 'blue'}
    del newer['checksum'], newer['signature']
    value = signing.sign(PRIVATE, manifest.Manifest.purpose, documents.checksum(newer))
    newer['signature'] = {'key': OWN, 'value': value}
    assert stored(newer).standing([OWN]) == signing.SIGNED


def test_signers_are_listed_with_commas_blanks_or_lines():
    assert signing.signers(f' {OWN},\n{FOREIGN} {OWN}\n') == (OWN, FOREIGN)
    assert signing.signers('') == ()
    assert signing.signers(signing.option([OWN, FOREIGN])) == (OWN, FOREIGN)


@pytest.mark.parametrize('wrong', ['ed25519:', OWN[:-5], OWN[8:], PRIVATE, 'age1xyz'])
def test_a_signer_that_is_no_public_key_is_named_by_its_position_only(wrong: str):
    with pytest.raises(errors.PreconditionError) as caught:
        signing.signers(f'{OWN},{wrong}')
    assert 'key 2 of trusted-signers is not a public key' in str(caught.value)
    assert 'juju config maas-backup-coordinator trusted-signers=' in str(caught.value)
    assert wrong not in str(caught.value).replace('(ed25519:...)', '')


def test_a_record_has_room_for_so_many_signers_and_no_more():
    keys = [
        signing.public_key(base64.b64encode(bytes([n]) * 32).decode())
        for n in range(signing.MOST_SIGNERS + 1)
    ]
    assert len(signing.signers(signing.option(keys[1:]))) == signing.MOST_SIGNERS
    with pytest.raises(errors.PreconditionError, match='at most 16'):
        signing.signers(signing.option(keys))


def test_new_keys_differ_and_their_fingerprints_too():
    keys = [signing.public_key(signing.new_key()) for _ in range(2)]
    assert len({*keys, *map(signing.fingerprint, keys)}) == 4


def test_a_signature_is_what_rfc_8032_says():
    # Its first test vector: the key pair.
    seed = bytes.fromhex('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60')
    public = bytes.fromhex('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a')
    text = base64.b64encode(seed).decode()
    assert signing.public_key(text) == f'ed25519:{base64.b64encode(public).decode()}'


def test_reading_a_manifest_does_not_load_the_library():
    code = (
        'import sys, late; late.install();'
        'from coordinator.sets import signing, manifest; signing.signers("");'
        'print("cryptography" in sys.modules)'
    )
    ran = subprocess.run(
        [sys.executable, '-c', code], env={'PYTHONPATH': 'src'}, capture_output=True, check=True
    )
    assert ran.stdout == b'False\n'
