"""The adapter that answers for `ports.JujuModel` out of a controller's API (Juju 3.6 and 4.0).

- `model`: `JujuApi`, the port itself: looking is repeated, changing is sent once;
- `status`: a FullStatus answer as the port's plain data;
- `facades`: one function a call, typed, with the errors of single items raised;
- `answers`: the shapes of what comes back, checked when they are read;
- `connection`, `login`, `dial`: a logged-in websocket over verified TLS;
- `refusals`: the controller's errors as ours, with what to do about each;
- `wire`: tags, ids, times and base64, and back.
"""
