package version

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/observe"
)

// configs caches what the Secrets have for versions, because hashing values and making
// masks of them is expensive, and they seldom change.
type configs struct{ cache[knownConfig] }

// knownConfig is what a Secret has, and what that was derived from.
type knownConfig struct {
	generation      int64
	secret          types.UID
	resourceVersion string // of the Secret
	config          observe.Config
}

// of returns what the Secret, nil if there is none, has for v.
func (c *configs) of(v *v1alpha1.Version, secret *corev1.Secret) observe.Config {
	latest := knownConfig{generation: v.Generation}
	if secret != nil {
		latest.secret, latest.resourceVersion = secret.UID, secret.ResourceVersion
	}
	known, cached := c.get(v)
	same := known.generation == latest.generation && known.secret == latest.secret && known.resourceVersion == latest.resourceVersion
	if cached && same {
		return known.config
	}
	latest.config = observe.ConfigOf(v.Spec.Config, secret)
	c.put(v, latest)
	return latest.config
}
