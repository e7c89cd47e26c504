"""Above io/ there is no clock, randomness, thread, lock, file, socket or mutable global: these come in as parameters, so that
the simulator can stand in for the world. What app/ has of its own is free of this but for the files that the simulator runs. Headers of
the system are let in by name, so that a call by another spelling has nothing to compile with. Nowhere does the order of hashes or addresses
decide what comes next. tools/banned_allow.txt holds the exceptions with their reasons."""

import os
import re

import house

RULES = {
    "clock": r"\b(steady|system|high_resolution|utc|tai|file)_clock\b|\bclock_gettime\b|\bgettimeofday\b|\b(std::|::)time\s*\("
             r"|[^\w.:>]time\s*\(\s*(nullptr|NULL|0|&)|[^\w.>]clock\s*\(\s*\)\s*[-;)/]|\btimespec_get\b|\b(local|gm|mk)time(_r)?\s*\("
             r"|\b__?(builtin_ia32_)?rdtscp?\b",
    "random": r"\brandom_device\b|\bdefault_random_engine\b|[^\w.>]s?rand\s*\(|[^\w.>]::s?random\s*\(|\bgetrandom\s*\("
              r"|\b[delmnj]rand48\b|\barc4random|\bgetentropy\b|\bstd::(ranges::)?(shuffle|sample)\b",
    "generator": r"\bstd::(mt19937|minstd_rand|ranlux|knuth_b|(subtract_with_carry|linear_congruential|mersenne_twister)_engine)",
    "thread": r"\bstd::(j?thread|async|(shared_|recursive_|timed_)*mutex|condition_variable|lock_guard|unique_lock|scoped_lock"
              r"|call_once|latch|barrier|(counting|binary)_semaphore|(shared_)?future|promise|packaged_task|stop_(source|token|callback)"
              r"|atomic_(wait|notify)\w*)\b|\bpthread_|\bthis_thread\b|\bthread_local\b|\busing\s+namespace\s+std\s*;",
    "file": r"[^\w.>:](::)(open|openat|read|write|pread|pwrite|preadv|pwritev|close|fsync|fdatasync|rename|unlink|mkdir|stat|fstat"
            r"|opendir|readdir|f?truncate|mmap|rmdir|link|symlink|fallocate|statvfs|syncfs|ioctl|flock|syscall)\s*\(|\bf(open|read|write|close|datasync|sync)\s*\(|\bstd::(i|o)?fstream\b"
            r"|\bstd::filesystem\b|\bstd::(remove|rename|tmpfile)\s*\([^,()]*\)\s*;",
    "socket": r"[^\w.>]::(socket|bind|listen|accept4?|connect|send(to|msg)?|recv(from|msg)?|poll|epoll_\w+)\s*\(|\bsys/socket\.h",
    "sleep": r"\bthis_thread::sleep|[^\w.>:](u|nano)?sleep\s*\(",
    "print": r"\bstd::(cout|cerr|clog)\b|(std::|[^\w.>:])(f?printf|puts)\s*\(|\bfmt::print\b",
    "environment": r"\b(std::)?(secure_)?getenv\s*\(|\bstd::system\b|\bpopen\s*\(|[^\w.>](::)?(v?fork|getpid|gethostname|sysconf|uname)\s*\("
                   r"|\bgetaddrinfo\s*\(|\bget(r?limit|rusage)\s*\(",
}
RULES = {name: re.compile(pattern) for name, pattern in RULES.items()}

# What may stand between < and > above io/: containers, text and numbers, and libraries that take bytes and give bytes.
HEADERS = set("""
    algorithm array bit cctype cerrno charconv chrono cmath compare concepts coroutine cstddef cstdint cstdlib cstring deque exception
    expected functional initializer_list iterator limits list map memory memory_resource new numeric optional queue ranges set source_location
    span string string_view tuple type_traits utility variant vector sys/uio.h fmt/format.h gtest/gtest.h gmock/gmock.h
    isa-l/crc.h lz4.h lz4frame.h snappy.h zlib.h zstd.h nlohmann/json.hpp nlohmann/json_fwd.hpp""".split())
FOR_TESTS = {"filesystem", "fstream", "sstream", "stdexcept"}
INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*<([^>]+)>", re.M)
OWN_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*"(app/[^"]+)"', re.M)

# The order of an unordered container, or of addresses, differs from one run of the same seed to the next library, and
# must not reach an effect.
ADDRESS_KEYS = re.compile(r"\bstd::(multi)?(map|set)<\s*(const\s+)?[\w:]+(<[^<>]*>)?(\s+const)?\s*\*|\bstd::(multi)?(map|set)<\s*std::"
                          r"(shared|unique)_ptr\b|\bstd::(less|greater|hash|priority_queue)<\s*(const\s+)?[\w:]+\s*\*"
                          r"|\bstd::(multi)?(map|set)<\s*std::(pair|tuple)<[^<>]*\*|\bu?intptr_t\b")
