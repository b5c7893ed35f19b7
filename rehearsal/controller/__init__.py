"""The controller's API over a TLS websocket, as Juju 3.6 or 4.0 serves it to a model client.

- `server` listens; `session` is one connection: frames in, answers out, not always in order;
- `rpc` says what a facade is; `facades` lists those that are served;
- `login` is what a connection may do first, the other modules what it may do then, one
  module a group of facades: `status`, `application`, `application_info`, `action`,
  `operations`, `secrets`, `storage`, `watchers` (with `deltas`) and `model_info`;
- `wire` writes names, times and errors as Go does; `faults` makes things go wrong.
"""
