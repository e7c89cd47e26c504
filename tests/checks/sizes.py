"""No .cc over 1,000 lines, no header over 400, no function over 70. tools/size_ratchet.txt holds what is longer today, with its
length: it may shrink, never grow, and an entry that is no longer needed fails.

  python3 tests/checks/sizes.py            check
  python3 tests/checks/sizes.py --longest  print the longest functions"""

import re
import sys

import house

LIMITS = {".cc": 1000, ".h": 400}
FUNCTION_LIMIT = 70
NOT_A_FUNCTION = re.compile(r"(^|\s)(namespace|class|struct|union|enum|extern)\b[^()]*$")
NAME = re.compile(r"([~\w:]+|operator\s*[^\s\w(]+|operator\(\))\s*(?:<[^()]*>)?\s*\(")


def functions(code):
    """(name, first line, number of lines) of every function body, lambdas counted with what holds them."""
    blocks = []
    start = 0
    inside = 0  # depth at which a function began, 0 for none
    for match in re.finditer(r"[{};]|^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", code, re.M):
        mark = match.group(0)
        if mark == "{":
            head = code[start:match.start()]
            function = None
            stripped = head.strip()
            if not inside and ")" in stripped and not NOT_A_FUNCTION.search(stripped) and not stripped.endswith(("=", ",", "(")):
                name = NAME.search(stripped)
                function = (name.group(1) if name else "?", house.line_of(code, start + len(head) - len(head.lstrip())))
                inside = len(blocks) + 1
            blocks.append(function)
        elif mark == "}" and blocks:
            function = blocks.pop()
            if function:
                inside = 0
                yield function[0], function[1], house.line_of(code, match.start()) - function[1] + 1
        if not inside:
            start = match.end()


def measure():
    """What is over a limit: {"path" or "path:function": lines}."""
    over = {}
    longest = []
    for path in house.files(".h", ".cc", under=("src/", "tests/", "bench/", "tools/", "fuzz/")):
        text = house.read(path)
        suffix = path[path.rindex("."):]
        lines = text.count("\n")
        if lines > LIMITS[suffix]:
            over[path] = lines
        for name, _, length in functions(house.code_only(text)):
            longest.append((length, f"{path}:{name}"))
            if length > FUNCTION_LIMIT:
                key = f"{path}:{name}"
                over[key] = max(length, over.get(key, 0))
    return over, sorted(longest, reverse=True)


def main():
    over, longest = measure()
    if "--longest" in sys.argv:
        for length, name in longest[:20]:
            print(length, name)
        return
    allowed = {}
    for line in house.read("tools/size_ratchet.txt").split("\n"):
        if line.strip() and not line.startswith("#"):
            name, lines = line.split()
            allowed[name] = int(lines)
    problems = []
    for name, lines in sorted(over.items()):
        if name not in allowed:
            problems.append(f"{name}: {lines} lines")
        elif lines > allowed[name]:
            problems.append(f"{name}: {lines} lines, {allowed[name]} when it was let pass")
    for name, lines in allowed.items():
        if name not in over:
            problems.append(f"tools/size_ratchet.txt: {name} is within the limits now; delete its line")
        elif over[name] < lines:
            problems.append(f"tools/size_ratchet.txt: {name} shrank to {over[name]}; write that number")
    house.verdict(problems, "Limits: .cc 1000, .h 400, function 70 lines. Split along the decisions.")


main()
