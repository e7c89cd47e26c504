"""The house checks find what they are meant to find, and nothing in code that follows the rules."""

import importlib
import sys
import unittest

import house

MAIN = house.verdict


def load(name):
    """A check as a module; its main() runs over the project, so its verdict is muted here."""
    house.verdict = lambda problems, rule: None
    try:
        return importlib.import_module(name)
    finally:
        house.verdict = MAIN


def globals_in(code):
    return sorted({line for line, _, _ in load("banned").globals_of("x.cc", house.code_only(code))})


class Checks(unittest.TestCase):
    def test_mutable_globals_are_found(self):
        bad = ["int counter = 0;", "std::vector<int> list;", 'std::map<int, std::string> t{{1, "x"}};', "static bool flag;",
               "inline std::atomic<int> hits{0};", "struct S { static int count; };", "int f() { static int n = 0; return n; }"]
        for line in bad:
            self.assertEqual(globals_in("namespace a {\n" + line + "\n}"), [2], line)

    def test_constants_and_functions_are_no_globals(self):
        good = ["inline constexpr long kA = long{1} << 20;", "const int kB[] = {1, 2};", "extern int elsewhere;", "class C;",
                'constexpr Option kOptions[] = {{"a", 1}, {"b", f(2)}};', "using V = std::vector<int>;", "enum class E : int { kA };",
                "struct S { int x = 3; static const int kN = 3; static int f(); };", "bool operator==(const A&, const A&) = default;",
                "int f() { static const int m = 2; return m; }", "template <class T> T g(T x) { return x; }"]
        for line in good:
            self.assertEqual(globals_in("namespace a {\n" + line + "\n}"), [], line)

    def test_banned_words_are_found_in_code_only(self):
        banned = load("banned")
        cases = {"clock": "auto t = std::chrono::steady_clock::now();", "random": "std::random_device d;",
                 "thread": "std::mutex m;", "file": "int fd = ::open(path, 0);", "socket": "int s = ::socket(1, 2, 3);",
                 "sleep": "std::this_thread::sleep_for(1s);", "print": 'std::printf("x");', "environment": 'getenv("HOME");'}
        for rule, line in cases.items():
            self.assertTrue(banned.RULES[rule].search(" " + line), rule)
            self.assertFalse(banned.RULES[rule].search(house.code_only("// " + line)), rule)
            self.assertFalse(banned.RULES[rule].search(house.code_only(f"auto s = R\"({line})\";")), rule)
        others = {"clock": ("auto t = clock() / 2;", "localtime_r(&t, &parts);", "__rdtsc();"),
                  "random": ("arc4random_uniform(3);", "std::shuffle(a, b, g);", "drand48();"),
                  "generator": ("std::knuth_b g;", "std::mersenne_twister_engine<int> g;"),
                  "thread": ("std::promise<int> p;", "std::stop_source s;", "std::binary_semaphore s{1};", "using namespace std;"),
                  "file": ("::rmdir(path);", "::syscall(1);", "::ftruncate(fd, 0);"),
                  "environment": ('popen("ls", "r");', "fork();", "sysconf(_SC_OPEN_MAX);", "::gethostname(name, 5);", "getaddrinfo(a, b, c, d);")}
        for rule, lines in others.items():
            for line in lines:
                self.assertTrue(banned.RULES[rule].search(" " + line), line)
        for line in ("clock.now()", "shard.clock().wall()", "clock()", "order.fork(x)", "list.truncate(3)", "sample(x)", "link(a)"):
            self.assertFalse([r for r, p in banned.RULES.items() if p.search(" " + line)], line)
        for line in ("co_await timer.sleep_until(t);", "log.read(offset);", "file->open(x);", "record_time(x);", "segment::read(x);"):
            self.assertFalse([r for r, p in banned.RULES.items() if p.search(" " + line)], line)

    def test_headers_of_the_system_are_let_in_by_name(self):
        banned = load("banned")
        found = banned.INCLUDE.findall("#include <vector>\n  # include <unistd.h>\n#include \"io/file.h\"\n#include <mutex>")
        self.assertEqual([name for name in found if name not in banned.HEADERS], ["unistd.h", "mutex"])
        simulated = banned.simulated_app_files()
        self.assertIn("src/app/broker_process.cc", simulated)
        self.assertNotIn("src/app/main.cc", simulated)

    def test_orders_that_leak_are_found(self):
        banned = load("banned")
        header = "class C {\n  std::unordered_map<Key, std::shared_ptr<T>> by_key_;\n  std::map<Key, T> sorted_;\n};"
        names = set(banned.unordered_names(header)) | set(banned.unordered_names("std::unordered_set<int> seen;"))
        self.assertEqual(names, {"by_key_", "seen"})
        for line in ("for (const auto& [key, value] : by_key_) send(key);", "for (auto& one : at.by_key_) f(one);",
                     "for (int x : seen) f(x);", "std::ranges::for_each(by_key_, f);", "auto first = *seen.begin();",
                     "std::vector<int> all(seen.begin(), seen.end());", "std::map<Partition*, int> ends;",
                     "std::set<const Partition*> dirty;", "std::priority_queue<Node*> q;", "std::map<std::pair<int, T*>, int> m;",
                     "auto key = reinterpret_cast<uintptr_t>(p);", "std::map<std::shared_ptr<T>, int> m;", "std::less<Node*> before;",
                     "for (const auto& [key, value] : host->by_key_) {"):
            self.assertTrue(list(banned.order_leaks(line, names)), line)
        for line in ("for (const auto& [key, value] : sorted_) send(key);", "if (seen.contains(x)) f();", "auto it = by_key_.find(key);",
                     "std::map<Key, Partition*> by_key;", "for (int i = 0; i < 3; ++i) f(by_key_.at(i));", "std::hash<Key> h;",
                     "for (const Item& item : items) by_key_.erase(item.key);", "std::vector<Partition*> list;"):
            self.assertFalse(list(banned.order_leaks(line, names)), line)

    def test_function_lengths_are_counted(self):
        sizes = load("sizes")
        code = "namespace a {\nstruct S {\n  int f() {\n    if (x) {\n    }\n    auto l = [&](int y) {\n      return y;\n    };\n    return 1;\n  }\n};\nint g(\n    int x) {\n  return x;\n}\nconst T kT[] = {\n  {f(1)},\n};\n}"
        self.assertEqual(list(sizes.functions(code)), [("f", 3, 8), ("g", 12, 4)])

    def test_limits_without_option_row_or_test_are_found(self):
        limits = load("limits")
        header = 'inline constexpr std::array kLimitOptions{\n    "a.max",\n    "stele.b.bytes",\n};'
        page = "## Limits\n| limit |\n| `a.max`, also `x.<y>.max` | 1 |\n| `stele.b.bytes`, `.c.bytes`: what `d` does | 2 |\n\n## Next\n| `z` |"
        self.assertEqual(limits.limits_of(header), ["a.max", "stele.b.bytes"])
        self.assertEqual(limits.rows_of(page), ["a.max", "stele.b.bytes", "stele.b.c.bytes"])
        named, options, tests = ["a.max"], {"a.max"}, '{"a.max", "1"}'
        self.assertEqual(limits.problems_of(named, named, options, tests), [])
        for wrong in ((named, [], options, tests), (named, named, set(), tests), (named, named, options, ""),
                      ([], named, options, tests)):
            self.assertEqual(len(limits.problems_of(*wrong)), 1, wrong)

    def test_long_sleeps_are_found_and_poll_intervals_pass(self):
        texts = load("texts")
        for line in ("time.sleep(1)", "time.sleep(0.5)", "std::this_thread::sleep_for(5ms)", "sleep 2", "Thread.sleep(1000)"):
            self.assertTrue(texts.SLEEP.search(line), line)
        for line in ("time.sleep(0.02)", "time.sleep(.1)", "sleep 0.1", "Thread.sleep(50)", "co_await timer.sleep_until(t)"):
            self.assertFalse(texts.SLEEP.search(line), line)


if __name__ == "__main__":
    sys.exit(unittest.main())
