"""The commands to paste, and the proof that they work."""

import subprocess
import time

from .programs import Failed

ARRIVAL_SECONDS = 10
ANSWER_SECONDS = 30


class Commands:
    def __init__(self, ports, users):
        (alice, alice_password), (bob, bob_password) = users.items()
        mailbox = f"curl -u {alice}:{alice_password} 'imap://127.0.0.1:{ports['imap']}/INBOX;MAILINDEX="
        self._imap = f"{mailbox}1'"
        self._arrived = f"{mailbox}4'"
        self._imaps = (f"curl --insecure -u {alice}:{alice_password} "
                       f"'imaps://127.0.0.1:{ports['imaps']}/INBOX;MAILINDEX=2'")
        self._pop3 = f"curl -u {bob}:{bob_password} pop3://127.0.0.1:{ports['pop3']}"
        self._smtp = (
            rf"printf 'From: {bob}\r\nTo: {alice}\r\nSubject: Hello\r\n\r\nHi Alice!\r\n' |" "\n"
            f"    curl -u {bob}:{bob_password} smtp://127.0.0.1:{ports['smtp']}"
            f" --mail-from {bob} --mail-rcpt {alice} -T -")

    def __str__(self):
        return f"""\
  # IMAP: the first message in Alice's mailbox
  {self._imap}

  # IMAP under TLS: the second one; "--insecure" as Postern has made its certificate itself
  {self._imaps}

  # POP3: the messages in Bob's mailbox, with their sizes
  {self._pop3}

  # SMTP: Bob writes to Alice, and it becomes her fourth message: MAILINDEX=4
  {self._smtp}
"""

    def check(self):
        """Runs what is printed, as a shell would, and looks at the answers."""
        self._expect("IMAP: Alice's first message", self._imap, "Subject: Welcome")
        self._expect("IMAP under TLS: her second message", self._imaps, "Subject: ")
        self._expect("POP3: Bob's messages", self._pop3, "\n3 ")
        self._expect("SMTP: Bob writes to Alice", self._smtp, "")
        self._expect("IMAP: it has arrived", self._arrived, "Hi Alice!", ARRIVAL_SECONDS)

    @staticmethod
    def _expect(what, command, text, patience=0):
        end = time.monotonic() + patience
        while True:
            try:
                run = subprocess.run(["sh", "-c", command], stdin=subprocess.DEVNULL, capture_output=True,
                                     text=True, timeout=ANSWER_SECONDS)
            except subprocess.TimeoutExpired:
                raise Failed(f"{what}: no answer within {ANSWER_SECONDS} s: {command}") from None
            if run.returncode == 0 and text in run.stdout:
                break
            if time.monotonic() >= end:
                raise Failed(f"{what}: this has not worked: {command}\n{run.stdout}{run.stderr}")
            time.sleep(0.1)
        print(f"ok    {what}", flush=True)
