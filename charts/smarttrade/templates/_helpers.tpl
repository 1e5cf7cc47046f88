{{/* Names, labels and the parts that every pod shares. */}}

{{- define "smarttrade.fullname" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "smarttrade.labels" -}}
{{ include "smarttrade.selector" . }}
app.kubernetes.io/part-of: smarttrade
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Of pods: without versions, so that a new chart alone restarts nothing. */}}
{{- define "smarttrade.podLabels" -}}
{{ include "smarttrade.selector" . }}
app.kubernetes.io/part-of: smarttrade
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "smarttrade.selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{/* {name, namespace, labels} of one object: dict "root" $ "name" "operator" "suffix" "-operator" */}}
{{- define "smarttrade.metadata" -}}
name: {{ include "smarttrade.fullname" .root }}{{ .suffix }}
namespace: {{ .namespace | default .root.Release.Namespace }}
labels:
  {{- include "smarttrade.labels" . | nindent 2 }}
{{- end }}

{{- define "smarttrade.image" -}}
{{ .image.repository }}:{{ .image.tag | default .root.Chart.AppVersion }}
{{- end }}

{{/* Empty: backtests have neither a priority of their own nor a quota. */}}
{{- define "smarttrade.backtestPriority" -}}
{{- $made := ternary (printf "%s-%s-backtest" .Release.Namespace (include "smarttrade.fullname" .)) "" .Values.backtests.createPriorityClass -}}
{{- .Values.backtests.priorityClassName | default $made -}}
{{- end }}

{{/* Empty: accounts have the cluster's default priority. */}}
{{- define "smarttrade.accountPriority" -}}
{{- $made := ternary (printf "%s-%s-account" .Release.Namespace (include "smarttrade.fullname" .)) "" .Values.runtime.createPriorityClass -}}
{{- .Values.runtime.priorityClassName | default $made -}}
{{- end }}

{{/* Empty: what accounts depend on has the cluster's default priority. */}}
{{- define "smarttrade.platformPriority" -}}
{{- $made := ternary (printf "%s-%s-platform" .Release.Namespace (include "smarttrade.fullname" .)) "" .Values.platform.createPriorityClass -}}
{{- .Values.platform.priorityClassName | default $made -}}
{{- end }}

{{- define "smarttrade.simulatorImage" -}}
{{- $image := .Values.simulator.image }}
{{- if $image.repository }}{{ include "smarttrade.image" (dict "root" . "image" $image) }}
{{- else }}{{ include "smarttrade.image" (dict "root" . "image" .Values.runtime.image) }}{{ end }}
{{- end }}

