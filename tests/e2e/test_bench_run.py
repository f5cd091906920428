"""What measures: that its figures are what its rounds said, and that every proxy which it starts works. Nothing
here is about speed."""

import os
import subprocess
import sys
import xml.etree.ElementTree

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, ROOT)

from bench import compare, peers, plots, report, works  # noqa: E402
from bench.accounts import Accounts, Clocks, control_groups, proportional_bytes  # noqa: E402
from bench.visit import visit  # noqa: E402
from support.any_mailbox import AnyMailbox, AnyService  # noqa: E402
from support.certificates import Authority  # noqa: E402
from support.folder import temporary_folder  # noqa: E402
from support.ports import is_listening, wait_until  # noqa: E402
from support.processes import is_alive  # noqa: E402
from support.proxy import postern_binary  # noqa: E402

RUN = os.path.join(ROOT, "bench", "run")
STAND_IN = os.path.join(os.path.dirname(__file__), "support", "bench_stand_in.py")
LOGIN = next(work for work in works.THROUGHPUT if work.name == "login-imap-plain")
IDLE = next(works.session_scenarios(False, 20000)[0].works())
BESIDE = [work for work in works.session_scenarios(False, 20000)[0].works() if work.name.startswith("beside-")]


def results(postern=(50e-6, 60e-6, 90e-6), nginx=(100e-6, 100e-6, 200e-6)):
    collected = report.Results()
    for name, values in (("nginx", nginx), ("postern", postern)):
        for number, value in enumerate(values):
            collected.add(LOGIN, name, number, {"cpu": value, "rate": 1 / value})
            collected.add(IDLE, name, number, {"pss": value * 1e8, "kernel": 16384})
            for work in BESIDE:
                collected.add(work, name, number, {"cpu": value})
    return collected


def find(rows, work, peer, metric):
    return next(row for row in rows if (row.work, row.peer, row.metric) == (work.name, peer, metric))


# --- what is made of what was measured

def test_a_ratio_is_the_median_of_the_rounds_own():
    row = find(results().rows(), LOGIN, "postern", "cpu")
    assert (row.median, row.low, row.high) == pytest.approx((60e-6, 50e-6, 90e-6))
    # Of 0.5, 0.6 and 0.45; the ratio of the medians would be 0.6.
    assert (row.ratio, row.ratio_low, row.ratio_high) == pytest.approx((0.5, 0.45, 0.6))


def test_a_round_that_nginx_has_not_finished_has_no_ratio():
    row = find(results(nginx=(100e-6,)).rows(), LOGIN, "postern", "cpu")
    assert row.rounds == 3
    assert (row.ratio, row.ratio_low, row.ratio_high) == pytest.approx((0.5, 0.5, 0.5))
    row = find(results(nginx=()).rows(), LOGIN, "postern", "cpu")
    assert row.ratio is None


def test_csv_keeps_all(folder):
    rows = results().rows()
    path = os.path.join(folder, "results.csv")
    report.write_csv(rows, path)
    again = report.read_csv(path)
    assert [(row.work, row.peer, row.metric, row.is_main) for row in again] == [
        (row.work, row.peer, row.metric, row.is_main) for row in rows]
    for row, same in zip(rows, again):
        assert same.values == pytest.approx(row.values, rel=1e-5)
        assert same.ratio == pytest.approx(row.ratio, abs=1e-4)
    with open(path) as lines:
        assert 'Logins,login-imap-plain,"IMAP, plain",postern,cpu,µs,3,60,50,90,0.5000,0.4500,0.6000,1,50 60 90\n' in lines


def test_tables_show_medians_with_their_spread():
    text = report.markdown(results().rows(), [("machine", "one of these")], ["round 2: something"])
    assert "| machine | one of these |" in text
    assert "| Logins: IMAP, plain | proxy's CPU | 100.0 µs | 0.50 (0.45–0.60) |" in text
    assert "| IMAP, plain | postern | 60.0 (50.0–90.0) | 0.50 (0.45–0.60) | 16,667 (11,111–20,000) |" in text
    assert "| plain, 1,000 | nginx | 10,000 (10,000–20,000) | 1.00 | 16,384 |" in text
    assert "- round 2: something" in text


def test_plots_are_svg_in_two_colour_schemes():
    rows = results().rows()
    for name, draw in plots.PLOTS.items():
        picture = draw(rows)
        root = xml.etree.ElementTree.fromstring(picture)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert "prefers-color-scheme:dark" in picture
        assert any(element.text == "postern" for element in root.iter("{http://www.w3.org/2000/svg}text")), name
    assert "0.5 (0.45–0.6)" in plots.ratio_plot(rows)


