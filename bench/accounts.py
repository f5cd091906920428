"""What processes cost: CPU time to the nanosecond, and memory.

A group of processes is started through `command`, which pins it to a processor and puts it, with all that
it will ever start, into one account. The account is the best that this machine has:

  - a control group of its own, of version 1 (cpuacct) or 2 (cpu.stat); children that have ended count too;
  - else the CPU clocks of its living processes, and what the kernel says of the ended ones, in ticks.
"""

import os
import signal
import time

from support.ports import wait_until
from support.processes import children_of, is_alive

TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Version1:
    description = "cpuacct control groups (cpuacct.usage)"

    def __init__(self, folder):
        self._usage = os.path.join(folder, "cpuacct.usage")

    def nanoseconds(self):
        with open(self._usage) as usage:
            return int(usage.read())


class Version2:
    description = "control groups of version 2 (cpu.stat)"

    def __init__(self, folder):
        self._stat = os.path.join(folder, "cpu.stat")

    def nanoseconds(self):
        with open(self._stat) as stat:
            return next(int(line.split()[1]) for line in stat if line.startswith("usage_usec")) * 1000


def control_groups():
    """(kind, folder) of those that we are in and below which we may make others; the best one first."""
    with open("/proc/self/cgroup") as lines:
        ours = {name: path for _, names, path in (line.rstrip("\n").split(":", 2) for line in lines)
                for name in names.split(",")}
    with open("/proc/self/mounts") as lines:
        mounts = [line.split()[1:4] for line in lines]
    found = []
    for point, kind, options in mounts:
        if kind == "cgroup" and "cpuacct" in options.split(",") and "cpuacct" in ours:
            found.insert(0, (Version1, point + ours["cpuacct"]))
        elif kind == "cgroup2" and "" in ours:
            found.append((Version2, point + ours[""]))
    return found


class Accounts:
    """Opens accounts; `description` says what they are. `groups`: of control_groups()."""

    def __init__(self, groups=None):
        self._kind, self._folder, self._count = None, None, 0
        self.description = Clocks.description
        for kind, folder in control_groups() if groups is None else groups:
            try:
                trial = os.path.join(folder, f"postern-bench-{os.getpid()}")
                os.mkdir(trial)
                try:
                    kind(trial).nanoseconds()
                    usable = os.access(os.path.join(trial, "cgroup.procs"), os.W_OK)
                finally:
                    os.rmdir(trial)
            except (OSError, StopIteration):
                continue
            if usable:
                self._kind, self._folder, self.description = kind, folder, kind.description
                break

    def open(self, processor):
        self._count += 1
        if not self._kind:
            return Clocks(processor)
        folder = os.path.join(self._folder, f"postern-bench-{os.getpid()}-{self._count}")
        os.mkdir(folder)
        return Group(self._kind(folder), folder, processor)


class Group:
    """An account that is a control group."""

    def __init__(self, usage, folder, processor):
        self._usage, self._folder, self._processor = usage, folder, processor

    def command(self, arguments):
        """What to run instead of `arguments`, with the same process id."""
        return ["/bin/sh", "-c", f'echo $$ > "{self._folder}/cgroup.procs" && exec taskset -c {self._processor} "$@"',
                "sh", *arguments]

    def watch(self, pid):
        pass

    def nanoseconds(self):
        return self._usage.nanoseconds()

    def pids(self):
        with open(os.path.join(self._folder, "cgroup.procs")) as lines:
            return [int(line) for line in lines]

    def close(self):
        """Ends whatever is left in it."""
        for pid in self.pids():
            _kill(pid)
        wait_until(lambda: not self.pids(), "all of a control group have ended")
        wait_until(self._removed, "a control group can be removed")

    def _removed(self):
        try:
            os.rmdir(self._folder)
            return True
        except OSError:
            return False


class Clocks:
    """An account that asks each process."""

    description = "the CPU clocks of living processes, and ticks of those that have ended"

    def __init__(self, processor):
        self._processor, self._watched = processor, []

    def command(self, arguments):
        return ["taskset", "-c", str(self._processor), *arguments]

    def watch(self, pid):
        self._watched.append(pid)

    def nanoseconds(self):
        total = 0
        for pid in self.pids():
            try:
                total += time.clock_gettime_ns((~pid << 3) | 2) + _ended_ticks(pid) * 1_000_000_000 // TICKS
            except (OSError, ValueError):
                pass  # ended meanwhile: its parent has its time now
        return total

    def pids(self):
        return [pid for root in self._watched for pid in [root, *children_of(root)] if is_alive(pid)]

    def close(self):
        for pid in self.pids():
            _kill(pid)


def _kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _ended_ticks(pid):
    """What the children cost that it has waited for."""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return int(fields[13]) + int(fields[14])


def processor_ticks(processor):
    """(busy, all) of one processor since the machine started; stolen time is busy: we did not have it."""
    with open("/proc/stat") as lines:
        fields = next(line.split()[1:9] for line in lines if line.split()[0] == f"cpu{processor}")
    values = [int(field) for field in fields]
    idle = values[3] + values[4]
    return sum(values) - idle, sum(values)


def proportional_bytes(pids):
    """PSS of all these without the pages of files: those don't grow with the sessions, and each share of them
    changes when some other program that has the same libraries starts or ends."""
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup") as lines:
                values = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.endswith(" kB\n")}
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += values["Pss_Anon"] + values["Pss_Shmem"] if "Pss_Anon" in values else values["Pss"]
    return total * 1024


def kernel_bytes():
    """What the kernel of this machine holds for everybody that may grow with sessions: its objects (sockets,
    files, poll entries), the stacks and page tables of processes, and what sockets have in their buffers."""
    with open("/proc/meminfo") as lines:
        values = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    with open("/proc/net/sockstat") as lines:
        fields = next(line.split() for line in lines if line.startswith("TCP:"))
    buffers = int(fields[fields.index("mem") + 1]) * PAGE_BYTES
    return sum(values.get(name, 0) for name in ("Slab", "KernelStack", "PageTables")) * 1024 + buffers
