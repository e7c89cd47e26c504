// franz-go: every codec, idempotence (its default) and not, groups, administration.
package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"stele/peers/corpus"
)

var (
	run         = corpus.Start("franz-go")
	admin       *kadm.Client
	ctx, cancel = context.WithTimeout(context.Background(), 200*time.Second)
)

func client(options ...kgo.Opt) *kgo.Client {
	made, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(run.Address),
		kgo.FetchMaxWait(100 * time.Millisecond)}, options...)...)
	corpus.Check(err, "a client")
	return made
}

func create(topic string, partitions int32, configs map[string]*string) error {
	_, err := admin.CreateTopic(ctx, partitions, 1, configs, topic)
	if err == nil {
		// Apache Kafka shows a leader a moment before the partition is served, and refuses a Produce in that moment.
		corpus.Until(topic+" is served", func() bool {
			listed, err := admin.ListEndOffsets(ctx, topic)
			return err == nil && listed.Error() == nil && len(listed[topic]) == int(partitions)
		})
	}
	return err
}

func write(topic string, rows []corpus.Row, options ...kgo.Opt) {
	producer := client(append(options, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic(topic),
		kgo.ProducerBatchMaxBytes(1048588))...)
	defer producer.Close()
	records := make([]*kgo.Record, len(rows))
	for i, row := range rows {
		records[i] = &kgo.Record{Partition: row.Partition, Key: row.Key, Value: row.Value, Timestamp: row.Time()}
		for _, header := range row.Headers {
			records[i].Headers = append(records[i].Headers, kgo.RecordHeader{Key: header.Name, Value: header.Value})
		}
	}
	corpus.Check(producer.ProduceSync(ctx, records...).FirstErr(), topic+": produce")
}

func collect(consumer *kgo.Client, rows *[]corpus.Row, count, most int) {
	for len(*rows) < count {
		fetches := consumer.PollRecords(ctx, most)
		corpus.Check(fetches.Err(), "poll")
		fetches.EachRecord(func(record *kgo.Record) {
			row := corpus.Row{Partition: record.Partition, Offset: record.Offset, Key: record.Key, Value: record.Value,
				Headers: []corpus.Header{}, Timestamp: record.Timestamp.UnixMilli()}
			for _, header := range record.Headers {
				row.Headers = append(row.Headers, corpus.Header{Name: header.Key, Value: header.Value})
			}
			*rows = append(*rows, row)
		})
	}
}

func read(topic string) []corpus.Row {
	consumer := client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer consumer.Close()
	var rows []corpus.Row
	collect(consumer, &rows, len(run.Rows), 1000)
	return rows
}

func codecs() {
	codecs := map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
		"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}
	for _, codec := range corpus.Codecs {
		corpus.Step("codec %s", codec)
		topic := run.Topic(codec)
		corpus.Check(create(topic, corpus.Partitions, nil), "create")
		write(topic, run.Rows, kgo.ProducerBatchCompression(codecs[codec]))
		run.Dump(topic, read(topic))
	}
	for _, seed := range run.Seeds {
		corpus.Step("%s", seed)
		run.Dump(seed, read(seed))
	}
	corpus.Step("without idempotence")
	topic := run.Topic("plain")
	corpus.Check(create(topic, corpus.Partitions, nil), "create")
	write(topic, run.Rows, kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.LeaderAck()))
	run.Dump(topic, read(topic))
}

func member(group string, owned func(int), balancer kgo.GroupBalancer) *kgo.Client {
	count, lock := 0, sync.Mutex{}
	change := func(factor int) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
			lock.Lock()
			defer lock.Unlock()
			count += factor * len(partitions[run.Topic("none")])
			owned(count)
		}
	}
	return client(kgo.ConsumerGroup(group), kgo.ConsumeTopics(run.Topic("none")), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.HeartbeatInterval(300*time.Millisecond),
		kgo.SessionTimeout(10*time.Second), kgo.OnPartitionsAssigned(change(1)), kgo.OnPartitionsRevoked(change(-1)),
		kgo.OnPartitionsLost(change(-1)), kgo.Balancers(balancer))
}

