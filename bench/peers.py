"""The proxies that are measured, each with one worker and equal settings.

Every peer lets everybody in and passes them on to the same mailbox server. NGINX and Postern read the same
configuration and ask the same authentication service; Dovecot and Perdition decide for themselves where the
mailbox is, and HAProxy knows nothing of mail at all."""

import dataclasses
import os
import pwd
import re
import subprocess

from support.folder import temporary_folder
from support.haproxy import HAPROXY
from support.ports import free_port
from support.processes import Program
from support.proxy import NGINX, NGINX_MODULE, ROOT

DOVECOT = "/usr/sbin/dovecot"
PERDITION = "/usr/sbin/perdition"
PROTOCOLS = ("imap", "pop3", "smtp")
KEPT_ALIVE = 256  # connections to the authentication service, more than clients that log in at a time
DAY_SECONDS = 86400
BACKLOG = 4096  # clients that wait to be accepted, as many as the kernel lets a socket have


@dataclasses.dataclass
class Place:
    """What all peers of a run have in common."""
    certificate: object  # of support.certificates
    backends: dict  # of a protocol: the mailbox server's port
    service_port: int
    accounts: object
    processor: int  # which the proxy runs on
    load_processor: int  # which all else runs on
    descriptors: int  # that a process may have


class Peer:
    """One proxy. Started and stopped as often as one likes, each time anew in a folder of its own."""

    name = ""
    what = ""  # one line for the reader of the results
    secure = frozenset({"implicit", "starttls"})
    protocols = frozenset(PROTOCOLS)
    most_sessions = None  # beyond which it is not sensible to measure it, and why
    asks_service = False

    def __init__(self, place):
        self.place = place
        self.ports = {}

    def can(self, protocol, tls="none"):
        return protocol in self.protocols and (tls == "none" or tls in self.secure)

    def port(self, protocol, tls="none"):
        return self.ports[protocol, "implicit" if tls == "implicit" else "none"]

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, error, trace):
        self.stop()

    def start(self):
        self.ports = {(protocol, tls): free_port() for protocol in sorted(self.protocols)
                      for tls in (("none", "implicit") if "implicit" in self.secure else ("none",))}
        self._folder_context = temporary_folder()
        self.folder = self._folder_context.__enter__()
        self.account = self.place.accounts.open(self.place.processor)
        self.programs = []
        try:
            self.launch()
        except BaseException:
            self.stop()
            raise

    def launch(self):
        """Writes the configuration and runs what has to run."""
        raise NotImplementedError

    def run(self, name, arguments, ports):
        program = Program(name, self.account.command(arguments), self.folder, ports)
        self.programs.append(program)
        self.account.watch(program.pid)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w") as out:
            out.write(text)
        return path

    def log(self):
        """What it said, for whoever has to find out why it does not work."""
        texts = []
        for path, _, files in os.walk(self.folder):
            for name in sorted(files):
                if name.endswith((".log", ".out")):
                    with open(os.path.join(path, name), errors="replace") as log:
                        texts.append(f"--- {name}\n{log.read()[-4000:]}")
        return "\n".join(texts)

    def stop(self):
        try:
            for program in self.programs:
                program.stop(must_clean_up=False, timeout=60)
        finally:
            self.account.close()
            self._folder_context.__exit__(None, None, None)


class MailProxy(Peer):
    """NGINX and Postern: the same text, but for what one of them does not have."""

    asks_service = True
    mail = ""  # more in mail { }
    load = ""  # before all else

    def launch(self):
        self.run(self.name, [self.binary, "-c", self.write("proxy.conf", self.configuration()), "-p", self.folder + "/",
                             "-e", "stderr", "-g", "daemon off;"], self.ports.values())

    def configuration(self):
        servers = "".join(
            f"    server {{ protocol {protocol}; listen 127.0.0.1:{port} backlog={BACKLOG}{' ssl' if tls == 'implicit' else ''};"
            f"{' starttls on;' if tls == 'none' else ''} }}\n" for (protocol, tls), port in self.ports.items())
        return (f"{self.load}pid {self.folder}/proxy.pid;\nerror_log {self.folder}/error.log info;\nworker_processes 1;\n"
                f"events {{ worker_connections {self.place.descriptors}; }}\n"
                f"mail {{\n    auth_http 127.0.0.1:{self.place.service_port}/auth;\n    smtp_auth plain;\n"
                f"    ssl_certificate {self.place.certificate.path};\n"
                f"    ssl_certificate_key {self.place.certificate.key_path};\n"
                f"    ssl_protocols TLSv1.3;\n    {self.mail}\n{servers}}}\n")


