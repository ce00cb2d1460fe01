package tests

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
	"helm.sh/helm/v3/pkg/chartutil"
)

var update = flag.Bool("chart.update", false, "write the comments of values.yaml into values.schema.json")

// schema is the part of JSON Schema that says which values there are.
type schema struct {
	Description          string             `json:"description"`
	Properties           map[string]*schema `json:"properties"`
	AdditionalProperties json.RawMessage    `json:"additionalProperties"`
}

func (s *schema) closed() bool { return string(s.AdditionalProperties) == "false" }

func readSchema(t *testing.T) *schema {
	t.Helper()
	var s schema
	require.NoError(t, json.Unmarshal([]byte(read(t, chartDir, "values.schema.json")), &s))
	return &s
}

// Every value is in the schema and in values.yaml, has a comment there, and has it as its description in the schema.
func TestValuesAreDocumented(t *testing.T) {
	t.Parallel()
	comments := map[string]string{}
	var doc yaml.Node
	require.NoError(t, yaml.Unmarshal([]byte(read(t, chartDir, "values.yaml")), &doc))
	s := readSchema(t)
	compare(t, "", doc.Content[0], s, comments)
	require.Greater(t, len(comments), 120)
	if *update {
		writeDescriptions(t, comments)
		return
	}
	for path, comment := range comments {
		assert.Equal(t, comment, lookUp(s, path).Description,
			"%s: the schema says something else; go test -run ValuesAreDocumented -args -chart.update", path)
	}
}

func compare(t *testing.T, path string, values *yaml.Node, s *schema, comments map[string]string) {
	t.Helper()
	assert.True(t, s.closed(), "%s: additionalProperties is not false, so a misspelt value would be ignored", path)
	found := map[string]bool{}
	for i := 0; i < len(values.Content); i += 2 {
		key, value := values.Content[i], values.Content[i+1]
		at := strings.TrimPrefix(path+"."+key.Value, ".")
		found[key.Value] = true
		var lines []string
		for line := range strings.Lines(key.HeadComment) {
			lines = append(lines, strings.TrimSpace(strings.TrimPrefix(line, "#")))
		}
		if path == "" && len(lines) > 0 && strings.Contains(key.HeadComment, "\n\n") { // the file's own comment
			_, own, _ := strings.Cut(key.HeadComment, "\n\n")
			lines = []string{strings.TrimSpace(strings.TrimPrefix(own, "#"))}
		}
		comments[at] = strings.Join(lines, " ")
		assert.NotEmpty(t, comments[at], "%s has no comment in values.yaml", at)
		below := s.Properties[key.Value]
		if !assert.NotNil(t, below, "%s is not in values.schema.json", at) {
			continue
		}
		isQuantities := key.Value == "requests" || key.Value == "limits"
		if value.Kind == yaml.MappingNode && len(below.Properties) > 0 && !isQuantities {
			compare(t, at, value, below, comments)
		}
	}
	for key := range s.Properties {
		assert.True(t, found[key] || path+key == "global", "%s.%s is in values.schema.json, but not in values.yaml", path, key)
	}
}

func lookUp(s *schema, path string) *schema {
	for key := range strings.SplitSeq(path, ".") {
		if s = s.Properties[key]; s == nil {
			return &schema{}
		}
	}
	return s
}

