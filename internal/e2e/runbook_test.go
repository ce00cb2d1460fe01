package e2e

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newOperator is an operator of a pipeline with a gateway and a consumer.
func newOperator(t *testing.T, partitions int) *operator {
	t.Helper()
	o := &operator{pipeline: newPipeline(t, partitions), http: lab.engine.HTTPAddr(), set: map[string]string{}}
	o.startGateway("127.0.0.1:0")
	o.scale(1)
	return o
}

// some sends events and waits until they are rows.
func (o *operator) some(n int) {
	o.t.Helper()
	before := o.scalar("SELECT count() FROM events")
	for i := range n {
		require.Equal(o.t, 202, o.post("/api/v1/events", "application/json", fmt.Sprintf(`{"message":"%d"}`, i)).status)
	}
	o.rows(before + uint64(n))
}

// settle stops the clients, waits until the consumers have read everything, and compares.
func (o *operator) settle(s *sender) {
	o.t.Helper()
	s.stop()
	o.eventually("no lag", func() bool { return o.tryLag() == 0 })
	s.verify()
}

func TestRunbookReplay(t *testing.T) {
	t.Parallel()
	o := newOperator(t, 2)
	resp, err := o.client().Produce(t.Context(), &kafka.ProduceRequest{
		Topic: o.name + ".dead", RequiredAcks: kafka.RequireAll,
		Records: kafka.NewRecordReader(kafka.Record{
			Value: kafka.NewBytes([]byte(`{"message":"late"}`)),
			Headers: []kafka.Header{
				{Key: "v", Value: []byte("1")},
				{Key: "project", Value: []byte("e2e")},
				{Key: "event-id", Value: []byte("0193b3c4-5d6e-7a7b-8c9d-000000000001")},
				{Key: "received-at", Value: []byte("1795435200000")},
				{Key: "dead-reason", Value: []byte("unknown_format")},
				{Key: "dead-topic", Value: []byte("elsewhere")},
				{Key: "dead-partition", Value: []byte("1")},
				{Key: "dead-offset", Value: []byte("0")},
				{Key: "dead-at", Value: []byte("1795435200000")},
			},
		}),
	})
	require.NoError(t, errors.Join(err, resp.Error))
	o.set["REASON"] = "unknown_format"
	for range 2 {
		assert.Contains(t, o.run("replay"), "died again: 0")
		o.rows(1)
	}
}

func TestRunbookRotate(t *testing.T) {
	t.Parallel()
	o := newOperator(t, 1)
	s := o.send(2) // under the old key, until the clients have the new one
	o.set["OLD_NAME"], o.set["NEW_NAME"] = "test", "test-2"
	o.onRollOut = s.use
	o.run("rotate")
	assert.Equal(t, 401, postAs(t, key, o.url+"/api/v1/events", "application/json", `{"message":"x"}`).status)
	o.settle(s)
	assert.Empty(t, s.others(), "no client was refused")
}

func TestRunbookScale(t *testing.T) {
	t.Parallel()
	o := newOperator(t, 6)
	o.set["DURATION"] = "8s"
	out := o.run("scale")
	assert.Contains(t, out, "3 consumers, lag")
	assert.Contains(t, out, "1 consumers, lag")
}

func TestRunbookRestore(t *testing.T) {
	t.Parallel()
	o := newOperator(t, 3)
	o.set["BACKUP"] = o.name
	o.some(5)
	o.run("backup")
	o.some(7)
	require.NoError(t, o.db.Exec(t.Context(), "DROP TABLE events_raw SYNC")) // the disaster
	o.run("restore")
	o.rows(12)
	assert.EqualValues(t, 12, o.scalar("SELECT count() FROM events_raw"), "nothing came twice")
	o.some(1)
}

func TestRunbookPartitions(t *testing.T) {
	t.Parallel()
	o := newOperator(t, 1)
	s := o.send(2)
	o.set["PARTITIONS"] = "3"
	o.run("partitions")
	o.settle(s)
	assert.EqualValues(t, 3, o.scalar("SELECT uniqExact(_partition) FROM events_raw"))
}

// TestRunbookUpgrade: from the programs of the commit before this one to those under test, and back, under load.
func TestRunbookUpgrade(t *testing.T) {
	t.Parallel()
	o := &operator{pipeline: newPipeline(t, 4), http: lab.engine.HTTPAddr(), set: map[string]string{"OLD": "old", "NEW": "new"}}
	o.bins = map[string]string{"old": programsBefore(t), "new": lab.bin}
	o.bin = o.bins["old"]
	o.startGateway("127.0.0.1:0")
	o.scale(2)
	s := o.send(2)
	o.run("upgrade")
	o.eventually("events through the new programs", func() bool { return s.accepted.Load() >= 50 })
	o.run("rollback")
	before := s.accepted.Load()
	o.eventually("events through the old programs", func() bool { return s.accepted.Load() >= before+50 })
	o.settle(s)
}

// programsBefore builds the programs of the commit before this one, and returns where they are.
func programsBefore(t *testing.T) string {
	t.Helper()
	return programsOf(t, "HEAD~1", "gateway", "consumer")
}

// programsOf builds programs of a commit, and returns where they are.
func programsOf(t *testing.T, commit string, names ...string) string {
	t.Helper()
	archive, err := exec.CommandContext(t.Context(), "git", "-C", "../..", "archive", "--format=tar", commit, "--",
		"go.mod", "go.sum", "cmd", "consumer", "gateway", "internal").Output()
	if err != nil {
		t.Skipf("commit %s is not here to build: %v", commit, err)
	}
	source, bin := t.TempDir(), t.TempDir()
	unpack(t, archive, source)
	args := []string{"build", "-ldflags", "-s -w", "-o", bin + string(filepath.Separator)}
	if !*plain {
		args = append(args, "-race", "-tags", "crashpoints")
	}
	for _, name := range names {
		args = append(args, "./cmd/"+name)
	}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = source
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return bin
}

func unpack(t *testing.T, archive []byte, dir string) {
	t.Helper()
	files := tar.NewReader(bytes.NewReader(archive))
	for {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err)
		if h.Typeflag != tar.TypeReg {
			continue
		}
		name := filepath.Join(dir, filepath.FromSlash(h.Name))
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		text, err := io.ReadAll(files)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(name, text, 0o600))
	}
}
