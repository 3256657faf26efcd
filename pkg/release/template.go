package release

// changed says, by the names of files of config/, what values change in them. Files that are not here are
// the same for everybody.
func changed() map[string]templated {
	return map[string]templated{
		"300-runtimes.yaml":   definitions(),
		"300-versions.yaml":   definitions(),
		"400-config-krt.yaml": {end: "{{- with .Values.settings }}\n{{ toYaml . | indent 2 }}\n{{- end }}\n"},
		"500-controller.yaml": {edit: []edit{
			{"  replicas: 1\n", "  replicas: {{ .Values.controller.replicas }}\n"}, pullSecrets("serviceAccountName: krt-controller"),
		}},
		"600-store.yaml":       {when: ".Values.store.enabled", edit: volumeEdits("store", "-file-bytes")},
		"queue.yaml":           {when: ".Values.queue.enabled", edit: queueEdits()},
		"dashboard.yaml":       {when: ".Values.dashboard.enabled", edit: dashboardEdits()},
		"pod-monitor.yaml":     {when: monitored, edit: selected()},
		"service-monitor.yaml": {when: monitored, edit: selected()},
		"store-monitor.yaml":   {when: "and .Values.serviceMonitor.enabled .Values.store.enabled", edit: selected()},
		"queue-monitor.yaml":   {when: "and .Values.serviceMonitor.enabled .Values.queue.enabled", edit: selected()},
		"rules.yaml":           {when: ".Values.prometheusRule.enabled", edit: labelled("prometheusRule")},
	}
}

const monitored = ".Values.serviceMonitor.enabled"

func selected() []edit { return labelled("serviceMonitor") }

// definitions are templates, not files of crds/, which Helm never upgrades. They are kept on uninstall,
// because all versions go with them.
func definitions() templated {
	const annotations = "\nmetadata:\n  annotations:\n"
	keep := "    {{- if .Values.crds.keep }}\n    helm.sh/resource-policy: keep\n    {{- end }}\n"
	return templated{when: ".Values.crds.install", edit: []edit{{annotations, annotations + keep}}}
}

// pullSecrets are added to each pod of kn-krt, after the first line of its spec.
func pullSecrets(first string) edit {
	head := "    spec:\n      " + first + "\n"
	return edit{head, head + pullSecretsLines}
}

const pullSecretsLines = `      {{- with .Values.image.pullSecrets }}
      imagePullSecrets:
      {{- range . }}
      - name: {{ . | quote }}
      {{- end }}
      {{- end }}
`

// volumeEdits set the size and the class of a program's volume; nine tenths are for what it keeps.
func volumeEdits(values, flag string) []edit {
	const access = "      accessModes: [ReadWriteOnce]\n"
	values = ".Values." + values
	class := "      {{- with " + values + ".storageClassName }}\n      storageClassName: {{ . | quote }}\n      {{- end }}\n"
	return []edit{
		{"storage: 10Gi", "storage: {{ " + values + ".sizeGiB }}Gi"},
		{flag + "=9663676416", flag + "={{ div (mul " + values + ".sizeGiB 1073741824 9) 10 }}"},
		{access, access + class},
		pullSecrets("automountServiceAccountToken: false"),
	}
}

// queueEdits are those of its volume.
func queueEdits() []edit {
	const header = "#   KO_CONFIG_PATH=ko.yaml ko apply -f config/queue/\n"
	return append(volumeEdits("queue", "-bytes"), edit{header, ""})
}

// dashboardEdits are its flags.
func dashboardEdits() []edit {
	const hosts, header = "        - -hosts=krt-dashboard.krt-system.svc\n", "#   KO_CONFIG_PATH=ko.yaml ko apply -f config/dashboard/\n"
	flags := `        - -hosts={{ join "," (prepend .Values.dashboard.hosts "krt-dashboard.krt-system.svc") }}
        {{- with .Values.dashboard.registries }}
        - -registries={{ join "," . }}
        {{- end }}
        {{- if not .Values.dashboard.readOnly }}
        - -changes
        {{- end }}
`
	return []edit{{hosts, flags}, {header, ""}, pullSecrets("serviceAccountName: krt-dashboard")}
}

// labelled adds the labels by which a Prometheus selects the object.
func labelled(values string) []edit {
	const labels = "    app.kubernetes.io/part-of: kn-krt\n  name:"
	more := "    app.kubernetes.io/part-of: kn-krt\n" +
		"    {{- with .Values." + values + ".labels }}\n    {{- toYaml . | nindent 4 }}\n    {{- end }}\n  name:"
	return []edit{{labels, more}}
}
