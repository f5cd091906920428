"""What was measured as rows, and the rows as CSV and Markdown."""

import csv
import dataclasses
import statistics

from bench.works import GROUPS, METRICS

BASE = "nginx"


@dataclasses.dataclass
class Row:
    """One metric of one work at one peer, over all rounds. The spread is from the smallest to the largest round;
    the ratio is the median of the rounds' own ratios to NGINX."""
    group: str
    work: str
    title: str
    peer: str
    metric: str
    median: float
    low: float
    high: float
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    is_main: bool
    values: list

    @property
    def rounds(self):
        return len(self.values)


class Results:
    """Collects what each round measured."""

    def __init__(self):
        self._samples, self._works, self.failures = {}, {}, []

    def add(self, work, peer, round_number, metrics):
        self._works[work.name] = work
        for metric, value in metrics.items():
            self._samples.setdefault((work.name, peer, metric), {})[round_number] = value

    def fail(self, text):
        self.failures.append(text)

    def ratio(self, work, peer, metric, round_number):
        """To NGINX in the same round; nothing if one of the two is missing."""
        base = self._samples.get((work, BASE, metric), {}).get(round_number)
        value = self._samples.get((work, peer, metric), {}).get(round_number)
        return value / base if base and value is not None else None

    def rows(self):
        rows = []
        for (name, peer, metric), samples in self._samples.items():
            work = self._works[name]
            values = [samples[number] for number in sorted(samples)]
            ratios = [ratio for number in sorted(samples)
                      if (ratio := self.ratio(name, peer, metric, number)) is not None]
            rows.append(Row(work.group, name, work.title, peer, metric, *spread(values), *spread(ratios),
                            metric == work.main, values))
        order = list(GROUPS)
        return sorted(rows, key=lambda row: order.index(row.group))  # stable: the rest as it was measured


def spread(values):
    return (statistics.median(values), min(values), max(values)) if values else (None, None, None)


CSV_COLUMNS = ("group", "work", "title", "peer", "metric", "unit", "rounds", "median", "low", "high", "ratio", "ratio_low",
               "ratio_high", "is_main", "values")


def write_csv(rows, path):
    """Values in the unit that the row names."""
    with open(path, "w", newline="") as out:
        table = csv.writer(out, lineterminator="\n")
        table.writerow(CSV_COLUMNS)
        for row in rows:
            metric = METRICS[row.metric]

            def scaled(value):
                return f"{value * metric.scale:.6g}"
            ratios = ["" if value is None else f"{value:.4f}" for value in (row.ratio, row.ratio_low, row.ratio_high)]
            table.writerow([row.group, row.work, row.title, row.peer, row.metric, metric.unit, row.rounds,
                            *map(scaled, (row.median, row.low, row.high)), *ratios, int(row.is_main),
                            " ".join(map(scaled, row.values))])


def read_csv(path):
    rows = []
    with open(path, newline="") as lines:
        for line in csv.DictReader(lines):
            scale = METRICS[line["metric"]].scale
            numbers = [float(line[name]) / scale for name in ("median", "low", "high")]
            ratios = [float(line[name]) if line[name] else None for name in ("ratio", "ratio_low", "ratio_high")]
            rows.append(Row(line["group"], line["work"], line["title"], line["peer"], line["metric"], *numbers, *ratios,
                            line["is_main"] == "1", [float(value) / scale for value in line["values"].split()]))
    return rows


def number(metric, value):
    return f"{value * METRICS[metric].scale:,.{METRICS[metric].digits}f}"


def with_spread(row):
    """A figure without its spread says nothing, unless all rounds agreed to the last digit shown."""
    middle, low, high = (number(row.metric, value) for value in (row.median, row.low, row.high))
    return middle if low == high else f"{middle} ({low}–{high})"


def ratio_text(row):
    if row is None or row.ratio is None:
        return ""
    digits = 1 if row.ratio >= 10 else 2 if row.ratio >= 0.1 else 3
    middle, low, high = (f"{value:.{digits}f}" for value in (row.ratio, row.ratio_low, row.ratio_high))
    return middle if low == high else f"{middle} ({low}–{high})"


def _table(head, lines):
    return "\n".join(["| " + " | ".join(head) + " |", "|---" * len(head) + "|",
                      *("| " + " | ".join(line) + " |" for line in lines)]) + "\n"


def _ordered(values):
    return list(dict.fromkeys(values))


def peers_of(rows):
    return _ordered(row.peer for row in rows)


def ratio_table(rows):
    """The main figure of each work as the ratio to NGINX: a line a work, a column a peer."""
    rows = [row for row in rows if row.is_main and row.ratio is not None]
    by_place = {(row.work, row.peer): row for row in rows}
    peers = [peer for peer in peers_of(rows) if peer != BASE]
    lines = []
    for work in _ordered(row.work for row in rows):
        base = by_place[work, BASE]
        unit = METRICS[base.metric].unit
        lines.append([f"{base.group}: {base.title}", f"{METRICS[base.metric].title}",
                      f"{number(base.metric, base.median)} {unit}".strip(),
                      *(ratio_text(by_place.get((work, peer))) for peer in peers)])
    return _table(["work", "figure", "NGINX = 1", *peers], lines)


def group_table(rows, group):
    rows = [row for row in rows if row.group == group]
    by_place = {(row.work, row.peer, row.metric): row for row in rows}
    columns = [(metric, with_ratio) for metric, with_ratio in GROUPS[group] if any(row.metric == metric for row in rows)]
    head = ["work", "peer"]
    for metric, with_ratio in columns:
        unit = METRICS[metric].unit
        head += [METRICS[metric].title + (f", {unit}" if unit else "")] + (["ratio"] if with_ratio else [])
    lines = []
    for work in _ordered(row.work for row in rows):
        for peer in peers_of(row for row in rows if row.work == work):
            title = next(row.title for row in rows if row.work == work)
            line = [title, peer]
            for metric, with_ratio in columns:
                row = by_place.get((work, peer, metric))
                line += [with_spread(row) if row else ""] + ([ratio_text(row)] if with_ratio else [])
            lines.append(line)
    return _table(head, lines)


def facts_table(facts):
    return _table(["", ""], facts)


def markdown(rows, facts, failures=()):
    """`facts`: (name, text) of the machine and the run."""
    groups = _ordered(row.group for row in rows)
    parts = ["# What a session, a login and a byte cost\n",
             "Medians over the rounds, in parentheses the smallest and the largest round. A ratio is the median of the\n"
             "ratios to NGINX of the same round. Less is better, except where a rate is meant.\n",
             facts_table(facts),
             "## Beside NGINX\n", ratio_table(rows)]
    for group in groups:
        parts += [f"## {group}\n", group_table(rows, group)]
    others = [row for row in rows if row.metric == "others"]
    if others:
        most = max(others, key=lambda row: row.high)
        middle = statistics.median(row.median for row in others)
        parts += ["## Noise\n", f"While a proxy was measured, others (the kernel's own work and programs that are no part of this) "
                  f"used {middle:.0%} of its processor, at most {most.high:.0%} ({most.title} at {most.peer}).\n"]
    if failures:
        parts += ["## What failed\n", "\n".join(f"- {text}" for text in failures) + "\n"]
    return "\n".join(parts)


def replace_block(path, name, text):
    """Puts the text between the marks of this name in a page."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    with open(path) as page:
        before, _, rest = page.read().partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"{path} has no block {name}")
    with open(path, "w") as page:
        page.write(f"{before}{begin}\n{text}\n{end}{after}")
