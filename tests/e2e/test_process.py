"""The command line, signals, master and worker. Where NGINX is there to compare with, it is."""

import os
import re
import signal
import socket
import subprocess

import pytest
from support.ports import connect, free_port, is_listening, wait_until
from support.processes import is_alive
from support.proxy import NGINX, NGINX_MODULE, Proxy, binary_of

needs_nginx = pytest.mark.skipif(not (NGINX and os.path.exists(NGINX_MODULE)),
                                 reason="nginx with its mail module is not installed")
KINDS = ["postern", pytest.param("nginx", marks=needs_nginx)]


def mail(port, extra=""):
    return f"auth_http 127.0.0.1:9/; {extra} server {{ listen 127.0.0.1:{port}; protocol pop3; }}"


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def stopped(folder, kind):
    """A proxy with a good configuration that does not run."""
    proxy = Proxy(kind, folder, mail(free_port()), start=False)
    yield proxy
    proxy.kill()


@pytest.fixture
def running(server, kind):
    port = free_port()
    return server(mail(port), [port], kind=kind, level="notice")


def without_notices(text, kind):
    """NGINX's text under Postern's name; Postern's notes on load_module and the like are not errors."""
    return text.replace("nginx: ", "postern: ") if kind == "nginx" else text


def test_t_says_that_all_is_well(stopped, kind):
    ran = stopped.run("-t")
    assert ran.returncode == 0 and ran.stdout == ""
    assert without_notices(ran.stderr, kind) == (f"postern: the configuration file {stopped.configuration} syntax is ok\n"
                                                 f"postern: configuration file {stopped.configuration} test is successful\n")


def test_t_with_q_is_quiet(stopped):
    ran = stopped.run("-t", "-q")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_letters_can_be_combined(stopped):
    ran = stopped.run("-tq")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


@pytest.mark.parametrize("text, message", [
    ("nonsense on;", 'unknown directive "nonsense"'),
    ("timeout 1y;", '"timeout" directive invalid value'),
    ("timeout;", 'invalid number of arguments in "timeout" directive'),
    ("timeout 1s; timeout 2s;", '"timeout" directive is duplicate'),
    ("xclient maybe;", 'invalid value "maybe" in "xclient" directive, it must be "on" or "off"'),
    ("worker_processes 1;", '"worker_processes" directive is not allowed here'),
])
def test_t_names_the_error(folder, kind, text, message):
    proxy = Proxy(kind, folder, f"{text}\n{mail(free_port())}", start=False)
    ran = proxy.run("-t")
    assert ran.returncode == 1 and ran.stdout == ""
    with open(proxy.configuration) as file:
        line = next(number for number, one in enumerate(file, 1) if text in one)
    lines = without_notices(ran.stderr, kind).splitlines()
    # "postern: [emerg] ..." or, where the first log is standard error as Debian builds it, a log line.
    form = rf"(postern:|[\d/]+ [\d:]+) \[emerg\] (\d+#\d+: )?.*{re.escape(message)}.* in {re.escape(proxy.configuration)}:{line}"
    assert any(re.fullmatch(form, one) for one in lines), ran.stderr
    assert lines[-1] == f"postern: configuration file {proxy.configuration} test failed"


def test_T_prints_the_files(stopped, folder):
    included = os.path.join(stopped.prefix, "more.conf")
    with open(included, "w") as out:
        out.write("# more\ntimeout 10s;\n")
    stopped.write("include more.conf;\n" + mail(free_port()))
    ran = stopped.run("-T", "-q")
    assert ran.returncode == 0
    with open(stopped.configuration) as file:
        whole = file.read()
    assert ran.stdout == f"# configuration file {stopped.configuration}:\n{whole}\n# configuration file {included}:\n# more\ntimeout 10s;\n\n"


