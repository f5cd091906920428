"""Makes a program run out of memory, or its time of day jump, from within: fault_injector.cpp does it."""

import mmap
import os
import struct

from .proxy import ROOT

LIBRARY = os.environ.get("POSTERN_FAULT_INJECTOR_LIBRARY") or os.path.join(ROOT, "build", "release",
                                                                           "libpostern_fault_injector.so")
PROCESS, TO_PASS, TO_FAIL, FAILED, CLOCK_AHEAD = range(5)
EVERY = 1 << 40  # "and all that follow"


class FaultInjector:
    """To be made before the program, which is started with `environment`."""

    def __init__(self, folder):
        assert os.path.exists(LIBRARY), f"{LIBRARY} is not built: cmake --build build/release --target postern_fault_injector"
        path = os.path.join(folder, "faults")
        with open(path, "wb") as file:
            file.write(bytes(5 * 8))
        with open(path, "r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 5 * 8)
        self.environment = dict(os.environ, LD_PRELOAD=LIBRARY, POSTERN_FAULT_INJECTOR=path)

    def __setitem__(self, field, value):
        struct.pack_into("q", self._memory, 8 * field, value)

    def __getitem__(self, field):
        return struct.unpack_from("q", self._memory, 8 * field)[0]

    def fail_allocations(self, process, after, count):
        """`count` allocations of the process fail, once so many have succeeded."""
        self[TO_FAIL] = 0
        self[PROCESS], self[TO_PASS], self[FAILED] = process, after, 0
        self[TO_FAIL] = count

    def stop(self):
        """How many have failed."""
        self[TO_FAIL] = 0
        return self[FAILED]

    def set_clock_ahead(self, seconds):
        self[CLOCK_AHEAD] = seconds
