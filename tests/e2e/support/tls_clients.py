"""The clients of clients/: one program for each TLS library, which does what a test tells it (clients/client.cpp)."""

import os
import shlex
import shutil
import subprocess

SOURCES = os.path.join(os.path.dirname(__file__), "..", "clients")
LIBRARIES = ("openssl", "gnutls", "nss")
SUITES = ("aes128", "aes256", "chacha20")


def build(folder):
    """Compiles them; returns their paths by library."""
    compiler = shutil.which("clang++-19") or "g++"
    running = {}
    for library in LIBRARIES:
        flags = shlex.split(subprocess.run(["pkg-config", "--cflags", "--libs", library], check=True,
                                           capture_output=True, text=True).stdout)
        sources = [os.path.join(SOURCES, name) for name in ("client.cpp", f"{library}.cpp")]
        running[library] = subprocess.Popen(
            [compiler, "-std=c++23", "-O1", "-Wall", "-Wextra", *sources, "-o", os.path.join(folder, library), *flags],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for library, process in running.items():
        said = process.communicate(timeout=120)[0]
        assert process.returncode == 0, f"the client with {library} can't be compiled:\n{said}"
    return {library: os.path.join(folder, library) for library in LIBRARIES}


class TlsClient:
    """One of the programs, running. `said`: its answers so far."""

    def __init__(self, path, folder, **settings):
        self._process = subprocess.Popen(
            [path, *(f"{name}={value}" for name, value in settings.items())], cwd=folder, text=True,
            encoding="latin-1", stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1)
        self.said = []

    def ask(self, command):
        self._process.stdin.write(command + "\n")
        answer = self._process.stdout.readline().rstrip("\n")
        self.said.append(f"{command.split(' ')[0]}: {answer}")
        return answer

    def must(self, command, beginning="done"):
        answer = self.ask(command)
        assert answer.startswith(beginning), f"{command}: {answer}\n{self.said}"
        return answer

    def say(self, line, beginning):
        """Sends a line, and hears one that begins so."""
        self.must(f"line {line}")
        return self.must("hear", beginning)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()
