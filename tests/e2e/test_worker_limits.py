"""What the system grants the worker, as /proc shows it: priority, limits, processors."""

import os
import re
import resource

import pytest
from support.ports import connect, free_port, wait_until

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may ask for more than it has")


def mail(port):
    return f"auth_http 127.0.0.1:9/; server {{ listen 127.0.0.1:{port}; protocol pop3; }}"


@pytest.fixture
def worker(server):
    """Starts a proxy with these directives at the main level; returns it and its worker's pid."""
    def start(main):
        port = free_port()
        proxy = server(mail(port), [port], main=main, level="notice")
        with connect(port) as client:
            assert client.recv(100).startswith(b"+OK")  # all was asked for before
        [pid] = proxy.workers()
        return proxy, pid
    return start


def limit_of(pid, name):
    with open(f"/proc/{pid}/limits") as limits:
        return re.search(rf"^{name} +(\S+) +(\S+)", limits.read(), re.MULTILINE).groups()


def nice_values(pid):
    values = set()
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/stat") as stat:
            values.add(int(stat.read().rsplit(")", 1)[1].split()[16]))
    return values


def processors_of_threads(pid):
    """Which processors each thread may use, as sorted texts."""
    found = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/status") as status:
            found.append(re.search(r"^Cpus_allowed_list:\s*(\S+)", status.read(), re.MULTILINE)[1])
    return sorted(found)


def is_dumpable(pid):
    """proc(5): the files of a process that may not be dumped belong to root."""
    return os.stat(f"/proc/{pid}/mem").st_uid != 0


def test_priority_is_that_of_all_threads(worker):
    proxy, pid = worker("worker_priority 7;")
    assert nice_values(pid) == {7}
    assert nice_values(proxy.program.pid) == {os.getpriority(os.PRIO_PROCESS, 0)}


@needs_root
def test_priority_is_taken_while_the_worker_is_root(worker):
    if resource.getrlimit(resource.RLIMIT_NICE)[1] == 0 and not may_raise_priority():
        pytest.skip("this root may not raise a priority")
    _, pid = worker("worker_priority -3;")
    assert nice_values(pid) == {-3}


def may_raise_priority():
    child = os.fork()
    if child == 0:
        try:
            os.setpriority(os.PRIO_PROCESS, 0, -3)
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def test_limits(worker):
    proxy, pid = worker("worker_rlimit_core 100m; worker_rlimit_nofile 4321;")
    assert limit_of(pid, "Max core file size") == ("104857600", "104857600")
    assert limit_of(pid, "Max open files") == ("4321", "4321")
    assert limit_of(proxy.program.pid, "Max open files") != ("4321", "4321")


@needs_root
def test_core_files_are_possible_only_for_who_asks(worker):
    _, pid = worker("user nobody nogroup;")
    assert not is_dumpable(pid)


@needs_root
@pytest.mark.parametrize("size, dumpable", [("1m", True), ("0", False)])
def test_core_files_of_a_worker_without_privileges(worker, size, dumpable):
    _, pid = worker(f"user nobody nogroup; worker_rlimit_core {size};")
    assert is_dumpable(pid) == dumpable


def test_what_the_system_refuses_is_an_alert_and_the_worker_goes_on(worker):
    proxy, _ = worker("worker_processes 2; worker_cpu_affinity " + "1" + "0" * 1000 + ";")
    wait_until(lambda: len(proxy.log_lines(r"\[alert\].*sched_setaffinity\(\) failed \(22: ")) == 2,
               "both event loops tell that there is no such processor")


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two processors")
@pytest.mark.parametrize("affinity", ["{first} {second}", "auto", "auto {both}"])
def test_each_event_loop_has_its_processor(worker, affinity):
    first, second = sorted(os.sched_getaffinity(0))[:2]
    if "{" not in affinity and (first, second) != (0, 1):
        pytest.skip("auto counts from the first processor")
    masks = affinity.format(first=f"{1 << first:b}", second=f"{1 << second:b}",
                            both=f"{1 << first | 1 << second:b}")
    _, pid = worker(f"worker_processes 2; worker_cpu_affinity {masks};")
    wait_until(lambda: [one for one in processors_of_threads(pid) if re.fullmatch(r"\d+", one)]
               == sorted([str(first), str(second)]), "each loop is bound to one processor")


def test_the_last_mask_is_for_the_rest(worker):
    first = min(os.sched_getaffinity(0))
    proxy, pid = worker(f"worker_processes 3; worker_cpu_affinity {1 << first:b};")
    wait_until(lambda: len(proxy.log_lines("sched_setaffinity\\(\\): using cpu #")) == 3, "three loops")
    bound = [one for one in processors_of_threads(pid) if one == str(first)]
    assert len(bound) >= 3
