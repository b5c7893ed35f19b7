"""What a Juju controller answered to each call that the coordinator makes, and to wrong ones.

- `juju-*.json`: the recordings, one file a version;
- `calls`: which calls are made, and in which order;
- `recorder`: makes them on a controller, and scrubs what it answers;
- `comparison`: what of two answers must agree;
- `furnished`: the model that was recorded, as far as its answers depend on what is in it.

`python -m tests.recordings` records anew.
"""
