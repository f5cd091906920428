"""An address that drops packets, as a host that is switched off does: no RST, no SYN-ACK."""

import contextlib
import socket

from .ports import wait_until


class SilentAddress:
    """A listener whose queue is full: Linux drops further SYNs to it."""

    def __init__(self, host, port):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.socket(family)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((host, port))
        self._listener.listen(0)
        self._fillers = []
        self._where = (host, port)
        wait_until(self._is_full, f"{host} says nothing more")

    def _is_full(self):
        filler = socket.socket(self._listener.family)
        filler.settimeout(0.2)
        self._fillers.append(filler)
        try:
            filler.connect(self._where)
        except TimeoutError:
            return True
        return False

    def close(self):
        for one in (*self._fillers, self._listener):
            with contextlib.suppress(OSError):
                one.close()
