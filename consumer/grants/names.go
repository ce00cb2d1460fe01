package grants

import (
	"strings"

	"sluice/consumer/clickhouse"
)

// place is the ClickHouse that access is made for.
type place struct {
	database string
	cluster  string // its name; empty: a single server
	prefix   string // of all names that are the whole server's
	// settings are the server's names of the settings that it knows. Nil: the server was not asked.
	settings map[string]string
}

// The names of roles, of the profile and of the quota.
func (p place) ingest() string           { return p.prefix + "ingest" }
func (p place) analyst() string          { return p.prefix + "analyst" }
func (p place) role(name string) string  { return p.analyst() + "_" + name }
func (p place) limits() string           { return p.prefix + "sluice_analyst" } // profile and quota
func (p place) hidden() string           { return p.prefix + "sluice_none" }    // a policy
func (p place) table(name string) string { return p.database + "." + name }

// othersPolicy lets everybody but analysts see all rows.
const othersPolicy = "sluice_others"

// onCluster is the clause that has a statement carried out on every server of the cluster, after a space.
func (p place) onCluster() string {
	if p.cluster == "" {
		return ""
	}
	return " ON CLUSTER " + clickhouse.Quote(p.cluster)
}

// system names a system table of all servers.
func (p place) system(table string) string {
	if p.cluster == "" {
		return "system." + table
	}
	return "clusterAllReplicas(" + clickhouse.Quote(p.cluster) + ", system." + table + ")"
}

// known returns the server's name of a setting. A server that was not asked knows all of them.
func (p place) known(setting string) (name string, ok bool) {
	if p.settings == nil {
		return setting, true
	}
	name, ok = p.settings[setting]
	return name, ok
}

// quoteAll writes texts as a list of literals.
func quoteAll(texts []string) string {
	quoted := make([]string, len(texts))
	for i, text := range texts {
		quoted[i] = clickhouse.Quote(text)
	}
	return strings.Join(quoted, ", ")
}
