"""An option that the table calls honoured is read somewhere: its name stands in a source outside the tables, or it is what a
topic or group config falls back to. tools/options_unwired.txt names those whose reader has still to come."""

import re

import house

ENTRY = re.compile(r'\{"([a-z0-9._]+)",((?:[^{}"]|"(?:\\.|[^"\\])*"|\{[^}]*\})*?)(Effect::k\w+|kDone)', re.S)
READ = re.compile(r'"([a-z0-9]+(?:\.[a-z0-9]+)*)"')


def main():
    honoured = {}
    behind_topics = set()
    for path in house.files(".cc", under=("src/config/options_",)):
        text = house.read(path)
        entries = [(name, effect) for name, _, effect in ENTRY.findall(text)]
        if path.endswith(("_topic.cc", "_group.cc")):
            behind_topics |= {name for line in READ.findall(text) for name in [line]}
            behind_topics |= {name for names in re.findall(r'"([a-z0-9.,]+)"\}', text) for name in names.split(",")}
            continue
        honoured.update({name: path for name, effect in entries if effect in ("Effect::kHonoured", "kDone")})
    if len(honoured) < 50:
        raise SystemExit("the tables could not be read")
    read = set()
    for path in house.files(".cc", ".h", under=("src/",)):
        if not path.startswith("src/config/options_") and not path.endswith(("_test.cc", "_test.h")):
            read |= set(READ.findall(house.read(path)))
    waiting = {line.split()[0] for line in house.read("tools/options_unwired.txt").split("\n") if line and not line.startswith("#")}
    problems = [f"{path}: {name} is called honoured, but nothing reads it" for name, path in sorted(honoured.items())
                if name not in read | behind_topics | waiting]
    problems += [f"tools/options_unwired.txt: {name} is no honoured option; delete the line" for name in sorted(waiting - set(honoured))]
    house.verdict(problems, "Read it where it matters, or say Effect::kWarns: a limit that nobody enforces misleads.")


main()
