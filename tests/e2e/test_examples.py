"""Every configuration in conf/ is accepted as it is installed: by `postern -t`, and what is meant to be
shared by NGINX's, too."""

import os
import pathlib
import re
import socket
import subprocess

import pytest

from support.certificates import Authority
from support.ports import free_port
from support.proxy import NGINX, ROOT, postern_binary

CONF = pathlib.Path(ROOT) / "conf"
EXAMPLES = sorted(str(path.relative_to(CONF)) for path in CONF.rglob("*.conf"))
# What `postern -t` may say beyond its verdict. All else, such as an unknown user, is a mistake.
WARNINGS = {"examples/shared-nginx.conf": ['"http" block is skipped'],
            "examples/demo.conf": ['no "ssl_certificate" is defined for the "listen ... ssl" directive',
                                   'no "ssl_certificate" is defined for the "starttls" directive']}


PROTOCOLS = {"143": "imap", "993": "imap", "110": "pop3", "25": "smtp", "587": "smtp", "465": "smtp"}


def is_ours(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", int(port)))
            return True
        except OSError:
            return False


def with_ports_of_ours(text):
    """`-t` tries the ports, so those that a test may not have, or somebody else has, become others."""
    others = {}  # servers that share a port go on sharing it

    def replace(found):
        address, port, ssl, rest = found.groups()
        if is_ours(port):
            return found[0]
        said = port not in PROTOCOLS or re.search(r"^ *protocol ", rest, re.MULTILINE)
        protocol = "" if said else f" protocol {PROTOCOLS[port]};"
        other = others.setdefault(port, free_port())
        return f"listen {address}{other}{ssl};{protocol}{rest}"

    return re.sub(r"\blisten ((?:[\d.]+:)?)(\d+)( ssl|);([^}]*)", replace, text)


def without_root(lines):
    """Only root can change users; anybody else is told so."""
    return [line for line in lines if os.geteuid() == 0 or '"user" directive makes sense only' not in line]


@pytest.fixture
def installed(folder):
    """A prefix as `make install` makes it: installed(example) puts one there and makes its users and certificates."""
    prefix = pathlib.Path(folder)

    def install(example):
        (prefix / "conf").mkdir()
        (prefix / "logs").mkdir()
        text = (CONF / example).read_text()
        # The machine's own files stay as they are.
        text = re.sub(r"/var/log/nginx|/run(?=/nginx\.pid)", str(prefix / "logs"), text)
        file = prefix / "conf" / "postern.conf"
        file.write_text(with_ports_of_ours(text))
        for name in re.findall(r"^ *auth_file (\S+)", text, re.MULTILINE):
            made = subprocess.run([postern_binary(), "passwd", "alice"], input="wonderland\n",
                                  capture_output=True, text=True, check=True)
            (prefix / "conf" / name).write_text(made.stdout)
        authority = Authority(prefix / "conf", "our-ca")
        for name in set(re.findall(r"^ *ssl_certificate +(\S+)\.pem;", text, re.MULTILINE)):
            authority.issue(name, hosts=(f"mail.{name}", f"imap.{name}", f"*.mail.{name}"))
        return file

    return install


def check(program, file):
    return subprocess.run([program, "-t", "-c", file, "-p", f"{file.parents[1]}/"],
                          capture_output=True, text=True, timeout=20)


def test_there_are_examples():
    assert {"postern.conf", "examples/auth_file.conf", "examples/auth_http.conf", "examples/demo.conf",
            "examples/shared-nginx.conf", "examples/tls.conf"} <= set(EXAMPLES)


@pytest.mark.parametrize("example", EXAMPLES)
def test_postern_accepts_it(installed, example):
    run = check(postern_binary(), installed(example))
    assert run.returncode == 0, run.stderr
    said = without_root(line for line in run.stderr.splitlines() if re.search(r"\[\w+\]", line))
    expected = WARNINGS.get(example, [])
    assert len(said) == len(expected), run.stderr
    assert all(text in line for text, line in zip(expected, said)), run.stderr


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_mistake_in_it_would_be_found(installed, example):
    """The test above is able to fail."""
    file = installed(example)
    file.write_text(file.read_text().replace("server_name", "server_nam"))
    run = check(postern_binary(), file)
    assert run.returncode == 1
    assert 'unknown directive "server_nam"' in run.stderr


@pytest.mark.skipif(not NGINX or os.geteuid() != 0, reason="needs NGINX and root, for its files")
def test_nginx_accepts_what_is_shared(installed):
    file = installed("examples/shared-nginx.conf")
    modules = file.parents[1] / "modules"
    modules.symlink_to("/usr/lib/nginx/modules")
    run = check(NGINX, file)
    assert run.returncode == 0, run.stderr


def test_the_other_choice_in_what_is_installed_is_accepted(installed):
    """Its comments say: remove auth_file, and take the "#" from auth_http."""
    file = installed("postern.conf")
    text = re.sub(r"^ *auth_file .*\n", "", file.read_text(), flags=re.MULTILINE)
    assert "#auth_http " in text
    file.write_text(text.replace("#auth_http ", "auth_http ").replace("#user ", "user "))
    run = check(postern_binary(), file)
    assert run.returncode == 0, run.stderr
