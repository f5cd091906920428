#!/usr/bin/python3
"""Takes the place of postern_bench where nothing is about speed: the same command line, the same answers."""

import argparse
import json
import os
import sys
import time

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..")
sys.path[:0] = [ROOT, os.path.join(ROOT, "tests", "e2e")]

from bench.visit import ask, log_in  # noqa: E402
from support.any_mailbox import AnyMailbox, AnyService  # noqa: E402

PROTOCOLS = ("imap", "pop3", "smtp")


def say(**result):
    print(json.dumps({"seconds": 0.1, "p50_us": 200.0, "p99_us": 300.0, "bytes": 0, "errors": 0, **result}), flush=True)


def open_sessions(options):
    """A few of those that were asked for are enough here."""
    return [log_in(options.port, options.protocol, options.tls) for _ in range(min(options.clients, 5))]


def close(sessions):
    for client, lines in sessions:
        lines.close()
        client.close()


def load(options):
    if options.work in ("idle", "storm"):
        sessions = open_sessions(options)
        print(f"ready {len(sessions)}", flush=True)
        while sys.stdin.readline():
            close(sessions)
            sessions = open_sessions(options)
            say(units=len(sessions), rate=1)
        close(sessions)
        return
    # One at a time and five in all are enough here.
    options.clients = 1
    kept = [] if "login" in options.work else open_sessions(options)
    print("begin", flush=True)
    begun, units = time.monotonic(), 0
    while units < 5:
        if kept:
            ask(kept[0], options.protocol)
        else:
            close(open_sessions(options))
        units += 1
    seconds = time.monotonic() - begun
    close(kept)
    say(units=units, seconds=seconds, rate=units / seconds, bytes=units * (options.bytes or 0), errors=int("POSTERN_BENCH_FAILS" in os.environ))


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("backend", "auth"):
        command = commands.add_parser(name)
        for protocol in PROTOCOLS:
            command.add_argument(f"--{protocol}", type=int, required=True)
        if name == "auth":
            command.add_argument("--port", type=int, required=True)
    command = commands.add_parser("load")
    command.add_argument("work")
    command.add_argument("--protocol", choices=PROTOCOLS, required=True)
    command.add_argument("--tls", choices=("none", "implicit", "starttls"), default="none")
    command.add_argument("--resume", action="store_true")
    for name in ("port", "clients", "count", "bytes"):
        command.add_argument(f"--{name}", type=int)
    command.add_argument("--seconds", type=float)
    options = parser.parse_args()
    if options.command == "load":
        load(options)
        return
    ports = {protocol: getattr(options, protocol) for protocol in PROTOCOLS}
    server = AnyMailbox(ports) if options.command == "backend" else AnyService(ports, options.port)
    try:
        while True:
            time.sleep(3600)
    finally:
        server.close()


if __name__ == "__main__":
    main()
