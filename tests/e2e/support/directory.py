"""An authentication service over ScriptedService that checks names and passwords, as a real one would."""

from urllib.parse import unquote_to_bytes

from .scripted_service import Answer, ScriptedService, header, refusal


class Directory(ScriptedService):
    def __init__(self, dovecot, smtp_port=None):
        self._passwords = {}
        self.ports = {"imap": dovecot.imap_port, "pop3": dovecot.pop3_port,
                      "smtp": smtp_port or dovecot.submission_port}
        self.refuse_with = refusal("Invalid login or password")
        super().__init__(self._check)

    def know(self, account):
        self._passwords[account.name] = account.password

    def url(self):
        return f"http://127.0.0.1:{self.port}/auth"

    def _check(self, request, number):
        protocol = header(request, "Auth-Protocol")
        user = unquote_to_bytes(header(request, "Auth-User")).decode("latin-1")
        password = unquote_to_bytes(header(request, "Auth-Pass")).decode("latin-1")
        trusted = header(request, "Auth-Method") == "none"
        if not trusted and (user not in self._passwords or self._passwords[user] != password):
            return self.refuse_with
        return Answer.of(Auth_Status="OK", Auth_Server="127.0.0.1", Auth_Port=self.ports[protocol])
