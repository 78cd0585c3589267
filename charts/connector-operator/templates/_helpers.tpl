{{- define "connector-operator.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 55 characters, so that suffixes fit. */}}
{{- define "connector-operator.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 55 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 55 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 55 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "connector-operator.namespace" -}}
{{- .Values.namespaceOverride | default .Release.Namespace -}}
{{- end -}}

{{- define "connector-operator.leaseNamespace" -}}
{{- .Values.leaderElection.namespace | default (include "connector-operator.namespace" .) -}}
{{- end -}}

{{- define "connector-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "connector-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: controller
{{- end -}}

{{- define "connector-operator.chartLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: connector-operator
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "connector-operator.labels" -}}
{{- $own := merge (include "connector-operator.selectorLabels" . | fromYaml) (include "connector-operator.chartLabels" . | fromYaml) -}}
{{- merge $own .Values.commonLabels | toYaml -}}
{{- end -}}

{{/* Without the instance: the CRD outlives its release. */}}
{{- define "connector-operator.crdLabels" -}}
{{- $own := dict "app.kubernetes.io/name" (include "connector-operator.name" .) "app.kubernetes.io/component" "crd" -}}
{{- $own = merge $own (include "connector-operator.chartLabels" . | fromYaml) -}}
{{- merge $own .Values.commonLabels | toYaml -}}
{{- end -}}

{{/* The member metadata.annotations, or nothing. Argument: a list of maps; the first that has a key wins. */}}
{{- define "connector-operator.annotations" -}}
{{- $all := dict -}}
{{- range . -}}
{{- $all = merge $all . -}}
{{- end -}}
{{- with $all -}}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end -}}
{{- end -}}

{{- define "connector-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "connector-operator.fullname" .) -}}
{{- else -}}
{{- required "serviceAccount.name must be given when serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "connector-operator.image" -}}
{{- $path := .Values.image.repository -}}
{{- with .Values.image.registry -}}
{{- $path = printf "%s/%s" . $path -}}
{{- end -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $path .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $path (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- define "connector-operator.caBundleMounted" -}}
{{- if or .Values.caBundle.configMapName .Values.caBundle.secretName -}}true{{- end -}}
{{- end -}}

{{/* The configuration file, or nothing when the operator's defaults do. */}}
{{- define "connector-operator.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- if and (include "connector-operator.caBundleMounted" .) (not .Values.existingConfigSecret) -}}
{{- $_ := set $config "caBundleFile" (printf "/etc/connector-operator/ca/%s" .Values.caBundle.key) -}}
{{- end -}}
{{- with $config -}}
{{- toYaml . -}}
{{- end -}}
{{- end -}}

{{/* What the operator may do, in each namespace that it watches. Nothing else. */}}
{{- define "connector-operator.rules" -}}
- apiGroups: [connector-operator.io]
  resources: [connectorcredentials]
  verbs: [get, list, watch]
- apiGroups: [connector-operator.io]
  resources: [connectorcredentials/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [secrets]
  verbs: {{ ternary "[get, create, update, delete, list, watch]" "[get, create, update, delete]" (eq .Values.secretWatch "metadata") }}
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end -}}

{{/* Whether to write an object of a kind that not every cluster has. Arguments: root, mode, api, kind, value. */}}
{{- define "connector-operator.renders" -}}
{{- if or (eq .mode "alwaysRender") (.root.Capabilities.APIVersions.Has (printf "%s/%s" .api .kind)) -}}
true
{{- else if eq .mode "failIfMissing" -}}
{{- fail (printf "%s.renderMode is failIfMissing, and the cluster does not have %s of %s" .value .kind .api) -}}
{{- end -}}
{{- end -}}

{{/* The members of metadata. Arguments: root, name, namespace, labels, annotations; the last three may be absent. */}}
{{- define "connector-operator.metadata" -}}
name: {{ .name }}
{{- with .namespace }}
namespace: {{ . }}
{{- end }}
labels:
  {{- merge (include "connector-operator.labels" .root | fromYaml) (.labels | default dict) | toYaml | nindent 2 }}
{{- with include "connector-operator.annotations" (list (.annotations | default dict) .root.Values.commonAnnotations) }}
{{ . }}
{{- end }}
{{- end -}}

{{/* The same for what `helm test` makes; another component, so that no selector of the operator finds it. */}}
{{- define "connector-operator.testMetadata" -}}
{{- $metadata := include "connector-operator.metadata" . | fromYaml -}}
{{- $_ := set $metadata.labels "app.kubernetes.io/component" "check" -}}
{{- toYaml $metadata -}}
{{- end -}}

{{/* Settings that contradict each other. */}}
{{- define "connector-operator.check" -}}
{{- if and (gt (int .Values.replicas) 1) (not .Values.leaderElection.enabled) -}}
{{- fail "replicas must be at most 1 when leaderElection.enabled is false: two would check and publish side by side" -}}
{{- end -}}
{{- if and .Values.caBundle.configMapName .Values.caBundle.secretName -}}
{{- fail "caBundle.configMapName and caBundle.secretName must not both be given" -}}
{{- end -}}
{{- if and .Values.config.caBundleFile (include "connector-operator.caBundleMounted" .) -}}
{{- fail "config.caBundleFile must not be given together with caBundle: the chart sets it" -}}
{{- end -}}
{{- if and .Values.config .Values.existingConfigSecret -}}
{{- fail "config and existingConfigSecret must not both be given" -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled .Values.podMonitor.enabled -}}
{{- fail "serviceMonitor.enabled and podMonitor.enabled must not both be true: every series would be scraped twice" -}}
{{- end -}}
{{- if and (or .Values.serviceMonitor.enabled .Values.podMonitor.enabled) (not .Values.metrics.enabled) -}}
{{- fail "serviceMonitor.enabled and podMonitor.enabled need metrics.enabled" -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled (not .Values.metrics.service.enabled) -}}
{{- fail "serviceMonitor.enabled needs metrics.service.enabled; podMonitor.enabled does not" -}}
{{- end -}}
{{- if and .Values.metrics.enabled (eq (int .Values.metrics.port) (int .Values.health.port)) -}}
{{- fail "metrics.port and health.port must differ" -}}
{{- end -}}
{{- end -}}
