"""What a charm declares, read from its source tree, and the files a packed charm consists of."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from typing import Any, cast

import yaml

from rehearsal import model

METADATA_KEYS = (
    'name', 'summary', 'description', 'assumes', 'subordinate', 'requires', 'provides', 'peers',
    'storage', 'resources', 'extra-bindings',
)  # fmt: skip
SOURCE_FILES = ('src', 'lib', 'templates', 'version')
_ROLES = {'requires': 'requirer', 'provides': 'provider', 'peers': 'peer'}

Document = Mapping[str, Any]


def read_charm(charm_dir: pathlib.Path) -> model.CharmSpec:
    """Return what the charm in this source tree declares."""
    documents = packed_documents(charm_dir)
    metadata = documents['metadata.yaml']
    return model.CharmSpec(
        name=metadata['name'],
        endpoints=tuple(
            model.Endpoint(name, role, declared['interface'], declared.get('limit') or 0)
            for section, role in _ROLES.items()
            for name, declared in (metadata.get(section) or {}).items()
        ),
        options={
            name: model.Option(
                declared.get('type', 'string'),
                declared.get('default'),
                declared.get('description', ''),
            )
            for name, declared in (documents['config.yaml'].get('options') or {}).items()
        },
        actions={
            name: _action(name, declared or {})
            for name, declared in documents['actions.yaml'].items()
        },
        storage=tuple(metadata.get('storage') or ()),
    )


def packed_documents(charm_dir: pathlib.Path) -> dict[str, Document]:
    """Return the YAML files that charmcraft packs: `charmcraft.yaml` may hold all three in one."""
    project = _load(charm_dir / 'charmcraft.yaml')
    metadata = _load(charm_dir / 'metadata.yaml')
    metadata = {k: project[k] for k in METADATA_KEYS if k in project} | dict(metadata)
    return {
        'metadata.yaml': metadata,
        'actions.yaml': project.get('actions') or _load(charm_dir / 'actions.yaml'),
        'config.yaml': project.get('config') or _load(charm_dir / 'config.yaml'),
    }


def _load(path: pathlib.Path) -> Document:
    if not path.exists():
        return {}
    return cast('Document', yaml.safe_load(path.read_text()) or {})


def _action(name: str, declared: Document) -> model.ActionSpec:
    return model.ActionSpec(
        name=name,
        description=declared.get('description', ''),
        params=declared.get('params') or {},
        required=tuple(declared.get('required') or ()),
        additional_properties=declared.get('additionalProperties', True),
        parallel=declared.get('parallel', False),
        execution_group=declared.get('execution-group', ''),
    )
