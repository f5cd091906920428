"""Options and fixtures of all end-to-end tests."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

pytest_plugins = ["support.sanitizer_reports"]

from support.backend_front import Front  # noqa: E402
from support.certificates import Pki  # noqa: E402
from support.directory import Directory  # noqa: E402
from support.dovecot import Dovecot  # noqa: E402
from support.folder import temporary_folder  # noqa: E402
from support.limited_world import World  # noqa: E402
from support.ports import free_port  # noqa: E402
from support.postfix import Postfix, why_not  # noqa: E402
from support.proxy import Proxy  # noqa: E402
from support import tls_clients as programs  # noqa: E402
from support.tls_backend import TlsBackend  # noqa: E402

SMTP_PORT = free_port()  # Dovecot's submission service has to know Postfix's before it runs


def pytest_addoption(parser):
    parser.addoption("--proxy", choices=("postern", "nginx"), default="postern",
                     help="what the tests with real mail servers put in front of them")


@pytest.fixture
def folder():
    with temporary_folder() as path:
        yield path


@pytest.fixture
def server(request, folder):
    """Starts the proxy under test: server(mail, ports=...). Prints its log if the test fails."""
    started = []

    def start(mail, ports=(), kind=None, **options):
        proxy = Proxy(kind or request.config.getoption("--proxy"), folder, mail, ports, **options)
        started.append(proxy)
        return proxy

    yield start
    for proxy in started:
        print(f"--- error log of {proxy.kind}\n{proxy.log()[-8000:]}")
        proxy.stop()


@pytest.fixture(scope="session")
def pki():
    """Certificates of an authority of our own."""
    with temporary_folder() as path:
        yield Pki(path)


@pytest.fixture(scope="session")
def dovecot():
    """A real Dovecot for the whole run, submission included."""
    with temporary_folder() as path:
        program = Dovecot(path, relay_port=SMTP_PORT)
        yield program
        program.stop()


@pytest.fixture(scope="session")
def postfix(dovecot):
    """A real Postfix for the whole run; it delivers to Dovecot's `inbox`."""
    if reason := why_not():
        pytest.skip(reason)
    with temporary_folder() as path:
        program = Postfix(path, dovecot, SMTP_PORT)
        yield program
        program.stop()


@pytest.fixture(scope="session")
def tls_clients():
    """The programs of clients/, by TLS library."""
    with temporary_folder() as path:
        yield programs.build(path)


@pytest.fixture
def account(dovecot):
    return dovecot.account()


@pytest.fixture
def directory(dovecot):
    """An authentication service that knows Dovecot's accounts: directory.know(account)."""
    service = Directory(dovecot)
    yield service
    service.close()


@pytest.fixture
def front(server):
    """Proxies in front of a backend: front(protocol, port, directives)."""
    made = []

    def make(*arguments, **options):
        made.append(Front(server, *arguments, **options))
        return made[-1]
    yield make
    for one in made:
        one.service.close()


@pytest.fixture
def backend():
    """Mail servers that follow a script, under TLS: backend(protocol, certificate)."""
    made = []

    def make(*arguments, **options):
        made.append(TlsBackend(*arguments, **options))
        return made[-1]
    yield make
    for one in made:
        one.close()


@pytest.fixture
def world(server):
    """Proxies with limits: world(directives, listen)."""
    made = []

    def make(*arguments, **options):
        made.append(World(server, *arguments, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()
