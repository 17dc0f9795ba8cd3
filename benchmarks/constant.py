"""A server that always answers the same bytes: what `wrk` reaches against it is the ceiling of wrk.

Run it as: python -m benchmarks.constant PORT
"""

from __future__ import annotations

import select
import socket
import sys

BODY = b'{"keys":[]}'
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)
) + BODY


def serve(port: int) -> None:
    listener = socket.create_server(("127.0.0.1", port), backlog=512)
    poll = select.epoll()
    poll.register(listener.fileno(), select.EPOLLIN)
    connections: dict[int, socket.socket] = {}
    print(f"ready http://127.0.0.1:{port}", flush=True)
    while True:
        for number, _ in poll.poll():
            if number == listener.fileno():
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connections[connection.fileno()] = connection
                poll.register(connection.fileno(), select.EPOLLIN)
                continue
            connection = connections[number]
            try:
                alive = connection.recv(65536)
                if alive:
                    connection.send(ANSWER)
            except OSError:
                alive = b""
            if not alive:
                poll.unregister(number)
                connections.pop(number).close()


if __name__ == "__main__":
    serve(int(sys.argv[1]))
