// segmentio's kafka-go: every codec, groups, administration. It has no idempotent producer.
package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"

	"stele/peers/corpus"
)

var (
	run         = corpus.Start("kafka-go")
	ctx, cancel = context.WithTimeout(context.Background(), 200*time.Second)
	client      = &kafka.Client{Addr: kafka.TCP(run.Address), Timeout: 20 * time.Second}
)

func create(topic string, partitions int, entries ...kafka.ConfigEntry) error {
	answer, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: topic,
		NumPartitions: partitions, ReplicationFactor: 1, ConfigEntries: entries}}})
	corpus.Check(err, "CreateTopics")
	return answer.Errors[topic]
}

// A new topic may not be served yet although Metadata shows its leaders; with several requests in flight a retry
// would change the order.
func waitServed(topic string) {
	corpus.Until(topic+" is served", func() bool { return ends(topic) == 0 })
}

// ends is the sum of the end offsets, or -1 if a partition answers with an error.
func ends(topic string) int64 {
	requests := []kafka.OffsetRequest{}
	for partition := range corpus.Partitions {
		requests = append(requests, kafka.LastOffsetOf(partition))
	}
	answer, err := client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: requests}})
	if err != nil {
		return -1
	}
	total := int64(0)
	for _, partition := range answer.Topics[topic] {
		if partition.Error != nil {
			return -1
		}
		total += partition.LastOffset
	}
	return total
}

// chosen sends each message to the partition named in its WriterData.
type chosen struct{}

func (chosen) Balance(message kafka.Message, _ ...int) int { return message.WriterData.(int) }

func write(topic string, rows []corpus.Row, codec kafka.Compression) {
	writer := &kafka.Writer{Addr: kafka.TCP(run.Address), Topic: topic, Balancer: chosen{}, Compression: codec,
		BatchBytes: 1048588, BatchTimeout: 5 * time.Millisecond, RequiredAcks: kafka.RequireAll}
	defer writer.Close()
	messages := make([]kafka.Message, len(rows))
	for i, row := range rows {
		messages[i] = kafka.Message{Key: row.Key, Value: row.Value, Time: row.Time(), WriterData: int(row.Partition)}
		for _, header := range row.Headers {
			messages[i].Headers = append(messages[i].Headers, kafka.Header{Key: header.Name, Value: header.Value})
		}
	}
	corpus.Check(writer.WriteMessages(ctx, messages...), topic+": write")
}

func seen(message kafka.Message) corpus.Row {
	row := corpus.Row{Partition: int32(message.Partition), Offset: message.Offset, Key: message.Key,
		Value: message.Value, Headers: []corpus.Header{}, Timestamp: message.Time.UnixMilli()}
	for _, header := range message.Headers {
		row.Headers = append(row.Headers, corpus.Header{Name: header.Key, Value: header.Value})
	}
	return row
}

func read(topic string) []corpus.Row {
	var rows []corpus.Row
	for partition := range corpus.Partitions {
		reader := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{run.Address}, Topic: topic, Partition: partition,
			MaxWait: 100 * time.Millisecond})
		for range len(run.Rows) / corpus.Partitions {
			message, err := reader.ReadMessage(ctx)
			corpus.Check(err, topic+": read")
			rows = append(rows, seen(message))
		}
		corpus.Check(reader.Close(), "close")
	}
	return rows
}

func codecs() {
	codecs := map[string]kafka.Compression{"none": 0, "gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4,
		"zstd": kafka.Zstd}
	for _, codec := range corpus.Codecs {
		corpus.Step("codec %s", codec)
		topic := run.Topic(codec)
		corpus.Check(create(topic, corpus.Partitions), "create")
		waitServed(topic)
		write(topic, run.Rows, codecs[codec])
		run.Dump(topic, read(topic))
	}
	for _, seed := range run.Seeds {
		corpus.Step("%s", seed)
		run.Dump(seed, read(seed))
	}
}

func group(name string) *kafka.Reader {
	return kafka.NewReader(kafka.ReaderConfig{Brokers: []string{run.Address}, GroupID: name, Topic: run.Topic("none"),
		StartOffset: kafka.FirstOffset, HeartbeatInterval: 300 * time.Millisecond, SessionTimeout: 10 * time.Second,
		MaxWait: 100 * time.Millisecond})
}