func groups() {
	for name, balancer := range map[string]kgo.GroupBalancer{"range": kgo.RangeBalancer(),
		"cooperative": kgo.CooperativeStickyBalancer()} {
		corpus.Step("group (%s): commit, restart, resume", name)
		group := fmt.Sprintf("franz-%s-%d", name, time.Now().UnixNano())
		var rows []corpus.Row
		for _, target := range []int{len(run.Rows) / 2, len(run.Rows)} {
			consumer := member(group, func(int) {}, balancer)
			collect(consumer, &rows, target, 40)
			corpus.Check(consumer.CommitUncommittedOffsets(ctx), "commit")
			consumer.Close()
		}
		run.Dump(run.Topic("none-"+name+"-group"), rows)

		corpus.Step("group (%s): two members share, one leaves", name)
		var lock sync.Mutex
		owned := [2]int{}
		set := func(index int) func(int) {
			return func(count int) {
				lock.Lock()
				defer lock.Unlock()
				owned[index] = count
			}
		}
		is := func(want ...[2]int) func() bool {
			return func() bool {
				lock.Lock()
				defer lock.Unlock()
				for _, one := range want {
					if owned == one {
						return true
					}
				}
				return false
			}
		}
		first, second := member(group, set(0), balancer), member(group, set(1), balancer)
		corpus.Until("both members own partitions", is([2]int{1, 2}, [2]int{2, 1}))
		first.Close()
		corpus.Until("the remaining member owns all", is([2]int{0, 3}))
		second.Close()
		total := int64(0)
		committed, err := admin.FetchOffsets(ctx, group)
		corpus.Check(err, "FetchOffsets")
		committed.Each(func(o kadm.OffsetResponse) { total += o.At })
		corpus.Expect(total == int64(len(run.Rows)), "committed offsets sum to %d", total)
	}
}

func offset(listed kadm.ListedOffsets, err error) int64 {
	corpus.Check(err, "list offsets")
	found, _ := listed.Lookup(run.Topic("none"), 0)
	corpus.Check(found.Err, "list offsets")
	return found.Offset
}

func administration() {
	corpus.Step("offsets")
	none, topic := run.Topic("none"), run.Topic("admin")
	corpus.Expect(offset(admin.ListStartOffsets(ctx, none)) == 0, "start offset")
	corpus.Expect(offset(admin.ListEndOffsets(ctx, none)) == 80, "end offset")
	corpus.Expect(offset(admin.ListOffsetsAfterMilli(ctx, run.Rows[120].Timestamp, none)) == 40, "offset by time")

	corpus.Step("create, list, describe, alter, grow, delete")
	hour, two := "3600000", "2097152"
	corpus.Check(create(topic, 2, map[string]*string{"retention.ms": &hour}), "create")
	partitions := func() int {
		topics, err := admin.ListTopics(ctx)
		corpus.Check(err, "list topics")
		return len(topics[topic].Partitions)
	}
	config := func(name string) string {
		configs, err := admin.DescribeTopicConfigs(ctx, topic)
		corpus.Check(err, "describe configs")
		for _, entry := range configs[0].Configs {
			if entry.Key == name {
				return entry.MaybeValue()
			}
		}
		return ""
	}
	corpus.Until("the new topic is listed", func() bool { return partitions() == 2 })
	corpus.Expect(config("retention.ms") == hour, "describe configs")
	_, err := admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "segment.bytes", Value: &two},
		{Op: kadm.DeleteConfig, Name: "retention.ms"}}, topic)
	corpus.Check(err, "alter configs")
	corpus.Until("altered configs", func() bool {
		return config("segment.bytes") == two && config("retention.ms") == "604800000"
	})
	_, err = admin.UpdatePartitions(ctx, 5, topic)
	corpus.Check(err, "update partitions")
	corpus.Until("five partitions", func() bool { return partitions() == 5 })
	corpus.Expect(errors.Is(create(topic, 1, nil), kerr.TopicAlreadyExists), "creating a topic twice")
	ten := append([]corpus.Row(nil), run.Rows[:10]...)
	for i := range ten {
		ten[i].Partition = 0
	}
	write(topic, ten)
	deleted, err := admin.DeleteRecords(ctx, kadm.OffsetsFromRecords(kgo.Record{Topic: topic, Offset: 3, LeaderEpoch: -1}))
	corpus.Check(err, "delete records")
	low, _ := deleted.Lookup(topic, 0)
	corpus.Expect(low.LowWatermark == 4 || low.LowWatermark == 3, "low watermark %d", low.LowWatermark)
	_, err = admin.DeleteTopics(ctx, topic)
	corpus.Check(err, "delete topics")
	corpus.Until("the deleted topic is gone", func() bool { return partitions() == 0 })
}

func main() {
	defer cancel()
	admin = kadm.NewClient(client())
	codecs()
	groups()
	administration()
}
