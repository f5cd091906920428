"""Plots as SVG, a few lines of our own: readable in light and in dark, without a program to draw them."""

from html import escape

from bench.report import BASE
from bench.works import METRICS

# Of a peer: its colour in light and in dark.
COLOURS = {"postern": ("#2a78d6", "#3987e5"), "postern-http10": ("#86b6ef", "#1c5cab"), "postern-lean": ("#008300", "#33a633"),
           "postern-access-log": ("#9a5b13", "#c98a3c"),
           "nginx": ("#6f6e69", "#a3a29b"), "haproxy": ("#eda100", "#c98500"), "dovecot": ("#e34948", "#e66767"),
           "perdition": ("#4a3aa7", "#9085e9")}
MORE_COLOURS = (("#e87ba4", "#d55181"), ("#1baf7a", "#199e70"), ("#eb6834", "#d95926"))
WIDTH, LEFT, RIGHT = 880, 275, 100
BAR, GAP, ROW_GAP, HEAD = 11, 2, 14, 70


def _colours(peers):
    spare = iter(MORE_COLOURS * len(peers))
    return {peer: COLOURS.get(peer) or next(spare) for peer in peers}


def _document(height, title, peers, body):
    colours = _colours(peers)
    light = "".join(f".p{index}{{fill:{colours[peer][0]};stroke:{colours[peer][0]}}}" for index, peer in enumerate(peers))
    dark = "".join(f".p{index}{{fill:{colours[peer][1]};stroke:{colours[peer][1]}}}" for index, peer in enumerate(peers))
    legend, x = [], 16
    for index, peer in enumerate(peers):
        legend.append(f'<rect class="p{index}" stroke="none" x="{x}" y="38" width="11" height="11" rx="2"/>'
                      f'<text x="{x + 16}" y="48">{escape(peer)}</text>')
        x += 34 + 7 * len(peer)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
            f'role="img" aria-label="{escape(title)}">\n<style>'
            "text{font:12px system-ui,sans-serif;fill:#33322e}.title{font-size:15px;font-weight:600}.quiet{fill:#6f6e69}"
            ".paper{fill:#fcfcfb}.grid{stroke:#dddcd6;stroke-width:1}.one{stroke:#33322e;stroke-width:1.5}"
            f".whisker{{stroke:#33322e;stroke-width:1.2}}.line{{fill:none!important;stroke-width:2}}{light}"
            "@media(prefers-color-scheme:dark){text{fill:#e8e7e2}.quiet{fill:#a3a29b}.paper{fill:#1a1a19}"
            f".grid{{stroke:#3a3936}}.one,.whisker{{stroke:#e8e7e2}}{dark}}}</style>\n"
            f'<rect class="paper" width="{WIDTH}" height="{height}" rx="6"/>\n'
            f'<text class="title" x="16" y="24">{escape(title)}</text>\n{"".join(legend)}\n{"".join(body)}</svg>\n')


def _ticks(most):
    step = next(step for power in range(-3, 9) for step in (10 ** power, 2 * 10 ** power, 5 * 10 ** power) if most / step <= 6)
    return [step * index for index in range(int(most / step) + 1)]


