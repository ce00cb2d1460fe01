package embedded

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"text/template"
)

// layout is an engine's data directory as an absolute path.
type layout string

func (l layout) root() string   { return string(l) }
func (l layout) config() string { return filepath.Join(string(l), "config.xml") }
func (l layout) store() string  { return filepath.Join(string(l), "store") + string(filepath.Separator) }

// backups returns the directory that BACKUP … TO File('name') writes to.
func (l layout) backups() string {
	return filepath.Join(string(l), "backups") + string(filepath.Separator)
}

// access returns the directory of the users, roles and policies that are made with SQL.
func (l layout) access() string { return l.store() + "access" + string(filepath.Separator) }

func (l layout) log() string    { return filepath.Join(string(l), "engine.log") }
func (l layout) errors() string { return filepath.Join(string(l), "engine.err.log") }

// output returns the file of the process's output, created anew at each start.
func (l layout) output() string { return filepath.Join(string(l), "engine.out") }

// Reader is a user without a password who may read the database sluice and nothing else: readonly, bounded, and
// without a right to files, URLs and other servers. Only the function file is open to it (package explore).
const Reader = "reader"

// configText is a configuration for a laptop: at most half of the memory, few background threads, small caches, small
// logs. A level that does not exist, for instance level >= 'critical', is an error and not an empty answer. The library
// and the clickhouse binary both read this file. The binary also reads its users from it.
var configText = template.Must(template.New("config").Funcs(template.FuncMap{"x": escape}).Parse(`<clickhouse>
  <logger>
    <level>information</level>
    <log>{{x .Log}}</log>
    <errorlog>{{x .Errors}}</errorlog>
    <size>20M</size>
    <count>2</count>
  </logger>
  <path>{{x .Store}}</path>
  <tmp_path>{{x .Store}}tmp/</tmp_path>
  <user_files_path>{{x .Store}}user_files/</user_files_path>
  <format_schema_path>{{x .Store}}format_schemas/</format_schema_path>
  <backups><allowed_path>{{x .Backups}}</allowed_path></backups>
  <timezone>UTC</timezone>
  {{- range .Hosts}}
  <listen_host>{{x .}}</listen_host>
  {{- end}}
  <tcp_port>{{x .TCP}}</tcp_port>
  <http_port>{{x .HTTP}}</http_port>
  <max_server_memory_usage_to_ram_ratio>0.5</max_server_memory_usage_to_ram_ratio>
  <mark_cache_size>268435456</mark_cache_size>
  <background_pool_size>4</background_pool_size>
  <background_schedule_pool_size>16</background_schedule_pool_size>
  <max_concurrent_queries>200</max_concurrent_queries>
  <mlock_executable>false</mlock_executable>
  <user_directories>
    <users_xml><path>{{x .Config}}</path></users_xml>
    <local_directory><path>{{x .Access}}</path></local_directory>
  </user_directories>
  <profiles><default>
    <validate_enum_literals_in_operators>1</validate_enum_literals_in_operators>
  </default>
  <reader>
    <readonly>1</readonly>
    <validate_enum_literals_in_operators>1</validate_enum_literals_in_operators>
    <cancel_http_readonly_queries_on_client_close>1</cancel_http_readonly_queries_on_client_close>
    <max_execution_time>10</max_execution_time>
    <max_memory_usage>1000000000</max_memory_usage>
    <max_threads>2</max_threads>
    <max_concurrent_queries_for_user>4</max_concurrent_queries_for_user>
    <max_rows_to_read>100000000</max_rows_to_read>
    <max_result_rows>1001</max_result_rows>
    <max_result_bytes>50000000</max_result_bytes>
    <result_overflow_mode>break</result_overflow_mode>
  </reader></profiles>
  <quotas><default/></quotas>
  <users>
    <default>
      <password></password>
      <networks><ip>127.0.0.1</ip><ip>::1</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <access_management>1</access_management>
    </default>
    <reader>
      <password></password>
      <networks><ip>127.0.0.1</ip><ip>::1</ip></networks>
      <profile>reader</profile>
      <quota>default</quota>
      <grants><query>GRANT SELECT ON sluice.*</query></grants>
    </reader>
  </users>
  {{- with .Extra}}
{{.}}
  {{- end}}
</clickhouse>
`))

// writeConfig writes the engine's configuration for two addresses, with the additional XML elements of extra.
func (l layout) writeConfig(tcpAddr, httpAddr string, extra func(tcpPort string) string) error {
	tcpHost, tcpPort, err := net.SplitHostPort(tcpAddr)
	if err != nil {
		return fmt.Errorf("engine configuration: %w", err)
	}
	httpHost, httpPort, err := net.SplitHostPort(httpAddr)
	if err != nil {
		return fmt.Errorf("engine configuration: %w", err)
	}
	hosts := []string{tcpHost}
	if httpHost != tcpHost {
		hosts = append(hosts, httpHost)
	}
	more := ""
	if extra != nil {
		more = extra(tcpPort)
	}
	var text bytes.Buffer
	err = configText.Execute(&text, map[string]any{
		"Log": l.log(), "Errors": l.errors(), "Store": l.store(), "Access": l.access(), "Backups": l.backups(), "Config": l.config(),
		"Hosts": hosts, "TCP": tcpPort, "HTTP": httpPort, "Extra": more,
	})
	if err != nil {
		return fmt.Errorf("engine configuration: %w", err)
	}
	if err := os.WriteFile(l.config(), text.Bytes(), 0o600); err != nil {
		return fmt.Errorf("engine configuration: %w", err)
	}
	return nil
}

func escape(text string) (string, error) {
	var b bytes.Buffer
	err := xml.EscapeText(&b, []byte(text))
	return b.String(), err
}
