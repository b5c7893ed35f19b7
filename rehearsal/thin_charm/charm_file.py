"""Makes the file that `juju deploy` takes, out of what a stand-in declares.

All but a few lines of it is in the packed coordinator already: the Python packages, the modules
that speak to S3, the way that Juju's dispatch starts Python.
"""

from __future__ import annotations

import pathlib
import shutil
import zipfile
from collections.abc import Mapping
from typing import Any

import yaml

from rehearsal import model
from rehearsal.standins import stand_in
from rehearsal.thin_charm import charm

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_SECTIONS = {'requirer': 'requires', 'provider': 'provides', 'peer': 'peers'}
_TAKEN = ('venv/', 'dispatch', 'manifest.yaml')
"""What is taken out of the packed coordinator as it is."""
_ENTRY = """\
import ops
from rehearsal.thin_charm import charm

if __name__ == '__main__':
    ops.main(charm.ThinCharm)
"""


def lay_out(stood_in: stand_in.StandIn, directory: pathlib.Path) -> None:
    """Write the source tree of a stand-in's charm."""
    for name, document in documents(stood_in.charm).items():
        (directory / name).write_text(yaml.safe_dump(document, sort_keys=False))
    source = directory / 'src'
    source.mkdir()
    (source / 'charm.py').write_text(_ENTRY)
    ignored = shutil.ignore_patterns('__pycache__')
    shutil.copytree(_ROOT / 'src/coordinator', source / 'coordinator', ignore=ignored)
    shutil.copytree(_ROOT / 'rehearsal', source / 'rehearsal', ignore=ignored)


def write(
    stood_in: stand_in.StandIn, coordinator: pathlib.Path, directory: pathlib.Path
) -> pathlib.Path:
    """Write the charm of a stand-in into an empty directory, and return its file.

    Args:
        stood_in: the stand-in.
        coordinator: the packed coordinator; the charm fits the same base.
        directory: where to.
    """
    tree = directory / 'tree'
    tree.mkdir()
    lay_out(stood_in, tree)
    target = directory / f'{stood_in.charm.name}.charm'
    with (
        zipfile.ZipFile(coordinator) as packed,
        zipfile.ZipFile(target, 'w', zipfile.ZIP_DEFLATED) as archive,
    ):
        for entry in packed.infolist():
            if entry.filename.startswith(_TAKEN):
                archive.writestr(entry, packed.read(entry))
        for path in sorted(tree.rglob('*')):
            archive.write(path, path.relative_to(tree))
    return target


def documents(spec: model.CharmSpec) -> dict[str, dict[str, Any]]:
    """Return the YAML files of a charm that declares this."""
    switches = {charm.SWITCHES: model.Option('string', '', 'name=value, separated by blanks')}
    options = {**spec.options, **switches}
    return {
        'metadata.yaml': _metadata(spec),
        'actions.yaml': {name: _action(action) for name, action in spec.actions.items()},
        'config.yaml': {'options': {name: _option(option) for name, option in options.items()}},
    }


def _metadata(spec: model.CharmSpec) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        'name': spec.name,
        'summary': f'Stand-in of {spec.name} for integration tests.',
        'description': 'Behaves as the charm of this name does, and has no workload.',
    }
    for endpoint in spec.endpoints:
        section: dict[str, Any] = metadata.setdefault(_SECTIONS[endpoint.role], {})
        limit = {'limit': endpoint.limit} if endpoint.limit else {}
        section[endpoint.name] = {'interface': endpoint.interface, **limit}
    if spec.storage:
        metadata['storage'] = {name: {'type': 'filesystem'} for name in spec.storage}
    return metadata


def _action(action: model.ActionSpec) -> dict[str, Any]:
    declared: dict[str, Any] = {
        'description': action.description,
        'params': {name: dict(schema) for name, schema in action.params.items()},
        'required': list(action.required),
        'additionalProperties': action.additional_properties,
        'parallel': action.parallel,
    }
    if action.execution_group:
        declared['execution-group'] = action.execution_group
    return declared


def _option(option: model.Option) -> Mapping[str, Any]:
    default = {} if option.default is None else {'default': option.default}
    return {'type': option.type, **default, 'description': option.description}
