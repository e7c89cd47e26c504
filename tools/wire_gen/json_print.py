"""Prints what turns the records of the internal topics, and control records, into JSON."""

import re

from cpp import differs
from source import condition

KINDS = {"record": "kMetadata", "group-key": "kGroupKey", "group-value": "kGroupValue", "transaction-key": "kTransactionKey",
         "transaction-value": "kTransactionValue", "share-key": "kShareKey", "share-value": "kShareValue", "remote-record": "kRemote",
         "control": "kControl", "consumer": "kConsumer"}
# Plain data that stands in records: control records by their type, and what members of consumer groups send each other.
IN_RECORDS = {"LeaderChangeMessage": ("control", 2), "SnapshotHeaderRecord": ("control", 3), "SnapshotFooterRecord": ("control", 4),
              "KRaftVersionRecord": ("control", 5), "VotersRecord": ("control", 6),
              "ConsumerProtocolSubscription": ("consumer", 0), "ConsumerProtocolAssignment": ("consumer", 1)}


def place(message):
    return IN_RECORDS.get(message.name, (message.kind, message.id))


def printed(messages):
    return sorted((m for m in messages if place(m)[0] in KINDS), key=lambda m: (list(KINDS).index(place(m)[0]), place(m)[1]))


def camel(name):
    return re.sub(r"_(.)", lambda found: found[1].upper(), name)


def member_lines(f, struct):
    tests = [condition(f.versions, struct.versions)]
    if f.tag is not None:
        tests.append(differs(f, f"m.{f.cpp_name}"))
    tests = [f"({t})" if len(tests) > 1 and t else t for t in tests if t]
    body = [f'out.name("{camel(f.name)}");', f"out.print_value(version, m.{f.cpp_name});"]
    if not tests:
        return body
    return [f"if ({' && '.join(tests)}) {{"] + ["  " + line for line in body] + ["}"]


def print_json_source(message):
    out = [f"// Generated from src/wire/schemas/{message.name}.schema; edit that.", f'#include "wire/{message.file}.h"', "",
           '#include "wire/codec.h"', '#include "wire/json_printer.h"', "", "namespace stele::wire {", ""]
    for struct in message.structs + [message.root]:
        out += [f"static void print(JsonPrinter& out, [[maybe_unused]] int16_t version, [[maybe_unused]] const {struct.full}& m) {{",
                "  out.begin_object();"]
        for f in struct.fields:
            out += ["  " + line for line in member_lines(f, struct)]
        out += ["  out.end_object();", "}", ""]
    out += [f"base::Result<std::string> json_of_{message.file}(int16_t version, base::Bytes bytes);",
            f"base::Result<std::string> json_of_{message.file}(int16_t version, base::Bytes bytes) {{",
            f"  STELE_TRY_ASSIGN(const auto message, from_bytes<{message.name}>(bytes, version));",
            "  JsonPrinter out;", "  print(out, version, message);", "  return out.text();", "}", "", "}  // namespace stele::wire"]
    return "\n".join(out) + "\n"


def print_json_table(messages):
    out = ["// Generated from src/wire/schemas; edit those.", '#include "wire/record_json.h"', "", "namespace stele::wire {", ""]
    out += [f"base::Result<std::string> json_of_{m.file}(int16_t version, base::Bytes bytes);" for m in printed(messages)]
    out += ["", "namespace {", "struct Printer {", "  RecordKind kind;", "  int16_t type;", "  std::string_view name;",
            "  base::Result<std::string> (*print)(int16_t, base::Bytes);", "};", "constexpr Printer kPrinters[] = {"]
    out += [f'    {{RecordKind::{KINDS[place(m)[0]]}, {place(m)[1]}, "{m.name}", &json_of_{m.file}}},' for m in printed(messages)]
    out += ["};", "", "const Printer* find(RecordKind kind, int16_t type) {", "  for (const Printer& printer : kPrinters) {",
            "    if (printer.kind == kind && printer.type == type) return &printer;", "  }", "  return nullptr;", "}",
            "}  // namespace", "", "std::string_view record_name(RecordKind kind, int16_t type) {",
            "  const Printer* printer = find(kind, type);", "  return printer == nullptr ? std::string_view{} : printer->name;", "}", "",
            "base::Result<std::string> record_to_json(RecordKind kind, int16_t type, int16_t version, base::Bytes bytes) {",
            "  const Printer* printer = find(kind, type);",
            '  if (printer == nullptr) return base::Error{base::ErrorCode::kInvalidRequest, "there is no record of type " + std::to_string(type)};',
            "  return printer->print(version, bytes);", "}", "", "}  // namespace stele::wire"]
    return "\n".join(out) + "\n"
