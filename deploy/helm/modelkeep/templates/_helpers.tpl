{{- define "modelkeep.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "modelkeep.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "modelkeep.labels" -}}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{ include "modelkeep.selector" . }}
{{- end }}

{{- define "modelkeep.secret" -}}
{{ .Values.secret.existing | default (include "modelkeep.name" .) }}
{{- end }}

{{- define "modelkeep.account" -}}
{{ .Values.serviceAccount.name | default (include "modelkeep.name" .) }}
{{- end }}

{{/* Whether several processes may share what is stored. */}}
{{- define "modelkeep.isShared" -}}
{{- if eq .Values.database.kind "postgresql" }}true{{ end }}
{{- end }}

{{- define "modelkeep.hasSecret" -}}
{{- if or .Values.secret.existing (include "modelkeep.isShared" .) .Values.secret.awsAccessKeyId .Values.secret.mailPassword }}true{{ end }}
{{- end }}

{{/* What cannot work is refused here, with a sentence, and not found out by a pod that restarts. */}}
{{- define "modelkeep.check" -}}
{{- if include "modelkeep.isShared" . }}
{{- if not .Values.artifacts }}
{{- fail "database.kind postgresql needs artifacts, an s3://bucket/prefix: pods do not share a disk." }}
{{- end }}
{{- if not .Values.secret.existing }}
{{- range list "databaseUrl" "secretsKey" "signingKey" "journalKey" }}
{{- if not (index $.Values.secret .) }}
{{- fail (printf "database.kind postgresql needs secret.existing, or secret.%s: pods must have the same keys, and none is made here, or each upgrade would make another. docs/how-to/deploy.md tells how." .) }}
{{- end }}
{{- end }}
{{- end }}
{{- else }}
{{- if gt (int .Values.replicas) 1 }}
{{- fail (printf "replicas must be 1 on SQLite, whose file one process writes, and is %d: set database.kind to postgresql." (int .Values.replicas)) }}
{{- end }}
{{- if gt (int .Values.settings.workers) 1 }}
{{- fail "settings.workers must be 1 on SQLite, whose file one process writes: set database.kind to postgresql." }}
{{- end }}
{{- if .Values.autoscaling.enabled }}
{{- fail "autoscaling needs database.kind postgresql: SQLite's file is one process's." }}
{{- end }}
{{- end }}
{{- if gt (int .Values.autoscaling.min) (int .Values.autoscaling.max) }}
{{- fail "autoscaling.min must not be above autoscaling.max." }}
{{- end }}
{{- end }}

{{/* The part of a pod that all of modelkeep's have alike. Takes (dict "root" $ "args" (list …)). */}}
{{- define "modelkeep.pod" -}}
{{- $ := .root -}}
serviceAccountName: {{ include "modelkeep.account" $ }}
automountServiceAccountToken: {{ $.Values.serviceAccount.automount }}
enableServiceLinks: false  # a service named modelkeep would set MODELKEEP_PORT to its own address
{{- with $.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with $.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $.Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumes:
  - name: data
    {{- if include "modelkeep.isShared" $ }}
    emptyDir: {}
    {{- else }}
    persistentVolumeClaim:
      claimName: {{ $.Values.persistence.existingClaim | default (include "modelkeep.name" $) }}
    {{- end }}
  - name: tmp
    emptyDir: {}
  {{- if include "modelkeep.isShared" $ }}
  - name: keys
    secret:
      secretName: {{ include "modelkeep.secret" $ }}
      defaultMode: 0440
      items:
        - key: journal.key
          path: journal.key
  {{- end }}
{{- end }}

{{/* The container of a pod, but for its probes and ports. */}}
{{- define "modelkeep.container" -}}
{{- $ := .root -}}
image: "{{ $.Values.image.repository }}:{{ $.Values.image.tag | default $.Chart.AppVersion }}"
imagePullPolicy: {{ $.Values.image.pullPolicy }}
args: {{ .args | toJson }}
env:
  {{- include "modelkeep.environment" $ | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
volumeMounts:
  - name: data
    mountPath: /var/lib/modelkeep
  - name: tmp
    mountPath: /tmp
  {{- if include "modelkeep.isShared" $ }}
  - name: keys
    mountPath: /etc/modelkeep
    readOnly: true
  {{- end }}
{{- end }}

{{- define "modelkeep.environment" -}}
- name: MODELKEEP_HOST
  value: "0.0.0.0"
- name: MODELKEEP_PORT
  value: "5000"
- name: MODELKEEP_METRICS_PORT  # of who works in the background
  value: "5000"
- name: MODELKEEP_AUTH
  value: "on"
- name: MODELKEEP_DATA_DIR
  value: /var/lib/modelkeep
- name: MODELKEEP_ALLOWED_HOSTS
  value: {{ include "modelkeep.hosts" . | quote }}
- name: MODELKEEP_DRAIN_S
  value: {{ .Values.drainSeconds | quote }}
- name: MODELKEEP_GRACE_S
  value: {{ .Values.graceSeconds | quote }}
- name: MODELKEEP_LOG_FORMAT
  value: {{ .Values.logFormat }}
{{- with .Values.publicUrl }}
- name: MODELKEEP_PUBLIC_URL
  value: {{ . | quote }}
{{- end }}
{{- with .Values.artifacts }}
- name: MODELKEEP_ARTIFACTS
  value: {{ . | quote }}
{{- end }}
{{- with .Values.s3EndpointUrl }}
- name: MODELKEEP_S3_ENDPOINT_URL
  value: {{ . | quote }}
{{- end }}
{{- with .Values.witnesses }}
- name: MODELKEEP_WITNESSES
  value: {{ join "," . | quote }}
{{- end }}
{{- range $name, $value := .Values.settings }}
- name: MODELKEEP_{{ upper $name }}
  value: {{ kindIs "float64" $value | ternary (int64 $value) $value | quote }}
{{- end }}
{{- if include "modelkeep.isShared" . }}
- name: MODELKEEP_JOURNAL_KEY
  value: /etc/modelkeep/journal.key
{{- range $name, $key := dict "DATABASE_URL" "database-url" "SECRETS_KEY" "secrets-key" "SIGNING_KEY" "signing-key" }}
- name: MODELKEEP_{{ $name }}
  valueFrom:
    secretKeyRef:
      name: {{ include "modelkeep.secret" $ }}
      key: {{ $key }}
{{- end }}
{{- end }}
{{- if include "modelkeep.hasSecret" . }}
{{- range $name, $key := dict "AWS_ACCESS_KEY_ID" "aws-access-key-id" "AWS_SECRET_ACCESS_KEY" "aws-secret-access-key" "MODELKEEP_MAIL_PASSWORD" "mail-password" }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef:
      name: {{ include "modelkeep.secret" $ }}
      key: {{ $key }}
      optional: true
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The names that the servers are reached by: the service's, the ingress's, and others. */}}
{{- define "modelkeep.hosts" -}}
{{- $name := include "modelkeep.name" . }}
{{- $hosts := list $name (printf "%s.%s" $name .Release.Namespace) (printf "%s.%s.svc" $name .Release.Namespace) (printf "%s.%s.svc.cluster.local" $name .Release.Namespace) }}
{{- if .Values.ingress.enabled }}{{ $hosts = append $hosts .Values.ingress.host }}{{ end }}
{{- join "," (concat $hosts .Values.allowedHosts) }}
{{- end }}
