#include "config/broker_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "config/describe.h"
#include "config/topic_config.h"

namespace stele::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

std::vector<std::string> findings(std::string_view file, Finding::Severity severity) {
  std::vector<std::string> texts;
  for (const Finding& finding : BrokerConfig::load(file).findings) {
    if (finding.severity == severity) texts.push_back(to_text(finding));
  }
  return texts;
}
std::vector<std::string> errors(std::string_view file) { return findings(file, Finding::Severity::kError); }
std::vector<std::string> warnings(std::string_view file) { return findings(file, Finding::Severity::kWarning); }

BrokerConfig loaded(std::string_view file) {
  BrokerConfig::Loaded result = BrokerConfig::load(file);
  for (const Finding& finding : result.findings) {
    EXPECT_FALSE(finding.is_error()) << to_text(finding);
  }
  return *std::move(result.config);
}

std::vector<std::string> texts(const std::vector<Endpoint>& endpoints) {
  std::vector<std::string> out;
  for (const Endpoint& endpoint : endpoints) out.push_back(to_text(endpoint));
  return out;
}

TEST(BrokerConfig, without_a_file_it_is_one_broker_that_works_alone) {
  const BrokerConfig config = BrokerConfig::without_file();
  EXPECT_EQ(config.node_id(), 1);
  EXPECT_EQ(config.number("offsets.topic.replication.factor"), 1);
  EXPECT_EQ(config.number("transaction.state.log.min.isr"), 1);
  EXPECT_THAT(texts(config.listeners().brokers), ElementsAre("PLAINTEXT://:9092"));
  EXPECT_THAT(config.log_dirs(), ElementsAre("/tmp/kafka-logs"));
  EXPECT_THAT(replication_shortfalls(config, 1), IsEmpty());
}

TEST(BrokerConfig, what_images_and_tutorials_set_passes_without_a_word) {
  constexpr std::string_view kFile = R"(
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@localhost:9093
controller.quorum.bootstrap.servers=localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093,EXTERNAL://0.0.0.0:9094
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://localhost:9092,EXTERNAL://broker.example:9094
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,EXTERNAL:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT
num.network.threads=3
num.io.threads=16
socket.send.buffer.bytes=102401
socket.receive.buffer.bytes=102401
socket.request.max.bytes=104857601
log.dirs=/tmp/kraft-combined-logs
num.partitions=6
default.replication.factor=1
min.insync.replicas=1
num.recovery.threads.per.data.dir=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=10
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
message.max.bytes=2000000
log.retention.hours=24
log.retention.bytes=1000000
log.retention.check.interval.ms=1000
log.segment.bytes=1073741823
)";
  EXPECT_THAT(BrokerConfig::load(kFile).findings, IsEmpty());
  const BrokerConfig config = loaded(kFile);
  EXPECT_THAT(texts(config.listeners().brokers), ElementsAre("PLAINTEXT://:9092", "EXTERNAL://0.0.0.0:9094"));
  EXPECT_THAT(texts(config.listeners().advertised),
              ElementsAre("PLAINTEXT://localhost:9092", "EXTERNAL://broker.example:9094"));
  EXPECT_THAT(texts(config.listeners().controllers), ElementsAre("CONTROLLER://:9093"));
  EXPECT_EQ(config.listeners().inter_broker, "PLAINTEXT");
}

TEST(BrokerConfig, wrong_values_are_named_with_their_line) {
  EXPECT_THAT(
      errors("# comment\nnum.partitions=many\nlog.segment.bytes=5\n"),
      ElementsAre("line 2: num.partitions: Invalid value many for configuration num.partitions: Not a number of "
                  "type INT",
                  "line 3: log.segment.bytes: Invalid value 5 for configuration log.segment.bytes: Value must be "
                  "at least 1048576"));
}

TEST(BrokerConfig, unknown_options_are_warnings_with_the_nearest_name) {
  EXPECT_THAT(warnings("log.dris=/data\n"),
              ElementsAre("line 1: log.dris: unknown option, ignored; did you mean log.dirs?"));
  EXPECT_THAT(warnings("confluent.license.topic=x\n"),
              ElementsAre("line 1: confluent.license.topic: unknown option, ignored"));
  EXPECT_THAT(warnings("retention.ms=5\n"), ElementsAre(HasSubstr("the broker's option is log.retention.ms")));
  EXPECT_THAT(warnings("zookeeper.connect=zk:2181\n"), ElementsAre(HasSubstr("removed")));
}

TEST(BrokerConfig, an_unknown_option_of_our_own_is_an_error) {
  EXPECT_THAT(errors("stele.shard=3\n"),
              ElementsAre("line 1: stele.shard: Stele has no such option; did you mean stele.shards?"));
}

TEST(BrokerConfig, options_without_effect_warn_unless_they_are_at_their_default) {
  EXPECT_THAT(warnings("log.cleaner.threads=4\n"),
              ElementsAre("line 1: log.cleaner.threads: has no effect yet in this version of Stele"));
  EXPECT_THAT(warnings("log.cleaner.threads=1\n"), IsEmpty());
}

