package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"sluice/internal/embedded"
	"sluice/internal/kafkaconn"
	"sluice/internal/settings"
	"sluice/internal/topics"
)

// Next to a production pipeline dev reads, writes and alters nothing but its own, and comes back to it.
func TestDevKeepsToItsOwn(t *testing.T) {
	kafka := someKafka(t, "events", "events.dead")
	clickhouse := someClickHouse(t)
	theirs := theirConsumer(t, kafka, "sluice", "events")
	drop(t, "sluice")
	drop(t, devDatabase)
	ask(t, "CREATE DATABASE sluice")
	ask(t, "CREATE TABLE sluice.events_raw (id UInt64) ENGINE = MergeTree ORDER BY id")
	args := []string{"--data-dir=" + t.TempDir(), "--kafka=" + kafka, "--clickhouse=clickhouse://" + clickhouse.TCPAddr()}
	env := []string{"SLUICE_KAFKA_BROKERS=prod:9092", "SLUICE_KAFKA_GROUP=sluice", "SLUICE_KAFKA_TOPIC=events",
		"SLUICE_CLICKHOUSE_DSN=clickhouse://prod:9000/sluice", "SLUICE_PROJECTS_FILE=/etc/sluice/projects.yaml"}

	for _, message := range []string{"first", "second"} {
		d := startDev(t, env, args...)
		for _, name := range []string{"SLUICE_KAFKA_BROKERS", "SLUICE_KAFKA_GROUP", "SLUICE_KAFKA_TOPIC", "SLUICE_CLICKHOUSE_DSN", "SLUICE_PROJECTS_FILE"} {
			require.Contains(t, d.logged.String(), `ignored by sluice dev; give it as a flag to use it" setting="environment variable `+name)
		}
		require.Contains(t, d.out.String(), "topics dev-events and dev-events.dead, group sluice-dev")
		require.NoError(t, theirs.ProduceSync(t.Context(), &kgo.Record{Topic: "events", Value: []byte("not for dev")}).FirstErr())
		d.send(t, message)
		require.Eventually(t, func() bool {
			n, err := tryAsk("SELECT count() FROM " + devDatabase + ".events WHERE message = '" + message + "'")
			return err == nil && n == "1"
		}, time.Minute, 20*time.Millisecond)
		require.Equal(t, 1, groupMembers(t, theirs, "sluice"))
		require.Equal(t, 1, groupMembers(t, theirs, devGroup))
		require.NoError(t, d.stop())
	}
	require.Equal(t, "events_raw", ask(t, "SELECT name FROM system.tables WHERE database = 'sluice'"))
	require.Equal(t, "2", ask(t, "SELECT count() FROM "+devDatabase+".events"))
}

// A variable or a file that would lead dev to other servers is refused, and the sentence says what to do.
func TestDevRefusesOtherServersUnlessNamed(t *testing.T) {
	data := "--data-dir=" + filepath.Join(t.TempDir(), "none")
	for flag, value := range map[string]string{
		"kafka-brokers": "prod:9092", "kafka": "prod:9092", "clickhouse": "clickhouse://prod:9000", "clickhouse-dsn": "clickhouse://u:hunter2@prod:9000/sluice",
		"clickhouse-dsn-file": "/run/dsn", "limit-store": "redis://u:hunter2@prod:6379", "limit-store-file": "/run/redis", "spool-dir": "/var/spool/sluice",
	} {
		variable := settings.Variable(flag)
		file := writeFile(t, flag+": '"+value+"'\n")
		for where, tc := range map[string]struct{ args, env []string }{
			"environment variable " + variable: {[]string{"dev", data}, []string{variable + "=" + value}},
			flag + " in " + file:               {[]string{"dev", data, "--config=" + file}, nil},
		} {
			_, err := try(t, tc.args, tc.env...)
			require.ErrorContains(t, err, where+" is set, but sluice dev uses no servers or files that are not named on its command line: ")
			require.ErrorContains(t, err, "unset it")
			require.NotContains(t, err.Error(), "hunter2")
		}
	}
	require.NoDirExists(t, strings.TrimPrefix(data, "--data-dir="))
}

// given are flags as they came from the environment, and from the command line.
func given(env, line []string) map[string]settings.Origin {
	out := map[string]settings.Origin{}
	for _, flag := range env {
		out[flag] = settings.Origin{Place: "environment variable " + settings.Variable(flag)}
	}
	for _, flag := range line {
		out[flag] = settings.Origin{CommandLine: true, Place: "--" + flag}
	}
	return out
}

