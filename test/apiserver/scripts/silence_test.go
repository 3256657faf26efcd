package scripts

import (
	"bytes"
	"context"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/cli"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/test/apiserver"
)

// output is a stream that may be read while it is written to.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// A wait outlives an apiserver that goes away and comes back.
func TestWaitOutlivesSilence(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	const name = "silence"
	require.NoError(t, s.client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}))
	v := &v1alpha1.Version{ObjectMeta: metav1.ObjectMeta{Name: "one", Namespace: name}, Spec: v1alpha1.VersionSpec{
		State:      v1alpha1.StateStarted,
		Entrypoint: v1alpha1.Entrypoint{Proto: "p.proto", Files: []v1alpha1.ProtoFile{{Path: "p.proto", Content: `syntax = "proto3";`}}},
		Nodes:      []v1alpha1.Node{{Name: "etl", Image: "localhost:5000/etl"}},
		Workflows:  []v1alpha1.Workflow{{Name: "price", Entrypoint: "Price", Sequential: []string{"etl"}}},
	}}
	require.NoError(t, s.client.Create(ctx, v))
	say := func(state string) {
		v.BeginStatus()
		markVersion(v, state, nil)
		v.FinishStatus()
		require.NoError(t, s.client.Status().Update(ctx, v))
	}
	say("starting")

	config, err := clientcmd.LoadFromFile(s.config)
	require.NoError(t, err)
	server, err := url.Parse(config.Clusters["test"].Server)
	require.NoError(t, err)
	r := &apiserver.Relay{To: server.Host}
	require.NoError(t, r.Start())
	config.Clusters["test"].Server = "https://" + r.Address()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, clientcmd.WriteToFile(*config, file))

	out, errs, code := &output{}, &output{}, make(chan int, 1)
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	go func() {
		words := []string{"kn-krt", "wait", "one", "-n", name, "--kubeconfig", file}
		code <- cli.Main(waiting, words, term.Streams{Out: out, Err: errs})
	}()
	require.Eventually(t, func() bool { return strings.Contains(out.String(), "waiting for 1 of 1 nodes") }, patience, tick)
	r.Cut()
	say("started")
	require.NoError(t, r.Start())
	require.Equal(t, term.ExitOK, <-code, errs.String())
	r.Cut()
}
