"""What no file of the project may contain: sleeps in tests, paths of one machine, hosts of package registries, a header without
#pragma once, merge marks, task marks. tools/texts_allow.txt holds the exceptions with their reasons."""

import re

import house

MACHINE = re.compile(r"(?<![\w.])/(work|root|home/\w+)/")
REGISTRY = re.compile(r"\b(pypi\.org|pythonhosted\.org|registry\.npmjs|proxy\.golang|sum\.golang|repo1?\.maven|crates\.io|"
                      r"deb\.debian\.org|nodejs\.org/dist|static\.rust-lang|artifactor[y]|nexus\.)")
# A poll with a deadline may pause for a tenth of a second; what is longer is waiting by guess.
SLEEP = re.compile(r"\bthis_thread::sleep|\b(?<![.:])u?sleep\s*\(|\b(time|asyncio)\.sleep\((?!0?\.(0\d*|1)\))|\bThread\.sleep\((?!\d\d?\)|100\))|"
                   r"\btime\.Sleep\((?!\d\d?\s*\*\s*time\.Millisecond|100\s*\*\s*time\.Millisecond)|^\s*sleep\s+(?!0?\.(0\d*|1)\b)[\d.]",
                   re.M)
MERGE = re.compile(r"^(<<<<<<<|>>>>>>>) ", re.M)
MARK = re.compile(r"\b(TODO|FIXME|XXX)\b")
BINARY = (".jar", ".class", ".png", ".gz", ".zst", ".lz4", ".snappy", ".bin", ".log", ".index", ".timeindex", ".snapshot", ".hex")
DATA = ("golden/", "fixtures/", "testdata/", "recorded/")


def is_test(path):
    return path.startswith("tests/") or path.endswith(("_test.cc", "_test.h"))


def main():
    allowed = house.AllowList("tools/texts_allow.txt")
    problems = []
    for path in house.files():
        if path.endswith(BINARY) or path.startswith("tools/texts_allow"):
            continue
        text = house.read(path)
        rules = [("machine", MACHINE), ("registry", REGISTRY), ("merge", MERGE)]
        data = any(part in path for part in DATA)
        if is_test(path) and not data and not path.startswith("tests/checks/"):
            rules.append(("sleep", SLEEP))
        if path.endswith((".h", ".cc", ".py", ".java")) and not path.startswith("tests/checks/"):
            rules.append(("mark", MARK))
        for rule, pattern in rules:
            for match in pattern.finditer(text):
                if not allowed.allows(path, rule):
                    problems.append(f"{path}:{house.line_of(text, match.start())}: {rule}: {match.group(0).strip()}")
        if path.endswith(".h") and "#pragma once" not in text:
            problems.append(f"{path}:1: a header without #pragma once")
    house.verdict(problems + allowed.unused(), "A test waits for the thing, with a deadline; a path belongs to one machine only.")


main()