def _short(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def bars(title, lines, most, mark=None):
    """`lines`: (label, [(peer, value, low, high)]). What is more than `most` is cut off there, and says how much
    it is. `mark`: (where a line is drawn, what it says)."""
    peers = list(dict.fromkeys(peer for _, line in lines for peer, *_ in line))
    scale = (WIDTH - LEFT - RIGHT) / most
    body, y = [], HEAD + 8
    for _, line in lines:
        y += len(line) * (BAR + GAP) + ROW_GAP
    height = y + 26
    for tick in _ticks(most):
        x = LEFT + tick * scale
        body.append(f'<line class="grid" x1="{x:.1f}" y1="{HEAD}" x2="{x:.1f}" y2="{y}"/>'
                    f'<text class="quiet" x="{x:.1f}" y="{y + 16}" text-anchor="middle">{_short(tick)}</text>')
    top = HEAD + 8
    for label, line in lines:
        middle = top + len(line) * (BAR + GAP) / 2 + 4
        body.append(f'<text x="{LEFT - 10}" y="{middle:.1f}" text-anchor="end">{escape(label)}</text>\n')
        for peer, value, low, high in line:
            width = min(value, most) * scale
            body.append(f'<rect class="p{peers.index(peer)}" stroke="none" x="{LEFT}" y="{top}" width="{max(width, 1):.1f}" '
                        f'height="{BAR}" rx="2"><title>{escape(peer)}: {_short(value)} ({_short(low)}–{_short(high)})</title></rect>')
            if high < most:
                body.append(f'<line class="whisker" x1="{LEFT + low * scale:.1f}" y1="{top + BAR / 2}" '
                            f'x2="{LEFT + high * scale:.1f}" y2="{top + BAR / 2}"/>')
            cut = " →" if value > most else ""
            body.append(f'<text class="quiet" x="{LEFT + max(width, min(high, most) * scale) + 5:.1f}" y="{top + BAR - 1}" '
                        f'style="font-size:10px">{_short(value)}{cut}</text>\n')
            top += BAR + GAP
        top += ROW_GAP
    if mark:
        x = LEFT + mark[0] * scale
        body.append(f'<line class="one" x1="{x:.1f}" y1="{HEAD}" x2="{x:.1f}" y2="{y}"/>'
                    f'<text x="{x + 4:.1f}" y="{HEAD + 4}">{escape(mark[1])}</text>\n')
    return _document(height, title, peers, body)


def curves(title, series, x_title, y_title):
    """`series`: {peer: [(x, value, low, high)]}."""
    peers, points = list(series), [point for line in series.values() for point in line]
    most_x, most_y = max(point[0] for point in points) or 1, max(point[3] for point in points) * 1.15
    height, left, bottom = 380, 70, 330
    x_scale, y_scale = (WIDTH - left - 40) / most_x, (bottom - HEAD) / most_y
    body = []
    for tick in _ticks(most_y):
        y = bottom - tick * y_scale
        body.append(f'<line class="grid" x1="{left}" y1="{y:.1f}" x2="{WIDTH - 40}" y2="{y:.1f}"/>'
                    f'<text class="quiet" x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{_short(tick)}</text>')
    for x in sorted({point[0] for point in points}):
        body.append(f'<text class="quiet" x="{left + x * x_scale:.1f}" y="{bottom + 18}" text-anchor="middle">{x:,}</text>')
    for index, line in enumerate(series.values()):
        path = " ".join(f"{left + x * x_scale:.1f},{bottom - value * y_scale:.1f}" for x, value, _, _ in line)
        body.append(f'<polyline class="p{index} line" points="{path}"/>')
        for x, value, low, high in line:
            at = left + x * x_scale
            body.append(f'<line class="p{index}" x1="{at:.1f}" y1="{bottom - low * y_scale:.1f}" x2="{at:.1f}" '
                        f'y2="{bottom - high * y_scale:.1f}"/><circle class="p{index}" cx="{at:.1f}" '
                        f'cy="{bottom - value * y_scale:.1f}" r="3.5"><title>{_short(value)} ({_short(low)}–{_short(high)})</title></circle>\n')
    body.append(f'<text class="quiet" x="{WIDTH / 2}" y="{bottom + 38}" text-anchor="middle">{escape(x_title)}</text>'
                f'<text class="quiet" x="{left}" y="{HEAD + 2}">{escape(y_title)}</text>\n')
    return _document(height, title, peers, body)


def _by_work(rows, point):
    lines = {}
    for row in rows:
        lines.setdefault(f"{row.group.split(' of ')[0]}: {row.title}", []).append((row.peer, *point(row)))
    return list(lines.items())


def ratio_plot(rows):
    rows = [row for row in rows if row.metric in ("cpu", "cpu_gib") and row.peer != BASE and row.ratio is not None
            and row.group != "Logins beside idle sessions"]
    if not rows:
        return None
    return bars("Proxy's CPU per unit of work, NGINX = 1 (less is better)",
                _by_work(rows, lambda row: (row.ratio, row.ratio_low, row.ratio_high)), 2, (1, "NGINX"))


def memory_plot(rows):
    rows = [row for row in rows if row.metric == "pss"]
    base = [row.high for row in rows if row.peer == BASE]
    if not base:
        return None
    return bars("Memory of an idle session, bytes (PSS of all of the proxy's processes)",
                _by_work(rows, lambda row: (max(row.median, 0), max(row.low, 0), max(row.high, 0))), max(base) * 1.2)


def growth_plot(rows):
    series = {}
    for row in rows:
        if row.metric == "cpu" and row.work.startswith("beside-"):
            scale = METRICS["cpu"].scale
            series.setdefault(row.peer, []).append((int(row.work.rsplit("-", 1)[1]), row.median * scale, row.low * scale,
                                                    row.high * scale))
    series = {peer: sorted(line) for peer, line in series.items() if len(line) > 1}
    return curves("Proxy's CPU of a login, beside idle sessions", series, "idle sessions", "µs a login") if series else None


PLOTS = {"cpu.svg": ratio_plot, "memory.svg": memory_plot, "growth.svg": growth_plot}
