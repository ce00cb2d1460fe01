package clickhouse

import (
	"testing"

	"github.com/ClickHouse/ch-go"
	"github.com/stretchr/testify/require"
)

func TestCompressionOnTheWay(t *testing.T) {
	for dsn, want := range map[string]ch.Compression{
		"clickhouse://ch.example:9000/sluice":                ch.CompressionLZ4,
		"clickhouse://10.0.0.7:9000/sluice":                  ch.CompressionLZ4,
		"clickhouse://10.0.0.7:9000/sluice?compress=zstd":    ch.CompressionZSTD,
		"clickhouse://10.0.0.7:9000/sluice?compress=none":    ch.CompressionDisabled,
		"clickhouse://127.0.0.1:9000/sluice":                 ch.CompressionDisabled,
		"clickhouse://127.8.8.8:9000/sluice":                 ch.CompressionDisabled,
		"clickhouse://localhost:9000/sluice":                 ch.CompressionDisabled,
		"clickhouse://[::1]:9000/sluice":                     ch.CompressionDisabled,
		"clickhouse://[::ffff:127.0.0.1]:9000/sluice":        ch.CompressionDisabled,
		"clickhouse://localhost.example.com:9000/sluice":     ch.CompressionLZ4,
		"clickhouse://127.0.0.1:9000/sluice?compress=lz4":    ch.CompressionLZ4,
		"clickhouse://127.0.0.1:9000/sluice?compress=true":   ch.CompressionLZ4,
		"clickhouse://127.0.0.1:9000/sluice?compress=lz4hc":  ch.CompressionLZ4HC,
		"clickhouse://127.0.0.1:9000,10.0.0.7:9000/?x=first": ch.CompressionDisabled,
	} {
		opts, err := Config{DSN: dsn}.Options()
		require.NoError(t, err, dsn)
		require.Equal(t, want, compression(opts, opts.Addr[0]), dsn)
	}
}
