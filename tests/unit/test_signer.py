"""The key that signs backup sets, in a Juju secret; and what the actions on it never show."""

from __future__ import annotations

import dataclasses
import logging

import pytest
from ops import testing

import signer
from coordinator.sets import signing
from tests import charm_states

APP = charm_states.APP


def key_of(found: testing.State) -> testing.Secret:
    (secret,) = (each for each in found.secrets if each.label == signer.LABEL)
    return secret


def content(found: testing.State) -> dict[str, str]:
    secret = key_of(found)
    return dict(secret.latest_content or secret.tracked_content)


def with_key() -> testing.State:
    """Return a model in which the key was made."""
    _, made = charm_states.act('show-signing-key', charm_states.state())
    return made


def test_the_leader_makes_the_key_and_shows_the_public_one():
    results, made = charm_states.act('show-signing-key', charm_states.state())
    public = signing.public_key(content(made)['private-key'])
    assert results == {
        'public-key': public,
        'fingerprint': signing.fingerprint(public),
        'trust': f'juju config {APP} trusted-signers={public}',
    }
    assert key_of(made).owner == 'app'


def test_the_key_is_made_once():
    first, made = charm_states.act('show-signing-key', charm_states.state())
    again, after = charm_states.act('show-signing-key', made)
    assert again == first
    assert content(after) == content(made)


def test_another_unit_shows_the_key_and_makes_none():
    made = with_key()
    there, _ = charm_states.act('show-signing-key', dataclasses.replace(made, leader=False))
    assert there['public-key'] == signing.public_key(content(made)['private-key'])
    with pytest.raises(testing.ActionFailed) as caught:
        charm_states.act('show-signing-key', charm_states.state(leader=False))
    assert f'juju run {APP}/leader show-signing-key' in caught.value.message


def test_the_command_keeps_the_signers_that_are_trusted_already():
    other = signing.public_key(signing.new_key())
    state = charm_states.state(config={'trusted-signers': other})
    results, _ = charm_states.act('show-signing-key', state)
    assert results['trust'].endswith(f'trusted-signers={results["public-key"]},{other}')


def test_rotation_remembers_the_former_public_key_and_forgets_the_private_one():
    made = with_key()
    private = content(made)['private-key']
    results, rotated = charm_states.act('rotate-signing-key', made)
    former = signing.public_key(private)
    assert results['former-keys'] == former
    assert results['public-key'] == signing.public_key(content(rotated)['private-key']) != former
    assert results['trust'].endswith(f'={results["public-key"]},{former}')
    assert 'every model that lists the old key' in results['next']
    assert private not in content(rotated).values()


def test_a_second_rotation_remembers_both():
    made = with_key()
    first, once = charm_states.act('rotate-signing-key', made)
    second, _ = charm_states.act('rotate-signing-key', once)
    assert second['former-keys'].split() == [first['public-key'], first['former-keys']]


def test_rotation_can_forget_a_key_that_was_stolen():
    results, rotated = charm_states.act('rotate-signing-key', with_key(), forget_former=True)
    assert 'former-keys' not in results
    shown, _ = charm_states.act('show-signing-key', rotated)
    assert (shown['public-key'], 'former-keys' in shown) == (results['public-key'], False)


def with_signers(made: testing.State, listed: str) -> testing.State:
    return dataclasses.replace(made, config={**made.config, 'trusted-signers': listed})


def test_the_command_no_longer_trusts_a_key_that_was_stolen():
    made, other = with_key(), signing.public_key(signing.new_key())
    stolen = signing.public_key(content(made)['private-key'])
    state = with_signers(made, f'{stolen},{other}')
    results, _ = charm_states.act('rotate-signing-key', state, forget_former=True)
    assert results['trust'].endswith(f'trusted-signers={results["public-key"]},{other}')


def test_a_rotation_that_fails_rotates_nothing():
    made = with_key()
    context = charm_states.context()
    with pytest.raises(testing.ActionFailed) as caught:
        context.run(context.on.action('rotate-signing-key'), with_signers(made, 'no-key'))
    assert 'key 1 of trusted-signers' in caught.value.message
    assert isinstance(caught.value.state, testing.State)
    assert content(caught.value.state) == content(made)


def test_without_a_key_there_is_nothing_to_rotate():
    with pytest.raises(testing.ActionFailed) as caught:
        charm_states.act('rotate-signing-key', charm_states.state())
    assert 'show-signing-key' in caught.value.message


def test_the_private_key_is_in_no_result_databag_or_log(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    shown, made = charm_states.act('show-signing-key', charm_states.state())
    told, rotated = charm_states.act('rotate-signing-key', made)
    for found in (made, rotated):
        text = f'{shown} {told} {charm_states.databag(found)} {caplog.text} {found.app_status}'
        assert content(found)['private-key'] not in text


def test_a_wrong_key_in_trusted_signers_is_named_in_the_status():
    state = charm_states.state(config={'trusted-signers': 'ed25519:short'})
    out = charm_states.context().run(charm_states.context().on.update_status(), state)
    assert out.app_status.name == 'blocked'
    assert 'key 1 of trusted-signers' in out.app_status.message
    assert f'juju config {APP} trusted-signers=' in out.app_status.message
