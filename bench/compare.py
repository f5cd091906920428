"""Whether two runs say the same."""

import dataclasses

from bench.report import BASE, number, ratio_text, with_spread


@dataclasses.dataclass
class Difference:
    work: str
    peer: str
    metric: str
    first: object
    second: object
    agrees: bool
    decides: bool  # the main figure as ratio to NGINX; all else depends on the machine's mood


def _overlap(low, high, other_low, other_high):
    return low <= other_high and other_low <= high


def differences(first, second):
    """Two figures agree if the spreads that the two runs state for them have a value in common."""
    others = {(row.work, row.peer, row.metric): row for row in second}
    found = []
    for row in first:
        other = others.get((row.work, row.peer, row.metric))
        if other is None or row.metric in ("busy", "load", "others"):
            continue
        decides = row.is_main and row.peer != BASE and row.ratio is not None and other.ratio is not None
        agrees = (_overlap(row.ratio_low, row.ratio_high, other.ratio_low, other.ratio_high) if decides
                  else _overlap(row.low, row.high, other.low, other.high))
        found.append(Difference(row.work, row.peer, row.metric, row, other, agrees, decides))
    return found


def _shown(row, decides):
    return ratio_text(row) if decides else with_spread(row)


def _apart(difference):
    first, second = ((row.ratio if difference.decides else row.median) for row in (difference.first, difference.second))
    return f"{abs(second / first - 1):.1%} apart" if first else f"{number(difference.metric, second)} apart"


def report(first, second):
    """(text, whether all ratios to NGINX of the main figures agree)."""
    found = differences(first, second)
    lines = []
    for decides, what in ((True, "ratios to NGINX of the main figures"), (False, "other figures")):
        mine = [difference for difference in found if difference.decides == decides]
        agreeing = sum(one.agrees for one in mine)
        lines.append(f"{agreeing} of {len(mine)} {what} agree within the spreads that both runs state")
        for one in mine:
            if not one.agrees:
                lines.append(f"  {one.work} {one.peer} {one.metric}: {_shown(one.first, decides)} and "
                             f"{_shown(one.second, decides)}, medians {_apart(one)}")
    deciding = [difference for difference in found if difference.decides]
    if not deciding:
        lines.append("the two have no ratio in common")
    return "\n".join(lines), bool(deciding) and all(difference.agrees for difference in deciding)
