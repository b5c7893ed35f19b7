"""What a site sees of the coordinator without asking it: metrics, alerts, a dashboard.

- `note` is what each dispatch leaves on the unit's disk, if anything has changed; `sets` is the
  part that takes S3 to know.
- `metrics` turns a note into metrics, and `exporter` serves them: a program of its own, which
  `service` has systemd start when somebody connects. It knows the note and nothing else: neither
  the controller nor S3 is ever asked because somebody scrapes.
- `alerts` are the rules for Prometheus, and `dashboard.json` is for Grafana, written by `make
  reference`; `cos_agent` gives both to an agent of COS.
- `trace` makes one trace of an operation that has ended, and `tracing` sends it.
"""
