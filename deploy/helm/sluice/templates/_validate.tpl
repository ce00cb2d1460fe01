{{/* What the schema cannot say: values that depend on each other. */}}

{{- define "sluice.validate" -}}
{{- $v := .Values -}}
{{- if not $v.kafka.brokers -}}{{ fail "kafka.brokers is needed: --set 'kafka.brokers={kafka-0:9092,kafka-1:9092}'" }}{{- end -}}
{{- if not $v.clickhouse.secret -}}
{{- fail "clickhouse.secret is needed: the name of a Secret whose key dsn is clickhouse://user:password@host:9000/sluice" -}}
{{- end -}}
{{- $given := 0 -}}
{{- range list $v.projects.inline $v.projects.secret $v.projects.configMap -}}
{{- if . -}}{{- $given = add $given 1 -}}{{- end -}}
{{- end -}}
{{- if ne (int $given) 1 -}}
{{- fail "projects: exactly one of inline, secret and configMap is needed, such as --set-file projects.inline=projects.yaml" -}}
{{- end -}}
{{- if and $v.kafka.sasl.mechanism (not (and $v.kafka.sasl.username $v.kafka.sasl.secret)) -}}
{{- fail "kafka.sasl: a mechanism needs username and secret" -}}
{{- end -}}
{{- if and $v.kafka.sasl.secret (not $v.kafka.sasl.mechanism) -}}
{{- fail "kafka.sasl.secret: needs kafka.sasl.mechanism" -}}
{{- end -}}
{{- if and $v.kafka.tls.secret (not $v.kafka.tls.enabled) -}}
{{- fail "kafka.tls.secret: TLS is off; set kafka.tls.enabled" -}}
{{- end -}}
{{- if ne (empty $v.kafka.tls.certKey) (empty $v.kafka.tls.keyKey) -}}
{{- fail "kafka.tls: certKey and keyKey belong together" -}}
{{- end -}}
{{- if and $v.kafka.tls.certKey (not $v.kafka.tls.secret) -}}{{ fail "kafka.tls.certKey: needs kafka.tls.secret" }}{{- end -}}
{{- if and $v.limitStore.url $v.limitStore.secret -}}
{{- fail "limitStore: either url or secret" -}}
{{- end -}}
{{- if and $v.topics.partitions $v.consumer.autoscaling.enabled
      (gt (int $v.consumer.autoscaling.maxReplicas) (int $v.topics.partitions)) -}}
{{- fail (printf "consumer.autoscaling.maxReplicas: %d, but the topic has %d partitions, and more consumers have no work"
      (int $v.consumer.autoscaling.maxReplicas) (int $v.topics.partitions)) -}}
{{- end -}}
{{- range $name := list "gateway" "consumer" -}}
{{- $a := (get $v $name).autoscaling -}}
{{- if and $a.enabled (lt (int $a.maxReplicas) (int $a.minReplicas)) -}}
{{- fail (printf "%s.autoscaling: maxReplicas is less than minReplicas" $name) -}}
{{- end -}}
{{- end -}}
{{- if and $v.canary.enabled (not $v.canary.secret) -}}
{{- fail "canary.secret is needed: the name of a Secret whose key canary.yaml has the lines key, project and clickhouse" -}}
{{- end -}}
{{- if and $v.canary.enabled $v.gateway.tls.secret (not $v.canary.url) -}}
{{- fail "canary.url is needed with gateway.tls: https:// and a name that the gateways' certificate has" -}}
{{- end -}}
{{- if and $v.tests.loadSecret $v.gateway.tls.secret (not $v.tests.url) -}}
{{- fail "tests.url is needed with gateway.tls: https:// and a name that the gateways' certificate has" -}}
{{- end -}}
{{- $g := $v.gateway.autoscaling -}}
{{- if and $g.enabled (not $g.cpuUtilization) (not $g.inflightBytes) -}}
{{- fail "gateway.autoscaling: cpuUtilization or inflightBytes is needed" -}}
{{- end -}}
{{- if and $v.gateway.ingress.enabled (not $v.gateway.ingress.hosts) -}}
{{- fail "gateway.ingress.hosts: at least one host is needed" -}}
{{- end -}}
{{- if and $v.gateway.httpRoute.enabled (not $v.gateway.httpRoute.parentRefs) -}}
{{- fail "gateway.httpRoute.parentRefs: at least one Gateway is needed" -}}
{{- end -}}
{{- $buffer := include "sluice.bytes" (include "sluice.text" (index $v.consumer.settings "buffer-bytes" | default "134217728")) | int64 -}}
{{- $room := include "sluice.bytes" $v.consumer.resources.limits.memory | int64 -}}
{{- if lt $room (add (mul 4 $buffer) 134217728) -}}
{{- fail (printf "consumer.resources.limits.memory: %s is too little; four times buffer-bytes and 128Mi are %dMi"
      $v.consumer.resources.limits.memory (div (add (mul 4 $buffer) 134217728) 1048576)) -}}
{{- end -}}
{{- $inflight := include "sluice.bytes" (include "sluice.text" (index $v.gateway.settings "max-inflight-bytes" | default "268435456")) | int64 -}}
{{- $bodies := include "sluice.bytes" (include "sluice.text" (index $v.gateway.settings "max-body-bytes" | default "268435456")) | int64 -}}
{{- $room := include "sluice.bytes" $v.gateway.resources.limits.memory | int64 -}}
{{- if lt $room (add $inflight $bodies 402653184) -}}
{{- fail (printf "gateway.resources.limits.memory: %s is too little; max-inflight-bytes, max-body-bytes and 384Mi are %dMi"
      $v.gateway.resources.limits.memory (div (add $inflight $bodies 402653184) 1048576)) -}}
{{- end -}}
{{- end -}}
