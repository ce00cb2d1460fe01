{{/* Quantities of Kubernetes as numbers. */}}

{{/* Bytes of a quantity such as 768Mi, 1.5Gi or 500M. */}}
{{- define "sluice.bytes" -}}
{{- $text := toString . -}}
{{- $units := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000
    "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- $unit := regexFind "[A-Za-z]*$" $text -}}
{{- if not (and (hasKey $units $unit) (regexMatch "^[0-9]+(\\.[0-9]+)?[A-Za-z]*$" $text)) -}}
{{- fail (printf "%q is not a size such as 768Mi or 1Gi" $text) -}}
{{- end -}}
{{- mulf (float64 (trimSuffix $unit $text)) (get $units $unit) | int64 -}}
{{- end -}}

{{/* Thousandths of a CPU of a quantity such as 500m, 2 or 1.5. */}}
{{- define "sluice.millis" -}}
{{- $text := toString . -}}
{{- if hasSuffix "m" $text -}}{{ trimSuffix "m" $text | int64 }}
{{- else -}}{{ mulf (float64 $text) 1000 | int64 }}
{{- end -}}
{{- end -}}

{{/* GOMEMLIMIT and GOMAXPROCS of a component. Go obeys a CPU limit by itself. */}}
{{- define "sluice.goEnv" -}}
{{- $memory := include "sluice.bytes" .resources.limits.memory | int64 -}}
- name: GOMEMLIMIT
  value: {{ printf "%dMiB" (div (div (mul $memory 85) 100) 1048576) | quote }}
{{- if get . "maxProcs" }}
- name: GOMAXPROCS
  value: {{ .maxProcs | int64 | quote }}
{{- else if not (get .resources.limits "cpu") }}
- name: GOMAXPROCS
  value: {{ max 2 (div (add (mul 2 (include "sluice.millis" .resources.requests.cpu | int64)) 999) 1000) | quote }}
{{- end }}
{{- end -}}

{{/* A setting's value as the programs read it: lists with commas, whole numbers without an exponent. */}}
{{- define "sluice.text" -}}
{{- if kindIs "slice" . -}}{{ join "," . }}
{{- else if kindIs "float64" . -}}{{ if eq (floor .) . }}{{ printf "%.0f" . }}{{ else }}{{ printf "%v" . }}{{ end }}
{{- else -}}{{ toString . }}
{{- end -}}
{{- end -}}
