{{/* Exactly smarttrade_operator.permissions; a test holds the two equal. */}}
{{- define "smarttrade.accountRules" -}}
- apiGroups: [smarttrade.io]
  resources: [tradingaccounts]
  verbs: [get, list, watch, patch]
- apiGroups: [smarttrade.io]
  resources: [tradingaccounts/status]
  verbs: [patch]
- apiGroups: [smarttrade.io]
  resources: [tradingaccounts/finalizers]
  verbs: [update]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, update, patch, delete]
- apiGroups: [networking.k8s.io]
  resources: [networkpolicies]
  verbs: [get, list, watch, create, update, patch, delete]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, update, patch, delete]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [secrets]
  verbs: [create, patch, delete]
- apiGroups: [""]
  resources: [events]
  verbs: [list]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
- apiGroups: [smarttrade.io]
  resources: [backtests]
  verbs: [get, list, watch]
- apiGroups: [smarttrade.io]
  resources: [backtests/status]
  verbs: [patch]
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, create]
- apiGroups: [""]
  resources: [resourcequotas]
  verbs: [create]
{{- end }}

{{- define "smarttrade.operatorRules" -}}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [get, create, update]
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: [smarttrade-kill-switch]
  verbs: [get]
- apiGroups: [""]
  resources: [configmaps]
  resourceNames: [{{ include "smarttrade.fullname" . }}-gateway-withdrawn]
  verbs: [get, patch]
- apiGroups: [""]
  resources: [secrets]
  resourceNames: [{{ include "smarttrade.fullname" . }}-nats-tls]
  verbs: [patch]
{{- end }}

{{- define "smarttrade.lettingGoRules" -}}
- apiGroups: [smarttrade.io]
  resources: [tradingaccounts]
  verbs: [get, list, watch, patch]
- apiGroups: [smarttrade.io]
  resources: [tradingaccounts/finalizers]
  verbs: [update]
- apiGroups: [""]
  resources: [namespaces]
  resourceNames: {{ toJson .Values.watchNamespaces }}
  verbs: [get]
{{- end }}

{{- define "smarttrade.releaseRules" -}}
- apiGroups: [smarttrade.io]
  resources: [tradingaccounts]
  verbs: [get, list, patch]
- apiGroups: [smarttrade.io]
  resources: [tradingaccounts/finalizers]
  verbs: [update]
{{- end }}

{{- define "smarttrade.releaseOwnRules" -}}
- apiGroups: [apps]
  resources: [deployments]
  resourceNames: [{{ include "smarttrade.fullname" . }}-operator]
  verbs: [get]
{{- end }}

{{/* Creating cannot be bound to names; reading and changing is. */}}
{{- define "smarttrade.keysRules" -}}
- apiGroups: [""]
  resources: [secrets]
  verbs: [create]
- apiGroups: [""]
  resources: [secrets]
  resourceNames:
    - {{ include "smarttrade.keysSecret" . }}
    {{- range fromYamlArray (include "smarttrade.natsSets" .) | default (list (dict "suffix" "-nats")) }}
    - {{ include "smarttrade.fullname" $ }}{{ .suffix }}-config
    {{- end }}
    {{- if .Values.egressGateway.enabled }}
    - {{ include "smarttrade.fullname" . }}-gateway
    {{- end }}
    - {{ include "smarttrade.fullname" . }}-nats-tls
  verbs: [get, patch]
{{- end }}
