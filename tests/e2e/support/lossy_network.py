"""A network of its own for whatever a test starts, in which packets get lost as the test says."""

import contextlib
import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def why_not():
    """Why there is none here; nothing if there is."""
    done = subprocess.run(["unshare", "--net", "sh", "-c", "PATH=$PATH:/usr/sbin:/sbin; ip link set lo up && nft add table inet trial"],
                          capture_output=True, text=True)
    return f"no network namespace with nftables: {done.stderr.strip()}" if done.returncode else None


@contextlib.contextmanager
def lossy_network():
    """All threads and processes that are started within are in it."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.unshare(CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        _run(["ip", "link", "set", "lo", "up"])
        yield Loss()
    finally:
        _libc.setns(before, CLONE_NEWNET)
        os.close(before)


def _run(command, **options):
    subprocess.run(command, check=True, env=dict(os.environ, PATH=os.environ["PATH"] + ":/usr/sbin:/sbin"), **options)


class Loss:
    """lose(ports, percent): so many of the packets to and from these ports vanish from now on."""

    def lose(self, ports, percent):
        ports = ", ".join(map(str, sorted(set(ports))))
        share = f"numgen random mod 100 < {percent} " if percent < 100 else ""
        rules = "".join(f"tcp {which} {{ {ports} }} {share}drop\n" for which in ("dport", "sport"))
        self.heal()
        _run(["nft", "-f", "-"], input=f"table inet loss {{ chain arriving {{ type filter hook input priority 0; {rules}}}\n}}\n", text=True)

    def heal(self):
        _run(["nft", "-f", "-"], input="table inet loss\ndelete table inet loss\n", text=True)
