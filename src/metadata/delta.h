// Applies records to an image and remembers what they touched.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "metadata/image.h"
#include "metadata/record.h"

namespace stele::metadata {

// What differs between two images, for those who follow them without scanning. Names are looked up in the images.
struct Changes {
  // Topics that are in the new image and touched: new ones, and such with changed partitions (their indexes).
  std::map<base::TopicId, std::set<int32_t>> partitions;
  std::set<base::TopicId> topics_created;
  std::map<base::TopicId, std::string> topics_deleted;  // with their names
  std::set<base::BrokerId> brokers;
  std::set<ConfigResource> configs;
  bool features = false;
  bool producer_ids = false;
  bool security = false;  // ACLs, SCRAM credentials, quotas, delegation tokens

  bool empty() const;
  void add(const Changes& later);
};

class Delta {
 public:
  explicit Delta(ImagePtr base);

  // Applies one record. INVALID_RECORD, and the delta is to be thrown away, where the record cannot be read, is of an
  // unknown type or version, or contradicts the state (a partition of no topic).
  base::Result<void> apply(base::Bytes value);
  // Applies one batch of the log: all its records, control records included, and moves next_index, epoch and timestamp
  // behind it.
  base::Result<void> apply_batch(base::Bytes batch);

  // The state so far. Valid until the next apply() or finish().
  const Image& state() const { return *next_; }
  const ImagePtr& base() const { return base_; }
  const Changes& changes() const { return changes_; }

  // Ends the delta.
  ImagePtr finish() &&;

 private:
  base::Result<void> apply(const RecordHead& head, base::Bytes value);
  base::Result<void> apply_control(base::Bytes key, base::Bytes value);
  base::Result<void> apply_topic_record(int16_t type, int16_t version, base::Bytes message, base::Bytes value);
  base::Result<void> apply_broker_record(int16_t type, int16_t version, base::Bytes message, base::Bytes value);
  base::Result<void> apply_kept_record(int16_t type, int16_t version, base::Bytes message, base::Bytes value);
  base::Result<void> apply_transaction_record(int16_t type, int16_t version, base::Bytes message);

  template <class R>
  base::Result<void> on(const R& record, base::Bytes value);

  // The topic, made this delta's own so that its partitions can be changed in place.
  Topic* own_topic(const base::TopicId& id);
  void remove_topic(const base::TopicId& id);
  EditId edit() const { return next_->generation; }

  ImagePtr base_;
  std::unique_ptr<Image> next_;
  std::map<base::TopicId, std::shared_ptr<Topic>> own_topics_;
  Changes changes_;
};

}  // namespace stele::metadata
