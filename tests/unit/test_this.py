"""Commands name this application as it was deployed, whatever it is called."""

from __future__ import annotations

import ast
import pathlib
from collections.abc import Callable

import pytest

import charm
from coordinator import errors, this
from coordinator.engine import settings
from coordinator.juju_api import access
from coordinator.sets import rules, sealing

SOURCES = sorted(pathlib.Path(charm.__file__).parent.rglob('*.py'))
NO_COMMAND = {
    'alerts.py': 1,  # The address of a page.
    'this.py': 1,  # The charm's name.
    'trace.py': 1,  # The program that made a trace.
    'password_change.py': 2,  # Labels of secrets: records that exist name them.
    'signing.py': 1,  # What each signature begins with.
}
"""By file: how many texts name the charm and are no command."""


@pytest.fixture
def as_backups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('JUJU_UNIT_NAME', 'backups/3')


@pytest.mark.usefixtures('as_backups')
def test_the_application_is_called_as_it_was_deployed():
    assert this.application() == 'backups'


@pytest.mark.parametrize('unit', [None, ''])
def test_outside_of_hooks_it_is_called_like_its_charm(
    monkeypatch: pytest.MonkeyPatch, unit: str | None
):
    monkeypatch.delenv('JUJU_UNIT_NAME', raising=False)
    if unit is not None:
        monkeypatch.setenv('JUJU_UNIT_NAME', unit)
    assert this.application() == 'maas-backup-coordinator'


def test_no_text_of_the_source_names_the_charm_where_the_application_is_meant():
    named: dict[str, int] = {}
    for path in SOURCES:
        tree = ast.parse(path.read_text())
        texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
        count = sum(this.CHARM in text for text in texts if isinstance(text, str))
        if count:
            named[path.name] = count
    assert named == NO_COMMAND


@pytest.mark.usefixtures('as_backups')
@pytest.mark.parametrize(
    ('refused', 'command'),
    [
        (lambda: sealing.check_recipients(()), 'juju config backups recipients='),
        (lambda: sealing.check_recipients(('age1x',)), 'juju config backups recipients='),
        (lambda: access.credentials({}), 'juju grant-secret coordinator-login backups,'),
        (lambda: access.credentials({}), 'juju config backups juju-credentials='),
        (lambda: rules.Policy.from_config({'keep-last': -1}), 'juju config backups keep-last='),
        (
            lambda: settings.from_config(
                {'postgresql-backup-strategy': 'replica', 'recipients': 'age1x ' * 17},
                settings.Applications('m', 'p', 's', 't'),
            ),
            'juju config backups recipients=',
        ),
    ],
    ids=['none', 'garbage', 'grant', 'credentials', 'rules', 'many'],
)
def test_a_refusal_names_the_application_in_its_command(
    refused: Callable[[], object], command: str
):
    with pytest.raises(errors.PreconditionError) as caught:
        refused()
    assert command in str(caught.value)
