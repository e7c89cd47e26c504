"""Prints, for the tests only, what fills a message with random values and an entry for it in the catalog of all messages."""

from source import condition, null_allowed, overlap


def fill_lines(message, struct):
    lines = []
    for f in struct.fields:
        test = condition(f.versions, struct.versions)
        extra = f", {null_allowed(f, overlap(f.versions, struct.versions))}" if f.nullable else ""
        call = (f"fill_struct(filler, version, m.{f.cpp_name});" if f.struct is not None and not f.array and not f.nullable
                else f"filler.fill(version, m.{f.cpp_name}{extra});")
        lines.append(f"  {f'if ({test}) ' if test else ''}{call}")
    if message.keeps_unknown_tags and message.flexible is not None:
        lines.append("  filler.fill_unknown(m.unknown_tagged_fields);")
    return lines


def print_entry(message):
    out = [f"// Generated from src/wire/schemas/{message.name}.schema; edit that.", '#include "wire/catalog_test.h"',
           f'#include "wire/{message.file}.h"', "", "namespace stele::wire {", ""]
    for struct in message.structs + [message.root]:
        out.append(f"static void fill_struct([[maybe_unused]] Filler& filler, [[maybe_unused]] int16_t version, "
                   f"[[maybe_unused]] {struct.full}& m) {{")
        out += fill_lines(message, struct) + ["}", ""]
    out += [f"extern const CatalogEntry kCatalog{message.name};",
            f"const CatalogEntry kCatalog{message.name} = make_entry<{message.name}>();", "", "}  // namespace stele::wire"]
    return "\n".join(out) + "\n"


def print_catalog(messages):
    out = ["// Generated from src/wire/schemas; edit those.", '#include "wire/catalog_test.h"', "", "namespace stele::wire {", ""]
    out += [f"extern const CatalogEntry kCatalog{m.name};" for m in messages]
    out += ["", "std::span<const CatalogEntry* const> catalog() {", "  static constexpr const CatalogEntry* kAll[] = {"]
    out += [f"      &kCatalog{m.name}," for m in messages]
    out += ["  };", "  return kAll;", "}", "", "}  // namespace stele::wire"]
    return "\n".join(out) + "\n"
