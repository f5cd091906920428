"""What systemd does for a service, as far as the service sees it: the socket that sd_notify(3) talks to, with the
kernel's time of each message, and descriptors that are handed over as sd_listen_fds(3) says."""

import contextlib
import os
import socket
import struct
import time

SO_TIMESTAMP = 29  # socket(7)

# Becomes what its arguments say, with the descriptors of the first one as 3, 4 and so on.
HAND_OVER = """
import fcntl, os, sys
numbers = [fcntl.fcntl(int(number), fcntl.F_DUPFD, 100) for number in sys.argv[1].split(",") if number]
for index, number in enumerate(numbers):
    os.dup2(number, 3 + index)
    os.close(number)
for name in filter(None, sys.argv[2].split(",")):
    os.environ[name] = str(os.getpid())
if numbers:
    os.environ["LISTEN_FDS"] = str(len(numbers))
os.execvp(sys.argv[3], sys.argv[3:])
"""


def handing_over(command, sockets=(), pid_variables=("LISTEN_PID",)):
    """The command that starts `command` with these sockets; the variables tell it its own number."""
    return ["/usr/bin/python3", "-c", HAND_OVER, ",".join(str(one.fileno()) for one in sockets), ",".join(pid_variables),
            *command]


class Message(dict):
    """`time`: when it was sent, in seconds of time.time()."""


class ServiceManager:
    """`name`: a path, or "@name" of the abstract namespace."""

    def __init__(self, name):
        self.name = name
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMP, 1)
        self._socket.bind("\0" + name[1:] if name.startswith("@") else name)
        self.messages = []

    def environment(self, **more):
        return {**os.environ, "NOTIFY_SOCKET": self.name, **more}

    def close(self):
        self._socket.close()

    def next(self, timeout=10):
        """The next message; None: there was none in time."""
        self._socket.settimeout(timeout)
        with contextlib.suppress(TimeoutError, BlockingIOError):
            text, control, _, _ = self._socket.recvmsg(4096, 256)
            message = Message(line.split("=", 1) for line in text.decode().split("\n"))
            message.time = next(seconds + micro / 1e6 for level, kind, data in control if kind == SO_TIMESTAMP
                                for seconds, micro in [struct.unpack("qq", data)])
            self.messages.append(message)
            return message
        return None

    def wait_for(self, **wanted):
        """The first message from now on that says all this; None as a value: anything."""
        end = time.monotonic() + 10
        while time.monotonic() < end:
            message = self.next()
            if message is not None and all(name in message and value in (None, message[name])
                                           for name, value in wanted.items()):
                return message
        raise AssertionError(f"waited in vain for {wanted}, heard {self.messages}")

    def waiting(self):
        """All that has been said meanwhile."""
        messages = []
        while (message := self.next(0)) is not None:
            messages.append(message)
        return messages
