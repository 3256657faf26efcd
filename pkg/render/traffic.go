package render

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/entrypoint/traffic"
)

const (
	// Where cmd/entrypoint reads how requests are divided.
	trafficFolder = "/etc/krt-traffic"
	trafficVolume = "traffic"

	// AnnotationTraffic of the pods of an entrypoint identifies the content of the ConfigMap
	// [TrafficName] that they are to apply. A kubelet updates a pod's volumes when the pod
	// changes, and else only once a minute or so.
	AnnotationTraffic = "krt.dev/traffic"
	// AnnotationUntil of a ConfigMap [TrafficName] is until when the entrypoint of a version that
	// is no longer published forwards what its remaining connections carry (RFC 3339).
	AnnotationUntil = "krt.dev/until"
	// TrafficNone is the [AnnotationTraffic] of pods that divide nothing.
	TrafficNone = "none"
)

// TrafficName is the name of the ConfigMap that says how the entrypoint of a published version
// divides requests between it and a canary. It belongs to the Runtime.
func TrafficName(version string) string { return version + "-traffic" }

// Share is what of the requests to the published version rt's canary gets, as its spec and the
// weights in its status say. domain is the cluster's.
func Share(rt *v1alpha1.Runtime, domain string) traffic.Config {
	c, now := rt.Spec.Canary, rt.Status.Canary
	canary := canaryAt(now.Version, rt.Namespace, domain)
	canary.Weight, canary.Mirror = int(now.Weight), int(now.Mirror)
	for _, m := range c.Match {
		canary.Match = append(canary.Match, traffic.Match{Metadata: m.Metadata, Value: m.Value})
	}
	if c.Sticky != nil {
		canary.Sticky = c.Sticky.Metadata
	}
	if c.Compare != nil {
		canary.Ignore, canary.Tolerance = c.Compare.Ignore, tolerance(c.Compare.Tolerance)
	}
	return traffic.Config{Canary: canary}
}

// Handover has the entrypoint of a version forward all requests to another one.
func Handover(to, namespace, domain string) traffic.Config {
	canary := canaryAt(to, namespace, domain)
	canary.Weight = 100
	return traffic.Config{Canary: canary}
}

func canaryAt(version, namespace, domain string) *traffic.Canary {
	host := fmt.Sprintf("%s.%s.svc.%s", EntrypointServiceName(version), namespace, domain)
	return &traffic.Canary{Version: version, GRPC: host + ":9000", Web: host + ":80"}
}

// tolerance reads a percentage, of at most 100 %; the CRD has checked its form.
func tolerance(percent string) float64 {
	value, err := strconv.ParseFloat(strings.TrimSuffix(percent, "%"), 64)
	if err != nil {
		return 0
	}
	return min(value/100, 1)
}

// Traffic is the ConfigMap by which the entrypoint of a version divides requests. until is
// when that ends; zero: when the controller changes it.
func Traffic(namespace, version string, c traffic.Config, until time.Time) *corev1.ConfigMap {
	m := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: TrafficName(version), Namespace: namespace, Labels: labels(version, trafficVolume)},
		Data:       map[string]string{traffic.File: trafficText(c)},
	}
	m.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMap"))
	if !until.IsZero() {
		m.Annotations = map[string]string{AnnotationUntil: until.UTC().Format(time.RFC3339)}
	}
	return m
}

func trafficText(c traffic.Config) string {
	text, _ := json.MarshalIndent(c, "", "  ") // strings and numbers: this cannot fail
	return string(text) + "\n"
}

// TrafficID is the [AnnotationTraffic] of pods that are to apply c.
func TrafficID(c traffic.Config) string {
	if c.Canary == nil {
		return TrafficNone
	}
	sum := sha256.Sum256([]byte(trafficText(c)))
	return hex.EncodeToString(sum[:6])
}

// EntrypointPods are labels that select the pods of a version's entrypoint.
func EntrypointPods(version string) map[string]string { return entrypointLabels(version) }

// mountTraffic mounts the ConfigMap [TrafficName], which need not exist.
func mountTraffic(version string, pod *corev1.PodSpec, container *corev1.Container) {
	pod.Volumes = append(pod.Volumes, corev1.Volume{Name: trafficVolume, VolumeSource: corev1.VolumeSource{
		ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: TrafficName(version)}, Optional: new(true),
		},
	}})
	container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: trafficVolume, MountPath: trafficFolder, ReadOnly: true})
}