// What names the real programs' things is put aside and said; tuning applies; the command line always does.
func TestDevPutsAside(t *testing.T) {
	others := func() devCmd {
		var c devCmd
		c.Kafka.Topic, c.Kafka.DeadTopic, c.Kafka.TLS, c.Kafka.SASLUsername = "a", "b", true, "u"
		c.Gateway.HTTPAddr, c.Process.AdminAddr, c.UseExisting = ":8080", "0.0.0.0:8081", true
		c.Consumer.Group, c.Gateway.ProjectsFile, c.Consumer.Store.ClickHouse.Cluster, c.Consumer.BatchRows = "g", "p", "c", 7
		return c
	}
	flags := []string{"kafka-topic", "kafka-dead-topic", "kafka-group", "projects-file", "clickhouse-cluster", "kafka-tls", "kafka-sasl-username",
		"http-addr", "admin-addr", "use-existing"}
	var said bytes.Buffer
	log := slog.New(slog.NewTextHandler(&said, nil))

	c := others()
	require.NoError(t, c.keepApart(given(append(flags, "batch-rows"), nil), log))
	var want devCmd
	want.Kafka.Topic, want.Kafka.DeadTopic, want.Consumer.Group, want.Consumer.BatchRows = "events", "events.dead", "sluice", 7
	want.Gateway.HTTPAddr, want.Process.AdminAddr = "127.0.0.1:8080", "127.0.0.1:8081"
	require.Equal(t, want, c)
	for _, flag := range flags {
		require.Contains(t, said.String(), settings.Variable(flag))
	}
	require.NotContains(t, said.String(), "BATCH_ROWS")

	c = others()
	require.NoError(t, c.keepApart(given(nil, flags), log))
	require.Equal(t, others(), c)

	c = others()
	c.Gateway.HTTPAddr, c.Process.AdminAddr = "127.0.0.1:1", "localhost:2"
	near := c
	require.NoError(t, c.keepApart(given([]string{"http-addr", "admin-addr"}, nil), log))
	require.Equal(t, near, c, "addresses on this machine apply")

	c = others()
	c.ExternalKafka = "k:1"
	require.NoError(t, c.keepApart(given(flags, []string{"kafka"}), log))
	require.True(t, c.Kafka.TLS, "another Kafka may need it")
}

func TestWithDatabase(t *testing.T) {
	for dsn, want := range map[string]string{
		"clickhouse://h:9000":                  "clickhouse://h:9000/sluice_dev",
		"clickhouse://u:p@h:9000/":             "clickhouse://u:p@h:9000/sluice_dev",
		"https://h:8443?compress=none":         "https://h:8443/sluice_dev?compress=none",
		"clickhouse://h:9000/sluice":           "clickhouse://h:9000/sluice",
		"clickhouse://h1:9000,h2:9000":         "clickhouse://h1:9000,h2:9000/sluice_dev",
		"clickhouse://h:9000?database=another": "clickhouse://h:9000?database=another",
		"":                                     "",
		"no DSN%":                              "no DSN%",
	} {
		require.Equal(t, want, withDatabase(dsn, devDatabase))
	}
}

// Topics that are there are only used if this data directory made them or the command line says so.
func TestDevRefusesTopicsOfOthers(t *testing.T) {
	for _, topic := range []string{"dev-events", "dev-events.dead"} {
		kafka := someKafka(t, topic)
		args := []string{"dev", "--data-dir=" + t.TempDir(), "--kafka=" + kafka, "--clickhouse=clickhouse://" + nobody(t),
			"--http-addr=127.0.0.1:0", "--admin-addr=127.0.0.1:0", "--consumer-admin-addr=127.0.0.1:0"}
		_, err := try(t, args)
		require.ErrorContains(t, err, "topic "+topic+" is there, and was not made by sluice dev")
		for _, agreed := range [][]string{{"--use-existing"}, {"--kafka-topic=dev-events", "--kafka-dead-topic=dev-events.dead"}} {
			_, err = try(t, append(args, agreed...))
			require.ErrorContains(t, err, "clickhouse at 127.0.0.1", "it went on")
		}
	}
}

func TestDevRefusesAGroupWithMembers(t *testing.T) {
	kafka := someKafka(t, "events")
	theirConsumer(t, kafka, "busy", "events")
	args := []string{"dev", "--data-dir=" + t.TempDir(), "--kafka=" + kafka, "--clickhouse=clickhouse://" + nobody(t), "--kafka-group=busy",
		"--http-addr=127.0.0.1:0", "--admin-addr=127.0.0.1:0", "--consumer-admin-addr=127.0.0.1:0"}
	_, err := try(t, args)
	require.ErrorContains(t, err, "consumer group busy has 1 members, the first is kgo at ")
	require.ErrorContains(t, err, "--use-existing")
	_, err = try(t, append(args, "--use-existing"))
	require.ErrorContains(t, err, "clickhouse at 127.0.0.1", "it went on")
}

