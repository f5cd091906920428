"""The proxies under test: Postern, and NGINX as the oracle. Both read the same configuration."""

import os
import re
import shutil
import subprocess

from .processes import Program

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
NGINX = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
NGINX_MODULE = "/usr/lib/nginx/modules/ngx_mail_module.so"


def postern_binary():
    return os.environ.get("POSTERN_BINARY") or os.path.join(ROOT, "build", "release", "postern")


def has_sanitizers():
    """Is Postern built with those of the compiler?"""
    with open(postern_binary(), "rb") as file:
        binary = file.read()
    return b"__asan_init" in binary or b"__tsan_init" in binary


def binary_of(kind):
    return NGINX if kind == "nginx" else postern_binary()


class Proxy:
    """One running proxy with the given text inside mail { }. `around` is a program that starts it."""

    def __init__(self, kind, folder, mail, ports=(), level="info", main="", events="", logs=None,
                 start=True, around=(), environment=None):
        self.kind = kind
        self.ports = list(ports)
        self.prefix = os.path.join(folder, f"{kind}")
        os.makedirs(os.path.join(self.prefix, "logs"), exist_ok=True)
        self.configuration = os.path.join(self.prefix, "proxy.conf")
        self.error_log = os.path.join(self.prefix, "logs", "error.log")
        self.pid_file = os.path.join(self.prefix, "proxy.pid")
        self.program = None
        self._level = level
        self._main = main
        self._events = events
        self._around = list(around)
        self._environment = environment
        self.write(mail)
        if start:
            self.start()

    def write(self, mail):
        """Writes the configuration, as a reload is to find it."""
        load = f"load_module {NGINX_MODULE};\n" if self.kind == "nginx" else ""
        with open(self.configuration, "w") as out:
            out.write(f"{load}pid {self.pid_file};\nerror_log {self.error_log} {self._level};\n"
                      f"{self._main}\nevents {{ worker_connections 4096; {self._events} }}\n"
                      f"mail {{\n{mail}\n}}\n")

    def command(self, *arguments):
        return [binary_of(self.kind), "-c", self.configuration, "-p", self.prefix + "/", *arguments]

    def start(self):
        command = [*self._around, *self.command("-g", "daemon off;", "-e", "stderr")]
        self.program = Program(self.kind, command, self.prefix, self.ports, self._environment)
        return self

    def run(self, *arguments, **options):
        """Runs the binary to its end with this configuration: -t, -s stop and the like."""
        return subprocess.run(self.command(*arguments), capture_output=True, text=True, timeout=20,
                              **options)

    def log(self):
        try:
            with open(self.error_log, errors="surrogateescape") as log:
                return log.read()
        except FileNotFoundError:
            return ""

    def log_lines(self, pattern):
        return [line for line in self.log().splitlines() if re.search(pattern, line)]

    def workers(self):
        return self.program.children()

    def stop(self, **options):
        if self.program:
            program, self.program = self.program, None
            return program.stop(**options)
        return None

    def kill(self):
        if self.program:
            program, self.program = self.program, None
            program.kill()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.stop()
