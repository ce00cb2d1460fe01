{{/* Settings of the programs as environment variables, and the files that they name. */}}

{{- define "sluice.kafkaEnv" -}}
{{- $k := .Values.kafka -}}
- name: SLUICE_KAFKA_BROKERS
  value: {{ join "," $k.brokers | quote }}
- name: SLUICE_KAFKA_TOPIC
  value: {{ $k.topic | quote }}
- name: SLUICE_KAFKA_DEAD_TOPIC
  value: {{ $k.deadTopic | quote }}
{{- if $k.tls.enabled }}
- name: SLUICE_KAFKA_TLS
  value: "true"
{{- if and $k.tls.secret $k.tls.caKey }}
- name: SLUICE_KAFKA_TLS_CA_FILE
  value: /etc/sluice/kafka-tls/{{ $k.tls.caKey }}
{{- end }}
{{- if and $k.tls.secret $k.tls.certKey }}
- name: SLUICE_KAFKA_TLS_CERT_FILE
  value: /etc/sluice/kafka-tls/{{ $k.tls.certKey }}
- name: SLUICE_KAFKA_TLS_KEY_FILE
  value: /etc/sluice/kafka-tls/{{ $k.tls.keyKey }}
{{- end }}
{{- end }}
{{- if $k.sasl.mechanism }}
- name: SLUICE_KAFKA_SASL_MECHANISM
  value: {{ $k.sasl.mechanism | quote }}
- name: SLUICE_KAFKA_SASL_USERNAME
  value: {{ $k.sasl.username | quote }}
- name: SLUICE_KAFKA_SASL_PASSWORD_FILE
  value: /etc/sluice/kafka-sasl/{{ $k.sasl.passwordKey }}
{{- end }}
{{- end -}}

{{- define "sluice.kafkaMounts" -}}
{{- if and .Values.kafka.tls.enabled .Values.kafka.tls.secret }}
- {name: kafka-tls, mountPath: /etc/sluice/kafka-tls, readOnly: true}
{{- end }}
{{- if .Values.kafka.sasl.mechanism }}
- {name: kafka-sasl, mountPath: /etc/sluice/kafka-sasl, readOnly: true}
{{- end }}
{{- end -}}

{{- define "sluice.kafkaVolumes" -}}
{{- if and .Values.kafka.tls.enabled .Values.kafka.tls.secret }}
- name: kafka-tls
  secret: {secretName: {{ .Values.kafka.tls.secret }}, defaultMode: 0440}
{{- end }}
{{- if .Values.kafka.sasl.mechanism }}
- name: kafka-sasl
  secret: {secretName: {{ .Values.kafka.sasl.secret }}, defaultMode: 0440}
{{- end }}
{{- end -}}

{{/* Arguments: the root, the Secret with the DSN, its key. */}}
{{- define "sluice.clickhouseEnv" -}}
{{- $root := index . 0 -}}
- name: SLUICE_CLICKHOUSE_DSN_FILE
  value: /etc/sluice/clickhouse/{{ index . 2 }}
{{- with $root.Values.clickhouse.cluster }}
- name: SLUICE_CLICKHOUSE_CLUSTER
  value: {{ . | quote }}
{{- end }}
{{- if $root.Values.clickhouse.caSecret }}
- name: SSL_CERT_DIR
  value: /etc/sluice/clickhouse-ca
{{- end }}
{{- end -}}

{{- define "sluice.clickhouseMounts" -}}
- {name: clickhouse, mountPath: /etc/sluice/clickhouse, readOnly: true}
{{- if .Values.clickhouse.caSecret }}
- {name: clickhouse-ca, mountPath: /etc/sluice/clickhouse-ca, readOnly: true}
{{- end }}
{{- end -}}

{{/* Arguments: the root, the Secret with the DSN, its key. */}}
{{- define "sluice.clickhouseVolumes" -}}
{{- $root := index . 0 -}}
- name: clickhouse
  secret:
    secretName: {{ index . 1 }}
    defaultMode: 0440
    items: [{key: {{ index . 2 | quote }}, path: {{ index . 2 | quote }}}]
{{- with $root.Values.clickhouse.caSecret }}
- name: clickhouse-ca
  secret:
    secretName: {{ . }}
    defaultMode: 0440
    items: [{key: {{ $root.Values.clickhouse.caKey | quote }}, path: {{ $root.Values.clickhouse.caKey | quote }}}]
{{- end }}
{{- end -}}

{{/* Headers for the collector of traces. */}}
{{- define "sluice.tracingEnv" -}}
{{- if .Values.tracing.headersSecret }}
- name: SLUICE_TRACE_HEADERS_FILE
  value: /etc/sluice/tracing/{{ .Values.tracing.headersKey }}
{{- end }}
{{- end -}}

{{- define "sluice.tracingMounts" -}}
{{- if .Values.tracing.headersSecret }}
- {name: tracing, mountPath: /etc/sluice/tracing, readOnly: true}
{{- end }}
{{- end -}}

{{- define "sluice.tracingVolumes" -}}
{{- with .Values.tracing.headersSecret }}
- name: tracing
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- end -}}

{{/* The free settings of a component. Those that the chart sets, and secrets, are refused. Arguments: where, settings. */}}
{{- define "sluice.settingsEnv" -}}
{{- $where := index . 0 -}}
{{- $elsewhere := dict
    "kafka-brokers" "kafka.brokers" "kafka-topic" "kafka.topic" "kafka-dead-topic" "kafka.deadTopic"
    "kafka-group" "kafka.group" "kafka-tls" "kafka.tls" "kafka-tls-ca-file" "kafka.tls" "kafka-tls-cert-file" "kafka.tls"
    "kafka-tls-key-file" "kafka.tls" "kafka-sasl-mechanism" "kafka.sasl" "kafka-sasl-username" "kafka.sasl"
    "kafka-sasl-password" "kafka.sasl.secret" "kafka-sasl-password-file" "kafka.sasl.secret"
    "clickhouse-dsn" "clickhouse.secret" "clickhouse-dsn-file" "clickhouse.secret" "clickhouse-cluster" "clickhouse.cluster"
    "limit-store" "limitStore" "limit-store-file" "limitStore.secret" "limit-store-tls-ca-file" "limitStore.caSecret"
    "projects-file" "projects" "spool-dir" "gateway.spool" "drain-delay" "gateway.drainDelaySeconds"
    "drain-timeout" "drainTimeoutSeconds" "retention" "migrate.retention"
    "project-retention" "migrate.projectRetention" "outcomes-retention" "migrate.outcomesRetention"
    "http-tls-cert-file" "gateway.tls" "http-tls-key-file" "gateway.tls"
    "trace-headers" "tracing.headersSecret" "trace-headers-file" "tracing.headersSecret"
    "every" "every" "canary" "canary.enabled" "url" "canary" "key" "canary.secret" "clickhouse" "canary.secret" -}}
{{- range $name, $value := index . 1 }}
{{- if hasKey $elsewhere $name }}
{{- fail (printf "%s: %s is not set here, but by the value %s" $where $name (get $elsewhere $name)) }}
{{- else if has $name (list "http-addr" "admin-addr" "config" "console-consumers") }}
{{- fail (printf "%s: %s is fixed in this chart" $where $name) }}
{{- end }}
- name: SLUICE_{{ $name | upper | replace "-" "_" }}
  value: {{ include "sluice.text" $value | quote }}
{{- end }}
{{- end -}}
