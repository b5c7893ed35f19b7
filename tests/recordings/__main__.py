"""`python -m tests.recordings`: record anew what a controller answers, scrubbed.

The model must hold the coordinator and what it works on, as the rehearsal names them, with all
units idle. What the calls change they change back.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import sys

_SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(_SOURCE / 'src')]

from tests.recordings import pointing, recorder  # noqa: E402  (src comes first)

_DATA = pathlib.Path.home() / '.local' / 'share' / 'juju'


def main(arguments: list[str] | None = None) -> int:
    """Record, and write the file; return the exit code."""
    parser = argparse.ArgumentParser(prog='python -m tests.recordings', description=__doc__)
    parser.add_argument(
        '--juju-data',
        type=pathlib.Path,
        default=pathlib.Path(os.environ.get('JUJU_DATA') or _DATA),
        help="data directory of a juju client, or of a rehearsal: '.rehearsal/juju-client'",
    )
    parser.add_argument('--controller', default='', help='the current one unless given')
    parser.add_argument('--model', default='', help='with its owner; the current one unless given')
    parser.add_argument(
        '--folder', type=pathlib.Path, default=pathlib.Path(__file__).parent, help='to write into'
    )
    given = parser.parse_args(arguments)
    try:
        login = pointing.login(given.juju_data, given.controller, given.model)
        with recorder.dialled(login) as line:
            entries = recorder.record(line, login)
    except (pointing.Unknown, PermissionError, TimeoutError, OSError) as error:
        print(f'nothing was recorded: {error}', file=sys.stderr)
        return 1
    version = entries[0]['answer']['response']['server-version']
    file = given.folder / f'juju-{".".join(version.split(".")[:3])}.json'
    file.write_text(json.dumps(entries, indent=1) + '\n')
    print(f'{len(entries)} calls recorded: {file}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
