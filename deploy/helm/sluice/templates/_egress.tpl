{{/* Rules of NetworkPolicies. */}}

{{/* Name servers are where the cluster has them, on the node itself in some. */}}
{{- define "sluice.dnsEgress" -}}
- ports: [{port: 53, protocol: UDP}, {port: 53, protocol: TCP}]
{{- end -}}

{{/* One rule. Arguments: to (empty: anywhere) and ports. */}}
{{- define "sluice.egress" -}}
- ports:
    {{- range .ports }}
    - port: {{ int . }}
    {{- end }}
  {{- with .to }}
  to: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
