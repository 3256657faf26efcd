{{- /* The image of a program, by its digest: include "kn-krt.image" (list . "controller"). */}}
{{- define "kn-krt.image" -}}
{{- $values := (index . 0).Values.image -}}
{{- printf "%s/%s@%s" $values.registry (index . 1) (required "image.digests lacks a program" (index $values.digests (index . 1))) -}}
{{- end }}