{{- define "smarttrade.pullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "smarttrade.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ . }}
runAsGroup: {{ . }}
fsGroup: {{ . }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "smarttrade.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "smarttrade.placement" -}}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{/* Of what stays while accounts come and go. Hooks run before its class is there and after it is gone. */}}
{{- define "smarttrade.platformPlacement" -}}
{{- $class := .part.priorityClassName | default (include "smarttrade.platformPriority" .root) -}}
{{ include "smarttrade.placement" (merge (dict "priorityClassName" $class) .part) }}
{{- end }}

{{- define "smarttrade.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "smarttrade.selector" . | nindent 8 }}
{{- end }}

{{- define "smarttrade.keysSecret" -}}
{{ .Values.keys.existingSecret | default (printf "%s-keys" (include "smarttrade.fullname" .)) }}
{{- end }}

{{- define "smarttrade.natsHost" -}}
{{ include "smarttrade.fullname" . }}-nats.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}
{{- end }}

{{- define "smarttrade.natsUrl" -}}
{{- if .Values.nats.enabled }}{{ ternary "tls" "nats" .Values.nats.tls.enabled }}://{{ include "smarttrade.natsHost" . }}:4222
{{- else }}{{ required "nats.enabled is false: set nats.url to the servers to use" .Values.nats.url }}{{ end }}
{{- end }}

{{/* Who issues the servers' certificate: own, certManager, or nobody here (empty). */}}
{{- define "smarttrade.natsIssuer" -}}
{{- $tls := .Values.nats.tls }}
{{- if or (not .Values.nats.enabled) (not $tls.enabled) $tls.existingSecret }}
{{- else if or (eq $tls.issuedBy "certManager") (and (eq $tls.issuedBy "auto") (.Capabilities.APIVersions.Has "cert-manager.io/v1")) }}certManager
{{- else }}own{{ end }}
{{- end }}

{{/* The Secret with ca.crt, tls.crt and tls.key; empty: the system's authorities, or no TLS. */}}
{{- define "smarttrade.natsCertificate" -}}
{{- $tls := .Values.nats.tls }}
{{- if $tls.enabled }}
{{- $issuer := include "smarttrade.natsIssuer" . }}
{{- if $issuer }}{{ include "smarttrade.fullname" . }}-nats-{{ ternary "tls" "certificate" (eq $issuer "own") }}
{{- else }}{{ $tls.existingSecret }}{{ end }}
{{- end }}
{{- end }}

{{/*
The sets of NATS servers that run here: the one that all accounts may use, whose `bus` is empty, then the dedicated ones.
Of each the part's name and suffix, the namespaces whose accounts it carries, and `values`, which are those of `nats` for it.
*/}}
{{- define "smarttrade.natsSets" -}}
{{- if .Values.nats.enabled }}
{{- $common := omit .Values.nats "dedicated" }}
- {{ dict "bus" "" "name" "nats" "suffix" "-nats" "namespaces" .Values.watchNamespaces "values" $common | toJson }}
{{- range .Values.nats.dedicated }}
{{- $part := printf "bus-%s" .name }}
{{- $values := mergeOverwrite (deepCopy $common) (omit . "name" "namespaces") }}
{{- $_ := set $values.persistence "existingVolume" dict }}
- {{ dict "bus" .name "name" $part "suffix" (printf "-%s" $part) "namespaces" .namespaces "values" $values | toJson }}
{{- end }}
{{- end }}
{{- end }}

{{/* Comma-separated names that clients and other servers know all servers by. */}}
{{- define "smarttrade.natsNames" -}}
{{- $names := list }}
{{- range fromYamlArray (include "smarttrade.natsSets" .) }}
{{- $name := printf "%s%s" (include "smarttrade.fullname" $) .suffix }}
{{- $service := printf "%s.%s.svc" $name $.Release.Namespace }}
{{- $names = concat $names (list (printf "%s.%s" $service $.Values.clusterDomain) $service $name
      (printf "*.%s-headless.%s.svc.%s" $name $.Release.Namespace $.Values.clusterDomain)) }}
{{- end }}
{{- join "," (concat $names (list "localhost" "127.0.0.1")) }}
{{- end }}

{{/* Comma-separated routes between the servers of a set, empty for a single one: dict "root" $ "set" $set */}}
{{- define "smarttrade.natsRoutes" -}}
{{- $name := printf "%s%s" (include "smarttrade.fullname" .root) .set.suffix }}
{{- $routes := list }}
{{- if gt (int .set.values.replicas) 1 }}
{{- range until (int .set.values.replicas) }}
{{- $routes = append $routes (printf "nats://%s-%d.%s-headless.%s.svc.%s:6222" $name . $name $.root.Release.Namespace $.root.Values.clusterDomain) }}
{{- end }}
{{- end }}
{{- join "," $routes }}
{{- end }}

{{/* The dedicated servers as the operator reads them, JSON. */}}
{{- define "smarttrade.natsBuses" -}}
{{- $buses := dict }}
{{- range fromYamlArray (include "smarttrade.natsSets" .) }}
{{- if .bus }}
{{- $host := printf "%s%s.%s.svc.%s" (include "smarttrade.fullname" $) .suffix $.Release.Namespace $.Values.clusterDomain }}
{{- $_ := set $buses .bus (dict "url" (printf "%s://%s:4222" (ternary "tls" "nats" $.Values.nats.tls.enabled) $host)
      "namespaces" .namespaces "replicas" (int .values.replicas)
      "pod_labels" (fromYaml (include "smarttrade.selector" (dict "root" $ "name" .name)))) }}
{{- end }}
{{- end }}
{{- toJson $buses }}
{{- end }}

{{/* key=value,key=value */}}
{{- define "smarttrade.pairs" -}}
{{- $pairs := list }}
{{- range $key, $value := . }}{{ $pairs = append $pairs (printf "%s=%s" $key $value) }}{{ end }}
{{- join "," $pairs }}
{{- end }}

{{/* The catalogue of exchanges, with the simulator where it is enabled. */}}
{{- define "smarttrade.catalogue" -}}
{{- $catalogue := deepCopy .Values.exchanges }}
{{- if .Values.simulator.enabled }}
{{- $host := printf "%s-simulator.%s.svc.%s:8080" (include "smarttrade.fullname" .) .Release.Namespace .Values.clusterDomain }}
{{- $pods := dict "namespaceLabels" (dict "kubernetes.io/metadata.name" .Release.Namespace)
      "podLabels" (fromYaml (include "smarttrade.selector" (dict "root" . "name" "simulator"))) "port" 8080 }}
{{- $simulator := dict "rest" (printf "http://%s" $host) "websocket" (printf "ws://%s" $host)
      "websocketApi" (printf "ws://%s" $host) "pods" $pods }}
{{- $catalogue = merge (dict "binance" (dict "Simulator" $simulator)) $catalogue }}
{{- end }}
{{- toYaml $catalogue }}
{{- end }}

{{/* Checks that no schema can express. */}}
{{- define "smarttrade.check" -}}
{{- if and (not .Values.nats.enabled) (not .Values.nats.url) }}
{{- fail "nats.enabled is false: set nats.url to the servers to use" }}
{{- end }}
{{- if and .Values.nats.enabled .Values.nats.url }}
{{- fail "nats.url is set: set nats.enabled to false, or remove the url" }}
{{- end }}
{{- if and (not .Values.nats.enabled) (not .Values.nats.externalCidrs) }}
{{- fail "nats.enabled is false: set nats.externalCidrs to the networks of those servers, since the accounts' policies open no other way" }}
{{- end }}
{{- if and .Values.nats.enabled .Values.nats.tls.issuer.name (ne (include "smarttrade.natsIssuer" .) "certManager") }}
{{- fail "nats.tls.issuer is set, but cert-manager is not used: set nats.tls.issuedBy to certManager, or remove the issuer" }}
{{- end }}
{{- if and .Values.nats.dedicated (not .Values.nats.enabled) }}
{{- fail "nats.enabled is false: nats.dedicated runs beside the servers of this release, so remove it" }}
{{- end }}
{{- $dedicated := list }}
{{- range .Values.nats.dedicated }}
{{- if has .name $dedicated }}
{{- fail (printf "nats.dedicated has two entries called %s" .name) }}
{{- end }}
{{- $dedicated = append $dedicated .name }}
{{- range .namespaces }}
{{- if and $.Values.watchNamespaces (not (has . $.Values.watchNamespaces)) }}
{{- fail (printf "nats.dedicated names namespace %s, which is not in watchNamespaces" .) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and .Values.nats.persistence.existingVolume (gt (int .Values.nats.replicas) 1) }}
{{- fail "nats.persistence.existingVolume would be shared by several servers: set nats.replicas to 1, or use claims" }}
{{- end }}
{{- if and .Values.simulator.dataFile (not .Values.simulator.dataVolume) }}
{{- fail "simulator.dataFile is set without simulator.dataVolume: say which volume holds the file" }}
{{- end }}
{{- end }}