class Nginx(MailProxy):
    name = "nginx"
    what = "NGINX, mail module; a connection to the service per login, as it has no other way"
    binary = NGINX
    load = f"load_module {NGINX_MODULE};\n"

    @staticmethod
    def version():
        return _said([NGINX, "-v"], r"nginx/(\S+)")


class Postern(MailProxy):
    what = "Postern; connections to the service are kept (auth_http_keepalive)"

    def __init__(self, place, binary, name="postern", mail=f"auth_http_keepalive {KEPT_ALIVE};", what=None):
        super().__init__(place)
        self.binary, self.name, self.mail = binary, name, mail
        self.what = what or self.what

    def version(self):
        return _said([self.binary, "-v"], r"postern/(\S+)")


class HAProxy(Peer):
    name = "haproxy"
    what = ("HAProxy, TCP mode with splice: passes bytes on and understands no mail; no STARTTLS, asks no service, "
            "logs nothing")
    secure = frozenset({"implicit"})

    def launch(self):
        with open(self.place.certificate.path) as certificate, open(self.place.certificate.key_path) as key:
            both = self.write("server.pem", certificate.read() + key.read())
        os.chmod(both, 0o600)
        pipes = 200
        listeners = "".join(
            f"listen {protocol}-{tls}\n    bind 127.0.0.1:{port}"
            f"{f' ssl crt {both} ssl-min-ver TLSv1.3' if tls == 'implicit' else ''}\n"
            f"    server only 127.0.0.1:{self.place.backends[protocol]}\n" for (protocol, tls), port in self.ports.items())
        path = self.write("haproxy.cfg", f"""global
    nbthread 1
    ulimit-n {self.place.descriptors}
    maxconn {self.place.descriptors // 2 - pipes - 100}
    maxpipes {pipes}
defaults
    mode tcp
    backlog {BACKLOG}
    option splice-auto
    timeout connect 5s
    timeout client 1d
    timeout server 1d
{listeners}""")
        self.run(self.name, [HAPROXY, "-db", "-f", path], self.ports.values())

    @staticmethod
    def version():
        return _said([HAPROXY, "-v"], r"version (\S+)")


class Dovecot(Peer):
    name = "dovecot"
    what = "Dovecot, login proxy in high-performance mode (one login process a protocol, service_count = 0)"

    def launch(self):
        path = self.write("dovecot.conf", self._configuration())
        self.run(self.name, [DOVECOT, "-F", "-c", path], self.ports.values())

    def _configuration(self):
        root = os.geteuid() == 0
        me = pwd.getpwuid(os.geteuid()).pw_name
        unprivileged = "" if root else (f"default_login_user = {me}\ndefault_internal_user = {me}\n"
                                        f"default_internal_group = {_group()}\nservice anvil {{\n  chroot =\n}}\n")
        names = {"imap": "imap", "pop3": "pop3", "smtp": "submission"}
        listeners = {"imap": ("imap", "imaps"), "pop3": ("pop3", "pop3s"), "smtp": ("submission", "submissions")}
        backends, parts = self.place.backends, []
        # Its own language: %s is the protocol.
        port = (f"%{{if;%s;eq;imap;{backends['imap']};"
                f"%{{if;%s;eq;pop3;{backends['pop3']};{backends['smtp']}}}}}")
        for protocol in PROTOCOLS:
            plain, secure = listeners[protocol]
            parts.append(f"""service {names[protocol]}-login {{
{'' if root else '  chroot ='}
  service_count = 0
  process_min_avail = 1
  process_limit = 1
  client_limit = {self.place.descriptors // 2 - 100}
  vsz_limit = 0
  inet_listener {plain} {{
    port = {self.ports[protocol, 'none']}
  }}
  inet_listener {secure} {{
    port = {self.ports[protocol, 'implicit']}
    ssl = yes
  }}
}}
""")
        return f"""base_dir = {self.folder}/run
state_dir = {self.folder}/state
instance_name = postern-bench
log_path = {self.folder}/dovecot.log
protocols = imap pop3 submission
listen = 127.0.0.1
ssl = yes
ssl_cert = <{self.place.certificate.path}
ssl_key = <{self.place.certificate.key_path}
ssl_min_protocol = TLSv1.3
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_failure_delay = 0
mail_max_userip_connections = 0
hostname = dovecot.test
default_client_limit = {self.place.descriptors}
default_vsz_limit = 0
submission_relay_host = 127.0.0.1
passdb {{
  driver = static
  args = nopassword=y proxy=y host=127.0.0.1 port={port}
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home=/nonexistent
}}
{unprivileged}{''.join(parts)}"""

    @staticmethod
    def version():
        return _said([DOVECOT, "--version"], r"^(\S+)")


