package controller

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// configState is what the user's Secret has for a version.
type configState struct {
	// ready tells whether every declared name has a value.
	ready bool
	// hash changes with the declared values and with nothing else; empty where none is declared.
	hash string
	mask mask
	// missing are declared names without a value, unknown are the Secret's that are not declared.
	missing, unknown []string
}

// mark marks it in v.
func (c configState) mark(v *v1alpha1.Version) {
	if c.ready {
		v.MarkConfigReady(c.unknown...)
		return
	}
	v.MarkConfigMissing(c.missing...)
}

// observeConfig looks at the Secret, nil if there is none. As in a local run an
// empty variable counts as none; an empty file is one.
func observeConfig(config v1alpha1.Config, secret *corev1.Secret) configState {
	var data map[string][]byte
	if secret != nil {
		data = secret.Data
	}
	state := configState{mask: newMask(data)}
	for _, name := range config.Variables {
		if len(data[name]) == 0 {
			state.missing = append(state.missing, name)
		}
	}
	for _, name := range config.Files {
		if _, there := data[name]; !there {
			state.missing = append(state.missing, name)
		}
	}
	if state.ready = state.missing == nil; !state.ready {
		return state
	}
	declared := slices.Concat(config.Variables, config.Files)
	for _, name := range slices.Sorted(maps.Keys(data)) {
		if !slices.Contains(declared, name) {
			state.unknown = append(state.unknown, name)
		}
	}
	state.hash = configHash(declared, data)
	return state
}

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
	state      configState
}

// of returns what the Secret, nil if there is none, has for v.
func (c *configs) of(v *v1alpha1.Version, secret *corev1.Secret) configState {
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
	seen.state = observeConfig(v.Spec.Config, secret)
	c.known[v.UID] = seen
	return seen.state
}

// keep forgets all but the given versions.
func (c *configs) keep(uids map[types.UID]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.known, func(uid types.UID, _ knownConfig) bool { return !uids[uid] })
}

// configHash is of the declared values. Lengths stand before names and values,
// so that no two sets of them look the same.
func configHash(declared []string, data map[string][]byte) string {
	if len(declared) == 0 {
		return ""
	}
	h := sha256.New()
	write := func(b []byte) {
		// A hash takes all that it is given.
		_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(b))))
		_, _ = h.Write(b)
	}
	for _, name := range slices.Sorted(slices.Values(declared)) {
		write([]byte(name))
		write(data[name])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// markConfigUnreadable says why the Secret cannot be read, and what gives the right
// to. The controller's namespace is system; the names are those of config/.
func markConfigUnreadable(v *v1alpha1.Version, system string, err error) {
	if !apierrors.IsForbidden(err) {
		v.MarkConfigUnreadable(fmt.Sprintf("cannot read Secrets in namespace %q: %v", v.Namespace, err))
		return
	}
	v.MarkConfigUnreadable(fmt.Sprintf("the controller may not read Secrets in namespace %q; allow it: "+
		"kubectl create rolebinding krt-controller-secrets -n %s --clusterrole krt-controller-secrets --serviceaccount %s:krt-controller",
		v.Namespace, v.Namespace, system))
}
