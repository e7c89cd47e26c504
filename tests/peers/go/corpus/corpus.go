// Package corpus is what the witnesses in Go share: the corpus, dumps of what was read, checks with deadlines.
package corpus

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const Partitions = 3

var Codecs = []string{"none", "gzip", "snappy", "lz4", "zstd"}

// Header is a [name, value] pair in JSON.
type Header struct {
	Name  string
	Value []byte
}

func (h Header) MarshalJSON() ([]byte, error) { return json.Marshal([]any{h.Name, h.Value}) }

func (h *Header) UnmarshalJSON(data []byte) error {
	return json.Unmarshal(data, &[]any{&h.Name, &h.Value})
}

type Row struct {
	Partition int32    `json:"partition"`
	Offset    int64    `json:"offset"`
	Key       []byte   `json:"key"`
	Value     []byte   `json:"value"`
	Headers   []Header `json:"headers"`
	Timestamp int64    `json:"timestamp"`
}

func (r Row) Time() time.Time { return time.UnixMilli(r.Timestamp) }

// Run is one call of a witness: address, corpus, folder for dumps, seeds.
type Run struct {
	Name    string
	Address string
	Rows    []Row
	Seeds   []string
	out     string
}

func Start(name string) *Run {
	run := &Run{Name: name, Address: os.Args[1], out: os.Args[3]}
	file, err := os.Open(os.Args[2])
	Check(err, "the corpus")
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var row Row
		Check(json.Unmarshal(lines.Bytes(), &row), "a line of the corpus")
		run.Rows = append(run.Rows, row)
	}
	for _, codec := range strings.Split(os.Args[4], ",") {
		if codec != "" {
			run.Seeds = append(run.Seeds, "seed-"+codec)
		}
	}
	return run
}

func (r *Run) Topic(suffix string) string { return r.Name + "-" + suffix }

func (r *Run) Dump(name string, rows []Row) {
	file, err := os.Create(filepath.Join(r.out, name+".jsonl"))
	Check(err, "a dump")
	defer file.Close()
	for _, row := range rows {
		line, err := json.Marshal(row)
		Check(err, "a row")
		fmt.Fprintf(file, "%s\n", line)
	}
}

func Step(format string, arguments ...any) { fmt.Printf("- "+format+"\n", arguments...) }

func Check(err error, what string) {
	if err != nil {
		Fail("%s: %v", what, err)
	}
}

func Expect(condition bool, format string, arguments ...any) {
	if !condition {
		Fail(format, arguments...)
	}
}

func Fail(format string, arguments ...any) {
	fmt.Printf("FAILED: "+format+"\n", arguments...)
	os.Exit(1)
}

// Until asks condition every 20 ms until it holds, for 40 s at most.
func Until(what string, condition func() bool) {
	deadline := time.After(40 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline:
			Fail("%s: not within 40 s", what)
		case <-tick.C:
		}
	}
}
