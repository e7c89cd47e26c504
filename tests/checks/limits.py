"""A limit that clients can meet (src/base/limit.h) is an option of the tables, has its row in the operations page and is named in a
test; and a row of that page that says stele_limit_reached_total would count it is such a limit."""

import re

import house

ENUM = "src/base/limit.h"
PAGE = "docs/operations.md"
# Rows of the page that clients do not meet one by one, with why.
NOT_COUNTED = {
    "max.connections.per.ip.overrides": "counted as max.connections.per.ip",
    "stele.shutdown.timeout.ms": "met at a stop, when nobody can read /metrics any more",
    "stele.log.complaints.per.second": "limits lines, and tells of those left out",
}


def limits_of(header):
    """The options that the enum's table names."""
    table = re.search(r"kLimitOptions\{(.*?)\};", header, re.S)
    return re.findall(r'"([a-z0-9._]+)"', table.group(1)) if table else []


def rows_of(page):
    """The options named in the first column of the table of limits; `.control.bytes` goes on from the name before it."""
    names = []
    section = page.split("## Limits")[1].split("\n## ")[0] if "## Limits" in page else ""
    for line in section.split("\n"):
        if not line.startswith("| `"):
            continue
        first = line.split("|")[1].split("`: ")[0] + "`"
        for name in re.findall(r"`([a-z0-9._]+)`", first):
            names.append(re.match(r"[a-z]+\.[a-z]+", names[-1]).group(0) + name if name.startswith(".") and names else name)
    return names


def problems_of(limits, rows, options, tests):
    problems = []
    for name in limits:
        if name not in options:
            problems.append(f"{ENUM}: {name} is no option of src/config/options_*.cc")
        if name not in rows:
            problems.append(f"{PAGE}: no row for {name} in the table of limits")
        if f'"{name}"' not in tests:
            problems.append(f"{ENUM}: no test sets {name}")
    problems += [f"{PAGE}: {name} is not counted, {ENUM} does not have it" for name in rows
                 if name not in limits and name not in NOT_COUNTED]
    return problems


def main():
    options = set()
    for path in house.files(".cc", under=("src/config/options_",)):
        options |= set(re.findall(r'\{"([a-z0-9._]+)"', house.read(path)))
    tests = "".join(house.read(path) for path in house.files("_test.cc", under=("src/", "tests/")))
    limits = limits_of(house.read(ENUM))
    if len(limits) < 20:
        raise SystemExit("the limits could not be read")
    problems = problems_of(limits, rows_of(house.read(PAGE)), options, tests)
    house.verdict(problems, "A limit has a name in the options, a row that says what happens at it, a count and a test.")


main()