def test_v_and_h_and_V(kind):
    version = subprocess.run([binary_of(kind), "-v"], capture_output=True, text=True, timeout=10)
    assert version.returncode == 0 and version.stdout == ""
    assert re.fullmatch(r"postern version: postern/\d+\.\d+\.\d+\S*\n", version.stderr.replace("nginx", "postern")), version.stderr
    long_version = subprocess.run([binary_of(kind), "-V"], capture_output=True, text=True, timeout=10)
    assert long_version.returncode == 0 and long_version.stdout == ""
    assert long_version.stderr.startswith(version.stderr) and "configure arguments:" in long_version.stderr
    for option in ("-h", "-?"):
        text = subprocess.run([binary_of(kind), option], capture_output=True, text=True, timeout=10)
        assert text.returncode == 0 and text.stdout == ""
        assert text.stderr.startswith(version.stderr)
        for letter in "?hvVtTq":
            assert re.search(rf"[-,]{re.escape(letter)}\b|-{re.escape(letter)}", text.stderr), letter
        for letter in ("-s", "-p", "-e", "-c", "-g"):
            assert letter in text.stderr


@pytest.mark.parametrize("arguments, message", [
    (["-x"], 'invalid option: "x"'),
    (["-c"], 'option "-c" requires file name'),
    (["-p"], 'option "-p" requires directory name'),
    (["-g"], 'option "-g" requires parameter'),
    (["-s", "foo"], 'invalid option: "-s foo"'),
    (["-s"], 'option "-s" requires parameter'),
    (["word"], 'invalid option: "word"'),
])
def test_bad_arguments(kind, arguments, message):
    ran = subprocess.run([binary_of(kind), *arguments], capture_output=True, text=True, timeout=10)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.replace("nginx: ", "postern: ") == f"postern: {message}\n"


def test_missing_configuration(folder, kind):
    path = os.path.join(folder, "none.conf")
    ran = subprocess.run([binary_of(kind), "-t", "-e", "stderr", "-p", folder, "-c", path], capture_output=True, text=True, timeout=10)
    assert (ran.returncode, ran.stdout) == (1, "")
    text = ran.stderr.replace("nginx: ", "postern: ")
    assert '[emerg] ' in text and f'open() "{path}" failed (2: No such file or directory)' in text
    assert text.endswith(f"postern: configuration file {path} test failed\n")


def test_g_sets_main_directives(stopped, kind):
    assert stopped.run("-t", "-q", "-g", "worker_processes 2;").returncode == 0
    ran = stopped.run("-t", "-g", "worker_processes 2")
    assert ran.returncode == 1 and 'expecting ";" in command line' in ran.stderr
    ran = stopped.run("-t", "-g", f"pid {stopped.pid_file};")
    assert ran.returncode == 1 and '"pid" directive is duplicate' in ran.stderr


def test_pid_file(running):
    def read():
        with open(running.pid_file) as file:
            return file.read()
    assert wait_until(lambda: os.path.exists(running.pid_file) and read(), "pid file") == f"{running.program.pid}\n"
    running.stop()
    assert not os.path.exists(running.pid_file)


@pytest.mark.parametrize("word, number", [("stop", signal.SIGTERM), ("quit", signal.SIGQUIT)])
def test_s_ends_it(running, word, number):
    ran = running.run("-s", word)
    assert (ran.returncode, ran.stdout) == (0, "")
    assert running.program.process.wait(15) == 0
    assert running.log_lines(rf"\[notice\].*signal {int(number)} \({number.name}\) received")
    assert not is_listening(running.ports[0])


def test_s_without_a_running_one(stopped):
    ran = stopped.run("-s", "stop")
    assert ran.returncode == 1 and ran.stdout == ""
    assert '[error] ' in ran.stderr and f'open() "{stopped.pid_file}" failed (2: No such file or directory)' in ran.stderr
    with open(stopped.pid_file, "w") as out:
        out.write("")
    ran = stopped.run("-s", "stop")
    assert ran.returncode == 1 and f'invalid PID number "" in "{stopped.pid_file}"' in ran.stderr


def test_reload_takes_the_new_configuration(running, kind):
    port = free_port()
    running.write(mail(port))
    ran = running.run("-s", "reload")
    assert ran.returncode == 0
    wait_until(lambda: is_listening(port), "the new port is open")
    with connect(port) as client:
        assert client.recv(100) == b"+OK POP3 ready\r\n"
    wait_until(lambda: not is_listening(running.ports[0]), "the old port is closed")
    assert running.log_lines(r"signal 1 \(SIGHUP\) received")


