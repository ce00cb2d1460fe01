package consumer

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// testProfiles are the settings profiles of the engine's users, who are called as these are.
var testProfiles = map[string]string{
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
}

func pinned(setting string) string {
	return "<constraints><" + setting + "><const/></" + setting + "></constraints>"
}

// testExtra is what the tests' engine has beside its own configuration.
func testExtra(port string) string {
	var names []string
	for name := range testProfiles {
		names = append(names, name)
	}
	slices.Sort(names)
	var profiles, users strings.Builder
	for _, name := range names {
		fmt.Fprintf(&profiles, "<%s>%s</%s>", name, testProfiles[name], name)
		fmt.Fprintf(&users, "<%s><password></password><networks><ip>127.0.0.1</ip></networks><profile>%s</profile><quota>default</quota><access_management>1</access_management></%s>", name, name, name)
	}
	path := filepath.Join(engine.dir, "users.xml")
	text := "<clickhouse><profiles>" + profiles.String() + "</profiles><quotas><default/></quotas><users>" + users.String() + "</users></clickhouse>"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		panic(err)
	}
	return testClusters(port) + "<users_config>" + path + "</users_config>"
}

// ofUser is a DSN for each protocol of a user of testProfiles.
func (d *database) ofUser(user string) map[string]Store {
	return map[string]Store{
		"native": d.store("clickhouse://" + user + "@" + engine.TCPAddr() + "/" + d.name),
		"http":   d.store("http://" + user + "@" + engine.HTTPAddr() + "/" + d.name),
	}
}
