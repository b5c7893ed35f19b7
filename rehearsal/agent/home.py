"""Where a unit lives on its machine, and what its agent remembers between runs."""

from __future__ import annotations

import dataclasses
import datetime
import os
import pathlib
import shlex
import shutil
from collections.abc import Mapping, Sequence

import yaml

from rehearsal import model
from rehearsal.agent import charm_files

_DISPATCH = """#!/bin/sh
# What charmcraft generates, with the rehearsal's interpreter.
export JUJU_DISPATCH_PATH="${{JUJU_DISPATCH_PATH:-$0}}"
export PYTHONPATH="$JUJU_CHARM_DIR/lib:$JUJU_CHARM_DIR/src"
exec {interpreter} "$JUJU_CHARM_DIR/src/charm.py"
"""


@dataclasses.dataclass(frozen=True)
class Controller:
    """How an agent reaches its controller."""

    ca_cert: str
    """PEM."""
    addresses: tuple[str, ...]
    """Each `host:port`."""
    uuid: str = '00000000-0000-4000-8000-000000000000'


@dataclasses.dataclass
class Home:
    """A unit's directories and memory."""

    directory: pathlib.Path
    """`<root>/agents/unit-<application>-<number>`."""
    log_path: pathlib.Path
    state: dict[str, str] = dataclasses.field(default_factory=dict)
    """What the charm keeps with state-set."""
    ports: set[str] = dataclasses.field(default_factory=set)
    secret_labels: dict[str, str] = dataclasses.field(default_factory=dict)
    """The unit's own labels for secrets it consumes, to secret ids."""
    secret_revisions: dict[str, int] = dataclasses.field(default_factory=dict)
    """The revision that the unit tracks of each secret it has read."""

    @property
    def charm_dir(self) -> pathlib.Path:
        return self.directory / 'charm'

    @property
    def tools_dir(self) -> pathlib.Path:
        return self.directory / 'tools'

    def log(self, at: datetime.datetime, level: str, source: str, text: str) -> None:
        """Append to the unit's log, a line for each line of the text."""
        with self.log_path.open('a') as log:
            for line in text.splitlines():
                log.write(f'{at:%Y-%m-%d %H:%M:%S} {level} {source} {line}\n')

    def write_agent_conf(self, unit: model.Unit, model_uuid: str, controller: Controller) -> None:
        """Write `agent.conf`, which charms read for the controller's CA and addresses."""
        content = {
            'tag': unit.tag,
            'controller': f'controller-{controller.uuid}',
            'model': f'model-{model_uuid}',
            'cacert': controller.ca_cert,
            'apiaddresses': list(controller.addresses),
        }
        path = self.directory / 'agent.conf'
        # Replaced whole, as a charm may be reading it.
        draft = path.with_suffix('.new')
        draft.touch(0o600)
        draft.write_text('# format 2.0\n' + yaml.safe_dump(content, sort_keys=False))
        os.replace(draft, path)

    def unpack(self, source: pathlib.Path, python: str) -> None:
        """Lay the charm out as a packed one; code stays in the source tree, behind links.

        A revision that is there already is replaced.
        """
        shutil.rmtree(self.charm_dir, ignore_errors=True)
        self.charm_dir.mkdir(parents=True)
        for name, document in charm_files.packed_documents(source).items():
            (self.charm_dir / name).write_text(yaml.safe_dump(document, sort_keys=False))
        for name in (*charm_files.SOURCE_FILES, 'dispatch'):
            if (source / name).exists():
                (self.charm_dir / name).symlink_to((source / name).resolve())
        if not (self.charm_dir / 'dispatch').exists():
            self.write_dispatch((python,))

    def write_dispatch(self, interpreter: Sequence[str]) -> None:
        """Have the charm's code run by this command from now on."""
        draft = self.charm_dir / 'dispatch.new'
        draft.write_text(_DISPATCH.format(interpreter=shlex.join(interpreter)))
        draft.chmod(0o755)
        # Replaced whole, as a shell may be reading it.
        os.replace(draft, self.charm_dir / 'dispatch')

    def remove(self) -> None:
        """Remove the directories; the log stays."""
        shutil.rmtree(self.directory, ignore_errors=True)


def write_programs(directory: pathlib.Path, programs: Mapping[str, str]) -> None:
    """Write the programs of a PATH directory."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in programs.items():
        program = directory / name
        program.write_text(text)
        program.chmod(0o700)
