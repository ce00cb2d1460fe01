// Package tests holds what deploy/ ships against the programs and against Kubernetes: the Helm chart, the systemd
// units and the compose file.
//
// Helm's own library renders the chart with the values in testdata/values. The output is decoded strictly into the
// types of Kubernetes, KEDA, the Prometheus operator and the Gateway API, and held against policies. The programs
// themselves, built for it, check the settings that the chart and the units hand them.
//
// The package is a module of its own, so that the product's go.mod does not grow. `make test-deploy` runs it.
package tests
