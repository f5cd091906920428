"""Listening sockets for the three protocols, and a thread for each connection."""

import socket
import threading


class MailListeners:
    """`ports` by protocol, chosen by the system if none are given. Who derives from this has
    `serve(protocol, peer)`, which closes the peer."""

    def __init__(self, ports=None):
        self._listeners = {protocol: socket.create_server(("127.0.0.1", ports[protocol] if ports else 0), backlog=64)
                           for protocol in ("imap", "pop3", "smtp")}
        self.ports = {protocol: listener.getsockname()[1] for protocol, listener in self._listeners.items()}
        for protocol, listener in self._listeners.items():
            threading.Thread(target=self._accept, args=(protocol, listener), daemon=True).start()

    def close(self):
        for listener in self._listeners.values():
            listener.shutdown(socket.SHUT_RDWR)  # wakes who waits in accept
            listener.close()

    def _accept(self, protocol, listener):
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(protocol, peer), daemon=True).start()
