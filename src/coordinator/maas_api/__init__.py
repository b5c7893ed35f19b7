"""MAAS' API 2.0 over HTTP, for one API key: the adapter of `maas_port`.

- `login` reads the secret with the key.
- `connection` makes one request: authenticated, with a limit of its time.
- `items` reads a JSON list item by item, whatever its size.
- `answers` turns what MAAS says into the port's plain data.
- `client` is the port.
"""