def test_a_bar_that_is_too_long_says_how_long_it_is():
    picture = plots.bars("Title", [("line", [("perdition", 8.4, 8, 9)])], 2)
    assert ">8.4 →</text>" in picture
    assert 'width="505.0"' in picture  # the whole width


def test_nothing_to_plot():
    assert [draw([]) for draw in plots.PLOTS.values()] == [None, None, None]


def test_a_page_keeps_what_is_around_the_block(folder):
    path = os.path.join(folder, "page.md")
    with open(path, "w") as page:
        page.write("before\n<!-- results: begin -->\nold\n<!-- results: end -->\nafter\n")
    report.replace_block(path, "results", "new")
    with open(path) as page:
        assert page.read() == "before\n<!-- results: begin -->\nnew\n<!-- results: end -->\nafter\n"
    with pytest.raises(ValueError):
        report.replace_block(path, "another", "new")


def test_the_page_of_the_project_has_its_block():
    with open(os.path.join(ROOT, "docs", "performance.md")) as page:
        text = page.read()
    assert text.index("<!-- results: begin -->") < text.index("<!-- results: end -->")


# --- comparing two runs

def run_compare(folder, *both):
    paths = []
    for number, collected in enumerate(both):
        paths.append(os.path.join(folder, f"{number}.csv"))
        report.write_csv(collected.rows(), paths[-1])
    return subprocess.run([RUN, "--compare", *paths], capture_output=True, text=True, timeout=60)


def test_runs_agree_if_their_spreads_meet(folder):
    # All is slower by half, for all: the ratios are what they were.
    slower = results(postern=(75e-6, 90e-6, 135e-6), nginx=(150e-6, 150e-6, 300e-6))
    outcome = run_compare(folder, results(), slower)
    assert outcome.returncode == 0, outcome.stdout
    assert "5 of 5 ratios to NGINX of the main figures agree" in outcome.stdout


def test_runs_disagree_if_their_spreads_do_not_meet(folder):
    outcome = run_compare(folder, results(), results(postern=(61e-6, 62e-6, 124e-6)))
    assert outcome.returncode == 1, outcome.stdout
    assert "0 of 5 ratios to NGINX of the main figures agree" in outcome.stdout
    assert "login-imap-plain postern cpu: 0.50 (0.45–0.60) and 0.62 (0.61–0.62), medians 24.0% apart" in outcome.stdout


def test_runs_that_have_nothing_in_common_do_not_agree():
    text, agree = compare.report(results().rows(), [])
    assert not agree
    assert "no ratio in common" in text


# --- accounts

