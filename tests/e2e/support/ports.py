"""Ports of the loopback interface, and waiting until somebody listens there."""

import socket
import time


_given = set()


def free_port():
    """A port of 127.0.0.1 that nobody uses now and that this run has not handed out before."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        # Below 32768 no outgoing connection gets a port by chance (ip_local_port_range).
        port = 10000 + port % 20000
        if port in _given:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                continue
        _given.add(port)
        return port


def connect(port, host="127.0.0.1", timeout=10, source=None):
    return socket.create_connection((host, port), timeout=timeout,
                                    source_address=(source, 0) if source else None)


def wait_until(condition, what, timeout=10):
    """Asks until the condition is true. Says what was waited for if it never is."""
    deadline = time.monotonic() + timeout
    pause = 0.002
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout} s in vain: {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def is_listening(port, host="127.0.0.1"):
    """True if the kernel knows a listening socket there; no connection is made for it."""
    wanted = f"{port:04X}"
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table) as lines:
            next(lines)
            for line in lines:
                fields = line.split()
                if fields[3] == "0A" and fields[1].endswith(":" + wanted):
                    return True
    return False