func groups() {
	corpus.Step("group: commit, restart, resume")
	name := fmt.Sprintf("kafka-go-%d", time.Now().UnixNano())
	var rows []corpus.Row
	for _, target := range []int{len(run.Rows) / 2, len(run.Rows)} {
		reader := group(name)
		for len(rows) < target {
			message, err := reader.FetchMessage(ctx)
			corpus.Check(err, "fetch")
			corpus.Check(reader.CommitMessages(ctx, message), "commit")
			rows = append(rows, seen(message))
		}
		corpus.Check(reader.Close(), "close")
	}
	run.Dump(run.Topic("none-group"), rows)

	corpus.Step("group: two members share, one leaves")
	sizes := func() []int {
		answer, err := client.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{name}})
		corpus.Check(err, "DescribeGroups")
		out := []int{}
		for _, member := range answer.Groups[0].Members {
			for _, topic := range member.MemberAssignments.Topics {
				out = append(out, len(topic.Partitions))
			}
		}
		return out
	}
	first, second := group(name), group(name)
	corpus.Until("both members own partitions", func() bool {
		got := sizes()
		return len(got) == 2 && got[0]*got[1] == 2
	})
	corpus.Check(first.Close(), "leave")
	corpus.Until("the remaining member owns all", func() bool {
		got := sizes()
		return len(got) == 1 && got[0] == corpus.Partitions
	})
	corpus.Check(second.Close(), "leave")
	committed, err := client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: name,
		Topics: map[string][]int{run.Topic("none"): {0, 1, 2}}})
	corpus.Check(err, "OffsetFetch")
	total := int64(0)
	for _, partition := range committed.Topics[run.Topic("none")] {
		total += partition.CommittedOffset
	}
	corpus.Expect(total == int64(len(run.Rows)), "committed offsets sum to %d", total)
}

func administration() {
	corpus.Step("offsets by time")
	probe := run.Rows[120]
	answer, err := client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{
		run.Topic("none"): {kafka.TimeOffsetOf(int(probe.Partition), probe.Time())}}})
	corpus.Check(err, "ListOffsets")
	_, found := answer.Topics[run.Topic("none")][0].Offsets[40]
	corpus.Expect(found, "ListOffsets: %+v", answer.Topics)

	corpus.Step("create, describe, alter, grow, delete")
	topic := run.Topic("admin")
	corpus.Check(create(topic, 2, kafka.ConfigEntry{ConfigName: "retention.ms", ConfigValue: "3600000"}), "create")
	partitions := func() int {
		metadata, err := client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
		corpus.Check(err, "Metadata")
		return len(metadata.Topics[0].Partitions)
	}
	config := func(name string) string {
		answer, err := client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{
			{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, ConfigNames: []string{name}}}})
		corpus.Check(err, "DescribeConfigs")
		return answer.Resources[0].ConfigEntries[0].ConfigValue
	}
	corpus.Until("two partitions", func() bool { return partitions() == 2 })
	corpus.Expect(config("retention.ms") == "3600000", "DescribeConfigs")
	altered, err := client.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{
		Resources: []kafka.IncrementalAlterConfigsRequestResource{{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic,
			Configs: []kafka.IncrementalAlterConfigsRequestConfig{{Name: "segment.bytes", Value: "2097152",
				ConfigOperation: kafka.ConfigOperationSet}}}}})
	corpus.Check(errors.Join(err, altered.Resources[0].Error), "IncrementalAlterConfigs")
	corpus.Until("altered configs", func() bool { return config("segment.bytes") == "2097152" })
	grown, err := client.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{Topics: []kafka.TopicPartitionsConfig{
		{Name: topic, Count: 5}}})
	corpus.Check(errors.Join(err, grown.Errors[topic]), "CreatePartitions")
	corpus.Until("five partitions", func() bool { return partitions() == 5 })
	corpus.Expect(errors.Is(create(topic, 1), kafka.TopicAlreadyExists), "creating a topic twice")
	deleted, err := client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{topic}})
	corpus.Check(errors.Join(err, deleted.Errors[topic]), "DeleteTopics")
	corpus.Until("the deleted topic is gone", func() bool {
		metadata, err := client.Metadata(ctx, &kafka.MetadataRequest{})
		corpus.Check(err, "Metadata")
		for _, one := range metadata.Topics {
			if one.Name == topic {
				return false
			}
		}
		return true
	})
}

func main() {
	defer cancel()
	codecs()
	groups()
	administration()
}
