package clickhouse

import (
	"testing"

	"sluice/consumer/clickhouse/clickhousetest"
)

func TestMain(m *testing.M) { clickhousetest.Main(m) }
