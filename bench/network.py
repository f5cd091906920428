"""A network of our own: a loopback interface that nobody else uses, with settings that are the same everywhere.

Congestion control matters most. Some machines have bbr as their default, which sends at a pace that timers keep: on a
virtual machine each of these costs more than all that a proxy does for the same bytes, and would hide it."""

import ctypes
import errno
import fcntl
import os
import socket
import struct

NEW_NETWORK, NEW_USER = 0x40000000, 0x10000000
INTERFACE_FLAGS, SET_INTERFACE_FLAGS, INTERFACE_UP = 0x8913, 0x8914, 1
SETTINGS = "/proc/sys/net/ipv4"
PREFERRED = ("cubic", "reno")  # neither keeps a pace


def enter(congestion_control=None):
    """Moves this process, and all that it will start, into such a network. Returns what to tell the reader of the
    results. To be called while there is one thread."""
    uid, gid = os.geteuid(), os.getegid()
    if _unshare(NEW_NETWORK if uid == 0 else NEW_NETWORK | NEW_USER):
        if uid != 0:
            _write("/proc/self/setgroups", "deny")
            _write("/proc/self/uid_map", f"{uid} {uid} 1")
            _write("/proc/self/gid_map", f"{gid} {gid} 1")
        _bring_up("lo")
        _write(f"{SETTINGS}/ip_local_port_range", "1024 65535")  # closed connections keep their ports for a minute
        _write(f"{SETTINGS}/ip_local_reserved_ports", "10000-29999")  # where support.ports looks for free ones
        # When more clients come at once than the kernel holds back for a proxy, it forgets some of them (SYN
        # cookies), and a client that waits to be greeted waits for ever. Without cookies it tries again.
        _write(f"{SETTINGS}/tcp_syncookies", "0")
        try:
            _write(f"{SETTINGS}/tcp_congestion_control", congestion_control or _preferred())
        except OSError as error:
            raise OSError(error.errno, f"a network namespace may have: {_read('tcp_allowed_congestion_control')}") from None
        return f"a loopback of its own; congestion control {_read('tcp_congestion_control')}"
    if congestion_control and congestion_control != _read("tcp_congestion_control"):
        raise PermissionError(errno.EPERM, "to choose one takes a network namespace, which can't be made here")
    return (f"the machine's loopback, as no network namespace can be made here; congestion control "
            f"{_read('tcp_congestion_control')}")


def _unshare(flags):
    return ctypes.CDLL(None, use_errno=True).unshare(flags) == 0


def _bring_up(interface):
    request = struct.pack("16sh22x", interface.encode(), 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        _, flags = struct.unpack("16sh22x", fcntl.ioctl(control, INTERFACE_FLAGS, request))
        fcntl.ioctl(control, SET_INTERFACE_FLAGS, struct.pack("16sh22x", interface.encode(), flags | INTERFACE_UP))


def _preferred():
    allowed = _read("tcp_allowed_congestion_control").split()  # others are not for namespaces
    return next((name for name in PREFERRED if name in allowed), allowed[0])


def _read(name):
    with open(f"{SETTINGS}/{name}") as setting:
        return setting.read().strip()


def _write(path, text):
    with open(path, "w") as out:
        out.write(text)
