"""What Postfix believes of a client: it asks a policy service (SMTPD_POLICY_README) at each recipient."""

import contextlib
import socket
import threading


class PolicyService:
    """Lets everybody do everything. Each question is a dict of Postfix's attributes."""

    def __init__(self):
        self.questions = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._listener.close()

    def _accept(self):
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        with peer, contextlib.suppress(OSError):
            question = {}
            for line in peer.makefile("r", encoding="latin-1"):
                name, is_attribute, value = line.rstrip("\n").partition("=")
                if is_attribute:
                    question[name] = value
                    continue
                self.questions.append(question)
                question = {}
                peer.sendall(b"action=dunno\n\n")