def test_reload_with_a_wrong_configuration_changes_nothing(running):
    running.write("nonsense;")
    os.kill(running.program.pid, signal.SIGHUP)
    wait_until(lambda: running.log_lines(r'\[emerg\].*unknown directive "nonsense"'), "the error is logged")
    with connect(running.ports[0]) as client:
        assert client.recv(100) == b"+OK POP3 ready\r\n"


def test_reload_leaves_no_unix_socket_behind(server, folder):
    old, new = os.path.join(folder, "old.sock"), os.path.join(folder, "new.sock")
    port = free_port()
    proxy = server(mail(port, f"server {{ listen unix:{old}; protocol imap; }}"), [port], kind="postern")
    assert os.path.exists(old)
    proxy.write(mail(port, f"server {{ listen unix:{new}; protocol imap; }}"))
    assert proxy.run("-s", "reload").returncode == 0
    wait_until(lambda: os.path.exists(new), "the new socket is there")
    wait_until(lambda: not os.path.exists(old), "the old socket is gone")
    proxy.stop()
    assert not os.path.exists(new)


def test_a_session_that_outlives_a_reload_is_logged_as_before(running):
    worker = wait_until(running.workers, "a worker runs")[0]
    with connect(running.ports[0]) as client:
        assert client.recv(100) == b"+OK POP3 ready\r\n"
        assert running.run("-s", "reload").returncode == 0
        wait_until(lambda: running.log_lines(rf"{worker}#\d+: gracefully shutting down"), "the old worker knows")
        client.sendall(b"USER alice\r\n")
        assert client.recv(100) == b"+OK\r\n"
        client.sendall(b"PASS x\r\n")
        assert client.recv(100).startswith(b"-ERR")
    where = rf'\[error\] {worker}#.*, client: 127.0.0.1, server: 127.0.0.1:{running.ports[0]}, login: "alice"'
    wait_until(lambda: running.log_lines(where), "its server is named")


def test_quit_lets_sessions_end(running):
    client = connect(running.ports[0])
    assert client.recv(100) == b"+OK POP3 ready\r\n"
    running.run("-s", "quit")
    wait_until(lambda: not is_listening(running.ports[0]), "the listening socket is closed")
    client.sendall(b"NOOP\r\n")
    assert client.recv(100) == b"+OK\r\n"
    assert is_alive(running.program.pid)
    client.sendall(b"QUIT\r\n")
    assert client.recv(100) == b"+OK\r\n"
    client.close()
    assert running.program.process.wait(15) == 0


def test_quit_kills_no_session_because_another_worker_died(server):
    port = free_port()
    proxy = server(mail(port), [port], kind="postern")
    with connect(port) as client:
        assert client.recv(100) == b"+OK POP3 ready\r\n"
        old = set(proxy.workers())
        assert proxy.run("-s", "reload").returncode == 0
        new = wait_until(lambda: set(proxy.workers()) - old, "a new worker runs").pop()
        os.kill(new, signal.SIGKILL)
        wait_until(lambda: proxy.log_lines(rf"worker process {new} exited on signal 9"), "its death is logged")
        assert proxy.run("-s", "quit").returncode == 0
        client.settimeout(1.5)  # it would have been replaced after a second
        with pytest.raises(TimeoutError):
            client.recv(100)
        client.sendall(b"QUIT\r\n")
        client.settimeout(5)
        assert client.recv(100) == b"+OK\r\n"
    assert proxy.program.process.wait(15) == 0


def test_killed_worker_is_replaced(running):
    worker = wait_until(running.workers, "a worker runs")[0]
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: [pid for pid in running.workers() if pid != worker], "another worker runs")
    with connect(running.ports[0]) as client:
        assert client.recv(100) == b"+OK POP3 ready\r\n"
    wait_until(lambda: running.log_lines(rf"\[alert\].*worker process {worker} exited on signal 9"), "the death is logged")


def test_killed_worker_does_not_disturb_the_master(running):
    for _ in range(3):
        worker = wait_until(running.workers, "a worker runs")[0]
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: running.workers() and worker not in running.workers(), "another worker runs")
    assert is_alive(running.program.pid)
    with connect(running.ports[0]) as client:
        assert client.recv(100) == b"+OK POP3 ready\r\n"


