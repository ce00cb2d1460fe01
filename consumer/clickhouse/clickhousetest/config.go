package clickhousetest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// clusters are the clusters that the engine believes to be part of. Their servers are the engine itself, and what the
// servers would hold lies in databases of it.
func clusters(port string) string {
	server := func(database string) string {
		return "<replica><default_database>" + database + "</default_database>" +
			"<host>127.0.0.1</host><port>" + port + "</port></replica>"
	}
	return `<remote_servers>
  <two><shard><weight>1</weight>` + server("two_a") + `</shard><shard><weight>2</weight>` + server("two_b") + `</shard></two>
  <three><shard>` + server("") + `</shard><shard><weight>5</weight>` + server("") + server("") + `</shard></three>
  <single><shard>` + server("") + server("") + `</shard></single>
` + ofShards(server) + `</remote_servers>
<macros><shard>1</shard><replica>r1</replica></macros>`
}

// ofShards are the clusters shards_1, shards_2, shards_4 and shards_8, whose shards are the databases of [ShardOf].
func ofShards(server func(database string) string) string {
	var out strings.Builder
	for _, n := range []int{1, 2, 4, 8} {
		fmt.Fprintf(&out, "  <shards_%d>", n)
		for i := range n {
			out.WriteString("<shard>" + server(ShardOf(n, i)) + "</shard>")
		}
		fmt.Fprintf(&out, "</shards_%d>\n", n)
	}
	return out.String()
}

// ShardOf is the database that stands for a shard, from 0, of the cluster of n shards that is called shards_n.
func ShardOf(n, shard int) string { return fmt.Sprintf("shard_%d_of_%d", shard+1, n) }

// profiles are the settings profiles of the engine's users, who are called as their profiles are.
var profiles = map[string]string{
	"default":      `<validate_enum_literals_in_operators>1</validate_enum_literals_in_operators>`, // as the embedded engine has it
	"small":        `<max_memory_usage>30000000</max_memory_usage>`,
	"keyed":        `<force_primary_key>1</force_primary_key>`,
	"keyed_pinned": `<force_primary_key>1</force_primary_key>` + pinned("force_primary_key"),
	"cut_short":    `<max_result_rows>100</max_result_rows><result_overflow_mode>break</result_overflow_mode>`,
	"cached":       `<use_query_cache>1</use_query_cache>`,
	"few_rows":     `<max_rows_to_read>1</max_rows_to_read>` + pinned("max_rows_to_read"),
	"few_results":  `<max_result_rows>7</max_result_rows>` + pinned("max_result_rows"),
	"async":        `<async_insert>1</async_insert>` + pinned("async_insert"),
	"not_async":    `<async_insert>0</async_insert>` + pinned("async_insert"),
	"partitions":   `<constraints><max_partitions_per_insert_block><max>100</max></max_partitions_per_insert_block></constraints>`,
	"readonly":     `<readonly>1</readonly>`,
	"foreground":   `<distributed_foreground_insert>1</distributed_foreground_insert>`,
}

func pinned(setting string) string {
	return "<constraints><" + setting + "><const/></" + setting + "></constraints>"
}

// users writes the file of the users into a folder, and returns the configuration that names the file.
func users(dir string) string {
	var all, names strings.Builder
	for _, name := range slices.Sorted(maps.Keys(profiles)) {
		fmt.Fprintf(&all, "<%s>%s</%s>", name, profiles[name], name)
		fmt.Fprintf(&names, "<%s><password></password><networks><ip>127.0.0.1</ip></networks><profile>%s</profile>"+
			"<quota>default</quota><access_management>1</access_management></%s>", name, name, name)
	}
	path := filepath.Join(dir, "users.xml")
	text := "<clickhouse><profiles>" + all.String() + "</profiles><quotas><default/></quotas>" +
		"<users>" + names.String() + "</users></clickhouse>"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		panic(err)
	}
	return "<users_config>" + path + "</users_config>"
}
