"""A process that somebody has taken over: system calls that it makes against its will, through ptrace(2).
Needs root on x86-64."""

import ctypes
import os
import platform
import signal

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long
_SINGLE_STEP, _GET_REGISTERS, _SET_REGISTERS, _ATTACH, _DETACH = 9, 12, 13, 16, 17
_ALL_CHILDREN = 0x40000000  # __WALL

_NAMES = ("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss "
          "fs_base gs_base ds es fs gs").split()
OPENAT, KILL, EXECVE, FORK = 257, 62, 59, 57


def possible():
    return os.geteuid() == 0 and platform.machine() == "x86_64"


class _Registers(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulonglong) for name in _NAMES]


class Hijacked:
    """The main thread of that process, which has to be waiting in a system call."""

    def __init__(self, pid):
        self.pid = pid
        self.signal = None  # that has ended it
        self._ptrace(_ATTACH)
        os.waitpid(pid, _ALL_CHILDREN)
        self._before = self._registers()

    def call(self, number, *arguments):
        """What the kernel returns; texts are put into its memory. None if that was its end."""
        registers = _Registers.from_buffer_copy(self._before)
        room = (self._before.rsp - 65536) & ~4095
        values = []
        for argument in arguments:
            if isinstance(argument, str):
                self._write(room, argument.encode() + b"\0")
                argument, room = room, room + 4096
            values.append(argument & 0xffffffffffffffff)
        for name, value in zip(("rdi", "rsi", "rdx", "r10", "r8", "r9"), values):
            setattr(registers, name, value)
        registers.rax, registers.orig_rax = number, 0xffffffffffffffff
        registers.rip -= 2  # the instruction that it waits behind: "syscall"
        self._ptrace(_SET_REGISTERS, ctypes.addressof(registers))
        self._ptrace(_SINGLE_STEP)
        _, status = os.waitpid(self.pid, _ALL_CHILDREN)
        if os.WIFSIGNALED(status):
            self.signal = os.WTERMSIG(status)
            return None
        assert os.WSTOPSIG(status) == signal.SIGTRAP, status
        return ctypes.c_longlong(self._registers().rax).value

    def release(self):
        """It goes on as if nothing had been."""
        if self.signal is None:
            self._ptrace(_SET_REGISTERS, ctypes.addressof(self._before))
            self._ptrace(_DETACH)

    def _registers(self):
        registers = _Registers()
        self._ptrace(_GET_REGISTERS, ctypes.addressof(registers))
        return registers

    def _write(self, address, data):
        with open(f"/proc/{self.pid}/mem", "wb", buffering=0) as memory:
            memory.seek(address)
            memory.write(data)

    def _ptrace(self, request, data=None):
        if _libc.ptrace(request, self.pid, None, data) != 0:
            raise OSError(ctypes.get_errno(), f"ptrace({request}) of {self.pid}")

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.release()
