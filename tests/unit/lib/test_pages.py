"""The pages about the interface show what the library reads and writes."""

from __future__ import annotations

import ast
import json
import pathlib
import re
from collections.abc import Callable

import pytest

from charms.maas_backup_coordinator.v0 import maas_backup
from coordinator.operations import due
from coordinator.record import requests

DOCS = pathlib.Path(__file__).parents[3] / 'docs'
PAGE = (DOCS / 'reference/interface.md').read_text()
HOW_TO = (DOCS / 'how-to/request-a-backup.md').read_text()
EXAMPLES = re.findall(r'<!-- (\w+) -->\n\n```json\n(.*?)\n```', PAGE, re.DOTALL)


def of_newest(text: str) -> str:
    found = maas_backup.BackupSet.from_dict(json.loads(text))
    return json.dumps({'version': maas_backup.VERSION, **found.as_dict()})


AGAIN: dict[str, Callable[[str], str]] = {
    'request': lambda text: maas_backup.request_to_json(maas_backup.request_from_json(text)),
    'answer': lambda text: maas_backup.Answer.from_json(text).to_json(),
    'newest': of_newest,
}


@pytest.mark.parametrize(('key', 'text'), EXAMPLES)
def test_an_example_is_what_the_library_writes(key: str, text: str):
    assert json.loads(AGAIN[key](text)) == json.loads(text)


def test_there_are_examples_of_every_key():
    assert {key for key, _ in EXAMPLES} == AGAIN.keys()


def test_every_state_and_limit_is_named():
    assert re.findall(r'^\| `(\w+)` \| .* \| (?:yes|no) \|$', PAGE, re.MULTILINE) == list(
        maas_backup.STATES
    )
    assert f'serves {requests.MOST} relations' in PAGE
    assert f'at most {maas_backup.LONGEST} bytes' in PAGE
    *some, last = [str(seconds // 60) for seconds in due.PAUSES]
    first, *between = some
    assert f'waits {first} minute, then {", ".join(between)} and {last} minutes' in PAGE


@pytest.mark.parametrize('code', re.findall(r'```python\n(.*?)```', HOW_TO, re.DOTALL))
def test_the_code_of_the_how_to_is_python_and_names_what_there_is(code: str):
    ast.parse(code)
    for name in re.findall(r'maas_backup\.(\w+)', code):
        assert hasattr(maas_backup, name), name
    for name in re.findall(r'self\.backup\.(\w+)', code):
        assert hasattr(maas_backup.MaasBackupRequirer, name), name
