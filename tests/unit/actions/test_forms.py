"""What an action takes is what actions.yaml declares."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import pytest
import yaml

from actions import adoption, catalogue, expiry, forms, schedule, signing, verification
from coordinator import errors

DECLARED = yaml.safe_load((pathlib.Path(__file__).parents[3] / 'actions.yaml').read_text())
FORMS: dict[str, type[Any]] = {
    'backup-all': forms.BackupAll,
    'restore-all': forms.RestoreAll,
    'prove-restore': forms.ProveRestore,
    'show-operation': forms.ShowOperation,
    'resume-operation': forms.ResumeOperation,
    'abort-operation': forms.AbortOperation,
    'acknowledge-operation': forms.AcknowledgeOperation,
    'list-backups': catalogue.ListBackups,
    'show-backup': catalogue.ShowBackup,
    'verify-backup': verification.VerifyBackup,
    'adopt-backup': adoption.AdoptBackup,
    'delete-backup': expiry.DeleteBackup,
    'expire': expiry.Expire,
    'keep-backup': expiry.KeepBackup,
    'show-schedule': schedule.ShowSchedule,
    'show-signing-key': signing.ShowSigningKey,
    'rotate-signing-key': signing.RotateSigningKey,
}
TYPES = {'string': 'str', 'boolean': 'bool', 'integer': 'int'}
NOT_GIVEN = {'string': '', 'integer': 0, 'boolean': False}


def test_every_action_has_a_form():
    assert FORMS.keys() == DECLARED.keys()


@pytest.mark.parametrize('action', FORMS)
def test_a_form_has_the_parameters_that_are_declared(action: str):
    params: dict[str, dict[str, Any]] = DECLARED[action].get('params', {})
    fields = {field.name: field.type for field in dataclasses.fields(FORMS[action])}
    assert fields == {
        name.replace('-', '_'): TYPES[schema['type']] for name, schema in params.items()
    }


@pytest.mark.parametrize('action', FORMS)
def test_a_parameter_that_is_not_given_has_the_default_that_is_declared(action: str):
    params: dict[str, dict[str, Any]] = DECLARED[action].get('params', {})
    required = DECLARED[action].get('required', ())
    for field in dataclasses.fields(FORMS[action]):
        name = field.name.replace('_', '-')
        if name not in required:
            schema = params[name]
            assert field.default == schema.get('default', NOT_GIVEN[schema['type']]), name


def test_a_restore_carries_what_was_given_and_nothing_else():
    secret = 'secret:cq1a2b3c4d5e6f7g8h9i'
    form = forms.RestoreAll(f' {secret} ', '/new/path', ' latest ', 2, other_databases=True)

    assert form.kept == {
        'backup-id': 'latest',
        'identity': secret,
        'postgresql-path': '/new/path',
        'postgresql-units': '2',
        'other-databases': 'true',
    }
    assert forms.RestoreAll(backup_id='latest').kept == {'backup-id': 'latest'}


@pytest.mark.parametrize('form', [forms.ResumeOperation, forms.RestoreAll, forms.ProveRestore])
def test_an_identity_that_is_no_uri_is_not_repeated(
    form: type[forms.ResumeOperation | forms.ProveRestore],
):
    with pytest.raises(errors.PreconditionError) as caught:
        form(identity='AGE-SECRET-KEY-1ABC')
    assert 'AGE-SECRET' not in str(caught.value)
