"""Config becomes settings, or a sentence that names the option."""

from __future__ import annotations

import json

import pyrage
import pytest

from coordinator import errors
from coordinator.engine import settings
from coordinator.sets import rules
from tests import examples

RELATED = settings.Applications('maas-region', 'postgresql', 's3-maas', 's3-postgresql')
CONFIG: dict[str, object] = {
    'recipients': examples.RECIPIENT,
    'postgresql-backup-strategy': 'scale-down',
    'scaling-deadline': 120,
    'postgresql-backup-deadline': 720,
    'maas-backup-deadline': 360,
    'image-sync-deadline': 60,
}


def read(**changes: object) -> settings.Settings:
    changed = {name.replace('_', '-'): value for name, value in changes.items()}
    return settings.from_config({**CONFIG, **changed}, RELATED)


def test_config_becomes_settings():
    assert read(postgresql_backup_strategy='replica') == settings.Settings(
        maas='maas-region',
        postgresql='postgresql',
        recipients=(examples.RECIPIENT,),
        s3_maas='s3-maas',
        s3_postgresql='s3-postgresql',
        strategy='replica',
        scaling_minutes=120,
        postgresql_backup_minutes=720,
        maas_backup_minutes=360,
    )


def test_deadlines_are_minutes():
    found = read(
        scaling_deadline=1,
        postgresql_backup_deadline=2,
        maas_backup_deadline=3,
        image_sync_deadline=4,
    )
    deadlines = (
        found.scaling_deadline,
        found.postgresql_backup_deadline,
        found.maas_backup_deadline,
        found.image_sync_deadline,
    )
    assert [length.total_seconds() for length in deadlines] == [60, 120, 180, 240]


@pytest.mark.parametrize('separator', [' ', ',', ', ', '\n', ' ,\n'])
def test_recipients_are_separated_by_spaces_commas_or_lines(separator: str):
    other = str(pyrage.x25519.Identity.generate().to_public())
    text = f' {examples.RECIPIENT}{separator}{other},\n'
    assert read(recipients=text).recipients == (examples.RECIPIENT, other)


@pytest.mark.parametrize('text', ['', ' , \n', None])
def test_no_recipients_are_refused(text: str | None):
    with pytest.raises(errors.PreconditionError, match='no recipients'):
        read(recipients=text)


@pytest.mark.parametrize('strategy', ['', 'Replica', 'Auto', 'x' * 999])
def test_an_unknown_strategy_is_refused_with_those_that_there_are(strategy: str):
    with pytest.raises(errors.PreconditionError, match='auto, replica or scale-down') as caught:
        read(postgresql_backup_strategy=strategy)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    'option', ['scaling-deadline', 'postgresql-backup-deadline', 'maas-backup-deadline']
)
@pytest.mark.parametrize('value', [0, -5, None])
def test_a_deadline_below_one_minute_is_refused(option: str, value: int | None):
    with pytest.raises(errors.PreconditionError, match=f'{option} is {value}, .* 1 or more'):
        read(**{option: value})


def test_settings_survive_json():
    found = read()
    assert settings.Settings.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_retention_rules_are_fixed_with_the_settings():
    found = read(keep_last=3, keep_yearly=1)
    assert found.retention == rules.Policy(last=3, yearly=1)
    assert settings.Settings.from_dict(json.loads(json.dumps(found.to_dict()))) == found


def test_settings_of_a_revision_without_retention_keep_everything():
    raw = {'maas': 'm', 'postgresql': 'p', 'recipients': []}
    assert settings.Settings.from_dict(raw).retention == rules.Policy()


def test_settings_of_another_revision_are_read_as_far_as_they_are_known():
    raw = {'maas': 'm', 'postgresql': 'p', 'recipients': [], 'colour': 'blue'}
    assert settings.Settings.from_dict(raw) == settings.Settings('m', 'p', ())