UNORDERED = re.compile(r"\bunordered_(?:multi)?(?:map|set)<")
FOR_EACH = re.compile(r"\bfor\s*\((?:[^;(){}]|\([^;(){}]*\))*?[^:]:(?!:)\s*((?:[^(){};]|\([^(){};]*\))*)\)")
ALGORITHM = re.compile(r"\b(?:std::)?ranges::(?!find\b|contains\b)\w+\(\s*(\*?[\w.>-]+)\s*[,)]|([\w.>-]+?)(?:\.|->)c?begin\(\)")

# A static local or member that can change; `static` functions and constants are fine.
STATIC = re.compile(r"(?:^|[{;])[ \t]*(?:inline\s+)?static\s+(?!const\b|constexpr\b|inline\s+const|inline\s+constexpr)([^;(){}=]*)"
                    r"(=|;|\{[^;]*\};)", re.M)
NOT_A_VARIABLE = re.compile(
    r"^(using|typedef|namespace|class|struct|enum|union|template|extern|friend|static_assert|public|private|protected|return|"
    r"constexpr|const|inline\s+const|inline\s+constexpr|static\s+const|static\s+constexpr|static\s+inline\s+const|STELE_|"
    r"BENCHMARK|TEST|INSTANTIATE|\[\[)")
NOT_A_TYPE = re.compile(r"^(template|class|struct|enum|union|using|[^=]*\))")
VARIABLE = re.compile(r"^(static\s+|inline\s+|constinit\s+)*[\w:<>,\s*&]+[\s*&>]\**&?\w+(\[[^\]]*\])?\s*(=|\{|$)")


def unordered_names(code):
    """Variables, members and functions whose type is an unordered container."""
    for match in UNORDERED.finditer(code):
        depth, at = 1, match.end()
        while depth and at < len(code):
            depth += {"<": 1, ">": -1}.get(code[at], 0)
            at += 1
        name = re.match(r"\s*&?\s*(?:const\s+)?(\w+)\s*([;={(,)]|$)", code[at:])
        if name:
            yield name.group(1)


def simulated_app_files():
    """The files of app/ that the simulator runs: what its tests include, and what those include."""
    seen = set()
    to_do = [path for path in house.files(".h", ".cc", under=("tests/sim/",))]
    while to_do:
        for header in OWN_INCLUDE.findall(house.read(to_do.pop())):
            files = [path for path in ("src/" + header, "src/" + header[:-2] + ".cc") if os.path.isfile(os.path.join(house.ROOT, path))]
            to_do += [path for path in files if path not in seen]
            seen.update(files)
    return seen


def order_leaks(code, unordered):
    """(offset, rule, text) of what gives an order that is no order."""
    for match in ADDRESS_KEYS.finditer(code):
        yield match.start(), "order", match.group(0)
    for pattern in (FOR_EACH, ALGORITHM):
        for match in pattern.finditer(code):
            walked = next(group for group in match.groups() if group is not None).strip()
            last = re.findall(r"\w+", re.sub(r"\([^()]*\)$", "", walked))
            if last and last[-1] in unordered:
                yield match.start(), "order", " ".join(match.group(0).split())[:60]


def names_by_file():
    """For each source, the unordered names that it declares."""
    return {path: set(unordered_names(house.code_only(house.read(path)))) for path in house.files(".h", ".cc", under=("src/",))}


def visible_names(path, text, declared):
    """The unordered names of the file and of the headers that it includes by itself."""
    names = set(declared.get(path, ()))
    for header in re.findall(r'#include "([^"]+)"', text):
        names |= declared.get("src/" + header, set())
    return names


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
    declared = names_by_file()
    simulated = simulated_app_files()
    for path in house.files(".h", ".cc", under=("src/",)):
        layer = path.split("/")[1]
        is_test = path.endswith(("_test.cc", "_test.h"))
        text = house.read(path)
        code = house.code_only(text)
        found = []
        for rule, pattern in RULES.items():
            if rule == "print" and layer == "app":
                continue
            if rule != "print" and (layer == "io" or (layer == "app" and path not in simulated)):
                continue
            if is_test and rule in ("file", "environment", "print", "generator"):  # a test seeds its generator with a number
                continue
            found += [(house.line_of(code, m.start() + 1), rule, m.group(0).strip()) for m in pattern.finditer(code)]
        if layer not in ("io", "app"):
            known = HEADERS | (FOR_TESTS if is_test else set())
            unknown = [(m.start(), m.group(1)) for m in INCLUDE.finditer(text) if m.group(1) not in known]
            found += [(house.line_of(text, at), "header", f"<{name}>") for at, name in unknown]
        if not is_test:
            found += globals_of(path, code)
            leaks = order_leaks(code, visible_names(path, text, declared))
            found += [(house.line_of(code, at), rule, leak) for at, rule, leak in leaks]
        problems += [f"{path}:{line}: {rule}: {text}" for line, rule, text in found if not allowed.allows(path, rule)]
    house.verdict(problems + allowed.unused(), "Take it as a parameter, or name the exception in tools/banned_allow.txt.")


main()
