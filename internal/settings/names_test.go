package settings_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"sluice/internal/settings"
)

// One environment and one file serve all of Sluice's programs.
func TestOtherProgramsSettings(t *testing.T) {
	p, err := parse([]string{file(t, "projects-file: p.yaml\nhttp-addr: :1\nbatch-rows: 7")},
		"SLUICE_PROJECTS_FILE=p.yaml", "SLUICE_HTTP_ADDR=:1", "SLUICE_DATA_DIR=x", "SLUICE_CLICKHOUSE_DSN=y")
	require.NoError(t, err)
	require.Equal(t, 7, p.Rows)

	_, err = parse([]string{"--projects-file=p.yaml"})
	require.Error(t, err, "on the command line only the program's own flags make sense")
}

func TestKubernetesNames(t *testing.T) {
	for _, kv := range []string{
		"SLUICE_SERVICE_HOST=10.0.0.1", "SLUICE_SERVICE_PORT=8080", "SLUICE_SERVICE_PORT_HTTP=8080",
		"SLUICE_PORT=tcp://10.0.0.1:8080", "SLUICE_PORT_8080_TCP=tcp://10.0.0.1:8080", "SLUICE_PORT_8080_TCP_PROTO=tcp",
		"SLUICE_GATEWAY_SERVICE_HOST=10.0.0.1", "SLUICE_GATEWAY_SERVICE_PORT=8080", "SLUICE_GATEWAY_SERVICE_PORT_HTTP=8080",
		"SLUICE_GATEWAY_SERVICE_PORT_HTTP_2=8080", "SLUICE_GATEWAY_PORT=tcp://10.0.0.1:8080",
		"SLUICE_GATEWAY_PORT_8080_TCP=tcp://10.0.0.1:8080", "SLUICE_GATEWAY_PORT_8080_TCP_PROTO=tcp",
		"SLUICE_GATEWAY_PORT_8080_TCP_PORT=8080", "SLUICE_GATEWAY_PORT_8080_TCP_ADDR=10.0.0.1",
		"SLUICE_GATEWAY_PORT_8080_UDP_ADDR=10.0.0.1", "SLUICE_MY_OWN_2_PORT_1_SCTP_ADDR=10.0.0.1",
	} {
		_, err := parse(nil, kv)
		require.NoError(t, err, kv)
	}
	for _, kv := range []string{
		"SLUICE_GATEWAY_SERVICE=10.0.0.1", "SLUICE_GATEWAY_SERVICE_HOSTS=10.0.0.1", "SLUICE_GATEWAY_SERVICE_HOST_A=10.0.0.1",
		"SLUICE_GATEWAYSERVICE_HOST=10.0.0.1", "SLUICE_GATEWAY_SERVICE_PORT_=8080", "SLUICE_GATEWAYPORT=8080",
		"SLUICE_GATEWAY_PORTS=8080", "SLUICE_GATEWAY_PORT_8080=tcp://10.0.0.1:8080", "SLUICE_GATEWAY_PORT_HTTP_TCP=1",
		"SLUICE_GATEWAY_PORT_8080_HTTP=1", "SLUICE_GATEWAY_PORT_8080_TCP_HOST=10.0.0.1", "SLUICE__PORT=1",
		"SLUICE_gateway_SERVICE_HOST=10.0.0.1", "SLUICE_GATEWAY_PORT_8080_TCP_ADDR_X=1",
	} {
		_, err := parse(nil, kv)
		require.Error(t, err, kv)
	}
}

func TestKnown(t *testing.T) {
	require.True(t, settings.Known("kafka-brokers"))
	require.False(t, settings.Known("kafka-broker"))
	require.False(t, settings.Known(""))
	require.Equal(t, "SLUICE_KAFKA_BROKERS", settings.Variable("kafka-brokers"))
}

func TestList(t *testing.T) {
	require.Equal(t, []string{"a:1", "b:2"}, settings.List(" a:1 ,, b:2,"))
	require.Empty(t, settings.List(" , "))
}
