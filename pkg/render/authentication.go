package render

import (
	corev1 "k8s.io/api/core/v1"

	"krt.dev/kn-krt/pkg/entrypoint/authentication"
)

const (
	// apiKeyFolder is where the entrypoint reads API keys.
	apiKeyFolder = "/etc/krt-api-keys"
	apiKeyVolume = "api-keys"
)

// authentication is the entrypoint's configuration of which clients may call.
func (in Input) authentication() (c authentication.Config) {
	a := in.Version.Spec.Entrypoint.Authentication
	if a == nil {
		return c
	}
	for _, i := range a.JWT {
		c.JWT = append(c.JWT, authentication.Issuer{
			Issuer: i.Issuer, Audiences: i.Audiences, JWKS: i.JWKS, JWKSURL: i.JWKSURL, CA: i.CA,
		})
	}
	if a.APIKeys != nil {
		c.APIKeys = apiKeyFolder
	}
	c.Workflows = a.Workflows
	return c
}

// mountAPIKeys mounts the API keys into the entrypoint. Without their Secret the pod does not
// start: no client could call it.
func (in Input) mountAPIKeys(pod *corev1.PodSpec, container *corev1.Container) {
	a := in.Version.Spec.Entrypoint.Authentication
	if a == nil || a.APIKeys == nil {
		return
	}
	pod.Volumes = append(pod.Volumes, corev1.Volume{Name: apiKeyVolume, VolumeSource: corev1.VolumeSource{
		Secret: &corev1.SecretVolumeSource{SecretName: a.APIKeys.Secret},
	}})
	container.VolumeMounts = append(container.VolumeMounts,
		corev1.VolumeMount{Name: apiKeyVolume, MountPath: apiKeyFolder, ReadOnly: true})
}
