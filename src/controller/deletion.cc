// Deletion of topics by name and by id: the rules of ControllerApis.deleteTopics of Kafka.
#include <map>
#include <set>

#include "controller/answer.h"
#include "controller/controller.h"
#include "wire/remove_topic_record.h"

namespace stele::controller {
namespace {

using base::Error;
using base::ErrorCode;

// What one request names, each thing once.
struct Named {
  std::set<std::string> names;
  std::set<std::string> names_twice;
  std::set<base::Uuid> ids;
  std::set<base::Uuid> ids_twice;

  void add(std::string_view name) {
    std::string text{name};
    if (names_twice.contains(text) || !names.insert(text).second) {
      names.erase(text);
      names_twice.insert(std::move(text));
    }
  }
  void add(const base::Uuid& id) {
    if (ids_twice.contains(id) || !ids.insert(id).second) {
      ids.erase(id);
      ids_twice.insert(id);
    }
  }
};

}  // namespace

Decision<wire::DeleteTopicsResponse> Controller::delete_topics(const wire::DeleteTopicsRequest& request,
                                                               std::pmr::memory_resource* arena) const {
  Decision<wire::DeleteTopicsResponse> out{{}, wire::DeleteTopicsResponse{wire::Allocator{arena}}};
  const auto answer = [&](std::optional<std::string_view> name, const base::Uuid& id, const Error& error) {
    auto& result = out.response.responses.emplace_back();
    result.name.reset();
    if (name) result.name = keep(arena, *name);
    result.topic_id = id;
    set_error(result, error, arena);
  };
  std::optional<Error> all;
  if (request.timeout_ms <= 0) all = Error{ErrorCode::kRequestTimedOut, ""};
  if (!effective_->boolean("delete.topic.enable"))
    all = Error{ErrorCode::kTopicDeletionDisabled, "Topic deletion is disabled."};
  if (all) {
    for (const std::string_view name : request.topic_names) answer(name, base::kZeroUuid, *all);
    for (const auto& topic : request.topics) answer(topic.name, topic.topic_id, *all);
    return out;
  }
  Named named;
  for (const std::string_view name : request.topic_names) named.add(name);
  for (const auto& topic : request.topics) {
    if (!topic.name && topic.topic_id.is_zero()) {
      answer(std::nullopt, base::kZeroUuid, {ErrorCode::kInvalidRequest, "Neither topic name nor id were specified."});
    } else if (!topic.name) {
      named.add(topic.topic_id);
    } else if (topic.topic_id.is_zero()) {
      named.add(*topic.name);
    } else {
      answer(topic.name, topic.topic_id,
             {ErrorCode::kInvalidRequest, "You may not specify both topic name and topic id."});
    }
  }
  for (const std::string& name : named.names_twice) {
    answer(name, base::kZeroUuid, {ErrorCode::kInvalidRequest, "Duplicate topic name."});
  }
  for (const base::Uuid& id : named.ids_twice) {
    answer(std::nullopt, id, {ErrorCode::kInvalidRequest, "Duplicate topic id."});
  }
  std::map<base::Uuid, std::string> doomed;
  for (const base::Uuid& id : named.ids) {
    if (const metadata::Topic* topic = image_->topic(id)) {
      doomed.emplace(id, topic->name);
    } else {
      answer(std::nullopt, id, {ErrorCode::kUnknownTopicId, std::string{default_message(ErrorCode::kUnknownTopicId)}});
    }
  }
  for (const std::string& name : named.names) {
    const metadata::Topic* topic = image_->topic(std::string_view{name});
    if (topic == nullptr) {
      answer(name, base::kZeroUuid,
             {ErrorCode::kUnknownTopicOrPartition, std::string{default_message(ErrorCode::kUnknownTopicOrPartition)}});
    } else if (named.ids_twice.contains(topic->id) || !doomed.emplace(topic->id, name).second) {
      doomed.erase(topic->id);
      answer(name, topic->id,
             {ErrorCode::kInvalidRequest, "The provided topic name maps to an ID that was already supplied."});
    }
  }
  for (const auto& [id, name] : doomed) {
    wire::RemoveTopicRecord record;
    record.topic_id = id;
    out.records.push_back(metadata::encode_record(record, 0));
    answer(name, id, {ErrorCode::kNone, ""});
  }
  return out;
}

}  // namespace stele::controller
