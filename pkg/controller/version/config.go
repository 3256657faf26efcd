package version

import (
	"maps"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/observe"
)

// configs remembers what the Secrets had, by version: to hash their values and to
// make masks of them is dear, and they seldom change.
type configs struct {
	mu    sync.Mutex
	known map[types.UID]knownConfig
}

// knownConfig is a state, and what it was made of.
type knownConfig struct {
	generation int64
	secret     types.UID
	resource   string // version of the Secret
	state      observe.Config
}

// of returns what the Secret, nil if there is none, has for v.
func (c *configs) of(v *v1alpha1.Version, secret *corev1.Secret) observe.Config {
	seen := knownConfig{generation: v.Generation}
	if secret != nil {
		seen.secret, seen.resource = secret.UID, secret.ResourceVersion
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	known, ok := c.known[v.UID]
	if ok && seen.generation == known.generation && seen.secret == known.secret && seen.resource == known.resource {
		return known.state
	}
	if c.known == nil {
		c.known = map[types.UID]knownConfig{}
	}
	seen.state = observe.ConfigOf(v.Spec.Config, secret)
	c.known[v.UID] = seen
	return seen.state
}

// keep forgets all but the given versions.
func (c *configs) keep(uids map[types.UID]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.known, func(uid types.UID, _ knownConfig) bool { return !uids[uid] })
}
