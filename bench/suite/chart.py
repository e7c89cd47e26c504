"""Charts as SVG, written by hand: CPU per GB as bars, latency over percentiles as lines."""
import math

COLOURS = {"stele": "#1a7f4b", "stele-files": "#7fb89a", "floor-loop": "#9aa3ad", "floor-threads": "#c6ccd2", "kafka": "#c0504d", "kafka-sync": "#7b4b94"}
FONT = 'font-family="sans-serif" font-size="12" fill="#333"'
PERCENTILES = ("50", "75", "90", "95", "99", "99.5", "99.9", "99.99")


def text(x, y, what, anchor="start", extra=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {FONT} {extra}>{what}</text>'


def svg(width, height, parts):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
            f'<rect width="{width}" height="{height}" fill="white"/>' + "\n".join(parts) + "</svg>\n")


def legend(names, x, y):
    parts = []
    for name in names:
        parts.append(f'<rect x="{x}" y="{y - 10}" width="12" height="12" fill="{COLOURS.get(name, "#555")}"/>')
        parts.append(text(x + 17, y, name))
        x += 32 + 7.5 * len(name)
    return parts


def bars(title, groups, unit):
    """`groups` [(label, {system: value})]: one group of horizontal bars each, on one scale."""
    names = list(dict.fromkeys(name for _, values in groups for name in values))
    largest = max(value for _, values in groups for value in values.values())
    left, width, row = 190, 760, 18
    y, parts = 62, [text(20, 24, title, extra='font-weight="bold"'), *legend(names, 20, 46)]
    for label, values in groups:
        y += 12
        parts.append(text(left - 10, y + row * len(values) / 2 + 4, label, "end"))
        for name, value in values.items():
            length = (width - left - 90) * value / largest
            parts.append(f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{row - 3}" fill="{COLOURS.get(name, "#555")}"/>')
            parts.append(text(left + length + 6, y + row - 6, f"{value:.2f} {unit}"))
            y += row
    return svg(width, y + 20, parts)


def lines(title, series):
    """`series` {system: {percentile: microseconds}}, both axes logarithmic: the tail in nines, time in decades."""
    left, top, wide, high = 80, 64, 600, 300
    smallest = min(v for values in series.values() for v in values.values())
    largest = max(v for values in series.values() for v in values.values())
    low, top_decade = math.floor(math.log10(max(smallest, 1))), math.ceil(math.log10(max(largest, 10)))

    def x_of(percentile):
        return left + wide * (-math.log10(1 - float(percentile) / 100) - 0.3) / 3.7

    def y_of(value):
        return top + high * (1 - (math.log10(max(value, 1)) - low) / max(top_decade - low, 1))

    parts = [text(20, 24, title, extra='font-weight="bold"'), *legend(series, 20, 46)]
    for decade in range(low, top_decade + 1):
        y = y_of(10 ** decade)
        parts += [f'<line x1="{left}" x2="{left + wide}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>',
                  text(left - 8, y + 4, f"{10 ** decade:,} µs" if decade < 3 else f"{10 ** (decade - 3):,} ms", "end")]
    for percentile in PERCENTILES:
        parts += [f'<line x1="{x_of(percentile):.1f}" x2="{x_of(percentile):.1f}" y1="{top}" y2="{top + high}" stroke="#eee"/>',
                  text(x_of(percentile), top + high + 18, f"p{percentile}", "middle")]
    for name, values in series.items():
        points = " ".join(f"{x_of(p):.1f},{y_of(values[p]):.1f}" for p in PERCENTILES)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{COLOURS.get(name, "#555")}" stroke-width="2.5"/>')
    return svg(left + wide + 40, top + high + 40, parts)
