package namespace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/stretchr/testify/require"
)

// object is what tests change that is not of their namespace: a ConfigMap, or what has an [UndoNote].
type object struct {
	Kind     string
	Metadata struct {
		Name, Namespace string
		Annotations     map[string]string
	}
	Data map[string]*string
}

// before is what a setting was before a test changed it: in an annotation of the
// ConfigMap, because the test may be killed.
type before struct {
	Value *string `json:"value"` // nil: it was not set
	process
}

const beforePrefix = "before.krt.dev/" // and the setting's key

// settings names the ConfigMap with kn-krt's own settings, and features that with what Knative allows.
const settings, features = "config-krt", "config-features"

// Set changes a setting in a ConfigMap of another namespace for the time of the
// test. Where that is killed, the next process that uses the cluster restores it.
// All settings of that ConfigMap are this test's alone until its end: others wait, whose end
// would undo what it has set. See [Namespace.HoldSettings].
func (n *Namespace) Set(name, in, key, value string) {
	n.t.Helper()
	n.SetTogether(name, in, map[string]string{key: value})
}

// SetTogether is Set for settings of which one alone is refused.
func (n *Namespace) SetTogether(name, in string, values map[string]string) {
	n.t.Helper()
	if !n.settled[name] {
		n.settled[name] = true
		n.t.Cleanup(n.lockSettings(name, syscall.LOCK_EX)) // after the settings are restored
	}
	var m object
	require.NoError(n.t, json.Unmarshal([]byte(n.Kubectl("get", "configmap", name, "-n", in, "-o", "json")), &m))
	us, err := thisProcess()
	require.NoError(n.t, err)
	wanted, former, notes, none := map[string]*string{}, map[string]*string{}, map[string]*string{}, map[string]*string{}
	for key, value := range values {
		old := before{Value: m.Data[key]}
		if text := m.Metadata.Annotations[beforePrefix+key]; text != "" { // changed before
			require.NoError(n.t, json.Unmarshal([]byte(text), &old))
		}
		old.process = us
		note, err := json.Marshal(old)
		require.NoError(n.t, err)
		wanted[key], former[key], notes[key], none[key] = &value, old.Value, new(string(note)), nil
	}
	n.Kubectl(m.patch(wanted, notes)...)
	n.Afterwards("kubectl", m.patch(former, none)...)
}

// HoldSettings keeps other tests from changing kn-krt's settings, and Knative's features, until
// release is called: a version is made by those that hold when it is started. The test that
// changes features also keeps pods from the only node there may be.
func (n *Namespace) HoldSettings() (release func()) {
	n.t.Helper()
	ours := n.lockSettings(settings, syscall.LOCK_SH)
	knatives := n.lockSettings(features, syscall.LOCK_SH) // who changes these changes no others
	return func() { knatives(); ours() }
}

func (n *Namespace) lockSettings(name string, how int) (release func()) {
	n.t.Helper()
	release, err := lockAll(name, how)
	require.NoError(n.t, err)
	return release
}

// lockAll locks a file that all test processes of this machine know.
func lockAll(name string, how int) (release func(), err error) {
	lock, err := os.OpenFile(filepath.Join(os.TempDir(), "kn-krt-test-"+name+".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for err = syscall.EINTR; errors.Is(err, syscall.EINTR); {
		err = syscall.Flock(int(lock.Fd()), how)
	}
	return func() { _ = lock.Close() }, err
}

// patch sets keys and the notes on what they were before; nil takes them away.
func (m *object) patch(values, notes map[string]*string) []string {
	annotations := map[string]*string{}
	for key, note := range notes {
		annotations[beforePrefix+key] = note
	}
	text, _ := json.Marshal(map[string]any{ // strings only
		"data":     values,
		"metadata": map[string]any{"annotations": annotations},
	})
	return []string{"patch", "configmap", m.Metadata.Name, "-n", m.Metadata.Namespace, "--type=merge", "--patch", string(text)}
}

func (m *object) restore() error {
	former, none := map[string]*string{}, map[string]*string{}
	for name, text := range m.Metadata.Annotations {
		key, ok := strings.CutPrefix(name, beforePrefix)
		if !ok {
			continue
		}
		var old before
		if err := json.Unmarshal([]byte(text), &old); err != nil {
			return err
		}
		if !old.lives() {
			former[key], none[key] = old.Value, nil
		}
	}
	if len(former) == 0 {
		return nil
	}
	if _, err := try(context.Background(), "", "kubectl", m.patch(former, none)...); err != nil { // for all tests of the process
		return fmt.Errorf("cannot restore ConfigMap %s, which a test changed before it was killed: %w", m.Metadata.Name, err)
	}
	return nil
}

// Afterwards runs a program when the test has ended, unless it is killed.
func (n *Namespace) Afterwards(name string, args ...string) {
	n.t.Cleanup(func() {
		// The test's own context has ended by now.
		ctx, cancel := context.WithTimeout(context.Background(), Patience)
		defer cancel()
		_, err := try(ctx, "", name, args...)
		require.NoError(n.t, err)
	})
}