TEST(BrokerConfig, an_option_set_twice_keeps_the_last_value_and_warns) {
  EXPECT_EQ(loaded("num.partitions=2\nnum.partitions=3\n").number("num.partitions"), 3);
  EXPECT_THAT(warnings("num.partitions=2\nnum.partitions=3\n"),
              ElementsAre("line 2: num.partitions: set again; the value of line 1 does not count"));
}

class Refused : public ::testing::TestWithParam<const char*> {};

TEST_P(Refused, stops_the_start_unless_insecurity_is_allowed) {
  const std::string file = GetParam();
  EXPECT_THAT(errors(file), SizeIs(1)) << file;
  EXPECT_FALSE(BrokerConfig::load(file).config.has_value());
  const std::string allowed = file + "\nstele.allow.insecure=true\n";
  EXPECT_THAT(errors(allowed), IsEmpty()) << file;
  EXPECT_THAT(warnings(allowed), ElementsAre(HasSubstr("IGNORED because stele.allow.insecure=true"))) << file;
}

INSTANTIATE_TEST_SUITE_P(
    Options, Refused,
    ::testing::Values("authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                      "super.users=User:admin", "sasl.enabled.mechanisms=SCRAM-SHA-256",
                      "listener.name.sasl_plain.plain.sasl.jaas.config=secret", "ssl.keystore.location=/etc/k.jks",
                      "ssl.client.auth=required", "log.flush.interval.messages=1", "log.flush.interval.ms=1000",
                      "log.flush.scheduler.interval.ms=1000", "remote.log.storage.system.enable=true",
                      "controller.quorum.voters=1@a:1,2@b:1,3@c:1", "listeners=SASL_SSL://:9092",
                      "listeners=CLIENT://:9092\nlistener.security.protocol.map=CLIENT:SSL",
                      "security.inter.broker.protocol=SSL", "delegation.token.secret.key=x"));

TEST(BrokerConfig, refused_options_at_their_default_pass) {
  EXPECT_THAT(BrokerConfig::load("ssl.client.auth=none\nlog.flush.interval.messages=9223372036854775807\n"
                                 "sasl.enabled.mechanisms=GSSAPI\nauthorizer.class.name=\n"
                                 "remote.log.storage.system.enable=false\n")
                  .findings,
              IsEmpty());
}

TEST(BrokerConfig, listeners_that_cannot_work_are_errors) {
  EXPECT_THAT(errors("listeners=9092"), ElementsAre(HasSubstr("write NAME://host:port")));
  EXPECT_THAT(errors("listeners=PLAINTEXT://:99999"), ElementsAre(HasSubstr("is no listener")));
  EXPECT_THAT(errors("listeners=PLAINTEXT://:1,PLAINTEXT://:2"), ElementsAre(HasSubstr("twice")));
  EXPECT_THAT(errors("listeners=PLAINTEXT://:1,B://:1\nlistener.security.protocol.map=PLAINTEXT:PLAINTEXT,B:PLAINTEXT"),
              ElementsAre(HasSubstr("the same address")));
  EXPECT_THAT(errors("listeners=INSIDE://:1"), ElementsAre(HasSubstr("INSIDE:PLAINTEXT")));
  EXPECT_THAT(errors("listeners=CONTROLLER://:1"), ElementsAre(HasSubstr("no listener for clients")));
  EXPECT_THAT(errors("listeners=PLAINTEXT://0.0.0.0:1"), ElementsAre(HasSubstr("advertised.listeners")));
  EXPECT_THAT(errors("advertised.listeners=OTHER://a:1"), ElementsAre(HasSubstr("not in listeners")));
  EXPECT_THAT(errors("inter.broker.listener.name=OTHER"), ElementsAre(HasSubstr("OTHER")));
}

TEST(BrokerConfig, listener_names_are_upper_case_and_hosts_may_be_ipv6) {
  const BrokerConfig config = loaded("listeners=plaintext://[::1]:9092\n");
  EXPECT_EQ(config.listeners().brokers[0].host, "::1");
  EXPECT_THAT(texts(config.listeners().brokers), ElementsAre("PLAINTEXT://[::1]:9092"));
}

TEST(BrokerConfig, the_command_line_overrides_the_file) {
  const BrokerConfig::Loaded result = BrokerConfig::load("log.dirs=/a\nnum.partitions=2\n", {{"log.dirs", "/b"}});
  EXPECT_THAT(result.findings, IsEmpty());
  EXPECT_THAT(result.config->log_dirs(), ElementsAre("/b"));
  EXPECT_EQ(result.config->number("num.partitions"), 2);
  const BrokerConfig::Loaded bare =
      BrokerConfig::without_file({{"log.dirs", "/c"}, {"transaction.state.log.min.isr", "2"}});
  EXPECT_THAT(bare.config->log_dirs(), ElementsAre("/c"));
  EXPECT_EQ(bare.config->number("transaction.state.log.min.isr"), 2);
  EXPECT_EQ(bare.config->number("offsets.topic.replication.factor"), 1);
  EXPECT_THAT(to_text(BrokerConfig::without_file({{"num.partitions", "x"}}).findings.at(0)),
              HasSubstr("num.partitions: Invalid value x"));
}

