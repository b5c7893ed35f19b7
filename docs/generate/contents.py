"""What there is to be written into pages, by the name that they ask for it with."""

from __future__ import annotations

import pathlib
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from coordinator.observed import alerts, metrics
from coordinator.operations import plans
from docs.generate import case_table, examples, floors, plan_pages, tables
from tests.on_call import cases

ROOT = pathlib.Path(__file__).resolve().parents[2]
_PROGRAMS = 'docs/how-to/schedule'
_DIAGRAMS = 'docs/reference/plans'
_SCREENS: Mapping[str, tuple[str, ...]] = {
    'backup-all': ('backup-all-dry-run', 'backup-all'),
    'show-operation': ('show-operation-running', 'show-operation-earlier'),
    'show-schedule': ('show-schedule',),
    'list-backups': ('list-backups',),
    'show-backup': ('show-backup',),
    'verify-backup': ('verify-backup',),
    'adopt-backup': ('adopt-backup',),
    'restore-all': ('restore-all-dry-run', 'restore-all'),
    'prove-restore': ('prove-restore',),
    'delete-backup': ('delete-backup',),
    'expire': ('expire-dry-run', 'expire'),
    'show-signing-key': ('show-signing-key',),
    'rotate-signing-key': ('rotate-signing-key',),
    'keep-backup': ('keep-backup', 'keep-backup-not'),
    'resume-operation': ('resume-operation',),
    'acknowledge-operation': ('acknowledge-operation',),
    'abort-operation': ('abort-operation', 'abort-operation-refused'),
}
"""By action: what the reference shows of it."""


def content(name: str, root: pathlib.Path = ROOT) -> str:
    """Return what a page asks for by this name.

    Raises:
        ValueError: there is no such thing.
    """
    match name.split():
        case [whole] if whole in _WHOLE:
            return _WHOLE[whole](root)
        case ['plan', kind] if kind in plans.PLANS:
            return plan_pages.table(plans.PLANS[kind])
        case ['example', screen] if screen in examples.screens():
            return _shown(screen)
        case ['file', file] if (root / _PROGRAMS / file).is_file():
            return _file(root / _PROGRAMS / file)
        case _:
            raise ValueError(f'there is no {name!r} to be written')


def diagrams() -> Mapping[str, str]:
    """Return the diagrams of the plans, by their paths in the tree."""
    columns = {kind: plan_pages.diagram(plan) for kind, plan in plans.PLANS.items()}
    columns['backup-all-overview'] = plan_pages.overview(plans.BACKUP_ALL)
    return {f'{_DIAGRAMS}/{name}.svg': image for name, image in columns.items()}


def dashboards() -> Mapping[str, str]:
    """Return the dashboard that the charm gives to COS, by its path in the tree."""
    from docs.generate import dashboard

    return {dashboard.PATH: dashboard.text()}


def rules() -> Mapping[str, str]:
    """Return the rules file of a Prometheus without Juju's labels, by its path in the tree."""
    text = yaml.safe_dump(alerts.groups('job="maas-backup"', 'maas-backup', {}), sort_keys=False)
    return {
        'docs/how-to/monitor/maas-backup-rules.yaml': f'# Written by `make reference`.\n{text}'
    }


def _document(root: pathlib.Path, name: str) -> Mapping[str, Any]:
    return yaml.safe_load((root / name).read_text())


def _example(action: str) -> str:
    return '\n\n'.join(map(_shown, _SCREENS.get(action, ())))


def _shown(name: str) -> str:
    return f'```text\n{examples.screens()[name]}\n```'


def _excerpt() -> str:
    """Return a backup and a restore as an operator sees them, without the long tables."""
    screens = examples.screens()
    ends = {'backup-all': 'show-operation', 'restore-all': 'show-operation-restored'}
    shown = [(screens[begin], _shortened(screens[end])) for begin, end in ends.items()]
    text = '\n\n'.join(screen for pair in shown for screen in pair)
    # The longest command is broken where a shell lets it be broken.
    for parameter in ('backup-id=latest', 'confirm=true'):
        text = text.replace(f' {parameter}', f' \\\n> {parameter}')
    return f'```console\n{text}\n```'


def _shortened(screen: str) -> str:
    """Return the first lines of an operation, and for how long MAAS was down."""
    command, *lines = screen.splitlines()
    down = [line for line in lines if 'MAAS was down' in line]
    return '\n'.join([command, *lines[:2], '  ...', *down])


def _file(file: pathlib.Path) -> str:
    language = {'.py': 'python'}.get(file.suffix, 'ini')
    return f'```{language}\n{file.read_text().rstrip()}\n```'


def _cases() -> str:
    found = cases.cases().items()
    return case_table.table((case, cases.played(name)) for name, case in found)


_WHOLE: Mapping[str, Callable[[pathlib.Path], str]] = {
    'actions': lambda root: tables.actions(_document(root, 'actions.yaml'), _example),
    'options': lambda root: tables.options(_document(root, 'config.yaml')),
    'floors': lambda root: floors.picture(tomllib.loads((root / 'pyproject.toml').read_text())),
    'metrics': lambda _: tables.metrics(metrics.METRICS),
    'alerts': lambda _: tables.alerts(alerts.ALERTS),
    'excerpt': lambda _: _excerpt(),
    'cases': lambda _: _cases(),
}
"""What a page asks for by one word, by that word; each is made out of a tree."""
