"""The module of a rehearsal: it reads what show-backup prints, and its references lead somewhere.

Nobody here has the provider, so nothing validates it whole: Terraform's own parser reads it where
it is installed, and these tests look at what it refers to.
"""

from __future__ import annotations

import json
import pathlib
import re

import pytest
import yaml

from coordinator.report import backup_set_report
from tests import examples

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODULE = ROOT / 'terraform/rehearsal'
TEXT = '\n'.join(path.read_text() for path in sorted(MODULE.glob('*.tf')))


def declared(kind: str) -> set[str]:
    """Return the names of what the module declares of a kind."""
    return set(re.findall(rf'^{kind} "(\w+)"', TEXT, re.MULTILINE))


def test_every_variable_is_used_and_every_one_that_is_used_is_declared():
    assert set(re.findall(r'\bvar\.(\w+)', TEXT)) == declared('variable')


def test_every_resource_that_is_referred_to_is_declared():
    there = set(re.findall(r'^resource "(\w+)" "(\w+)"', TEXT, re.MULTILINE))

    assert set(re.findall(r'(?<!\.)\b(juju_\w+)\.(\w+)', TEXT)) <= there


def test_every_field_of_the_set_that_is_read_is_one_that_show_backup_prints():
    standing = backup_set_report.Standing('complete', pinned=False)
    text = backup_set_report.for_programs(examples.backup_set(), standing, 'json')
    told = json.loads(text)
    wholes = {'set': told, 'maas': told['maas'], 'database': told['postgresql']}
    read = re.findall(r'\blocal\.(set|maas|database)((?:\.[a-z_]+)+)', TEXT)

    assert read
    for whole, path in read:
        found = wholes[whole]
        for name in path.strip('.').split('.'):
            found = found[name]
    assert told['backup-id']


def test_what_is_given_to_the_coordinators_module_are_inputs_of_it():
    block = re.search(r'^module "coordinator" \{\n(.*?)^\}', TEXT, re.MULTILINE | re.DOTALL)
    assert block
    given = set(re.findall(r'^  (\w+) +=', block[1], re.MULTILINE)) - {'source', 'depends_on'}
    inputs = (MODULE.parent / 'variables.tf').read_text()

    assert given <= set(re.findall(r'^variable "(\w+)"', inputs, re.MULTILINE))


def test_no_schedule_and_no_retention_is_set_in_a_throwaway_model():
    options = yaml.safe_load((ROOT / 'config.yaml').read_text())['options']
    acting = [name for name in options if 'schedule' in name or name.startswith('keep')]

    assert acting
    assert [name for name in acting if name in TEXT] == []


def test_the_command_that_is_printed_is_one_of_the_charm():
    actions = yaml.safe_load((ROOT / 'actions.yaml').read_text())
    output = TEXT.partition('output "rehearse"')[2].partition('\n}')[0]
    given = set(re.findall(r'\b([a-z-]+)=', output))

    assert {'backup-id', 'identity', 'rehearsal', 'confirm'} == given
    assert given <= set(actions['restore-all']['params'])


@pytest.mark.parametrize('kind', ['variable', 'output'])
def test_the_readme_names_every(kind: str):
    heading = {'variable': '## Inputs', 'output': '## Outputs'}[kind]
    table = (MODULE / 'README.md').read_text().partition(heading)[2].partition('\n## ')[0]
    cells = re.findall(r'^\| ([^|]+) \|', table, re.MULTILINE)

    assert {name for cell in cells for name in re.findall(r'`(\w+)`', cell)} == declared(kind)
