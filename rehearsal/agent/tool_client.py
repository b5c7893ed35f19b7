"""One call of a hook tool, as a process.

Started as `python -I -S tool_client.py SOCKET MACHINE NAME ARGUMENT...`. `ops` calls fifteen to
twenty hook tools in a dispatch, so this file imports nothing that costs time and imports nothing
of the project: it hands its arguments to the unit agent and prints what comes back.

A message is its length, then its fields, each a length and bytes; all lengths have four bytes.
"""

# Not `socket`: it brings `selectors` and `enum`, and doubles the time to start.
import _socket
import os
import sys


def _receive(connection: '_socket.socket', count: int) -> bytes:
    chunks = b''
    while len(chunks) < count:
        chunk = connection.recv(count - len(chunks))
        if not chunk:
            sys.stderr.write('ERROR the unit agent closed the connection\n')
            sys.exit(1)
        chunks += chunk
    return chunks


def _main() -> int:
    socket_path, machine, name, *arguments = sys.argv[1:]
    wants_input = '--file' in arguments and '-' in arguments
    fields = [
        name.encode(),
        os.environ.get('JUJU_CONTEXT_ID', '').encode(),
        machine.encode(),
        str(os.getppid()).encode(),
        sys.stdin.buffer.read() if wants_input else b'',
        *map(os.fsencode, arguments),
    ]
    body = b''.join(len(field).to_bytes(4, 'big') + field for field in fields)
    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        connection.connect(socket_path)
    except OSError as error:
        sys.stderr.write(f'ERROR dial unix {socket_path}: {error.strerror}\n')
        return 1
    message = len(body).to_bytes(4, 'big') + body
    while message:
        message = message[connection.send(message) :]
    answer = _receive(connection, int.from_bytes(_receive(connection, 4), 'big'))
    code = int.from_bytes(answer[:4], 'big')
    length = int.from_bytes(answer[4:8], 'big')
    sys.stdout.buffer.write(answer[8 : 8 + length])
    sys.stderr.buffer.write(answer[8 + length :])
    return code


sys.exit(_main())
