#!/usr/bin/python3
"""How long relayed sessions wait while other clients do TLS handshakes: Postern beside NGINX.

Each proxy has one worker on processor 0, before all else there (SCHED_FIFO), and the same configuration;
everything else is on processor 1. Open
IMAP sessions, plain and under TLS, do a round trip every few milliseconds, first alone, then while other
clients do full TLS 1.3 handshakes (RSA 2048) at a fixed rate. The proxies take turns, as often as --rounds
says; the medians over the rounds are printed. To be run as root: who measures must not wait for who loads.

    bench/handshakes.py [--postern build/release/postern] [--seconds 5] [--rate 200] [--rounds 3]
"""

import argparse
import http.server
import multiprocessing
import os
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "tests", "e2e"))

from support.certificates import Pki  # noqa: E402
from support.ports import connect, free_port, wait_until  # noqa: E402
from support.processes import children_of  # noqa: E402
from support.proxy import NGINX, NGINX_MODULE  # noqa: E402

SESSIONS = 20  # of each kind
VISITORS = 24  # that do handshakes at the same time


def serve_imap(listener):
    """A backend that lets everybody in and answers each line."""
    def serve(peer):
        lines = peer.makefile("rb")
        peer.sendall(b"* OK\r\n")
        for prompt in (b"+ \r\n", b"+ \r\n", b"a OK\r\n"):
            lines.readline()
            peer.sendall(prompt)
        while line := lines.readline():
            peer.sendall(b"n OK " + line)
    while True:
        peer, _ = listener.accept()
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve, args=(peer,), daemon=True).start()


class Service(http.server.BaseHTTPRequestHandler):
    backend = 0

    def do_GET(self):
        self.send_response(200)
        for name, value in (("Auth-Status", "OK"), ("Auth-Server", "127.0.0.1"), ("Auth-Port", str(self.backend))):
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *arguments):
        pass


def anybody():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def shake_hands(port, rate, seconds, done):
    """Full handshakes at this rate; says how many there were. Several at a time, as a proxy may keep one
    waiting for long (Nagle's algorithm)."""
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    context, begin, counts = anybody(), time.monotonic(), []

    def visit(first):
        count = 0
        while (due := begin + (first + count * VISITORS) / rate) < begin + seconds:
            time.sleep(max(due - time.monotonic(), 0))
            with context.wrap_socket(connect(port)) as client:
                client.recv(1)
            count += 1
        counts.append(count)
    visitors = [threading.Thread(target=visit, args=(first,)) for first in range(VISITORS)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    done.put(sum(counts))


def open_session(port, secure):
    client = connect(port)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if secure:
        client = anybody().wrap_socket(client)
    lines = client.makefile("rb")
    lines.readline()
    client.sendall(b"a LOGIN bob x\r\n")
    assert lines.readline().startswith(b"a OK")
    return client, lines


def round_trips(sessions, seconds):
    """Microseconds of each."""
    times, end, index = [], time.monotonic() + seconds, 0
    while time.monotonic() < end:
        client, lines = sessions[index % len(sessions)]
        index += 1
        begin = time.perf_counter()
        client.sendall(b"n NOOP\r\n")
        lines.readline()
        times.append((time.perf_counter() - begin) * 1e6)
        time.sleep(0.002)
    return times


def cpu_seconds(pids):
    """Of all their threads; from the scheduler's own account, as ticks are too coarse."""
    nanoseconds = 0
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat") as account:
                nanoseconds += int(account.read().split()[0])
    return nanoseconds / 1e9


def percentile(values, share):
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]


def measure(kind, binary, folder, pki, service_port, options):
    plain_port, ssl_port = free_port(), free_port()
    path = os.path.join(folder, f"{kind}.conf")
    load = f"load_module {NGINX_MODULE};\n" if kind == "nginx" else ""
    with open(path, "w") as out:
        out.write(f"{load}pid {folder}/{kind}.pid; error_log {folder}/{kind}.log warn; worker_processes 1; daemon off;\n"
                  "events { worker_connections 4096; }\n"
                  f"mail {{ auth_http 127.0.0.1:{service_port}/; ssl_protocols TLSv1.2 TLSv1.3;\n"
                  f"ssl_certificate {pki.server_rsa.path}; ssl_certificate_key {pki.server_rsa.key_path};\n"
                  f"server {{ protocol imap; listen 127.0.0.1:{plain_port}; listen 127.0.0.1:{ssl_port} ssl; }} }}\n")
    program = subprocess.Popen(["chrt", "-f", "1", "taskset", "-c", "0", binary, "-c", path, "-p", folder, "-e", "stderr"], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: not _refused(plain_port), f"{kind} listens")
        # NGINX listens before it has a worker, whose processor time is what counts.
        pids = [program.pid, *wait_until(lambda: children_of(program.pid), f"{kind} has a worker")]
        result = {}
        for name, port, secure in (("plain", plain_port, False), ("TLS", ssl_port, True)):
            sessions = [open_session(port, secure) for _ in range(SESSIONS)]
            before = cpu_seconds(pids)
            alone = round_trips(sessions, options.seconds)
            trip = (cpu_seconds(pids) - before) / len(alone)
            done = multiprocessing.Queue()
            others = multiprocessing.Process(target=shake_hands, args=(ssl_port, options.rate, options.seconds, done))
            before = cpu_seconds(pids)
            others.start()
            crowded = round_trips(sessions, options.seconds)
            count = done.get()
            others.join()
            handshake = (cpu_seconds(pids) - before - trip * len(crowded)) / count
            result[name] = (percentile(alone, .5), percentile(alone, .99), percentile(crowded, .5), percentile(crowded, .99),
                            trip * 1e6, handshake * 1e6, count / options.seconds)
            for client, lines in sessions:
                client.close()
        return result
    finally:
        program.terminate()
        program.wait()


def _refused(port):
    try:
        connect(port).close()
        return False
    except OSError:
        return True


def main():
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--postern", default=os.path.join(root, "build", "release", "postern"))
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    os.sched_setaffinity(0, {os.cpu_count() - 1})
    # Who measures, and the backend, go before the clients that do handshakes, on the same processor.
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    backend = multiprocessing.Process(target=serve_imap, args=(listener,), daemon=True)
    backend.start()
    Service.backend = listener.getsockname()[1]
    service = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=service.serve_forever, daemon=True).start()
    rounds = {"nginx": [], "postern": []}
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        pki = Pki(folder)
        for _ in range(options.rounds):
            for kind, binary in (("nginx", NGINX), ("postern", options.postern)):
                rounds[kind].append(measure(kind, binary, folder, pki, service.server_address[1], options))
    columns = ("alone p50", "alone p99", "with handshakes p50", "p99", "CPU us a round trip", "a handshake", "handshakes/s")
    print("| sessions | proxy | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 2) + "|")
    for name in ("plain", "TLS"):
        for kind in rounds:
            values = [statistics.median(one[name][column] for one in rounds[kind]) for column in range(len(columns))]
            print(f"| {name} | {kind} | " + " | ".join(f"{value:.0f}" for value in values) + " |")


if __name__ == "__main__":
    main()
