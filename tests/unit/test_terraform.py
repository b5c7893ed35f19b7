"""The Terraform module fits the charm that it deploys, and its README fits the module."""

from __future__ import annotations

import pathlib
import re
import shutil
import subprocess

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
MODULE = ROOT / 'terraform'
TERRAFORM = shutil.which('terraform')


def declared(kind: str) -> set[str]:
    """Return the names of the module's variables or outputs."""
    text = (MODULE / f'{kind}s.tf').read_text()
    return set(re.findall(rf'^{kind} "(\w+)"', text, re.MULTILINE))


def block(name: str) -> str:
    """Return what stands between the braces of a block of main.tf."""
    text = (MODULE / 'main.tf').read_text()
    found = re.search(rf'^( *){re.escape(name)}[^\n]*\{{\n(.*?)^\1\}}', text, re.M | re.DOTALL)
    assert found, f'main.tf has no {name}'
    return found[2]


def test_every_endpoint_that_the_charm_needs_is_related():
    charm = yaml.safe_load((ROOT / 'charmcraft.yaml').read_text())
    related = re.findall(r'^ +([\w-]+) += \{', block('related ='), re.MULTILINE)
    needed = [name for name, end in charm['requires'].items() if not end.get('optional')]

    assert sorted(related) == sorted(needed)


def test_every_endpoint_that_it_provides_is_an_output():
    charm = yaml.safe_load((ROOT / 'charmcraft.yaml').read_text())
    text = (MODULE / 'outputs.tf').read_text().partition('output "provides"')[2]
    named = re.findall(r'= "([\w-]+)"', text.partition('\n}')[0])

    assert sorted(named) == sorted(charm['provides'])


def test_every_option_that_is_set_is_one_of_the_charm():
    options = yaml.safe_load((ROOT / 'config.yaml').read_text())['options']
    named = re.findall(r'^ +([\w-]+) += ', block('config ='), re.MULTILINE)

    assert named
    assert set(named) <= set(options)


def test_the_secret_has_the_keys_that_the_charm_reads():
    description = yaml.safe_load((ROOT / 'config.yaml').read_text())['options'][
        'juju-credentials'
    ]['description']
    keys = re.findall(r'^ +([\w-]+) += var', block('value ='), re.MULTILINE)

    assert keys
    assert [key for key in keys if key not in description] == []


@pytest.mark.parametrize('kind', ['variable', 'output'])
def test_the_readme_names_every(kind: str):
    heading = {'variable': '## Inputs', 'output': '## Outputs'}[kind]
    readme = (MODULE / 'README.md').read_text()
    table = readme.partition(heading)[2].partition('\n## ')[0]
    cells = re.findall(r'^\| ([^|]+) \|', table, re.MULTILINE)

    assert {name for cell in cells for name in re.findall(r'`(\w+)`', cell)} == declared(kind)


@pytest.mark.skipif(TERRAFORM is None, reason='terraform is not installed')
def test_terraform_can_read_the_module_and_would_write_it_so(tmp_path: pathlib.Path):
    checked = subprocess.run(
        [TERRAFORM or '', 'fmt', '-check', '-diff', '-recursive', MODULE],
        check=False,
        text=True,
        capture_output=True,
        env={'HOME': str(tmp_path)},
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr
