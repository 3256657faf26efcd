package render

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"krt.dev/kn-krt/pkg/entrypoint/cold"
	"krt.dev/kn-krt/pkg/render/machine"
)

const (
	// Where cmd/entrypoint reads which nodes have no pod that could respond, and why.
	coldFolder = "/etc/krt-cold"
	coldVolume = "cold"

	// AnnotationCold of the pods of an entrypoint has the content of [cold.File]. They mount their
	// own annotation, which a kubelet writes into the file when it changes.
	AnnotationCold = "krt.dev/cold"
)

// cold reports whether the entrypoint is told what nodes wait for.
func (in Input) cold() bool {
	return in.Patient && slices.ContainsFunc(in.Version.Spec.Nodes, machine.Patient)
}

// mountCold mounts what the controller reports about nodes that wait.
func (in Input) mountCold(pod *corev1.PodSpec, container *corev1.Container) {
	if !in.cold() {
		return
	}
	pod.Volumes = append(pod.Volumes, corev1.Volume{Name: coldVolume, VolumeSource: corev1.VolumeSource{
		DownwardAPI: &corev1.DownwardAPIVolumeSource{Items: []corev1.DownwardAPIVolumeFile{{
			Path:     cold.File,
			FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.annotations['" + AnnotationCold + "']"},
		}}},
	}})
	container.VolumeMounts = append(container.VolumeMounts, corev1.VolumeMount{Name: coldVolume, MountPath: coldFolder, ReadOnly: true})
}
