"""The kinds of work that are measured: what the load program does, and which figure tells most."""

import dataclasses

SECURE = {"plain": ("none", False), "TLS": ("implicit", False), "TLS resumed": ("implicit", True),
          "STARTTLS": ("starttls", False)}
MIB = 1 << 20


@dataclasses.dataclass(frozen=True)
class Metric:
    name: str
    title: str  # the head of a column
    unit: str
    digits: int = 0
    scale: float = 1  # what a value is multiplied by to be in `unit`


METRICS = {metric.name: metric for metric in (
    Metric("cpu", "proxy's CPU", "µs", 1, 1e6),
    Metric("cpu_gib", "proxy's CPU per GiB", "s", 3),
    Metric("rate", "rate", "/s"),
    Metric("mib", "rate", "MiB/s"),
    Metric("p50", "p50", "µs", 0, 1e6),
    Metric("p99", "p99", "µs", 0, 1e6),
    Metric("busy", "proxy busy", "%", 0, 100),
    Metric("load", "load busy", "%", 0, 100),
    Metric("others", "others on its processor", "%", 0, 100),
    Metric("pss", "memory per session (PSS)", "bytes"),
    Metric("kernel", "kernel memory per session, both ends", "bytes"),
    Metric("seconds", "until all are back", "s", 2),
    Metric("growth", "against none beside it", "", 3),
)}


@dataclasses.dataclass(frozen=True)
class Work:
    name: str
    group: str
    title: str
    kind: str  # what `postern_bench load` is asked for
    protocol: str
    secure: str = "plain"
    clients: int = 1
    bytes: int = 0
    main: str = "cpu"  # the metric that is plotted and compared
    quick: bool = True  # part of a quick run

    @property
    def tls(self):
        return SECURE[self.secure][0]

    def part(self, clients):
        return dataclasses.replace(self, clients=clients)

    def arguments(self):
        arguments = [self.kind, "--protocol", self.protocol, "--tls", self.tls, "--clients", str(self.clients)]
        if SECURE[self.secure][1]:
            arguments.append("--resume")
        if self.bytes:
            arguments += ["--bytes", str(self.bytes)]
        return arguments


# That log in at a time: enough that a proxy always has something to do. With 128 the load's processor is full first, and
# every login costs more, whichever proxy it is.
CLIENTS = 32


def _slug(text):
    return text.lower().replace(" ", "-")


def _throughput():
    for protocol in ("imap", "pop3", "smtp"):
        for secure in SECURE:
            yield Work(f"login-{protocol}-{_slug(secure)}", "Logins", f"{protocol.upper()}, {secure}", "login", protocol, secure,
                       CLIENTS, quick=protocol == "imap" or secure == "plain")
    for secure in ("plain", "TLS"):
        slug = _slug(secure)
        yield Work(f"lone-login-{slug}", "Lone logins", f"IMAP, {secure}", "lone-login", "imap", secure, main="p50")
        yield Work(f"round-trip-{slug}", "Round trips", f"IMAP, {secure}", "round-trip", "imap", secure, 64)
        yield Work(f"answers-{slug}", "Answers of 32 KiB", f"IMAP, {secure}", "answers", "imap", secure, 32, 32768)
        for way in ("down", "up"):
            yield Work(f"bulk-{way}-{slug}", "Bulk data", f"IMAP, {way}, {secure}", f"bulk-{way}", "imap", secure, 4, 16 * MIB,
                       "cpu_gib")


GROUPS = {  # of each group in the results: its metrics, and whether the ratio to NGINX is shown
    "Logins": (("cpu", True), ("rate", False), ("p50", False), ("p99", False), ("busy", False), ("load", False)),
    "Lone logins": (("p50", True), ("p99", False), ("cpu", True)),
    "Round trips": (("cpu", True), ("rate", False), ("p50", False), ("p99", False), ("busy", False), ("load", False)),
    "Answers of 32 KiB": (("cpu", True), ("rate", True), ("p50", False), ("p99", False), ("busy", False), ("load", False)),
    "Bulk data": (("cpu_gib", True), ("mib", True), ("busy", False), ("load", False)),
    "Idle sessions": (("pss", True), ("kernel", False)),
    "Connection storms": (("cpu", True), ("seconds", True), ("busy", False), ("load", False)),
    "Logins beside idle sessions": (("cpu", True), ("growth", False), ("rate", False), ("busy", False), ("load", False)),
}


@dataclasses.dataclass(frozen=True)
class Sessions:
    """All that is measured with many open sessions at a freshly started proxy."""
    secure: str
    levels: tuple  # how many
    storm: int  # how many go and come at once; 0: none
    beside: tuple = ()  # beside how many logins are measured

    name = property(lambda self: f"sessions-{_slug(self.secure)}")
    tls = property(lambda self: SECURE[self.secure][0])
    protocol = "imap"

    def works(self):
        """What it has results for."""
        slug = _slug(self.secure)
        for level in self.levels:
            yield Work(f"idle-{slug}-{level}", "Idle sessions", f"{self.secure}, {level:,}", "idle", "imap", self.secure, level,
                       main="pss")
        if self.storm:
            yield Work(f"storm-{slug}", "Connection storms", f"{self.secure}, {self.storm:,} at once", "storm", "imap",
                       self.secure, self.storm)
        for level in self.beside:
            yield Work(f"beside-{level}", "Logins beside idle sessions", f"IMAP, {self.secure}, beside {level:,}", "login", "imap",
                       self.secure, CLIENTS)

    def only(self, patterns):
        """What is left of it if only these works are asked for."""
        if _is_wanted(self.name, patterns):
            return self
        wanted = [work for work in self.works() if _is_wanted(work.name, patterns)]
        beside = tuple(level for level in self.beside if any(work.name == f"beside-{level}" for work in wanted))
        levels = tuple(level for level in self.levels if level in beside or any(work.kind == "idle" and work.clients == level
                                                                                for work in wanted))
        return dataclasses.replace(self, levels=levels, beside=beside,
                                   storm=self.storm if any(work.kind == "storm" for work in wanted) else 0)


def session_scenarios(quick, descriptors, levels=None):
    """A proxied session takes two descriptors of the proxy's process."""
    levels = levels or ((1000,) if quick else (1000, 5000, 9000, 20000))
    levels = tuple(level for level in levels if level * 2 + 600 <= descriptors)
    # While a storm blows, the proxy may see the new sessions before the ends of the old ones.
    storm = 1000 if quick else 4000
    beside = tuple(level for level in levels if level > 1000) or levels
    return (Sessions("plain", levels, storm, (0, *beside)), Sessions("TLS", levels, storm))


THROUGHPUT = tuple(sorted(_throughput(), key=lambda work: list(GROUPS).index(work.group)))


def _is_wanted(name, patterns):
    return not patterns or any(name.startswith(pattern) for pattern in patterns)


def chosen(patterns, quick, descriptors, levels=None):
    """(works, scenarios): those whose name begins with one of the patterns; all without patterns."""
    throughput = [work for work in THROUGHPUT if _is_wanted(work.name, patterns) and (work.quick or not quick or patterns)]
    scenarios = [scenario.only(patterns) for scenario in session_scenarios(quick, descriptors, levels)]
    return throughput, [scenario for scenario in scenarios if list(scenario.works())]
