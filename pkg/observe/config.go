package observe

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/krt/configvalue"
	"krt.dev/kn-krt/pkg/render"
)

// Config is what the user's Secret has for a version.
type Config struct {
	// Ready: every declared name has a value.
	Ready bool
	// Hash depends on the declared values and nothing else; empty if none is declared.
	Hash string
	// Mask hides the Secret's values.
	Mask Mask
	// Missing are the declared names without a value, Unknown the Secret's keys that are
	// not declared.
	Missing, Unknown []string
}

// Mark sets the condition ConfigReady of v.
func (c Config) Mark(v *v1alpha1.Version) {
	secret := render.ConfigName(v.Name)
	switch {
	case !c.Ready:
		v.MarkConfigMissing(secret, c.Missing...)
	case c.Unknown != nil:
		v.MarkConfigUnknownKeys(secret, c.Unknown...)
	default:
		v.MarkConfigReady()
	}
}

// ConfigOf returns what the Secret, nil if there is none, has for a version. As in a local
// run, an empty variable has no value, and an empty file has one.
func ConfigOf(config v1alpha1.Config, secret *corev1.Secret) Config {
	var data map[string][]byte
	if secret != nil {
		data = secret.Data
	}
	state := Config{Mask: NewMask(data)}
	if missing := configvalue.Missing(config.Variables, config.Files, data); missing != nil {
		state.Missing = slices.Concat(missing.Variables, missing.Files)
		return state
	}
	state.Ready = true
	declared := slices.Concat(config.Variables, config.Files)
	for _, name := range slices.Sorted(maps.Keys(data)) {
		if !slices.Contains(declared, name) {
			state.Unknown = append(state.Unknown, name)
		}
	}
	state.Hash = configHash(declared, data)
	return state
}

// configHash is a hash of the declared values. Each name and value follows its length, so
// that different sets have different hashes.
func configHash(declared []string, data map[string][]byte) string {
	if len(declared) == 0 {
		return ""
	}
	h := sha256.New()
	write := func(b []byte) {
		// A hash does not fail.
		_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(b))))
		_, _ = h.Write(b)
	}
	for _, name := range slices.Sorted(slices.Values(declared)) {
		write([]byte(name))
		write(data[name])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// MarkConfigUnreadable marks in v why the Secret cannot be read, and the command that
// grants the right to. system is the controller's namespace; the names are those of config/.
func MarkConfigUnreadable(v *v1alpha1.Version, system string, err error) {
	if !apierrors.IsForbidden(err) {
		v.MarkConfigUnreadable(fmt.Sprintf("cannot read Secrets in namespace %q: %v", v.Namespace, err))
		return
	}
	v.MarkConfigUnreadable(fmt.Sprintf("the controller is not allowed to read Secrets in namespace %q; allow it: "+
		"kubectl create rolebinding krt-controller-secrets -n %s --clusterrole krt-controller-secrets --serviceaccount %s:krt-controller",
		v.Namespace, v.Namespace, system))
}
