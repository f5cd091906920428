"""Options and fixtures of all end-to-end tests."""

import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))

from support.folder import temporary_folder  # noqa: E402
from support.proxy import Proxy  # noqa: E402


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
