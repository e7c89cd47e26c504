"""Tables in Markdown, out of the JSON of a run."""
import statistics

from . import chart, rounds

COLUMNS = {
    "cpu_per_gb": ("CPU-s/GB", "{:.2f}"),
    "machine_per_gb": ("whole machine, CPU-s/GB", "{:.2f}"),
    "mb_per_s": ("MB/s", "{:.0f}"),
    "requests_per_cpu_s": ("requests per CPU-s", "{:,.0f}"),
    "requests_per_s": ("requests/s", "{:,.0f}"),
    "p50_us": ("p50 µs", "{:,.0f}"),
    "p99_us": ("p99 µs", "{:,.0f}"),
    "p999_us": ("p99.9 µs", "{:,.0f}"),
    "resident_mb": ("resident MB", "{:,.0f}"),
}
SHOWN = {
    "gb": ("cpu_per_gb", "machine_per_gb", "mb_per_s", "p50_us", "p99_us", "resident_mb"),
    "rate": ("mb_per_s", "p50_us", "p99_us", "cpu_per_gb", "machine_per_gb"),
    "requests": ("requests_per_cpu_s", "requests_per_s", "p50_us", "p99_us", "resident_mb"),
    "latency": ("p50_us", "p99_us", "p999_us", "requests_per_cpu_s"),
}


def table(head, lines):
    return "\n".join(["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)] + ["| " + " | ".join(line) + " |" for line in lines])


def ratio(value, base):
    return f"{value / base:.2f}" if base else "–"


def load_table(unit, results):
    """`results` {system: [round]}. The last columns compare the first figure, or the three of a latency, with those of other systems."""
    shown = SHOWN[unit]
    medians = {name: rounds.medians(found) for name, found in results.items() if found}
    others = [name for name in ("kafka", "kafka-sync", "floor-loop") if name in medians]
    compared = shown[:3] if unit == "latency" else shown[:1]
    lines = []
    for name, found in medians.items():
        line = [name]
        for figure in shown:
            middle, low, high = found[figure]
            form = COLUMNS[figure][1]
            line.append(form.format(middle) + (f" ({form.format(low)}–{form.format(high)})" if figure in compared else ""))
        for other in others:
            line.append("1" if other == name else ", ".join(ratio(found[f][0], medians[other][f][0]) for f in compared))
        lines.append(line)
    return table(["", *(COLUMNS[f][0] for f in shown), *(f"/ {other}" for other in others)], lines)


def page(loads):
    """The generated part of docs/benchmarks.md, or the whole of what `bench/run` prints."""
    out, last = [], None
    for load in loads:
        machine = load["machine"]
        where = (f"{machine['date']}, revision {machine['revision']}: {machine['processor']}, {machine['cores']} cores shared with the load,"
                 f" {machine['memory_gib']} GiB, Linux {machine['kernel']}, {machine['java']}.")
        if where != last:
            out += [where, ""]
            last = where
        title = f"**{load['title']}**." + (f" Target: {load['target']}." if load.get("target") else "")
        if "results" in load:
            title += f" Medians of {load['rounds']} rounds (smallest–largest)."
        out += [title, "", load_table(load["unit"], load["results"]) if "results" in load else table(load["head"], load["lines"]), ""]
    return "\n".join(out)


def draw(loads, folder):
    """cpu.svg and latency-<load>.svg, of those loads that are there."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {name: load for name, load in loads.items() if "results" in load}
    groups = [(name, {system: rounds.medians(results)["cpu_per_gb"][0] for system, results in load["results"].items()})
              for name, load in found.items() if load["unit"] == "gb"]
    if groups:
        (folder / "cpu.svg").write_text(chart.bars("Broker CPU-seconds per GB", groups, "s"))
    for name, load in found.items():
        if load["unit"] == "latency":
            series = {system: {p: statistics.median(r["latency_us"][p] for r in results) for p in chart.PERCENTILES}
                      for system, results in load["results"].items()}
            (folder / f"latency-{name}.svg").write_text(chart.lines(load["title"], series))


def write_between_markers(path, text):
    begin, end = "<!-- begin: written by bench/run -->", "<!-- end: written by bench/run -->"
    old = path.read_text()
    head, rest = old.split(begin, 1)
    path.write_text(head + begin + "\n" + text.rstrip() + "\n" + end + rest.split(end, 1)[1])