def test_reopen_after_log_rotation(server, kind):
    port = free_port()
    proxy = server(mail(port), [port], kind=kind)
    connect(port).close()
    wait_until(lambda: proxy.log_lines("connected to"), "the connection is logged")
    old = proxy.error_log + ".1"
    os.rename(proxy.error_log, old)
    assert proxy.run("-s", "reopen").returncode == 0
    wait_until(lambda: os.path.exists(proxy.error_log), "the new log is there")

    def logged():
        connect(port, source="127.0.0.9").close()
        return proxy.log_lines(r"client 127\.0\.0\.9:\d+ connected to")

    wait_until(logged, "the new log is written to")


def test_busy_port(folder, kind):

    with socket.create_server(("127.0.0.1", 0)) as busy:
        proxy = Proxy(kind, folder, mail(busy.getsockname()[1]), start=False)
        assert proxy.run("-t", "-q").returncode == 0
        ran = proxy.run("-g", "daemon off;", "-e", "stderr")
        assert ran.returncode == 1
        assert f"bind() to 127.0.0.1:{busy.getsockname()[1]} failed (98: Address already in use)" in ran.stderr
        assert "still could not bind()" in ran.stderr


def test_daemon_leaves_the_terminal(folder, kind):
    port = free_port()
    proxy = Proxy(kind, folder, mail(port), [port], start=False)
    ran = proxy.run("-e", "stderr")
    assert ran.returncode == 0
    try:
        wait_until(lambda: is_listening(port), "the daemon listens")
        pid = int(wait_until(lambda: os.path.exists(proxy.pid_file) and open(proxy.pid_file).read(), "pid file"))
        assert os.getsid(pid) == pid or os.getsid(pid) != os.getsid(0)
    finally:
        assert proxy.run("-s", "stop").returncode == 0
        wait_until(lambda: not is_listening(port), "the daemon has ended")
    wait_until(lambda: not is_alive(pid), "the daemon is gone")


def test_master_process_off(server, kind):
    port = free_port()
    proxy = server(mail(port), [port], kind=kind, main="master_process off;")
    with connect(port) as client:
        assert client.recv(100) == b"+OK POP3 ready\r\n"
    assert not proxy.workers()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may change to another user")
def test_workers_are_not_root(server, kind):
    port = free_port()
    proxy = server(mail(port), [port], kind=kind, main="user nobody nogroup;")
    worker = wait_until(proxy.workers, "a worker runs")[0]

    def ids():
        with open(f"/proc/{worker}/status") as status:
            return {line.split()[0]: line.split()[1:] for line in status if line.startswith(("Uid:", "Gid:", "Groups:"))}
    wait_until(lambda: set(ids()["Uid:"]) == {"65534"}, "the worker is another user")  # it begins as root
    assert set(ids()["Gid:"]) == {"65534"} and "0" not in ids()["Groups:"]


def test_several_event_loops(server):
    port = free_port()
    proxy = server(mail(port), [port], kind="postern", main="worker_processes 4;")
    clients = [connect(port) for _ in range(40)]
    for client in clients:
        assert client.recv(100) == b"+OK POP3 ready\r\n"
        client.close()
    assert len(proxy.log_lines(r"client .* connected to")) == 40


def test_several_event_loops_quit_and_reload_under_traffic(server):
    """Clients that come and go all the time: none is refused by a reload, all sessions outlive it, and
    "quit" waits for the last of them."""
    port = free_port()
    proxy = server(mail(port), [port], kind="postern", main="worker_processes 4;")
    living = [connect(port) for _ in range(40)]
    for _ in range(3):
        workers = set(proxy.workers())
        assert proxy.run("-s", "reload").returncode == 0
        for _ in range(50):
            with connect(port) as client:
                assert client.recv(100) == b"+OK POP3 ready\r\n"
        wait_until(lambda: set(proxy.workers()) - workers, "a new worker runs")
    for client in living:
        assert client.recv(100) == b"+OK POP3 ready\r\n"
    assert proxy.run("-s", "quit").returncode == 0
    wait_until(lambda: not is_listening(port), "the listening socket is closed")
    for client in living:
        client.sendall(b"QUIT\r\n")
        assert client.recv(100) == b"+OK\r\n"
        client.close()
    assert proxy.program.process.wait(15) == 0
    assert not proxy.log_lines(r"\[(alert|emerg|crit|error)\]")
