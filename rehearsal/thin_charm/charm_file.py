"""Makes the file that `juju deploy` takes, out of what a stand-in declares.

Its Python packages are its own, pinned in `requirements-thin-charm.txt`: the coordinator's have
not all that a stand-in imports.
"""

from __future__ import annotations

import pathlib
import platform
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from typing import Any

import yaml

from rehearsal import model
from rehearsal.standins import stand_in
from rehearsal.thin_charm import charm

_ROOT = pathlib.Path(__file__).resolve().parents[2]
_SECTIONS = {'requirer': 'requires', 'provider': 'provides', 'peer': 'peers'}
REQUIREMENTS = _ROOT / 'requirements-thin-charm.txt'
_PACKAGES = 'packages'
_BASE = ('24.04', '3.12')
"""Channel of Ubuntu, and the Python that it has."""
_GLIBC = ('manylinux2014', 'manylinux_2_17', 'manylinux_2_28')
_ARCHITECTURES = {'x86_64': 'amd64', 'aarch64': 'arm64'}
"""What wheels call an architecture to what Juju does."""
_DISPATCH = f"""\
#!/bin/sh
export JUJU_DISPATCH_PATH="${{JUJU_DISPATCH_PATH:-$0}}"
export PYTHONPATH="$JUJU_CHARM_DIR/lib:$JUJU_CHARM_DIR/src:$JUJU_CHARM_DIR/{_PACKAGES}"
exec python3 "$JUJU_CHARM_DIR/src/charm.py"
"""
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


def install_packages(directory: pathlib.Path) -> pathlib.Path:
    """Install the packages of the stand-ins for the Python of their base, not for this one.

    Args:
        directory: where to; returned.

    Raises:
        subprocess.CalledProcessError: pip could not; what it says is shown.
    """
    machine = platform.machine()
    fits = [f'--platform={glibc}_{machine}' for glibc in _GLIBC]
    options = ('--quiet', '--no-deps', '--require-hashes', '--only-binary=:all:', '--no-compile')
    command = [
        sys.executable, '-m', 'pip', 'install', *options, *fits,
        f'--python-version={_BASE[1]}', f'--target={directory}', f'--requirement={REQUIREMENTS}',
    ]  # fmt: skip
    subprocess.run(command, check=True)
    return directory


def write(
    stood_in: stand_in.StandIn, directory: pathlib.Path, packages: pathlib.Path | None = None
) -> pathlib.Path:
    """Write the charm of a stand-in into an empty directory, and return its file.

    Args:
        stood_in: the stand-in.
        directory: where to.
        packages: what `install_packages` returned. Without them the charm runs in a rehearsal
            only, which has packages.
    """
    tree = directory / 'tree'
    tree.mkdir()
    lay_out(stood_in, tree)
    return pack(tree, directory / f'{stood_in.charm.name}.charm', packages)


def pack(
    tree: pathlib.Path, target: pathlib.Path, packages: pathlib.Path | None = None
) -> pathlib.Path:
    """Write the source tree of a charm into a file, and return it.

    Args:
        tree: the charm; what makes it start on a machine is added to it.
        target: the file.
        packages: as for `write`.
    """
    if packages is not None:
        (tree / 'manifest.yaml').write_text(yaml.safe_dump(_manifest()))
        (tree / 'dispatch').write_text(_DISPATCH)
        (tree / 'dispatch').chmod(0o755)
        shutil.copytree(packages, tree / _PACKAGES)
    with zipfile.ZipFile(target, 'w', zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(tree.rglob('*')):
            archive.write(path, path.relative_to(tree))
    return target


def _manifest() -> dict[str, Any]:
    """Return what says which machines the charm is for."""
    architecture = _ARCHITECTURES.get(platform.machine(), platform.machine())
    base = {'name': 'ubuntu', 'channel': _BASE[0], 'architectures': [architecture]}
    return {'bases': [base]}


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
