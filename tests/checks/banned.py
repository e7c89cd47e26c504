"""Above io/ there is no clock, randomness, thread, lock, file, socket or mutable global: these come in as parameters, so that
the simulator can stand in for the world. tools/banned_allow.txt holds the exceptions with their reasons."""

import re

import house

RULES = {
    "clock": r"\b(steady|system|high_resolution|utc|tai|file)_clock\b|\bclock_gettime\b|\bgettimeofday\b|\b(std::|::)time\s*\("
             r"|[^\w.:>]time\s*\(\s*(nullptr|NULL|0)\s*\)",
    "random": r"\brandom_device\b|\bdefault_random_engine\b|[^\w.>]s?rand\s*\(|[^\w.>]::s?random\s*\(|\bgetrandom\s*\(",
    "generator": r"\bstd::(mt19937|minstd_rand|ranlux)",
    "thread": r"\bstd::(j?thread|async|(shared_|recursive_|timed_)*mutex|condition_variable|lock_guard|unique_lock|scoped_lock"
              r"|call_once|latch|barrier|counting_semaphore)\b|\bpthread_|\bthis_thread\b|\bthread_local\b",
    "file": r"[^\w.>:](::)(open|openat|read|write|pread|pwrite|preadv|pwritev|close|fsync|fdatasync|rename|unlink|mkdir|stat|fstat"
            r"|opendir|readdir|ftruncate|mmap)\s*\(|\bf(open|read|write|close|datasync|sync)\s*\(|\bstd::(i|o)?fstream\b"
            r"|\bstd::filesystem\b|\bstd::(remove|rename|tmpfile)\s*\([^,()]*\)\s*;",
    "socket": r"[^\w.>]::(socket|bind|listen|accept4?|connect|send(to|msg)?|recv(from|msg)?|poll|epoll_\w+)\s*\(|\bsys/socket\.h",
    "sleep": r"\bthis_thread::sleep|[^\w.>:](u|nano)?sleep\s*\(",
    "print": r"\bstd::(cout|cerr|clog)\b|(std::|[^\w.>:])(f?printf|puts)\s*\(|\bfmt::print\b",
    "environment": r"\b(std::)?(secure_)?getenv\s*\(|\bstd::system\b",
}
RULES = {name: re.compile(pattern) for name, pattern in RULES.items()}

# A static local or member that can change; `static` functions and constants are fine.
STATIC = re.compile(r"(?:^|[{;])[ \t]*(?:inline\s+)?static\s+(?!const\b|constexpr\b|inline\s+const|inline\s+constexpr)([^;(){}=]*)"
                    r"(=|;|\{[^;]*\};)", re.M)
NOT_A_VARIABLE = re.compile(
    r"^(using|typedef|namespace|class|struct|enum|union|template|extern|friend|static_assert|public|private|protected|return|"
    r"constexpr|const|inline\s+const|inline\s+constexpr|static\s+const|static\s+constexpr|static\s+inline\s+const|STELE_|"
    r"BENCHMARK|TEST|INSTANTIATE|\[\[)")
NOT_A_TYPE = re.compile(r"^(template|class|struct|enum|union|using|[^=]*\))")
VARIABLE = re.compile(r"^(static\s+|inline\s+|constinit\s+)*[\w:<>,\s*&]+[\s*&>]\**&?\w+(\[[^\]]*\])?\s*(=|\{|$)")


def namespace_statements(code):
    """(offset, text) of the statements at namespace scope, bodies left out, initializers left in."""
    depth = []  # per open brace: namespace, body or initializer
    start = 0
    for match in re.finditer(r"[{};]|^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", code, re.M):
        mark = match.group(0)
        head = code[start:match.start()]
        stripped = head.strip()
        at_namespace = all(kind == "namespace" for kind in depth)
        if mark == "{":
            if re.search(r"(^|\s)namespace(\s+[\w:]+)?$|^extern$", stripped):
                depth.append("namespace")
            elif at_namespace and VARIABLE.match(stripped.split("=")[0].strip()) and not NOT_A_TYPE.match(stripped):
                depth.append("initializer")
            else:
                depth.append("initializer" if depth and depth[-1] == "initializer" else "body")
        elif mark == "}" and depth:
            if depth.pop() == "initializer":
                continue
        elif mark == ";" and at_namespace and stripped:
            yield start + len(head) - len(head.lstrip()), stripped
        if mark == ";" and depth and depth[-1] == "initializer":
            continue
        if not (mark == "{" and depth[-1] == "initializer"):
            start = match.end()


def globals_of(path, code):
    for offset, statement in namespace_statements(code):
        statement = " ".join(statement.split())
        if NOT_A_VARIABLE.match(statement) or "(" in statement.split("=")[0] or "operator" in statement:
            continue
        if VARIABLE.match(statement) and not re.search(r"\bconst\s+\w+\s*(\[|=|$)|\*\s*const\b", statement.split("=")[0] + "="):
            yield house.line_of(code, offset), "global", statement[:60]
    for match in STATIC.finditer(code):
        yield house.line_of(code, match.start()), "global", " ".join(match.group(0).split())[:60]


def main():
    allowed = house.AllowList("tools/banned_allow.txt")
    problems = []
    for path in house.files(".h", ".cc", under=("src/",)):
        layer = path.split("/")[1]
        is_test = path.endswith(("_test.cc", "_test.h"))
        code = house.code_only(house.read(path))
        found = []
        for rule, pattern in RULES.items():
            if rule == "print" and layer == "app":
                continue
            if layer in ("io", "app") and rule != "print":
                continue
            if is_test and rule in ("file", "environment", "print", "generator"):  # a test seeds its generator with a number
                continue
            found += [(house.line_of(code, m.start() + 1), rule, m.group(0).strip()) for m in pattern.finditer(code)]
        if not is_test:
            found += globals_of(path, code)
        problems += [f"{path}:{line}: {rule}: {text}" for line, rule, text in found if not allowed.allows(path, rule)]
    house.verdict(problems + allowed.unused(), "Take it as a parameter, or name the exception in tools/banned_allow.txt.")


main()
