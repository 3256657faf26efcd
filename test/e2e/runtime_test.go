package e2e_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/test/localrun"
	"krt.dev/kn-krt/test/namespace"
)

// newRuntime is a place on a cluster that has kn-krt.
func newRuntime(t *testing.T) place {
	t.Helper()
	n := newPlace(t)
	n.Install()
	return n
}

// version is a started version of one node, "only", in the workflow "one", after
// change.
func (n place) version(name string, change func(*v1alpha1.Version)) {
	n.t.Helper()
	v := namespace.Version(n.t, name, n.Image("test/e2e/node"))
	if change != nil {
		change(v)
	}
	text, err := yaml.Marshal(v)
	require.NoError(n.t, err)
	n.Apply(string(text))
}

// called is a version ready to be called.
func (n place) called(name string) *localrun.Version {
	n.t.Helper()
	n.Ready("version/" + name)
	return n.at(name)
}

// at is the version behind a Service, which may refuse connections for a second
// after its first pod is ready: kube-proxy has to hear of it.
func (n place) at(service string) *localrun.Version {
	n.t.Helper()
	grpc, web := n.Address(service, 9000), n.Address(service, 80)
	for _, address := range []string{grpc, web} {
		n.Eventually(func() error {
			connection, err := new(net.Dialer).DialContext(n.t.Context(), "tcp", address)
			if err != nil {
				return err
			}
			return connection.Close()
		})
	}
	return localrun.At(n.t, grpc, web)
}

// answers calls an rpc by reflection and in the two other ways; all answer alike.
func (n place) answers(v *localrun.Version, rpc, workflow, request, want string) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), time.Minute)
	defer cancel()
	method, err := v.Method(ctx, rpc)
	require.NoError(n.t, err)
	answer, err := method.Call(ctx, request)
	require.NoError(n.t, err, "gRPC")
	require.JSONEq(n.t, want, answer, "gRPC")
	status, answer, err := method.CallJSON(ctx, request)
	require.NoError(n.t, err, "JSON")
	require.Equal(n.t, 200, status, answer)
	require.JSONEq(n.t, want, answer, "JSON")
	answer, err = method.CallEvent(ctx, workflow, request)
	require.NoError(n.t, err, "CloudEvent")
	require.JSONEq(n.t, want, answer, "CloudEvent")
}

// phase waits until a version is in that phase.
func (n place) phase(name string, want v1alpha1.Phase) {
	n.t.Helper()
	n.Eventually(func() error {
		if phase := n.Get("version/"+name, "{.status.phase}"); phase != string(want) {
			return fmt.Errorf("version %s is %s, not %s", name, phase, want)
		}
		return nil
	})
}

// condition waits until a version's condition has that reason and a message with
// all of the texts.
func (n place) condition(name, condition, reason string, texts ...string) {
	n.t.Helper()
	n.Eventually(func() error {
		got := n.Get("version/"+name, fmt.Sprintf("{.status.conditions[?(@.type==%q)].reason}: {.status.conditions[?(@.type==%q)].message}",
			condition, condition))
		for _, text := range append(texts, reason+": ") {
			if !strings.Contains(got, text) {
				return fmt.Errorf("condition %s of version %s has no %q: %s", condition, name, text, got)
			}
		}
		return nil
	})
}

// stopped stops a version and waits until nothing of it is left.
func (n place) stopped(name string) {
	n.t.Helper()
	n.In("patch", "version", name, "--type=merge", "--patch", `{"spec": {"state": "Stopped"}}`)
	n.phase(name, v1alpha1.PhaseStopped)
	n.nothingOf(name, name+"-reply", name+"-store-") // keys and credentials are made once in a version's life
}

// nothingOf checks that no object of a version is left, these names aside, and those that
// begin with one of them if it ends in "-".
func (n place) nothingOf(name string, but ...string) {
	n.t.Helper()
	const kinds = "ksvc,configuration,revision,sequence,subscription,inmemorychannel," +
		"deployment,pod,configmap,secret,service,poddisruptionbudget,networkpolicy"
	n.Eventually(func() error {
		var left []string
		for line := range strings.Lines(n.In("get", kinds, "-o", "name", "--ignore-not-found")) {
			_, object, _ := strings.Cut(strings.TrimSpace(line), "/")
			known := func(b string) bool { return b == object || strings.HasSuffix(b, "-") && strings.HasPrefix(object, b) }
			if strings.HasPrefix(object, name) && !slices.ContainsFunc(but, known) {
				left = append(left, strings.TrimSpace(line))
			}
		}
		if len(left) > 0 {
			return fmt.Errorf("version %s has left %v", name, left)
		}
		return nil
	})
}
