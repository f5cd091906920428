"""What `make run` prints works when it is pasted, and nothing is left behind."""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import time

import pytest

from support.proxy import ROOT, postern_binary

READY = "Ctrl-C stops everything"


class Demo:
    """scripts/run-demo from a checkout of its own, so that one at the terminal doesn't matter."""

    def __init__(self, folder):
        self.root = folder
        shutil.copytree(os.path.join(ROOT, "scripts"), folder / "scripts")
        self.link = folder / ".postern-run"
        self._output = folder / "output"
        self.process = None
        self.start()

    def start(self):
        with open(self._output, "wb") as out:
            self.process = subprocess.Popen([self.root / "scripts" / "run-demo", postern_binary()],
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        end = time.monotonic() + 30
        while READY not in self.output():
            assert self.process.poll() is None and time.monotonic() < end, self.output()
            time.sleep(0.05)
        self.folder = self.link.resolve()

    def output(self):
        return self._output.read_text()

    def commands(self):
        """The three to paste: a line each, but for what ends in a pipe."""
        lines = re.findall(r"^  (?:curl|printf).*(?:(?<=\|)\n.*)?$", self.output(), re.MULTILINE)
        assert len(lines) == 3, self.output()
        return lines

    def paste(self, command):
        return subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=30,
                              check=True).stdout

    def processes(self):
        """Those that name the folder or hold a file in it."""
        found = []
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                names = [(process / "cmdline").read_bytes().decode(errors="replace")]
                names += [os.readlink(name) for name in (process / "fd").iterdir()]
            except OSError:
                continue
            if any(str(self.folder) in name for name in names):
                found.append(names[0])
        return found

    def wait_until_gone(self):
        end = time.monotonic() + 10
        while self.processes() and time.monotonic() < end:
            time.sleep(0.1)
        assert self.processes() == []


@pytest.fixture
def demo(tmp_path):
    running = Demo(tmp_path)
    yield running
    if running.process.poll() is None:
        running.process.terminate()
        running.process.wait(20)


def test_what_it_prints_can_be_pasted(demo):
    imap, pop3, smtp = demo.commands()
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
    assert not demo.link.is_symlink()
    assert not demo.folder.exists()
    assert demo.processes() == []


def test_a_second_one_is_refused_and_harms_nothing(demo):
    second = subprocess.run([demo.root / "scripts" / "run-demo", postern_binary()],
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


def test_a_program_that_does_not_start_is_reported(tmp_path):
    shutil.copytree(os.path.join(ROOT, "scripts"), tmp_path / "scripts")
    tried = subprocess.run([tmp_path / "scripts" / "run-demo", tmp_path / "missing"],
                           capture_output=True, text=True, timeout=30)
    assert tried.returncode == 1
    assert "run make first" in tried.stderr
    assert not (tmp_path / ".postern-run").is_symlink()
