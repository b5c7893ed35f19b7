"""Backs up and restores charmed MAAS as one.

The map, from the top:

- `plans` lists what each operation does, step by step: read it first.
- `steps/` holds the steps; each looks at the world, has at most one effect, and answers
  done, wait, or raises an error (`step`, `errors`).
- `advance` is the engine: it takes an operation one checkpoint further.
- `operation` is the record of one operation; `record` keeps it in the peer databag, `history`
  a copy in S3 for people.
- `ports` says what steps may ask of the outside; `juju_api/` and `s3` answer.
- `catalogue` and `manifest`: backup sets in the repository; `pgbackrest` and `maas_backup` read
  what the two charms leave there; `sealing` turns passwords into an age file.
- `pacemaker` brings the next dispatch while an operation waits.
- `settings`, `status`, `report`: what the operator configures, and what is reported.

`charm.py` joins them to Juju.
"""

VERSION = '0.1.0'
