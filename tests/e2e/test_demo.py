"""What `make run` prints works when it is pasted, and nothing is left behind."""

import imaplib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

from support.folder import temporary_folder
from support.proxy import ROOT, postern_binary

READY = "Ctrl-C stops everything"


def checkout(folder):
    """A copy, so that a demonstration at the terminal doesn't matter. Returns its run-demo."""
    for name in ("scripts", "conf"):
        shutil.copytree(os.path.join(ROOT, name), folder / name)
    return folder / "scripts" / "run-demo"


def processes_of(folder):
    """Those that name the folder or hold a file in it."""
    found = {}
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            names = [(process / "cmdline").read_bytes().decode(errors="replace")]
            names += [os.readlink(name) for name in (process / "fd").iterdir()]
        except OSError:
            continue
        if any(str(folder) in name for name in names):
            found[int(process.name)] = names[0].replace("\0", " ")
    return found


class Demo:
    """A scripts/run-demo that runs, from a checkout of its own."""

    def __init__(self, folder):
        self.program = checkout(folder)
        self.link = folder / ".postern-run"
        self._output = folder / "output"
        self.process = None
        self.start()

    def start(self):
        with open(self._output, "wb") as out:
            self.process = subprocess.Popen([self.program, postern_binary()],
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        end = time.monotonic() + 30
        while READY not in self.output():
            assert self.process.poll() is None and time.monotonic() < end, self.output()
            time.sleep(0.05)
        self.folder = self.link.resolve()

    def output(self):
        return self._output.read_text()

    def commands(self):
        """The four to paste: a line each, but for what ends in a pipe."""
        lines = re.findall(r"^  (?:curl|printf).*(?:(?<=\|)\n.*)?$", self.output(), re.MULTILINE)
        assert len(lines) == 4, self.output()
        return lines

    def paste(self, command):
        return subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=30,
                              check=True).stdout

    def processes(self):
        return processes_of(self.folder)

    def process_named(self, text):
        return next(number for number, name in self.processes().items() if text in name)

    def port(self, protocol):
        return int(re.search(rf"{protocol} port (\d+)", self.output())[1])

    def assert_gone(self):
        assert not self.link.is_symlink()
        assert not self.folder.exists()
        assert self.processes() == {}

    def wait_until_gone(self):
        end = time.monotonic() + 10
        while self.processes() and time.monotonic() < end:
            time.sleep(0.1)
        assert self.processes() == {}


@pytest.fixture
def demo(tmp_path):
    running = Demo(tmp_path)
    yield running
    if running.process.poll() is None:
        running.process.terminate()
        running.process.wait(20)


def test_what_it_prints_can_be_pasted(demo):
    imap, imaps, pop3, smtp = demo.commands()
    assert "Subject: " in demo.paste(imaps)
    assert "Subject: Welcome" in demo.paste(imap)
    assert len(re.findall(r"^\d+ \d+\r?$", demo.paste(pop3), re.MULTILINE)) == 3
    demo.paste(smtp)

    fourth = imap.replace("MAILINDEX=1", "MAILINDEX=4")
    end = time.monotonic() + 10
    while (arrived := subprocess.run(["bash", "-c", fourth], capture_output=True, text=True)).returncode:
        assert time.monotonic() < end, arrived.stderr
        time.sleep(0.1)
    assert "From: bob@example.org" in arrived.stdout
    assert "Hi Alice!" in arrived.stdout


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_stops_and_removes_everything(demo, name):
    assert demo.processes()
    demo.process.send_signal(getattr(signal, name))
    assert demo.process.wait(20) == 0
    demo.assert_gone()


def test_clients_that_stay_do_not_hold_it_up(demo):
    """Neither one that Postern relays, nor one that Dovecot itself talks to."""
    imap, *_ = demo.commands()
    user, password = re.search(r"-u (\S+?):(\S+)", imap).groups()
    behind = re.search(r"imap-login.*?port = (\d+)", (demo.folder / "dovecot/dovecot.conf").read_text(),
                       re.DOTALL)[1]
    clients = [imaplib.IMAP4("127.0.0.1", int(port)) for port in (demo.port("IMAP"), behind)]
    for client in clients:
        client.login(user, password)
        client.select("INBOX")
    demo.process.terminate()
    assert demo.process.wait(20) == 0
    demo.assert_gone()
    for client in clients:
        client.shutdown()


