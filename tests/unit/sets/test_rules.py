"""Retention rules out of the charm's config, and out of a record."""

from __future__ import annotations

import dataclasses
import pathlib

import pytest
import yaml

from coordinator import errors
from coordinator.sets import rules

ROOT = pathlib.Path(__file__).resolve().parents[3]


def test_options_that_are_not_set_are_off():
    policy = rules.Policy.from_config({'keep-weekly': 4, 'keep-last': 0, 'recipients': ''})
    assert policy == rules.Policy(weekly=4)
    assert str(policy) == 'keep-weekly=4'
    assert str(rules.Policy.from_config({})) == 'no rule is set'


def test_every_option_is_the_rule_of_its_name():
    policy = rules.Policy.from_config({rule: n for n, rule in enumerate(rules.NAMES, 1)})
    assert policy == rules.Policy(last=1, daily=2, weekly=3, monthly=4, yearly=5)


@pytest.mark.parametrize('value', [-1, '7', 1.5, None])
def test_what_is_no_number_of_sets_is_refused(value: object):
    with pytest.raises(errors.PreconditionError, match=r'keep-daily is .* keep-daily=\.\.\.'):
        rules.Policy.from_config({'keep-daily': value})


def test_rules_survive_a_record():
    policy = rules.Policy(last=1, daily=2, weekly=3, monthly=4, yearly=5)
    assert rules.Policy.from_dict(policy.to_dict()) == policy


def test_a_record_of_another_revision_is_read_as_far_as_it_is_known():
    assert rules.Policy.from_dict({'keep-last': 3, 'keep-hourly': 9}) == rules.Policy(last=3)


def test_a_rule_is_declared_in_one_place_and_is_an_option_of_the_charm():
    options = yaml.safe_load((ROOT / 'config.yaml').read_text())['options']
    assert tuple(name for name in options if name.startswith('keep-')) == rules.NAMES
    assert tuple(f'keep-{field.name}' for field in dataclasses.fields(rules.Policy)) == rules.NAMES
