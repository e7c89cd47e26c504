#include "app/advice.h"

namespace stele::app {

std::string_view advice_for(base::ErrorCode code) {
  using enum base::ErrorCode;
  switch (code) {
    case kUnknownTopicOrPartition:
    case kUnknownTopicId:
      return "'stele topic list' shows the topics that exist; 'stele topic create' makes one.";
    case kTopicAlreadyExists:
      return "Use 'stele topic alter' to change it, or --if-not-exists to accept it as it is.";
    case kInvalidReplicationFactor:
      return "The replication factor can't be larger than the number of brokers that are up; try --replication-factor "
             "1.";
    case kInvalidPartitions:
      return "Partitions can be added, never taken away; a new topic needs at least one.";
    case kInvalidConfig:
      return "'stele docs configuration' describes every option and its range.";
    case kInvalidTopicException:
      return "A name has 1 to 249 of the characters a-z, A-Z, 0-9, '.', '_' and '-'.";
    case kTopicDeletionDisabled:
      return "Set delete.topic.enable=true on the brokers.";
    case kTopicAuthorizationFailed:
    case kGroupAuthorizationFailed:
    case kClusterAuthorizationFailed:
    case kTransactionalIdAuthorizationFailed:
      return "The brokers' access rules don't allow it; ask who administers the cluster for the permission.";
    case kRequestTimedOut:
      return "The cluster may be busy or without a controller; look at the brokers' logs, or allow more with "
             "--timeout.";
    case kNotController:
    case kLeaderNotAvailable:
    case kNotLeaderOrFollower:
    case kCoordinatorNotAvailable:
    case kCoordinatorLoadInProgress:
      return "The cluster is electing a leader; try again in a moment.";
    case kUnsupportedVersion:
      return "The broker is older or newer than this program; 'stele --version' tells what it speaks.";
    case kNotEnoughReplicas:
    case kNotEnoughReplicasAfterAppend:
      return "Fewer replicas are in sync than min.insync.replicas asks for; 'stele topic describe' shows them.";
    case kMessageTooLarge:
      return "Raise max.message.bytes of the topic ('stele topic alter --config max.message.bytes=N'), or send less.";
    case kOffsetOutOfRange:
      return "Such records are gone or not yet written; read from --offset beginning or end.";
    case kPolicyViolation:
      return "A policy of the cluster forbids it.";
    default:
      return {};
  }
}

}  // namespace stele::app
