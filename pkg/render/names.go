package render

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"strconv"

	flowsv1 "knative.dev/eventing/pkg/apis/flows/v1"

	"krt.dev/kn-krt/pkg/channel"
)

// The names of a version's objects are formed here and nowhere else. As the names of KRT V1
// have at most 19 characters, none is longer than 46.

// ActiveEntrypointName is the name of the Service, and the Ingress, by which
// the published version of a namespace is called (KRT V1).
const ActiveEntrypointName = "active-entrypoint"

// ServiceName is the name of the Knative Service of a node.
func ServiceName(version, node string) string { return version + "-" + node }

// ShortcutName is the name of the Service that routes directly to a node's only pod. No
// node, workflow or Revision of the version can have it: names neither begin nor end with a
// hyphen.
func ShortcutName(version, node string) string { return version + "--" + node }

// PodsName is the name of the headless Service by which the pods of a node are found. As with
// [ShortcutName], nothing else of the version can have it; a node may have both one after the other.
func PodsName(version, node string) string { return version + "---" + node }

// SequenceName is the name of the Sequence of a workflow. A restart creates Sequences
// next to those in use: their names have a suffix, [SequenceSuffix].
func SequenceName(version, workflow, suffix string) string {
	if suffix != "" {
		suffix = "-" + suffix
	}
	return version + "-" + workflow + suffix
}

// SequenceSuffix returns a suffix for the names of Sequences that differ from those in
// use. It depends on their specs only.
func SequenceSuffix(sequences []*flowsv1.Sequence) string {
	h := sha256.New()
	for _, s := range sequences {
		_, _ = io.WriteString(h, s.Annotations[AnnotationSpecHash]) // a hash does not fail
	}
	return hex.EncodeToString(h.Sum(nil)[:3])
}

// SequenceAddress is the URL at which a Sequence usually receives events: its first channel's.
// What a cluster has is in the Sequence's status.
func SequenceAddress(sequence, namespace, domain string) string {
	return channel.Address(ChannelName(sequence, 0), namespace, domain)
}

// ServiceURL is the URL of a Service inside the cluster. domain is the cluster's.
func ServiceURL(service, namespace, domain string) string {
	return fmt.Sprintf("http://%s.%s.svc.%s", service, namespace, domain)
}

// EntrypointServiceName is the name of the Service by which a version's entrypoint is
// called (KRT V1). [ActiveEntrypointName] is that of the published one.
func EntrypointServiceName(version string) string { return version }

// EntrypointName is the name of the entrypoint's Deployment,
// PodDisruptionBudget and NetworkPolicy, and the value of the label
// version-name of its pods (KRT V1).
func EntrypointName(version string) string { return version + "-entrypoint" }

// ContentName is the name of the ConfigMap with an entrypoint's configuration and protos: of identifies
// what it has, [AnnotationContentHash].
func ContentName(version, of string) string {
	return EntrypointName(version) + "-" + of[:min(len(of), 10)]
}

// ReplyName is the name of the internal Service of the entrypoint's reply port.
func ReplyName(version string) string { return version + "-reply" }

// ReplySecretName is the name of the Secret with the key that seals reply
// tokens. Only the entrypoint mounts it.
func ReplySecretName(version string) string { return version + "-reply" }

// ReplySecretKey is the key, in the Secret [ReplySecretName], of those 32 bytes.
const ReplySecretKey = "key"

// StoreSecretName is the name of the Secret with a version's credentials for the store. of
// identifies what it has: nothing in it ever changes, and other credentials are in
// another Secret.
func StoreSecretName(version, of string) string { return version + "-store-" + of }

// Keys of the Secret [StoreSecretName].
const (
	// StoreSecretNode is what nodes show to the store, and the entrypoint of a version that an older kn-krt has started.
	StoreSecretNode = "node"
	// StoreSecretEntrypoint is what the entrypoint shows to the store.
	StoreSecretEntrypoint = "entrypoint"
	// StoreSecretOwner is for users who may read the Secret. It is never mounted.
	StoreSecretOwner = "owner"
	// StoreSecretCA has the certificates of the setting store-ca.
	StoreSecretCA = "ca.crt"
)

// QueueSecretName is the name of the Secret with a version's credential for the queue. As with
// [StoreSecretName], of identifies what it has.
func QueueSecretName(version, of string) string { return version + "-queue-" + of }

// QueueName is the name of the StatefulSet and Service, in [SystemNamespace], of the queue that
// config/queue installs.
const QueueName = "krt-queue"

// The store of an installation, as config/ has it.
const (
	// StoreName is the name of its StatefulSet and Service in [SystemNamespace].
	StoreName = "krt-store"
	// StoreKeyName is the name of the Secret there with the keys of credentials, and
	// StoreKeyCurrent the key in it by which new ones are sealed. The store accepts all.
	StoreKeyName    = "krt-store-key"
	StoreKeyCurrent = "current"
)

// ConfigName is the name of the Secret with a version's config values. It belongs to the
// user: render only refers to it.
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
	// LabelType and LabelVersionName are KRT V1's: the Services by which clients reach an
	// entrypoint have these two labels and no others.
	LabelType        = "type"
	LabelVersionName = "version-name"

	// ManagedBy is the value of [LabelManagedBy] on all objects but Services. To watch
	// Services, select those that have [LabelVersionName].
	ManagedBy = "kn-krt"
	// TypeEntrypoint is the value of [LabelType].
	TypeEntrypoint = "entrypoint"
)

// Annotations of pod templates: when one changes, new pods replace the old.
const (
	// AnnotationConfigHash is the hash of the values in the Secret [ConfigName]. It is also
	// a label if a Service of [ShortcutName] selects the pods.
	AnnotationConfigHash = "krt.dev/config-hash"
	// LabelTemplate is the hash of a node's pod template, if a Service of [PodsName] selects the pods: a
	// Revision that another has replaced gets no requests any more, so that it can end.
	LabelTemplate = "krt.dev/template-hash"
	// AnnotationContentHash is the hash of the entrypoint's ConfigMap.
	AnnotationContentHash = "krt.dev/content-hash"
	// AnnotationReplyKey identifies the key in the Secret [ReplySecretName], which has it as
	// a label. If that Secret is deleted by hand, there is another key, and pods with
	// different keys cannot read each other's tokens.
	AnnotationReplyKey = "krt.dev/reply-key"
	// AnnotationChannel, of a Sequence, has the annotations of its channels, as JSON.
	AnnotationChannel = "krt.dev/channel-annotations"
	// AnnotationSpecHash, of a Sequence, is the hash of its spec: a Sequence in use is never
	// changed, another one is created next to it.
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

// MetricsURL is where an entrypoint in the pod with an address serves its metrics.
func MetricsURL(ip string) string {
	return "http://" + net.JoinHostPort(ip, strconv.Itoa(replyPort)) + "/metrics"
}
