package settings_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// each returns functions that read a setting from the flag, the variable and the file.
func each(t *testing.T, name, variable, text string) map[string]func() (program, error) {
	t.Helper()
	return map[string]func() (program, error){
		"flag":         func() (program, error) { return parse([]string{"--" + name + "=" + text}) },
		"variable":     func() (program, error) { return parse(nil, variable+"="+text) },
		"file":         func() (program, error) { return parse([]string{file(t, name+": "+text+"\n")}) },
		"file, quoted": func() (program, error) { return parse([]string{file(t, name+": \""+text+"\"\n")}) },
	}
}

func TestOddNumbers(t *testing.T) {
	for text, want := range map[string]int{"7": 7, "0": 0, "100000": 100_000, "-1": -1} {
		for from, read := range each(t, "batch-rows", "SLUICE_BATCH_ROWS", text) {
			p, err := read()
			require.NoError(t, err, "%s %s", from, text)
			require.Equal(t, want, p.Rows, "%s %s", from, text)
		}
	}
	for _, text := range []string{
		"0100", "010", "00", "-0", "+1", "0x10", "0X10", "0o17", "017", "0b11", "1_000", "1,000", "1.0", "1.", ".5", "1e3", "1E3", "99999999999999999999", "1e400", ".inf", ".nan",
		"1:20", "yes", "true", "null", "~", "five", "5 000", "１", "--5", "1k", "2026-11-28", "5\u00a0",
	} {
		for from, read := range each(t, "batch-rows", "SLUICE_BATCH_ROWS", text) {
			_, err := read()
			require.Error(t, err, "%s %s", from, text)
			require.ErrorContains(t, err, "batch-rows", "%s %s", from, text)
		}
	}
	for _, text := range []string{" 12", "12 ", "12\n", "\t12", "12\r"} {
		_, err := parse([]string{"--batch-rows=" + text})
		require.Error(t, err, "%q", text)
		_, err = parse(nil, "SLUICE_BATCH_ROWS="+text)
		require.Error(t, err, "%q", text)
	}
}

func TestOddFractions(t *testing.T) {
	for text, want := range map[string]float64{"12": 12, "0.5": 0.5, "1.0": 1, "-1": -1} {
		for from, read := range each(t, "inserts-per-second", "SLUICE_INSERTS_PER_SECOND", text) {
			p, err := read()
			require.NoError(t, err, "%s %s", from, text)
			require.InDelta(t, want, p.Rate, 0, "%s %s", from, text)
		}
	}
	for _, text := range []string{
		".5", "1.", "01", "1e3", "0x1p4", "1_0", "+1", "inf", ".inf", "Infinity", "nan", "NaN", ".nan", "1,5", "1.5.5", "12s", "yes", "~", "0x10", "1:20",
	} {
		for from, read := range each(t, "inserts-per-second", "SLUICE_INSERTS_PER_SECOND", text) {
			_, err := read()
			require.Error(t, err, "%s %s", from, text)
		}
	}
}

func TestOddTimes(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"60s": time.Minute, "1m": time.Minute, "1m30s": 90 * time.Second, "1.5s": 1500 * time.Millisecond, "250ms": 250 * time.Millisecond, "1d": 24 * time.Hour, "0": 0, "0s": 0,
	} {
		for from, read := range each(t, "flush-age", "SLUICE_FLUSH_AGE", text) {
			p, err := read()
			require.NoError(t, err, "%s %s", from, text)
			require.Equal(t, want, p.Flush, "%s %s", from, text)
		}
	}
	for _, name := range []string{"flush-age", "retention"} {
		for _, text := range []string{
			"60", "060", "1.5", "1_000s", "1e3s", "0x10s", "+5s", ".5s", "5.s", "5 s", "1:20", "01:20:00", "PT60S", "60sec", "1 minute", "1w", "1.5d", "1d12h", "NaN", "inf", "99999999h",
			"65536d", "yes", "~", "s", "d", "5S", "5D",
		} {
			for from, read := range each(t, name, map[string]string{"flush-age": "SLUICE_FLUSH_AGE", "retention": "SLUICE_RETENTION"}[name], text) {
				_, err := read()
				require.Error(t, err, "%s %s %s", name, from, text)
			}
		}
		_, err := parse([]string{file(t, name+": 60\n")})
		require.ErrorContains(t, err, "write 60s")
		require.ErrorContains(t, err, "line 1 of ")
	}
}

// A text in the file is in quotes, or a word that every YAML reader takes for text.
func TestOddTexts(t *testing.T) {
	for _, text := range []string{
		"0755", "0x1f", "0o17", "1_000", "1.0", "1e3", ".inf", ".nan", "yes", "no", "on", "off", "true", "null", "~", "2026-11-28", "2026-11-28T10:00:00Z", "1:20", "0", "-1", "+1", "y", "TRUE",
	} {
		for _, name := range []string{"kafka-group: ", "kafka-brokers: ", "kafka-brokers: [a, ", "partition-by: "} {
			end := ""
			if name == "kafka-brokers: [a, " {
				end = "]"
			}
			_, err := parse([]string{file(t, name+text+end+"\n")})
			require.Error(t, err, name+text)
		}
		p, err := parse([]string{file(t, "kafka-group: \""+text+"\"\nkafka-brokers: ['"+text+"']\n")})
		require.NoError(t, err, text)
		require.Equal(t, text, p.Group)
		require.Equal(t, []string{text}, p.Brokers)
		p, err = parse([]string{"--kafka-group=" + text})
		require.NoError(t, err, text)
		require.Equal(t, text, p.Group)
		p, err = parse(nil, "SLUICE_KAFKA_GROUP="+text)
		require.NoError(t, err, text)
		require.Equal(t, text, p.Group)
	}
	for text, want := range map[string]string{
		"!!str 0755": "tags", "!!binary aGVsbG8=": "tags", "&a x": "anchors", "*hunter2": "anchors", "": "has no value", "|\n  x": "",
	} {
		_, err := parse([]string{file(t, "kafka-group: "+text+"\n")})
		if want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, want, text)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

// An item of a list in the file stays one item, whatever its characters.
func TestListItemsStayWhole(t *testing.T) {
	p, err := parse([]string{file(t, `kafka-brokers: ["a,b", 'c\,d', "e "]`)})
	require.NoError(t, err)
	require.Equal(t, []string{"a,b", `c\,d`, "e "}, p.Brokers)
}

func TestFilesOfOtherKinds(t *testing.T) {
	p, err := parse([]string{file(t, "\ufeff---\r\nbatch-rows: 7\r\n...\r\n")})
	require.NoError(t, err)
	require.Equal(t, 7, p.Rows)
	for text, want := range map[string]string{
		"batch-rows: 7\n---\nbatch-rows: 8\n":        "line 2: a second YAML document",
		"batch-rows: 7\n---\n":                       "a second YAML document",
		"batch-rows: 7\nbatch-rows: 8\n":             `"batch-rows" is given twice`,
		"\xff\xfeb\x00":                              "UTF-16",
		"kafka-tls:\n\t- x\n":                        "line 2",
		"x-defaults: &d {a: 1}\n":                    "anchors",
		"<<: {batch-rows: 7}\n":                      "merge keys",
		"batch-row: 7\n":                             "did you mean batch-rows?",
		"on: 7\n":                                    `unknown setting "on"`,
		"7: 7\n":                                     "unknown setting",
		"sk_4f1f0f6f2a119a534f1f0f6f2a11aaaabb: x\n": "not shown",
	} {
		_, err := parse([]string{file(t, text)})
		require.ErrorContains(t, err, want, text)
	}
}
