package controller

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
)

// configState is what the user's Secret has for a version.
type configState struct {
	// ready tells whether every declared name has a value.
	ready bool
	// hash changes with the declared values and with nothing else; empty where none is declared.
	hash string
	mask mask
}

// observeConfig marks in v what the Secret, nil if there is none, has for it. As in
// a local run an empty variable counts as none; an empty file is one.
func observeConfig(v *v1alpha1.Version, secret *corev1.Secret) configState {
	var data map[string][]byte
	if secret != nil {
		data = secret.Data
	}
	variables, files := v.Spec.Config.Variables, v.Spec.Config.Files
	var missing []string
	for _, name := range variables {
		if len(data[name]) == 0 {
			missing = append(missing, name)
		}
	}
	for _, name := range files {
		if _, there := data[name]; !there {
			missing = append(missing, name)
		}
	}
	state := configState{ready: missing == nil, mask: newMask(data)}
	if !state.ready {
		v.MarkConfigMissing(missing...)
		return state
	}
	declared := slices.Concat(variables, files)
	var unknown []string
	for _, name := range slices.Sorted(maps.Keys(data)) {
		if !slices.Contains(declared, name) {
			unknown = append(unknown, name)
		}
	}
	v.MarkConfigReady(unknown...)
	state.hash = configHash(declared, data)
	return state
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
