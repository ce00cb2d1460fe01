package schema

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/consumer/clickhouse/clickhousetest"
	"sluice/consumer/rows/rowstest"
)

// Levels compare by their weight. A word that is no level compares with nothing, unless the server is told to refuse
// it, as the documentation says and as the engine of sluice dev is.
func TestLevelsInQueries(t *testing.T) {
	d := clickhousetest.Migrated(t)
	var records []rowstest.Record
	for i, level := range []string{"debug", "info", "warning", "error", "critical"} {
		records = append(records, rowstest.From(int64(i), "demo", rowstest.ID(uint64(i)), rowstest.Noon, `{"message":"m","level":"`+level+`"}`)) // small
	}
	putRows(t, storeOf(d), records...)
	d.Asks("SELECT countIf(level >= 'error'), countIf(level = 'fatal'), countIf(level < 'info') FROM events", "2\t1\t1")
	for _, condition := range []string{"level >= 'critical'", "level = 'ERROR'", "level IN ('warn', 'error')", "level > 'nonsense'"} {
		question := "SELECT count() FROM events WHERE " + condition
		if condition != "level IN ('warn', 'error')" {
			d.Asks(question+" SETTINGS validate_enum_literals_in_operators = 0", "0")
		}
		for _, settings := range []string{"", " SETTINGS validate_enum_literals_in_operators = 1"} {
			if answer, err := d.TryAsk(d.Name, question+settings); err == nil || !strings.Contains(err.Error(), "UNKNOWN_ELEMENT_OF_ENUM") {
				t.Errorf("%s: %s, error %v", question, answer, err)
			}
		}
	}
}

// migrate says it to a user whose questions about a word that is no level would be answered with nothing.
func TestMigrateNotesLevels(t *testing.T) {
	d := clickhousetest.New(t)
	require.NotContains(t, apply(t, storeOf(d)), enumSetting)
	for _, base := range []string{d.Native(), d.HTTP()} {
		dsn := base + "?" + enumSetting + "=0"
		said := apply(t, storeAt(dsn))
		require.Equal(t, upToDate+levelNote+"\n", said)
		said, err := status(t, storeAt(dsn))
		require.NoError(t, err)
		require.Contains(t, said, levelNote)
	}
}
