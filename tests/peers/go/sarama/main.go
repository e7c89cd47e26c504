// sarama: every codec, idempotence, groups, administration.
package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"stele/peers/corpus"
)

var run = corpus.Start("sarama")

func config() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	config.Producer.Return.Successes = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Producer.MaxMessageBytes = 1048588
	config.Net.MaxOpenRequests = 1
	config.Consumer.MaxWaitTime = 100 * time.Millisecond
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	config.Consumer.Group.Heartbeat.Interval = 300 * time.Millisecond
	config.Consumer.Group.Session.Timeout = 10 * time.Second
	return config
}

func admin() sarama.ClusterAdmin {
	made, err := sarama.NewClusterAdmin([]string{run.Address}, config())
	corpus.Check(err, "an admin client")
	return made
}

func create(topic string, partitions int32, entries map[string]*string) error {
	admin := admin()
	defer admin.Close()
	return admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1,
		ConfigEntries: entries}, false)
}

func bytes(data []byte) sarama.Encoder {
	if data == nil {
		return nil
	}
	return sarama.ByteEncoder(data)
}

func write(topic string, rows []corpus.Row, config *sarama.Config) {
	producer, err := sarama.NewSyncProducer([]string{run.Address}, config)
	corpus.Check(err, "a producer")
	defer producer.Close()
	messages := make([]*sarama.ProducerMessage, len(rows))
	for i, row := range rows {
		messages[i] = &sarama.ProducerMessage{Topic: topic, Partition: row.Partition, Key: bytes(row.Key),
			Value: bytes(row.Value), Timestamp: row.Time()}
		for _, header := range row.Headers {
			messages[i].Headers = append(messages[i].Headers,
				sarama.RecordHeader{Key: []byte(header.Name), Value: header.Value})
		}
	}
	corpus.Check(producer.SendMessages(messages), topic+": produce")
}

func seen(message *sarama.ConsumerMessage) corpus.Row {
	row := corpus.Row{Partition: message.Partition, Offset: message.Offset, Key: message.Key, Value: message.Value,
		Headers: []corpus.Header{}, Timestamp: message.Timestamp.UnixMilli()}
	for _, header := range message.Headers {
		row.Headers = append(row.Headers, corpus.Header{Name: string(header.Key), Value: header.Value})
	}
	return row
}

func read(topic string) []corpus.Row {
	consumer, err := sarama.NewConsumer([]string{run.Address}, config())
	corpus.Check(err, "a consumer")
	defer consumer.Close()
	var rows []corpus.Row
	for partition := int32(0); partition < corpus.Partitions; partition++ {
		messages, err := consumer.ConsumePartition(topic, partition, sarama.OffsetOldest)
		corpus.Check(err, "consume a partition")
		for range len(run.Rows) / corpus.Partitions {
			select {
			case message := <-messages.Messages():
				rows = append(rows, seen(message))
			case <-time.After(40 * time.Second):
				corpus.Fail("%s: %d records", topic, len(rows))
			}
		}
		corpus.Check(messages.Close(), "close")
	}
	return rows
}

func codecs() {
	codecs := map[string]sarama.CompressionCodec{"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP,
		"snappy": sarama.CompressionSnappy, "lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD}
	for _, codec := range corpus.Codecs {
		corpus.Step("codec %s", codec)
		topic, config := run.Topic(codec), config()
		config.Producer.Compression = codecs[codec]
		corpus.Check(create(topic, corpus.Partitions, nil), "create")
		write(topic, run.Rows, config)
		run.Dump(topic, read(topic))
	}
	for _, seed := range run.Seeds {
		corpus.Step("%s", seed)
		run.Dump(seed, read(seed))
	}
	corpus.Step("idempotent producer")
	topic, config := run.Topic("idempotent"), config()
	config.Producer.Idempotent = true
	corpus.Check(create(topic, corpus.Partitions, nil), "create")
	write(topic, run.Rows, config)
	run.Dump(topic, read(topic))
}

// member is a handler of a consumer group: it notes what it owns and hands over messages.
type member struct {
	lock     sync.Mutex
	owned    int
	messages chan *sarama.ConsumerMessage
	group    sarama.ConsumerGroup
	cancel   context.CancelFunc
	ended    chan struct{}
}

func (m *member) Setup(session sarama.ConsumerGroupSession) error {
	m.set(len(session.Claims()[run.Topic("none")]))
	return nil
}

func (m *member) Cleanup(sarama.ConsumerGroupSession) error {
	m.set(0)
	return nil
}

func (m *member) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for message := range claim.Messages() {
		select {
		case m.messages <- message:
			session.MarkMessage(message, "")
			session.Commit()
		case <-session.Context().Done():
			return nil
		}
	}
	return nil
}

func (m *member) set(owned int) {
	m.lock.Lock()
	defer m.lock.Unlock()
	m.owned = owned
}

func (m *member) owns() int {
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.owned
}

