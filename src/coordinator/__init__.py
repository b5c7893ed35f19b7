"""Backs up and restores charmed MAAS as one.

The map, from the top; each package imports from those below it only:

- `operations`: what each operation does, step by step (`plans`: read it first), resume and abort.
- `report`: what the operator reads: the status, and what the actions print.
- `steps`: each looks at the world, has at most one effect, and answers done, wait, or raises.
- `record` keeps the record of an operation in the peer databag, and a copy for people in S3.
- `engine`: the record of an operation, and `advance`, which takes it one checkpoint further.
- `integrity` reads whole backup sets, in a process beside the unit's agent.
- `sets`: manifests, the catalogue, retention, and the sealed passwords.
- `parts`: what the two charms leave in S3. `juju_api` and `s3` answer for the ports. `unit`: the
  pacemaker, and what a dispatch leaves on the unit's disk for the next.
- The modules beside the packages are for all of them: `ports` says what may be asked of the
  outside, `errors` what can go wrong.

`charm.py` joins them to Juju.
"""

VERSION = '0.1.0'
