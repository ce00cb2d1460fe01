package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"sluice/internal/testcert"
	"sluice/internal/testcommand"
)

// check refuses settings that cannot work. Each fault names its setting, and none repeats a secret.
func TestCheckRefusesWhatCannotWork(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	plain := filepath.Join(dir, "plain")
	require.NoError(t, os.WriteFile(plain, []byte("redis://h:6379\n"), 0o600))
	tls := []string{"--kafka-tls"}
	for name, tc := range map[string]struct {
		args, env []string
		want      []string
	}{
		"broker in quotes":            {env: []string{`SLUICE_KAFKA_BROKERS="kafka:9092"`}, want: []string{"--kafka-brokers", "quotes"}},
		"broker in quotes, flag":      {args: []string{`--kafka-brokers='kafka:9092'`}, want: []string{"--kafka-brokers", "quotes"}},
		"one of two in quotes":        {args: []string{`--kafka-brokers=a:1,"b:2"`}, want: []string{"--kafka-brokers", "quotes"}},
		"line break":                  {env: []string{"SLUICE_KAFKA_BROKERS=kafka:9092\n"}, want: []string{"--kafka-brokers", "line break"}},
		"carriage return":             {env: []string{"SLUICE_KAFKA_BROKERS=kafka:9092\r\n"}, want: []string{"--kafka-brokers", "line break"}},
		"blank":                       {env: []string{"SLUICE_KAFKA_BROKERS=kafka:9092, b:9092"}, want: []string{"--kafka-brokers", "white space"}},
		"URL with a password":         {args: []string{"--kafka-brokers=sasl://u:hunter2@kafka:9092"}, want: []string{"--kafka-brokers", "URL"}},
		"password without a scheme":   {args: []string{"--kafka-brokers=u:hunter2@kafka:9092"}, want: []string{"--kafka-brokers", "user or a password"}},
		"no port":                     {args: []string{"--kafka-brokers=kafka"}, want: []string{"--kafka-brokers", "port is missing"}},
		"port 0":                      {args: []string{"--kafka-brokers=kafka:0"}, want: []string{"--kafka-brokers", "1 to 65535"}},
		"port 65536":                  {args: []string{"--kafka-brokers=kafka:65536"}, want: []string{"--kafka-brokers", "1 to 65535"}},
		"the same broker twice":       {args: []string{"--kafka-brokers=a:1,b:2,a:1"}, want: []string{"--kafka-brokers", "twice"}},
		"empty entry":                 {args: []string{"--kafka-brokers=a:1,,b:2"}, want: []string{"--kafka-brokers", "empty"}},
		"IPv6 without brackets":       {args: []string{"--kafka-brokers=::1:9092"}, want: []string{"--kafka-brokers", "brackets"}},
		"semicolon":                   {args: []string{"--kafka-brokers=a:1;b:2"}, want: []string{"--kafka-brokers", "brackets"}},
		"topic with a line break":     {env: []string{"SLUICE_KAFKA_TOPIC=events\n"}, want: []string{"--kafka-topic"}},
		"topic in quotes":             {env: []string{`SLUICE_KAFKA_TOPIC="events"`}, want: []string{"--kafka-topic"}},
		"URL as topic":                {args: []string{"--kafka-dead-topic=kafka://u:hunter2@k/events"}, want: []string{"--kafka-dead-topic"}},
		"mechanism":                   {args: []string{"--kafka-sasl-mechanism=hunter2@x", "--kafka-sasl-username=u", "--kafka-sasl-password=p"}, want: []string{"--kafka-sasl-mechanism"}},
		"user with a line break":      {args: []string{"--kafka-sasl-mechanism=PLAIN", "--kafka-sasl-username=u\n", "--kafka-sasl-password=p"}, want: []string{"--kafka-sasl-username"}},
		"password with a line break":  {env: []string{"SLUICE_KAFKA_SASL_PASSWORD=hunter2\n"}, args: []string{"--kafka-sasl-mechanism=PLAIN", "--kafka-sasl-username=u"}, want: []string{"--kafka-sasl-password"}},
		"no password file":            {args: []string{"--kafka-sasl-mechanism=PLAIN", "--kafka-sasl-username=u", "--kafka-sasl-password-file=/nowhere/p"}, want: []string{"--kafka-sasl-password-file", "/nowhere/p"}},
		"password file is a folder":   {args: []string{"--kafka-sasl-mechanism=PLAIN", "--kafka-sasl-username=u", "--kafka-sasl-password-file=" + dir}, want: []string{"--kafka-sasl-password-file", "directory"}},
		"password file is empty":      {args: []string{"--kafka-sasl-mechanism=PLAIN", "--kafka-sasl-username=u", "--kafka-sasl-password-file=" + empty}, want: []string{"--kafka-sasl-password-file", "empty"}},
		"no CA file":                  {args: append(tls, "--kafka-tls-ca-file=/nowhere/ca"), want: []string{"--kafka-tls-ca-file", "/nowhere/ca"}},
		"CA file is a folder":         {args: append(tls, "--kafka-tls-ca-file="+dir), want: []string{"--kafka-tls-ca-file"}},
		"CA file holds no PEM":        {args: append(tls, "--kafka-tls-ca-file="+plain), want: []string{"--kafka-tls-ca-file", "PEM"}},
		"no certificate":              {args: append(tls, "--kafka-tls-cert-file=/nowhere/c", "--kafka-tls-key-file="+plain), want: []string{"--kafka-tls-cert-file"}},
		"certificate without a key":   {args: []string{"--http-tls-cert-file=" + plain}, want: []string{"--http-tls-key-file"}},
		"key without a certificate":   {args: []string{"--http-tls-key-file=" + plain}, want: []string{"--http-tls-cert-file"}},
		"no such certificate":         {args: []string{"--http-tls-cert-file=/nowhere/c", "--http-tls-key-file=" + plain}, want: []string{"--http-tls-cert-file", "/nowhere/c"}},
		"no pair":                     {args: []string{"--http-tls-cert-file=" + plain, "--http-tls-key-file=" + plain}, want: []string{"--http-tls-cert-file", "no pair"}},
		"public address":              {args: []string{"--http-addr=8080"}, want: []string{"--http-addr", "port is missing"}},
		"public address, URL":         {args: []string{"--http-addr=http://u:hunter2@0.0.0.0:8080"}, want: []string{"--http-addr", "URL"}},
		"public address, port":        {args: []string{"--http-addr=:65536"}, want: []string{"--http-addr", "1 to 65535"}},
		"public address, line break":  {env: []string{"SLUICE_HTTP_ADDR=:8080\n"}, want: []string{"--http-addr", "line break"}},
		"admin address":               {args: []string{`--admin-addr="0.0.0.0:8081"`}, want: []string{"--admin-addr", "quotes"}},
		"the same address":            {args: []string{"--http-addr=127.0.0.1:8080", "--admin-addr=127.0.0.1:8080"}, want: []string{"--admin-addr", "--http-addr"}},
		"limit store in quotes":       {args: []string{`--limit-store="redis://u:hunter2@h:6379"`}, want: []string{"--limit-store"}},
		"limit store's host":          {args: []string{`--limit-store=redis://u:hunter2@"h":6379`}, want: []string{"--limit-store", "quotes"}},
		"limit store, line break":     {env: []string{"SLUICE_LIMIT_STORE=redis://u:hunter2@h:6379\n"}, want: []string{"--limit-store"}},
		"limit store's database":      {args: []string{"--limit-store=redis://u:hunter2@h:6379/01"}, want: []string{"--limit-store", "database"}},
		"limit store's file":          {args: []string{"--limit-store-file=" + dir}, want: []string{"--limit-store-file", "directory"}},
		"proxies":                     {args: []string{"--trusted-proxies=http://u:hunter2@proxy"}, want: []string{"--trusted-proxies"}},
		"projects file is a folder":   {args: []string{"--projects-file=" + dir}, want: []string{"--projects-file", "directory"}},
		"projects file is missing":    {args: []string{"--projects-file=/nowhere/p"}, want: []string{"--projects-file", "/nowhere/p"}},
		"projects file is empty":      {args: []string{"--projects-file=" + empty}, want: []string{"--projects-file", "empty"}},
		"hexadecimal number":          {env: []string{"SLUICE_MAX_BULK_BYTES=0x500000"}, want: []string{"--max-bulk-bytes"}},
		"number with an underscore":   {args: []string{"--max-bulk-bytes=5_242_880"}, want: []string{"--max-bulk-bytes"}},
		"number with a blank":         {env: []string{"SLUICE_MAX_BULK_BYTES=5242880 "}, want: []string{"--max-bulk-bytes"}},
		"time without a unit":         {env: []string{"SLUICE_REQUEST_TIMEOUT=60"}, want: []string{"--request-timeout", "write 60s"}},
		"unquoted number of projects": {args: []string{projectsFile(t, "projects: [{id: 074763617300}]")}, want: []string{"projects.yaml: line 1: project 1", "put it in quotes"}},
	} {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"check"}, tc.args...)
			given := false
			for _, a := range args {
				given = given || len(a) > 15 && a[:16] == "--projects-file="
			}
			if !given {
				args = append(args, projectsFile(t, goodProjects))
			}
			out, err := try(t, args, tc.env...)
			require.Error(t, err)
			for _, want := range tc.want {
				require.ErrorContains(t, err, want)
			}
			require.NotContains(t, err.Error()+out, "hunter2")
			require.NotContains(t, err.Error(), "\n", "one fault is one line")
		})
	}
}

// An expired certificate is a note: the gateway serves it, and clients decide.
func TestCheckOfAnExpiredCertificate(t *testing.T) {
	cert, key := testcert.New(t).Pair(t, "a", time.Now().Add(-time.Hour))
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	testcert.Replace(t, certFile, cert)
	testcert.Replace(t, keyFile, key)
	out, err := try(t, []string{
		"check", "--http-tls-cert-file=" + certFile, "--http-tls-key-file=" + keyFile, projectsFile(t, goodProjects),
		"--kafka-brokers=" + testcommand.Nobody(t),
	})
	require.NoError(t, err)
	require.Contains(t, out, "no faults in the settings and projects\nnote: --http-tls-cert-file: the certificate expired at ")
}
