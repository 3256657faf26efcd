package render

// The names of what belongs to a version are formed here and nowhere else. With
// names of at most 19 characters (KRT V1) none is longer than 46.

// ActiveEntrypointName is the name of the Service, and the Ingress, by which
// the published version of a namespace is called (KRT V1).
const ActiveEntrypointName = "active-entrypoint"

// ServiceName is the name of the Knative Service of a node.
func ServiceName(version, node string) string { return version + "-" + node }

// ShortcutName is the name of the Service that leads straight to a node's only
// pod. No node, workflow or revision of the version can have it: names neither
// begin nor end with a hyphen.
func ShortcutName(version, node string) string { return version + "--" + node }

// SequenceName is the name of the Sequence of a workflow. One that is made beside
// another, by a restart, has an end to its name.
func SequenceName(version, workflow, end string) string {
	if end != "" {
		end = "-" + end
	}
	return version + "-" + workflow + end
}

// EntrypointName is the name of the entrypoint's Deployment, ConfigMap,
// PodDisruptionBudget and NetworkPolicy, and the value of the label
// version-name of its pods (KRT V1).
func EntrypointName(version string) string { return version + "-entrypoint" }

// ReplyName is the name of the internal Service of the entrypoint's reply port.
func ReplyName(version string) string { return version + "-reply" }

// ReplySecretName is the name of the Secret with the key that seals reply
// tokens. Only the entrypoint mounts it.
func ReplySecretName(version string) string { return version + "-reply" }

// ReplySecretKey is the key, in the Secret [ReplySecretName], of those 32 bytes.
const ReplySecretKey = "key"

// ConfigName is the name of the Secret with a version's config values. It is
// the user's: render only refers to it.
func ConfigName(version string) string { return version + "-config" }

// Labels.
const (
	// LabelName, LabelPartOf and LabelManagedBy are Kubernetes' recommended ones:
	// the node (or "entrypoint"), the version, and [ManagedBy].
	LabelName      = "app.kubernetes.io/name"
	LabelPartOf    = "app.kubernetes.io/part-of"
	LabelManagedBy = "app.kubernetes.io/managed-by"
	// LabelVersion, LabelNode and LabelWorkflow hold names of the manifest.
	LabelVersion  = "krt.dev/version"
	LabelNode     = "krt.dev/node"
	LabelWorkflow = "krt.dev/workflow"
	// LabelType and LabelVersionName are KRT V1's: the Services by which callers
	// reach an entrypoint have these two labels and no others.
	LabelType        = "type"
	LabelVersionName = "version-name"

	// ManagedBy is the value of [LabelManagedBy] on all that render makes but
	// Services. Who watches Services selects those that have [LabelVersionName].
	ManagedBy = "kn-krt"
	// TypeEntrypoint is the value of [LabelType].
	TypeEntrypoint = "entrypoint"
)

// Annotations of pod templates: when one changes, new pods replace the old.
const (
	// AnnotationConfigHash is the hash of the values in the Secret [ConfigName]. It
	// is a label too where a Service of [ShortcutName] selects the pods.
	AnnotationConfigHash = "krt.dev/config-hash"
	// AnnotationContentHash is the hash of the entrypoint's ConfigMap.
	AnnotationContentHash = "krt.dev/content-hash"
	// AnnotationReplyKey tells which key the Secret [ReplySecretName] has, whose label
	// it is too. Who deletes that by hand gets another key: pods with different ones
	// cannot read each other's tokens.
	AnnotationReplyKey = "krt.dev/reply-key"
	// AnnotationSpecHash, of a Sequence, is the hash of what it says: one that runs is
	// never changed, another is made beside it.
	AnnotationSpecHash = "krt.dev/spec-hash"
)

// labels are those of every object of a version, Services of the entrypoint aside.
func labels(version, name string) map[string]string {
	return map[string]string{
		LabelName:      name,
		LabelPartOf:    version,
		LabelManagedBy: ManagedBy,
		LabelVersion:   version,
	}
}

// entrypointLabels are KRT V1's labels of the entrypoint's Service, and its selector.
func entrypointLabels(version string) map[string]string {
	return map[string]string{LabelType: TypeEntrypoint, LabelVersionName: EntrypointName(version)}
}
