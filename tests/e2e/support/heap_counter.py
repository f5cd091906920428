"""What a program allocates, counted from within by heap_counter.cpp."""

import dataclasses
import os
import struct

from .proxy import ROOT

LIBRARY = os.environ.get("POSTERN_HEAP_COUNTER_LIBRARY") or os.path.join(ROOT, "build", "release",
                                                                         "libpostern_heap_counter.so")


@dataclasses.dataclass(frozen=True)
class Heap:
    """At one moment. Sizes are with what malloc adds."""
    allocations: int  # since the program began
    live_bytes: int
    blocks: tuple  # live ones; [n]: of 2**(n-1) to 2**n - 1 bytes

    def blocks_from(self, bytes):
        """How many blocks are that large (a power of two) or larger."""
        return sum(self.blocks[bytes.bit_length():])


class HeapCounter:
    """To be made before the program, which is started with `environment`."""

    def __init__(self, folder):
        assert os.path.exists(LIBRARY), f"{LIBRARY} is not built: cmake --build build/release --target postern_heap_counter"
        self._path = os.path.join(folder, "heap")
        with open(self._path, "wb") as file:
            file.write(bytes(64 * 8))
        self.environment = dict(os.environ, LD_PRELOAD=LIBRARY, POSTERN_HEAP_COUNTER=self._path)

    def look(self):
        with open(self._path, "rb") as file:
            allocations, live_bytes, *blocks = struct.unpack("64q", file.read())
        return Heap(allocations, live_bytes, tuple(blocks))
