{{/* The operator's settings, as smarttrade_operator.settings reads them. */}}
{{- define "smarttrade.operatorEnvironment" -}}
# The user has no entry in the image, and libraries ask who they run as.
- {name: USER, value: smarttrade-operator}
- {name: HOME, value: /tmp}
- {name: SMARTTRADE_INSTALLATION, value: {{ .Values.installation | quote }}}
- name: SMARTTRADE_OPERATOR_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
- name: SMARTTRADE_OPERATOR_POD
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- {name: SMARTTRADE_WATCH_NAMESPACES, value: {{ join "," .Values.watchNamespaces | quote }}}
- {name: SMARTTRADE_KEYS, value: /etc/smarttrade/keys}
- {name: SMARTTRADE_CATALOGUE, value: /etc/smarttrade/catalogue/catalogue.yaml}
- {name: SMARTTRADE_RUNTIME_IMAGE, value: {{ include "smarttrade.image" (dict "root" . "image" .Values.runtime.image) | quote }}}
- {name: SMARTTRADE_RUNTIME_PULL_POLICY, value: {{ .Values.runtime.image.pullPolicy }}}
- {name: SMARTTRADE_RUNTIME_PULL_SECRETS, value: {{ join "," .Values.imagePullSecrets | quote }}}
- {name: SMARTTRADE_RUNTIME_CLASS, value: {{ .Values.runtime.runtimeClassName | quote }}}
- {name: SMARTTRADE_RUNTIME_PRIORITY_CLASS, value: {{ include "smarttrade.accountPriority" . | quote }}}
- {name: SMARTTRADE_RUNTIME_STRATEGY_IMAGES, value: {{ join "," .Values.runtime.strategyImages | quote }}}
{{- if .Values.backtests.image.repository }}
- {name: SMARTTRADE_BACKTEST_IMAGE, value: {{ include "smarttrade.image" (dict "root" . "image" .Values.backtests.image) | quote }}}
{{- end }}
- {name: SMARTTRADE_BACKTEST_PRIORITY_CLASS, value: {{ include "smarttrade.backtestPriority" . | quote }}}
- {name: SMARTTRADE_BACKTEST_QUOTA_PODS, value: {{ .Values.backtests.quota.pods | quote }}}
- {name: SMARTTRADE_BACKTEST_QUOTA_CPU, value: {{ .Values.backtests.quota.cpu | quote }}}
- {name: SMARTTRADE_BACKTEST_QUOTA_MEMORY, value: {{ .Values.backtests.quota.memory | quote }}}
- {name: SMARTTRADE_NATS_URL, value: {{ include "smarttrade.natsUrl" . | quote }}}
{{- if include "smarttrade.natsCertificate" . }}
- {name: SMARTTRADE_NATS_TLS, value: /etc/smarttrade/nats-tls}
{{- end }}
{{- if eq (include "smarttrade.natsIssuer" .) "own" }}
- {name: SMARTTRADE_NATS_CERTIFICATE, value: {{ include "smarttrade.natsCertificate" . | quote }}}
- {name: SMARTTRADE_NATS_NAMES, value: {{ include "smarttrade.natsNames" . | quote }}}
{{- end }}
- {name: SMARTTRADE_NATS_CLUSTER, value: {{ .Values.nats.cluster | quote }}}
- {name: SMARTTRADE_NATS_REPLICAS, value: {{ .Values.nats.replicas | quote }}}
{{- if .Values.nats.dedicated }}
- {name: SMARTTRADE_BUSES, value: {{ include "smarttrade.natsBuses" . | quote }}}
{{- end }}
{{- if .Values.nats.enabled }}
- {name: SMARTTRADE_NATS_NAMESPACE, value: {{ .Release.Namespace | quote }}}
- {name: SMARTTRADE_NATS_POD_LABELS, value: {{ include "smarttrade.pairs" (include "smarttrade.selector" (dict "root" . "name" "nats") | fromYaml) | quote }}}
{{- else }}
- {name: SMARTTRADE_NATS_CIDRS, value: {{ join "," .Values.nats.externalCidrs | quote }}}
{{- end }}
- {name: SMARTTRADE_DNS_NAMESPACE_LABELS, value: {{ include "smarttrade.pairs" .Values.network.dnsNamespaceLabels | quote }}}
- {name: SMARTTRADE_DNS_POD_LABELS, value: {{ include "smarttrade.pairs" .Values.network.dnsPodLabels | quote }}}
- {name: SMARTTRADE_CLUSTER_CIDRS, value: {{ join "," .Values.network.clusterCidrs | quote }}}
{{- if .Values.egressGateway.enabled }}
{{- $gateways := list }}
{{- range $index := until (int .Values.egressGateway.replicas) }}
{{- $gateways = append $gateways (printf "%s-gateway-%d.%s.svc.%s:4750" (include "smarttrade.fullname" $) $index $.Release.Namespace $.Values.clusterDomain) }}
{{- end }}
- {name: SMARTTRADE_GATEWAYS, value: {{ join "," $gateways | quote }}}
- {name: SMARTTRADE_GATEWAY_WITHDRAWN, value: {{ include "smarttrade.fullname" . }}-gateway-withdrawn}
- {name: SMARTTRADE_GATEWAY_POD_LABELS, value: {{ include "smarttrade.pairs" (include "smarttrade.selector" (dict "root" . "name" "egress-gateway") | fromYaml) | quote }}}
{{- end }}
- {name: SMARTTRADE_METRICS_NAMESPACE_LABELS, value: {{ include "smarttrade.pairs" .Values.network.metricsNamespaceLabels | quote }}}
- {name: SMARTTRADE_PORT, value: "8080"}
- {name: SMARTTRADE_LOG_LEVEL, value: {{ .Values.operator.logLevel }}}
- {name: SMARTTRADE_CONCURRENCY, value: {{ .Values.operator.concurrency | quote }}}
- {name: SMARTTRADE_RESYNC_SECONDS, value: {{ .Values.operator.resyncSeconds | quote }}}
- {name: SMARTTRADE_AUDIT_SECONDS, value: {{ .Values.operator.auditSeconds | quote }}}
- {name: SMARTTRADE_LEASE_SECONDS, value: {{ .Values.operator.leaseSeconds | quote }}}
- {name: SMARTTRADE_RETENTION_SECONDS, value: {{ mul .Values.retention.days 86400 | quote }}}
- {name: SMARTTRADE_RETENTION_BYTES, value: {{ mul .Values.retention.maxMebibytes 1048576 | quote }}}
- {name: SMARTTRADE_STATUS_WRITES_PER_SECOND, value: {{ .Values.operator.statusWritesPerSecond | quote }}}
{{- end }}