func TestDevRefusesADatabaseOfOthers(t *testing.T) {
	clickhouse := someClickHouse(t)
	drop(t, "theirs")
	ask(t, "CREATE DATABASE theirs")
	args := []string{"--data-dir=" + t.TempDir(), "--kafka-addr=" + nobody(t), "--clickhouse=clickhouse://" + clickhouse.TCPAddr() + "/theirs"}
	_, err := try(t, append([]string{"dev", "--http-addr=127.0.0.1:0", "--admin-addr=127.0.0.1:0", "--consumer-admin-addr=127.0.0.1:0"}, args...))
	require.ErrorContains(t, err, "database theirs is there, and was not made by sluice dev")

	kafka := someKafka(t)
	_, err = try(t, []string{"dev", "--http-addr=127.0.0.1:0", "--admin-addr=127.0.0.1:0", "--consumer-admin-addr=127.0.0.1:0",
		"--data-dir=" + t.TempDir(), "--kafka=" + kafka, "--clickhouse=clickhouse://" + clickhouse.TCPAddr() + "/theirs"})
	require.ErrorContains(t, err, "database theirs is there")
	admin, closeAdmin, err := topics.New(kafkaconn.Config{Brokers: []string{kafka}, Topic: devTopic, DeadTopic: devDeadTopic},
		topics.Config{Partitions: 1, Replication: 1, MinISR: 1, Retention: settings.Duration(time.Hour)}, io.Discard)
	require.NoError(t, err)
	defer closeAdmin()
	_, there, err := admin.Existing(t.Context())
	require.NoError(t, err)
	require.Empty(t, there, "what is refused makes nothing elsewhere")
	require.Equal(t, "0", ask(t, "SELECT count() FROM system.tables WHERE database = 'theirs'"))

	d := startDev(t, nil, append(args, "--use-existing")...)
	d.send(t, "told")
	require.Contains(t, d.out.String(), "FROM theirs.events")
}

// All addresses are tried before anything is made, and all that are taken are named, each with its flag.
func TestDevNamesAllPortsThatAreTaken(t *testing.T) {
	var taken []string
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer l.Close()
		taken = append(taken, l.Addr().String())
	}
	same := nobody(t)
	dir := filepath.Join(t.TempDir(), "none")
	_, err := try(t, []string{"dev", "--data-dir=" + dir, "--kafka-addr=" + taken[0], "--clickhouse-http-addr=" + taken[1], "--consumer-admin-addr=" + taken[2],
		"--http-addr=" + same, "--clickhouse-addr=" + same, "--admin-addr=127.0.0.1:0"})
	for i, flag := range []string{"kafka-addr", "clickhouse-http-addr", "consumer-admin-addr"} {
		require.ErrorContains(t, err, taken[i]+" (--"+flag+": in use by another program)")
	}
	require.ErrorContains(t, err, same+" (--clickhouse-addr: the same as --http-addr)")
	require.NotContains(t, err.Error(), "--admin-addr:")
	_, err = os.Stat(dir)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// A folder that holds somebody's data, such as /var/lib/clickhouse with --data-dir /var/lib, is not touched.
func TestDevRefusesAFolderOfOthers(t *testing.T) {
	for _, name := range []string{"kafka", "clickhouse"} {
		dir := t.TempDir()
		require.NoError(t, os.MkdirAll(filepath.Join(dir, name, "store"), 0o700))
		_, err := try(t, []string{"dev", "--data-dir=" + dir})
		require.ErrorContains(t, err, "data directory "+filepath.Join(dir, name)+" is not empty and holds something else")
		left, err := os.ReadDir(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Len(t, left, 1)
	}
}

// dev waits for a previous one on the same folder that is still stopping, and has the ports until then.
func TestDevWaitsForThePreviousOne(t *testing.T) {
	dir, kafka := t.TempDir(), nobody(t)
	ctx, cancel := context.WithCancel(t.Context())
	broker := embedded.NewBroker(embedded.BrokerConfig{Addr: kafka, DataDir: filepath.Join(dir, "kafka")})
	done := make(chan error, 1)
	go func() { done <- broker.Run(ctx) }()
	<-broker.Ready()
	logged := &buffer{}
	d := &dev{log: slog.New(slog.NewTextHandler(logged, nil))}
	d.cmd.DataDir, d.cmd.KafkaAddr = dir, kafka
	d.cmd.Gateway.HTTPAddr, d.cmd.Process.AdminAddr, d.cmd.ConsumerAdminAddr = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	checked := make(chan error, 1)
	go func() { checked <- d.checkPlaces(t.Context()) }()
	require.Eventually(t, func() bool { return strings.Contains(logged.String(), "waiting for the previous process") },
		time.Minute, 10*time.Millisecond)
	cancel()
	require.NoError(t, <-done)
	require.NoError(t, <-checked)
}

// With nothing but itself dev runs all parts, and a wrong password on ClickHouse's port does it no harm.
func TestDevAlone(t *testing.T) {
	native, web := nobody(t), nobody(t)
	d := startDev(t, nil, "--data-dir="+t.TempDir(), "--kafka-addr="+nobody(t), "--clickhouse-addr="+native, "--clickhouse-http-addr="+web)
	conn, err := net.Dial("tcp", native)
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte("\x00\x04test\x1a\x07\xb0\xa9\x03\x06sluice\x07default\x05wrong"))
	require.NoError(t, err)
	answer, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Equal(t, byte(2), answer[0], "an exception")
	require.Contains(t, string(answer), "Authentication failed")

	d.send(t, "alone")
	require.Eventually(t, func() bool {
		res, err := http.Post("http://"+web+"/?database=sluice", "text/plain", strings.NewReader("SELECT count() FROM events"))
		if err != nil {
			return false
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		return err == nil && string(text) == "1\n"
	}, time.Minute, 20*time.Millisecond)
	require.NoError(t, d.stop())
	require.NotContains(t, d.logged.String(), "ended by itself")
}