class Perdition(Peer):
    name = "perdition"
    what = "Perdition, a process a session; IMAP and POP3"
    protocols = frozenset({"imap", "pop3"})
    most_sessions = 1000, "a process a session"

    def launch(self):
        names = {"imap": ("IMAP4", "IMAP4S"), "pop3": ("POP3", "POP3S")}
        user = ["-u", "nobody", "-g", "nogroup"] if os.geteuid() == 0 else []
        for (protocol, tls), port in self.ports.items():
            secure = tls == "implicit"
            name = names[protocol][secure]
            self.run(f"perdition-{name}", [
                PERDITION, "-f", "/dev/null", "--no_daemon", "--no_lookup", "--pid_file", "",
                "-P", name, "-b", "127.0.0.1", "-l", str(port), "-s", "127.0.0.1",
                "-p", str(self.place.backends[protocol]), "-t", str(DAY_SECONDS), "--connect_relog", "0",
                "-F", os.path.join(self.folder, f"perdition-{name}.log"), *user,
                "--ssl_mode", "ssl_listen" if secure else "tls_listen",
                "--ssl_cert_file", self.place.certificate.path, "--ssl_key_file", self.place.certificate.key_path,
                "--ssl_listen_ciphers", ""], [port])

    @staticmethod
    def version():
        return _said([PERDITION, "--help"], r"perdition version (\S+)")


class Direct(Peer):
    """No proxy at all: shows what the load program, the mailbox server and the machine can do."""

    name = "direct"
    what = "no proxy: the load program talks to the mailbox server, to show what these two can do"
    secure = frozenset()

    def launch(self):
        self.ports = {(protocol, "none"): port for protocol, port in self.place.backends.items()}


def knows(directive, place, binary):
    """Whether this Postern does."""
    trial = Postern(place, binary, mail=directive)
    with temporary_folder() as trial.folder:
        result = subprocess.run([binary, "-t", "-c", trial.write("trial.conf", trial.configuration()), "-p",
                                 trial.folder + "/", "-e", "stderr"], capture_output=True, timeout=20)
    return result.returncode == 0


def all_peers(place, binary, others=()):
    """`others`: (name, binary) of more builds of Postern."""
    peers = [Nginx(place), Postern(place, binary)]
    peers.append(Postern(place, binary, "postern-http10", "",
                         "Postern with a connection to the service per login, as NGINX"))
    for name, more, what in (("postern-lean", "ssl_lean on;", "Postern with ssl_lean on"),
                             ("postern-access-log", "access_log access.json json;", "Postern with an access log, format json")):
        if knows(more, place, binary):
            peers.append(Postern(place, binary, name, f"auth_http_keepalive {KEPT_ALIVE}; {more}", what))
    for name, other in others:
        peers.append(Postern(place, other, name, what=f"Postern, another build: {name}"))
    return [*peers, HAProxy(place), Dovecot(place), Perdition(place), Direct(place)]


def missing_programs():
    wanted = {"nginx": NGINX, "libnginx-mod-mail": NGINX_MODULE, "haproxy": HAPROXY, "dovecot-imapd": DOVECOT,
              "perdition": PERDITION}
    return [package for package, path in wanted.items() if not path or not os.path.exists(path)]


def default_binary(name):
    return os.path.join(ROOT, "build", "release", name)


def _group():
    return subprocess.run(["id", "-gn"], capture_output=True, text=True).stdout.strip()


def _said(command, pattern):
    result = subprocess.run(command, capture_output=True, text=True, timeout=20)
    found = re.search(pattern, result.stdout + result.stderr)
    return found.group(1) if found else "unknown"
