package clickhousetest

import (
	"embed"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

//go:embed plain.sql cluster.sql cloud.sql
var golden embed.FS

// Schema is the golden schema of a kind of ClickHouse: plain, cluster or cloud. Its database is called elsewhere, its
// cluster my-cluster_1.a, and it keeps rows for two days.
func Schema(kind string) string {
	text, err := golden.ReadFile(kind + ".sql")
	if err != nil {
		panic(err)
	}
	return string(text)
}

// SchemaFile is the path of a golden schema, for the test that writes it anew.
func SchemaFile(kind string) string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), kind+".sql")
}

// Statements are the statements of a golden schema for a database, which the first one makes. Rows are kept for 90
// days.
func Statements(kind, database string) []string {
	text := strings.NewReplacer(
		"elsewhere", database, "my-cluster_1.a", "two", "toIntervalSecond(172800)", "toIntervalSecond(7776000)",
		"toIntervalSecond(259200)", "toIntervalSecond(7862400)", // of events, from the beginning of the day
	).Replace(Schema(kind))
	var out []string
	for statement := range strings.SplitSeq(text, ";") {
		if s := strings.TrimSpace(statement); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// ClusterTables are the statements of the tables and views on a server of the cluster called two, as the engine takes
// them.
func ClusterTables(database string) []string {
	var out []string
	for _, statement := range Statements("cluster", database)[1:] {
		out = append(out, Unreplicated(statement))
	}
	return out
}

var (
	onCluster        = regexp.MustCompile(` ON CLUSTER '[^']*'`)
	clusterFunction  = regexp.MustCompile(`cluster(?:AllReplicas)?\('two', ([^)]*)\)`)
	replicatedWindow = regexp.MustCompile(`\breplicated_deduplication_window = `)
	replicatedEngine = regexp.MustCompile(`Replicated(\w*)MergeTree\(\\?'[^']*', \\?'[^']*'(, )?`)
)

// Unreplicated makes of a cluster's statement one that the engine takes, which has neither Keeper nor peers.
func Unreplicated(statement string) string {
	statement = onCluster.ReplaceAllString(statement, "")
	statement = clusterFunction.ReplaceAllString(statement, "$1")
	statement = replicatedWindow.ReplaceAllString(statement, "non_replicated_deduplication_window = ")
	return replicatedEngine.ReplaceAllString(statement, "${1}MergeTree(")
}