func join(name string) *member {
	group, err := sarama.NewConsumerGroup([]string{run.Address}, name, config())
	corpus.Check(err, "a consumer group")
	ctx, cancel := context.WithCancel(context.Background())
	m := &member{messages: make(chan *sarama.ConsumerMessage), group: group, cancel: cancel, ended: make(chan struct{})}
	go func() {
		defer close(m.ended)
		for ctx.Err() == nil {
			if err := group.Consume(ctx, []string{run.Topic("none")}, m); err != nil && ctx.Err() == nil {
				corpus.Check(err, "consume")
			}
		}
	}()
	return m
}

func (m *member) leave() {
	m.cancel()
	<-m.ended
	corpus.Check(m.group.Close(), "leave")
}

func groups(admin sarama.ClusterAdmin) {
	corpus.Step("group: commit, restart, resume")
	name := fmt.Sprintf("sarama-%d", time.Now().UnixNano())
	var rows []corpus.Row
	for _, target := range []int{len(run.Rows) / 2, len(run.Rows)} {
		m := join(name)
		for len(rows) < target {
			select {
			case message := <-m.messages:
				rows = append(rows, seen(message))
			case <-time.After(40 * time.Second):
				corpus.Fail("a group read %d records", len(rows))
			}
		}
		m.leave()
	}
	run.Dump(run.Topic("none-group"), rows)

	corpus.Step("group: two members share, one leaves")
	first, second := join(name), join(name)
	corpus.Until("both members own partitions", func() bool {
		a, b := first.owns(), second.owns()
		return a+b == corpus.Partitions && a*b == 2
	})
	first.leave()
	corpus.Until("the remaining member owns all", func() bool { return second.owns() == corpus.Partitions })
	second.leave()
	committed, err := admin.ListConsumerGroupOffsets(name, map[string][]int32{run.Topic("none"): {0, 1, 2}})
	corpus.Check(err, "committed offsets")
	total := int64(0)
	for _, block := range committed.Blocks[run.Topic("none")] {
		total += block.Offset
	}
	corpus.Expect(total == int64(len(run.Rows)), "committed offsets sum to %d", total)
}

func offsets() {
	corpus.Step("offsets")
	client, err := sarama.NewClient([]string{run.Address}, config())
	corpus.Check(err, "a client")
	defer client.Close()
	for time, want := range map[int64]int64{sarama.OffsetOldest: 0, sarama.OffsetNewest: 80, run.Rows[120].Timestamp: 40} {
		offset, err := client.GetOffset(run.Topic("none"), 0, time)
		corpus.Check(err, "GetOffset")
		corpus.Expect(offset == want, "offset of %d is %d, not %d", time, offset, want)
	}
}

func administration(admin sarama.ClusterAdmin) {
	corpus.Step("create, list, describe, alter, grow, delete")
	topic, hour, two := run.Topic("admin"), "3600000", "2097152"
	corpus.Check(create(topic, 2, map[string]*string{"retention.ms": &hour}), "create")
	partitions := func() int {
		described, err := admin.DescribeTopics([]string{topic})
		corpus.Check(err, "DescribeTopics")
		return len(described[0].Partitions)
	}
	setting := func(name string) string {
		entries, err := admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: topic,
			ConfigNames: []string{name}})
		corpus.Check(err, "DescribeConfig")
		return entries[0].Value
	}
	corpus.Until("two partitions", func() bool { return partitions() == 2 })
	corpus.Expect(setting("retention.ms") == hour, "DescribeConfig")
	corpus.Check(admin.IncrementalAlterConfig(sarama.TopicResource, topic, map[string]sarama.IncrementalAlterConfigsEntry{
		"max.message.bytes": {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &two}}, false), "incremental")
	corpus.Until("altered configs", func() bool { return setting("max.message.bytes") == two })
	corpus.Expect(setting("retention.ms") == hour, "IncrementalAlterConfig changes only what it names")
	// AlterConfigs replaces all overrides of the topic, so that retention.ms falls back to its default.
	corpus.Check(admin.AlterConfig(sarama.TopicResource, topic, map[string]*string{"segment.bytes": &two}, false), "alter")
	corpus.Until("replaced configs", func() bool {
		return setting("segment.bytes") == two && setting("retention.ms") == "604800000"
	})
	corpus.Check(admin.CreatePartitions(topic, 5, nil, false), "CreatePartitions")
	corpus.Until("five partitions", func() bool { return partitions() == 5 })
	corpus.Expect(errors.Is(create(topic, 1, nil), sarama.ErrTopicAlreadyExists), "creating a topic twice")
	brokers, _, err := admin.DescribeCluster()
	corpus.Check(err, "DescribeCluster")
	corpus.Expect(len(brokers) == 1, "%d brokers", len(brokers))
	ten := append([]corpus.Row(nil), run.Rows[:10]...)
	for i := range ten {
		ten[i].Partition = 0
	}
	write(topic, ten, config())
	corpus.Check(admin.DeleteRecords(topic, map[int32]int64{0: 4}), "DeleteRecords")
	corpus.Check(admin.DeleteTopic(topic), "DeleteTopic")
	corpus.Until("the deleted topic is gone", func() bool {
		topics, err := admin.ListTopics()
		corpus.Check(err, "ListTopics")
		_, there := topics[topic]
		return !there
	})
}

func main() {
	codecs()
	admin := admin()
	defer admin.Close()
	groups(admin)
	offsets()
	administration(admin)
}