@pytest.mark.parametrize("name", ["delivery", "dovecot", "postern"])
def test_if_a_server_dies_it_says_which_and_stops(demo, name):
    os.kill(demo.process_named({"delivery": "delivery.py", "dovecot": "dovecot -F",
                                "postern": "postern: master"}[name]), signal.SIGKILL)
    assert demo.process.wait(20) == 1
    assert f"run-demo: {name} has ended, killed by SIGKILL" in demo.output()
    demo.assert_gone()


def test_a_taken_port_is_replaced_and_named(tmp_path):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            other.bind(("127.0.0.1", 8143))
            other.listen()
        except OSError:
            pass  # somebody else has it, which will do
        demo = Demo(tmp_path)
        try:
            assert "Port 8143 is taken" in demo.output()
            assert demo.port("IMAP") != 8143
            assert "Subject: Welcome" in demo.paste(demo.commands()[0])
        finally:
            demo.process.terminate()
            demo.process.wait(20)


def test_a_second_one_is_refused_and_harms_nothing(demo):
    second = subprocess.run([demo.program, postern_binary()],
                            capture_output=True, text=True, timeout=30)
    assert second.returncode == 1
    assert "it runs already" in second.stderr
    assert "Subject: Welcome" in demo.paste(demo.commands()[0])


def test_after_it_was_killed_the_next_one_cleans_up(demo):
    demo.process.kill()
    demo.process.wait()
    demo.wait_until_gone()
    left_over = demo.folder
    assert left_over.exists()
    demo.start()
    assert not left_over.exists()
    assert "Subject: Welcome" in demo.paste(demo.commands()[0])


def run_to_the_end(program, *arguments):
    """A run that has a temporary directory of its own, to see that nothing is left there."""
    with temporary_folder() as folder:
        run = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60,
                             env={**os.environ, "TMPDIR": folder})
        assert os.listdir(folder) == []
        assert processes_of(folder) == {}
    assert not (program.parents[1] / ".postern-run").is_symlink()
    return run


def edit(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_check_pastes_the_commands_itself(tmp_path):
    run = run_to_the_end(checkout(tmp_path), "--check", postern_binary())
    assert run.returncode == 0, run.stdout + run.stderr
    assert [line.split()[:2] for line in run.stdout.splitlines()] == [
        ["ok", "IMAP:"], ["ok", "IMAP"], ["ok", "POP3:"], ["ok", "SMTP:"], ["ok", "IMAP:"]]


def test_check_fails_if_no_mail_can_be_sent(tmp_path):
    program = checkout(tmp_path)
    edit(tmp_path / "conf/examples/demo.conf", "proxy_smtp_auth on;", "proxy_smtp_auth off;")
    run = run_to_the_end(program, "--check", postern_binary())
    assert run.returncode == 1
    assert "SMTP: Bob writes to Alice: this has not worked" in run.stderr


def test_a_program_that_is_not_there_is_reported(tmp_path):
    run = run_to_the_end(checkout(tmp_path), tmp_path / "missing")
    assert run.returncode == 1
    assert "run make first" in run.stderr


def test_why_postern_does_not_start_is_shown(tmp_path):
    program = checkout(tmp_path)
    edit(tmp_path / "conf/examples/demo.conf", "protocol imap;", "protocol telnet;")
    run = run_to_the_end(program, postern_binary())
    assert run.returncode == 1
    assert "run-demo: postern has ended, with status 1" in run.stderr
    assert 'unknown protocol "telnet"' in run.stderr


def test_why_dovecot_does_not_start_is_shown(tmp_path):
    program = checkout(tmp_path)
    edit(tmp_path / "scripts/demo/mail_server.py", "protocols = imap pop3", "protocols = telnet pop3")
    run = run_to_the_end(program, postern_binary())
    assert run.returncode == 1
    assert "run-demo: dovecot has ended, with status" in run.stderr
    assert "telnet" in run.stderr