func writeDescriptions(t *testing.T, comments map[string]string) {
	t.Helper()
	var whole map[string]any
	require.NoError(t, json.Unmarshal([]byte(read(t, chartDir, "values.schema.json")), &whole))
	for path, comment := range comments {
		at := whole
		for key := range strings.SplitSeq(path, ".") {
			at = at["properties"].(map[string]any)[key].(map[string]any)
		}
		at["description"] = comment
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	require.NoError(t, e.Encode(whole))
	require.NoError(t, os.WriteFile(filepath.Join(chartDir, "values.schema.json"), out.Bytes(), 0o644))
}

// Values that cannot work are refused with a sentence that names the value.
func TestWrongValuesAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ values, says string }{
		"misspelt":            {`gateway: {replica: 3}`, "additional properties 'replica' not allowed"},
		"unknown":             {`gatway: {}`, "additional properties 'gatway' not allowed"},
		"wrong type":          {`gateway: {replicas: "3"}`, "'/gateway/replicas': got string, want integer"},
		"latest":              {`image: {tag: latest}`, "'/image/tag'"},
		"no version":          {`image: {tag: ""}`, "image.tag or image.digest is needed"},
		"bad digest":          {`image: {digest: "sha256:abc"}`, "'/image/digest'"},
		"no brokers":          {`kafka: {brokers: []}`, "kafka.brokers is needed"},
		"broker without port": {`kafka: {brokers: [kafka]}`, "'/kafka/brokers/0'"},
		"no DSN":              {`clickhouse: {secret: ""}`, "clickhouse.secret is needed"},
		"DSN in the values":   {`clickhouse: {dsn: "clickhouse://a:b@c"}`, "additional properties 'dsn' not allowed"},
		"no projects":         {`projects: {inline: ""}`, "exactly one of inline, secret and configMap"},
		"two projects":        {`projects: {secret: a}`, "exactly one of inline, secret and configMap"},
		"secret in the URL":   {`limitStore: {url: "redis://u:p@redis:6379"}`, "'/limitStore/url'"},
		"two limit stores":    {`limitStore: {url: "redis://redis:6379", secret: a}`, "limitStore: either url or secret"},
		"canary by a name that the certificate lacks": {
			`{gateway: {tls: {secret: a}}, canary: {enabled: true, secret: b}}`, "canary.url is needed with gateway.tls"},
		"test by a name that the certificate lacks": {
			`{gateway: {tls: {secret: a}}, tests: {loadSecret: b}}`, "tests.url is needed with gateway.tls"},
		"certificate as setting": {`gateway: {settings: {http-tls-cert-file: /x}}`, "but by the value gateway.tls"},
		"trace headers as setting": {`consumer: {settings: {trace-headers: a=b}}`,
			"but by the value tracing.headersSecret"},
		"password as setting": {`gateway: {settings: {kafka-sasl-password: x}}`,
			"kafka-sasl-password is not set here, but by the value kafka.sasl.secret"},
		"DSN as setting": {`consumer: {settings: {clickhouse-dsn: x}}`, "but by the value clickhouse.secret"},
		"fixed setting":  {`gateway: {settings: {admin-addr: ":1"}}`, "admin-addr is fixed in this chart"},
		"not a flag's name": {`gateway: {settings: {MAX_CONNECTIONS: 1}}`,
			"'/gateway/settings': additional properties 'MAX_CONNECTIONS' not allowed"},
		"login without name": {`kafka: {sasl: {mechanism: PLAIN}}`, "a mechanism needs username and secret"},
		"mechanism":          {`kafka: {sasl: {mechanism: GSSAPI}}`, "'/kafka/sasl/mechanism'"},
		"half a certificate": {`kafka: {tls: {enabled: true, secret: s, certKey: a}}`, "certKey and keyKey belong together"},
		"TLS is off":         {`kafka: {tls: {secret: s}}`, "TLS is off; set kafka.tls.enabled"},
		"too many consumers": {`{topics: {partitions: 6}, consumer: {autoscaling: {enabled: true}}}`,
			"12, but the topic has 6 partitions"},
		"no consumer": {`consumer: {autoscaling: {minReplicas: 0}}`,
			"'/consumer/autoscaling/minReplicas': minimum: got 0, want 1"},
		"least above most": {`gateway: {autoscaling: {enabled: true, minReplicas: 20}}`,
			"gateway.autoscaling: maxReplicas is less than minReplicas"},
		"scaled by nothing": {`gateway: {autoscaling: {enabled: true, cpuUtilization: 0}}`,
			"cpuUtilization or inflightBytes is needed"},
		"consumer too small": {`consumer: {resources: {limits: {memory: 639Mi}}}`,
			"consumer.resources.limits.memory: 639Mi is too little; four times buffer-bytes and 128Mi are 640Mi"},
		"larger buffer": {`consumer: {settings: {buffer-bytes: 268435456}}`, "are 1152Mi"},
		"gateway too small": {`gateway: {resources: {limits: {memory: 895Mi}}}`,
			"gateway.resources.limits.memory: 895Mi is too little; max-inflight-bytes, max-body-bytes and 384Mi are 896Mi"},
		"no limit":             {`gateway: {resources: {limits: {memory: null}}}`, "'/gateway/resources/limits'"},
		"size":                 {`gateway: {resources: {limits: {memory: 1GB}}}`, "'/gateway/resources/limits/memory'"},
		"ingress without host": {`gateway: {ingress: {enabled: true}}`, "gateway.ingress.hosts: at least one host is needed"},
		"route without parent": {`gateway: {httpRoute: {enabled: true}}`, "at least one Gateway is needed"},
		"canary without key":   {`canary: {enabled: true}`, "canary.secret is needed"},
		"retention":            {`migrate: {retention: 90 days}`, "'/migrate/retention'"},
		"analysts":             {`migrate: {grants: true, analysts: [shop]}`, "'/migrate/analysts/0'"},
		"project retention":    {`migrate: {projectRetention: shop}`, "'/migrate/projectRetention'"},
		"outcomes retention":   {`migrate: {outcomesRetention: long}`, "'/migrate/outcomesRetention'"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := render("sluice", minimalWith(t, c.values))
			require.Error(t, err)
			assert.Contains(t, err.Error(), c.says)
		})
	}
}

// The bounds of what is refused above are accepted.
func TestValuesAtTheirBounds(t *testing.T) {
	t.Parallel()
	for _, values := range []string{
		`consumer: {resources: {limits: {memory: 640Mi}}}`,
		`gateway: {resources: {limits: {memory: 896Mi}}}`,
		`gateway: {resources: {limits: {memory: 0.875Gi}}}`,
		`{topics: {partitions: 12}, consumer: {autoscaling: {enabled: true}}}`,
		`consumer: {autoscaling: {enabled: true, minReplicas: 12}}`,
		`global: {anything: 1}`,
	} {
		_, err := render("sluice", minimalWith(t, values))
		assert.NoError(t, err, values)
	}
}

// minimalWith returns the minimal set with further values.
func minimalWith(t *testing.T, more string) map[string]any {
	t.Helper()
	values, err := chartutil.ReadValues([]byte(more))
	require.NoError(t, err)
	minimal, err := chartutil.ReadValuesFile(filepath.Join("testdata", "values", "minimal.yaml"))
	require.NoError(t, err)
	return chartutil.MergeTables(values, minimal)
}
