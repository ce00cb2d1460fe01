{{/* Names, labels and the image. */}}

{{- define "sluice.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* 40 characters at most, which leaves room for the longest suffix and for what Kubernetes appends to a pod's name. */}}
{{- define "sluice.fullname" -}}
{{- $name := include "sluice.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels that select the pods of a component. Arguments: the root, the component. */}}
{{- define "sluice.selector" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ include "sluice.name" $root }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Labels of a component's pods. A new version of the chart alone restarts none. Arguments: the root, the component. */}}
{{- define "sluice.podLabels" -}}
{{ include "sluice.selector" . }}
app.kubernetes.io/part-of: sluice
{{- end -}}

{{/* All labels of an object. Arguments: the root, the component. */}}
{{- define "sluice.labels" -}}
{{- $root := index . 0 -}}
{{ include "sluice.podLabels" . }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 }}
{{- with $root.Values.image.tag }}
app.kubernetes.io/version: {{ . | trunc 63 | trimSuffix "-" | trimSuffix "." | trimSuffix "_" | quote }}
{{- end }}
{{- end -}}

{{/* The image of a component. Arguments: the root, the component's own image or an empty one. */}}
{{- define "sluice.image" -}}
{{- $all := (index . 0).Values.image -}}
{{- $own := index . 1 -}}
{{- if $own.digest -}}{{ $all.repository }}@{{ $own.digest }}
{{- else if $own.tag -}}{{ $all.repository }}:{{ $own.tag }}
{{- else if $all.digest -}}{{ $all.repository }}@{{ $all.digest }}
{{- else if $all.tag -}}{{ $all.repository }}:{{ $all.tag }}
{{- else -}}{{ fail "image.tag or image.digest is needed: say which version to run" }}
{{- end -}}
{{- end -}}

{{/* The service account of gateways and consumers. */}}
{{- define "sluice.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "sluice.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* The service account of the jobs, which run before the chart's own account is there. */}}
{{- define "sluice.jobServiceAccount" -}}
{{- if .Values.serviceAccount.create -}}default{{- else -}}{{ include "sluice.serviceAccount" . }}{{- end -}}
{{- end -}}