TEST(BrokerConfig, roles_and_voters_must_be_this_node) {
  EXPECT_THAT(errors("process.roles=broker"), ElementsAre(HasSubstr("lacks the role controller")));
  EXPECT_THAT(errors("node.id=2\ncontroller.quorum.voters=1@localhost:9093"), ElementsAre(HasSubstr("names node 1")));
  EXPECT_THAT(errors("controller.quorum.voters=localhost:9093"), ElementsAre(HasSubstr("id@host:port")));
  EXPECT_THAT(errors("node.id=1\nbroker.id=2"), ElementsAre(HasSubstr("node.id is 1")));
  EXPECT_EQ(loaded("broker.id=7").node_id(), 7);
}

TEST(BrokerConfig, log_dirs_take_the_place_of_log_dir) {
  EXPECT_THAT(loaded("log.dir=/a\n").log_dirs(), ElementsAre("/a"));
  const BrokerConfig config = loaded("log.dir=/a\nlog.dirs=/b, /c\nmetadata.log.dir=/m\n");
  EXPECT_THAT(config.log_dirs(), ElementsAre("/b", "/c"));
  EXPECT_EQ(config.metadata_log_dir(), "/m");
  EXPECT_THAT(errors("log.dirs=/a,/a"), ElementsAre(HasSubstr("twice")));
  EXPECT_THAT(errors("log.dirs="), ElementsAre(HasSubstr("at least one")));
}

TEST(BrokerConfig, asking_for_more_replicas_than_brokers_names_the_option) {
  EXPECT_THAT(replication_shortfalls(loaded("transaction.state.log.replication.factor=1\n"
                                            "share.coordinator.state.topic.replication.factor=1\n"),
                                     1),
              ElementsAre(HasSubstr("offsets.topic.replication.factor is 3, but there is 1 broker")));
}

TEST(BrokerConfig, the_largest_request_must_fit_its_budget) {
  EXPECT_THAT(errors("stele.memory.groups.bytes=2000000"), ElementsAre(HasSubstr("socket.request.max.bytes")));
}

// Reads everything a broker can read; a value that was let through but cannot be used would meet a CHECK.
void read_all(const BrokerConfig& config) {
  for (const OptionGroup& group : broker_option_groups()) {
    for (const Option& option : group.options) EXPECT_NO_FATAL_FAILURE(to_text(config.value(option.name)));
  }
  make_topic_config(config, {});
  describe_broker(config);
  describe_topic(config, {});
  describe_group(config, {});
  replication_shortfalls(config, 1);
  config.metadata_log_dir();
}

TEST(BrokerConfig, whatever_value_an_option_has_it_is_refused_or_can_be_used) {
  constexpr const char* kOdd[] = {"",
                                  "-1",
                                  "0",
                                  "1",
                                  "x",
                                  ",",
                                  "a,,b",
                                  "true",
                                  "9223372036854775807",
                                  "-9223372036854775808",
                                  "2147483647",
                                  "1e400",
                                  "PLAINTEXT://:1",
                                  "\\u0000",
                                  "1@",
                                  "*"};
  const BrokerConfig plain = BrokerConfig::without_file();
  size_t started = 0;
  for (const OptionGroup& group : broker_option_groups()) {
    for (const Option& option : group.options) {
      for (const char* odd : kOdd) {
        const std::string file = std::string(option.name) + "=" + odd + "\nstele.allow.insecure=true\n";
        const BrokerConfig::Loaded result = BrokerConfig::load(file);
        const bool failed = std::ranges::any_of(result.findings, &Finding::is_error);
        EXPECT_EQ(result.config.has_value(), !failed) << file;
        const BrokerConfig changed = plain.with_dynamic({{std::string(option.name), odd}}, {});
        changed.value(option.name);
        if (!result.config) continue;
        result.config->value(option.name);
        make_topic_config(*result.config, {});
        if (++started % 40 != 0) continue;
        read_all(*result.config);
        read_all(changed);
      }
    }
  }
  EXPECT_GT(started, 1000u);
}

TEST(DynamicValues, follow_the_tables_update_modes) {
  const BrokerConfig config = loaded("");
  const auto check = [&](std::string_view name, std::string_view value, bool this_broker) {
    return check_dynamic_values(config, {{std::string(name), std::string(value)}}, this_broker);
  };
  EXPECT_TRUE(check("log.retention.ms", "1000", false).ok());
  EXPECT_TRUE(check("listeners", "PLAINTEXT://:9092", true).ok());
  EXPECT_TRUE(check("plugin.option", "x", true).ok());
  EXPECT_EQ(check("node.id", "2", true).code(), base::ErrorCode::kInvalidRequest);
  EXPECT_EQ(check("listeners", "PLAINTEXT://:9092", false).code(), base::ErrorCode::kInvalidRequest);
  EXPECT_EQ(check("log.retention.ms", "x", true).code(), base::ErrorCode::kInvalidRequest);
  EXPECT_EQ(check("log.flush.interval.messages", "1", false).code(), base::ErrorCode::kInvalidConfig);
}

}  // namespace
}  // namespace stele::config
