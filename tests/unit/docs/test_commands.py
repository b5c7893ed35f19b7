"""The commands of the documentation are real: actions, parameters, options, rehearsals."""

from __future__ import annotations

import pathlib
import re
import shlex
import types
from collections.abc import Iterator
from typing import Any, cast

import pytest
import yaml

from docs.generate import contents
from rehearsal import __main__ as rehearsal
from rehearsal import embedded, story
from rehearsal.juju import serving

ROOT = contents.ROOT
PAGES = [
    ROOT / 'README.md',
    *sorted(path for path in (ROOT / 'docs').rglob('*.md') if '_build' not in path.parts),
]
ACTIONS: dict[str, Any] = yaml.safe_load((ROOT / 'actions.yaml').read_text())
OPTIONS: dict[str, Any] = yaml.safe_load((ROOT / 'config.yaml').read_text())['options']
CHARM: dict[str, Any] = yaml.safe_load((ROOT / 'charmcraft.yaml').read_text())
ENDPOINTS: dict[str, Any] = {**CHARM['provides'], **CHARM['requires']}
TUTORIAL = (ROOT / 'docs/tutorial/rehearse.md').read_text()


def wrong_actions(text: str) -> Iterator[str]:
    """Yield what no action is, or is no parameter of it."""
    command = r'juju run maas-backup-coordinator/\S+ ([a-z-]+)((?: [a-z-]+=[^\s`|]+)*)'
    for action, parameters in re.findall(command, text):
        known = ACTIONS.get(action, {}).get('params', {})
        if action not in ACTIONS:
            yield action
        yield from (
            f'{action} {name}'
            for name in re.findall(r' ([a-z-]+)=', parameters)
            if name not in known
        )


def wrong_options(text: str) -> Iterator[str]:
    """Yield what is no option, and no endpoint."""
    for line in re.findall(r'juju config maas-backup-coordinator ([^`\n|]+)', text):
        for name in re.findall(r'(?:^| )([a-z-]+)=', line):
            if name not in OPTIONS:
                yield name
    for name in re.findall(r'juju integrate maas-backup-coordinator:([a-z0-9-]+)', text):
        if name not in ENDPOINTS:
            yield name


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_names_actions_and_options_that_there_are(page: pathlib.Path):
    text = page.read_text()
    assert [*wrong_actions(text), *wrong_options(text)] == []


def test_what_there_is_not_is_found():
    text = 'juju run maas-backup-coordinator/leader backup-all dry=true, and juju config '
    assert list(wrong_actions(text)) == ['backup-all dry']
    assert list(wrong_actions('juju run maas-backup-coordinator/leader back-up')) == ['back-up']
    assert list(wrong_options('juju config maas-backup-coordinator keep=1')) == ['keep']


def typed() -> Iterator[str]:
    """Yield the words of each command of the tutorial that the rehearsal runs."""
    for _, block in re.findall(r'^```(\w*)\n(.*?)^```$', TUTORIAL, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            found = re.match(r'\$ (?:\.venv/bin/python -m rehearsal|(?=juju )) ?(.*)', line)
            if found:
                yield found[1]


@pytest.mark.parametrize('command', sorted(set(typed())))
def test_the_rehearsal_takes_the_commands_of_the_tutorial(command: str):
    words = shlex.split(command)
    if words[0] == 'juju':
        serving.COMMANDS.read(words[1:])
    else:
        rehearsal._parser().parse_args(words)


def test_the_tutorial_has_commands():
    assert len(list(typed())) > 15


def test_the_tutorial_shows_what_the_rehearsal_checks():
    site = cast(embedded.Embedded, types.SimpleNamespace(layout=embedded.Layout()))
    claims = [claim for claim, _ in story._claims(site, 0)]
    assert re.findall(r'checked: (.*)', TUTORIAL) == claims
