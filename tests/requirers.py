"""The charm that requests backups with the library, laid out as charmcraft would pack it."""

from __future__ import annotations

import pathlib
import shutil

import yaml

from rehearsal.agent import charm_files

NAME = 'risky'
_SOURCE = pathlib.Path(__file__).parent / 'requirer_charm'
_LIBRARIES = pathlib.Path(__file__).parents[1] / 'lib'


def lay_out(directory: pathlib.Path) -> pathlib.Path:
    """Write the charm into a directory that is not there yet, and return it."""
    ignored = shutil.ignore_patterns('__pycache__', 'charmcraft.yaml')
    shutil.copytree(_SOURCE, directory, ignore=ignored)
    shutil.copytree(_LIBRARIES, directory / 'lib', ignore=ignored)
    for name, document in charm_files.packed_documents(_SOURCE).items():
        (directory / name).write_text(yaml.safe_dump(dict(document), sort_keys=False))
    return directory