@pytest.mark.parametrize("kind", ["Version1", "Version2", "Clocks"])
def test_an_account_has_the_time_of_children_that_have_ended(kind):
    accounts = Accounts([group for group in control_groups() if group[0].__name__ == kind])
    if kind != "Clocks" and accounts.description == Clocks.description:
        pytest.skip("no such control groups that we could use")
    account = accounts.open(0)
    spins = "import time\nend = time.process_time() + 0.2\nwhile time.process_time() < end: pass\n"
    parent = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {spins!r}])\nprint(flush=True)\nsys.stdin.read()"
    program = subprocess.Popen(account.command([sys.executable, "-c", parent]), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    account.watch(program.pid)
    try:
        assert program.stdout.readline() == b"\n"
        assert account.pids() == [program.pid]
        assert 0.18e9 <= account.nanoseconds() < 3e9
        assert os.sched_getaffinity(program.pid) == {0}
        assert proportional_bytes(account.pids()) > 1 << 20
    finally:
        program.communicate(b"")
        account.close()


@pytest.mark.parametrize("groups", [None, []])
def test_an_account_ends_who_stays(groups):
    account = Accounts(groups).open(0)
    program = subprocess.Popen(account.command(["sleep", "600"]))
    account.watch(program.pid)
    wait_until(account.pids, "it runs")
    account.close()
    program.wait(10)
    assert not is_alive(program.pid)


# --- the proxies

@pytest.fixture(scope="module")
def mailbox():
    with AnyMailboxPlace() as place:
        yield place


class AnyMailboxPlace:
    """A place whose mailbox server remembers how one logged in."""

    def __enter__(self):
        self._folder = temporary_folder()
        folder = self._folder.__enter__()
        certificate = Authority(folder).issue("mail.test", hosts=("mail.test", "localhost", "127.0.0.1"))
        self.server = AnyMailbox()
        self.service = AnyService(self.server.ports)
        self.place = peers.Place(certificate, self.server.ports, self.service.port, Accounts(), 0, 1, 2000)
        return self

    def __exit__(self, *error):
        self.service.close()
        self.server.close()
        self._folder.__exit__(None, None, None)


WAYS = {("nginx", "smtp"): "XCLIENT", ("postern", "smtp"): "XCLIENT", ("haproxy", "smtp"): "AUTH", ("dovecot", "smtp"): "AUTH",
        ("direct", "smtp"): "AUTH"}


@pytest.mark.parametrize("name", ["nginx", "postern", "postern-http10", "postern-lean", "postern-access-log", "haproxy", "dovecot",
                                  "perdition", "direct"])
def test_each_peer_lets_a_client_in(mailbox, name):
    peer = next(peer for peer in peers.all_peers(mailbox.place, postern_binary()) if peer.name == name)
    if name == "perdition" and not os.path.exists(peers.PERDITION):
        pytest.skip("perdition is not installed")
    spoken = set()
    with peer:
        for protocol in peers.PROTOCOLS:
            for tls in ("none", "implicit", "starttls"):
                if not peer.can(protocol, tls):
                    continue
                before = len(mailbox.server.logins)
                spoken.add(visit(peer.port(protocol, tls), protocol, tls))
                arrived = mailbox.server.logins[before:]
                way = WAYS.get((name.split("-")[0], protocol), {"imap": "LOGIN", "pop3": "PASS"}.get(protocol))
                assert arrived[-1] == (protocol, way)
        processes = peer.account.pids()
        ports = [] if name == "direct" else list(peer.ports.values())
        if processes:
            assert peer.account.nanoseconds() > 0
            assert {frozenset(os.sched_getaffinity(pid)) for pid in processes} == {frozenset({0})}
    assert bool(processes) == (name != "direct")
    assert spoken == {""} if name == "direct" else spoken == {"", "TLSv1.3 TLS_AES_256_GCM_SHA384"}
    assert not any(is_alive(pid) for pid in processes)
    assert not any(is_listening(port) for port in ports)


def test_a_directive_that_postern_does_not_know_is_no_row(mailbox, folder):
    # A program that refuses every configuration.
    assert not peers.knows("ssl_lean on;", mailbox.place, "/bin/false")
    assert peers.knows("ssl_lean on;", mailbox.place, "/bin/true")


# --- all of it, with a stand-in for the load program

def run_all(folder, *arguments, **environment):
    return subprocess.run([RUN, "--quick", "--rounds", "1", "--levels", "5", "--postern", postern_binary(), "--bench", STAND_IN,
                           "--results", folder, *arguments], capture_output=True, text=True, timeout=120,
                          env={**os.environ, **environment})


def test_a_run_writes_what_it_measured(folder):
    outcome = run_all(folder, "--peers", "postern,direct", "--work", "login-imap-plain", "--work", "bulk-down-tls", "--work",
                      "sessions-plain")
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    rows = report.read_csv(os.path.join(folder, "results.csv"))
    assert {row.peer for row in rows} == {"nginx", "postern", "direct"}
    assert list(dict.fromkeys(row.work for row in rows)) == ["login-imap-plain", "bulk-down-tls", "idle-plain-5", "storm-plain",
                                                             "beside-0", "beside-5"]
    assert find(rows, LOGIN, "postern", "cpu").median > 0
    assert not [row for row in rows if row.peer == "direct" and row.metric in ("cpu", "pss")]
    assert sorted(os.listdir(folder)) == ["cpu.svg", "growth.svg", "memory.svg", "results.csv", "results.md"]
    with open(os.path.join(folder, "results.md")) as page:
        text = page.read()
    assert os.uname().nodename not in text
    assert folder not in text and "/tmp" not in text


def test_a_load_that_fails_is_told(folder):
    outcome = run_all(folder, "--peers", "nginx", "--work", "login-imap-plain", POSTERN_BENCH_FAILS="1")
    assert outcome.returncode == 1
    assert "FAILED: login-imap-plain at nginx: 1 errors" in outcome.stdout


@pytest.mark.parametrize("arguments, says", [
    (["--work", "nothing"], "no work begins with nothing"),
    (["--peers", "apache"], "no such peer: apache"),
    (["--postern", "/nonexistent"], "missing: /nonexistent"),
    (["--also", "nothing"], "expected NAME=BINARY"),
])
def test_a_wrong_command_line_is_explained(folder, arguments, says):
    outcome = run_all(folder, *arguments)
    assert outcome.returncode != 0
    assert says in outcome.stderr
