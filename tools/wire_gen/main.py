"""Makes the C++ of the wire layer: main.py <schemas> <output dir>, or main.py <schemas> --list for the files it makes.
With --tests it makes what the tests of the wire layer need instead, with --json what prints records as JSON.

A file is written only if it changes, so that a change of one schema compiles one message.
"""

import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))

from catalog import print_catalog, print_entry  # noqa: E402
from header import print_header  # noqa: E402
from json_print import print_json_source, print_json_table, printed  # noqa: E402
from schema import load_all  # noqa: E402
from source import print_source  # noqa: E402
from tables import print_api_keys, print_record_types, print_api_table  # noqa: E402


def test_outputs(messages):
    files = {f"{m.file}_entry.cc": lambda m=m: print_entry(m) for m in messages}
    files["catalog.cc"] = lambda: print_catalog(messages)
    return files


def json_outputs(messages):
    files = {f"{m.file}_json.cc": lambda m=m: print_json_source(m) for m in printed(messages)}
    files["record_json.cc"] = lambda: print_json_table(messages)
    return files


def outputs(messages):
    files = {}
    for message in messages:
        files[f"{message.file}.h"] = lambda m=message: print_header(m)
        files[f"{message.file}.cc"] = lambda m=message: print_source(m)
    files["api_keys.h"] = lambda: print_api_keys(messages)
    files["record_types.h"] = lambda: print_record_types(messages)
    files["api_table.cc"] = lambda: print_api_table(messages)
    return files


def write_if_changed(path, text):
    if not path.exists() or path.read_text() != text:
        path.write_text(text)


def main():
    schemas, target = sys.argv[1:3]
    messages = load_all(schemas)
    make = test_outputs if "--tests" in sys.argv else json_outputs if "--json" in sys.argv else outputs
    files = make(messages)
    if target == "--list":
        print(";".join(files))
        return
    directory = Path(target)
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        write_if_changed(directory / name, text())
    (directory / "stamp").write_text("")


main()
