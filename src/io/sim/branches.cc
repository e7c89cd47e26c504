#include "io/sim/branches.h"

#include <array>

namespace stele::io {

namespace {

// Sorted. What the name tells first is who passes it.
constexpr auto kBranches = std::to_array<std::string_view>({
    "broker.early_idle",
    "broker.log_dir_offline",
    "controller.early_snapshot",
    "controller.late_publish",
    "fetch.early_wake",
    "fetch.late_answer",
    "log.cut_while_reading",
    "log.cut_while_syncing",
    "log.damage_refused",
    "log.early_flush",
    "log.early_roll",
    "log.failed",
    "log.index_rebuilt",
    "log.late_indexes",
    "log.late_step",
    "log.no_index_entry",
    "log.past_the_journal",
    "log.sent_unread",
    "log.short_read",
    "log.small_send",
    "log.small_write",
    "log.sync_all",
    "log.write_undone",
    "metadata.early_roll",
    "produce.late_answer",
    "recovery.segment_set_aside",
    "recovery.tail_cut",
    "server.loaded_to_send",
    "server.short_turn",
});

}  // namespace

std::span<const std::string_view> known_branches() { return kBranches; }

}  // namespace stele::io
