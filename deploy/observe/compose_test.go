package main

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// compose reads docker-compose.yml as docker compose does, which refuses fields that it does not know.
func compose(t *testing.T, profiles ...string) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{filepath.Join(root, "docker-compose.yml")},
		cli.WithProfiles(profiles))
	require.NoError(t, err)
	project, err := options.LoadProject(t.Context())
	require.NoError(t, err)
	return project
}

// docker compose up starts neither Prometheus nor Grafana; the profile observe adds the two and nothing else.
func TestComposeProfile(t *testing.T) {
	t.Parallel()
	plain, observed := compose(t), compose(t, "observe")
	require.NotContains(t, plain.Services, "prometheus")
	require.NotContains(t, plain.Services, "grafana")
	require.Len(t, observed.Services, len(plain.Services)+2)
	for _, name := range []string{"prometheus", "grafana"} {
		s, has := observed.Services[name]
		require.True(t, has, name)
		assert.Regexp(t, `^[a-z]+/[a-z]+:v?\d+\.\d+\.\d+$`, s.Image, "%s: the image is pinned", name)
		require.Len(t, s.Ports, 1, name)
		assert.Equal(t, "127.0.0.1", s.Ports[0].HostIP, "%s: for this machine only", name)
		for _, v := range s.Volumes {
			if v.Type != types.VolumeTypeBind {
				assert.Contains(t, observed.Volumes, v.Source, name)
				continue
			}
			_, err := os.Stat(v.Source)
			assert.NoError(t, err, "%s mounts it", name)
			assert.True(t, v.ReadOnly, "%s: %s", name, v.Target)
		}
	}
}

// What Prometheus and Grafana are told of other services is what docker-compose.yml gives these.
func TestComposeFits(t *testing.T) {
	t.Parallel()
	services := compose(t, "observe").Services

	var config struct {
		ScrapeConfigs []struct {
			JobName      string `yaml:"job_name"`
			DNSSDConfigs []struct {
				Names []string
				Port  int
			} `yaml:"dns_sd_configs"`
		} `yaml:"scrape_configs"`
	}
	readYAML(t, filepath.Join("prometheus", "prometheus.yaml"), &config)
	scraped := map[string]bool{}
	for _, job := range config.ScrapeConfigs {
		for _, sd := range job.DNSSDConfigs {
			for _, name := range sd.Names {
				require.Contains(t, services, name, job.JobName)
				admin := services[name].Environment["SLUICE_ADMIN_ADDR"]
				require.NotNil(t, admin, name)
				assert.Equal(t, *admin, ":"+strconv.Itoa(sd.Port), name)
				scraped[name] = true
			}
		}
	}
	assert.Equal(t, map[string]bool{"gateway": true, "consumer": true}, scraped)

	grafana := services["grafana"]
	var sources struct {
		Datasources []struct {
			Name, Type, URL string
			JSONData        struct{ Host, Username, DefaultDatabase string } `yaml:"jsonData"`
		}
	}
	readYAML(t, filepath.Join("grafana", "provisioning", "datasources", "sluice.yaml"), &sources)
	kinds := []string{}
	for _, s := range sources.Datasources {
		kinds = append(kinds, s.Type)
		if s.Type == typePrometheus {
			assert.Equal(t, "http://prometheus:9090", s.URL)
		} else {
			assert.Contains(t, services, s.JSONData.Host)
			assert.Equal(t, services["clickhouse"].Environment["CLICKHOUSE_USER"], &s.JSONData.Username)
			plugins := grafana.Environment["GF_PLUGINS_PREINSTALL_SYNC"]
			require.NotNil(t, plugins)
			assert.Regexp(t, `^`+s.Type+`@\d+\.\d+\.\d+$`, *plugins)
		}
	}
	assert.ElementsMatch(t, []string{typePrometheus, typeClickHouse}, kinds)
	assert.Equal(t, services["clickhouse"].Environment["CLICKHOUSE_PASSWORD"],
		grafana.Environment["CLICKHOUSE_PASSWORD"])

	var boards struct {
		Providers []struct{ Options struct{ Path string } }
	}
	readYAML(t, filepath.Join("grafana", "provisioning", "dashboards", "sluice.yaml"), &boards)
	require.Len(t, boards.Providers, 1)
	mounted := ""
	for _, v := range grafana.Volumes {
		if v.Target == boards.Providers[0].Options.Path {
			mounted = v.Source
		}
	}
	want, err := filepath.Abs(filepath.Join(root, forGrafana))
	require.NoError(t, err)
	assert.Equal(t, want, mounted)
}
