// Package scripts tests the cluster's verbs as their users see them: each .txtar is
// a script of commands, in a namespace of its own of a real apiserver. No controller
// runs: the command "status" of a script plays it.
package scripts

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"krt.dev/kn-krt/pkg/cli"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/test/apiserver"
)

var update = flag.Bool("update", false, "write the output as it is into the scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"kn-krt": program, "kubectl-krt": program, "kubectl_complete-krt": program,
		"interrupted": interrupted})
}

// program is kn-krt itself: scripts start the test binary by its names.
func program() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Main(ctx, os.Args, term.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
}

// interrupted runs a command, prints what that prints, and interrupts it once it waits: when
// it has printed an empty line, and the line after.
func interrupted() {
	c := exec.Command(os.Args[1], os.Args[2:]...)
	out, err := c.StdoutPipe()
	c.Stderr = os.Stderr
	if err != nil || c.Start() != nil {
		os.Exit(1)
	}
	lines, signalled := bufio.NewScanner(out), false
	for empty := false; lines.Scan(); empty = lines.Text() == "" {
		fmt.Println(lines.Text())
		if empty && !signalled {
			signalled = c.Process.Signal(os.Interrupt) == nil
		}
	}
	_ = c.Wait() // the exit code is checked
	os.Exit(c.ProcessState.ExitCode())
}

// stage is what all scripts share.
type stage struct {
	client   client.Client
	config   string // a kubeconfig file
	registry string // its address
}

func TestScripts(t *testing.T) {
	s := newStage(t)
	testscript.Run(t, testscript.Params{
		Dir:                 ".",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               s.setup,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"apply":  s.apply,
			"status": s.status,
			"mask":   mask,
		},
	})
}

func newStage(t *testing.T) *stage {
	t.Helper()
	server := apiserver.For(t, apiserver.OurCRDs, apiserver.KnativeCRDs())
	c, err := server.NewClient()
	require.NoError(t, err)
	return &stage{client: c, config: server.Kubeconfig, registry: newRegistry(t)}
}

// setup gives a script a namespace, named after it, and a kubeconfig that means it.
func (s *stage) setup(env *testscript.Env) error {
	name := namespaceOf(env.WorkDir)
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if err := s.client.Create(context.Background(), namespace); err != nil {
		return err
	}
	config, err := clientcmd.LoadFromFile(s.config)
	if err != nil {
		return err
	}
	config.Contexts["test"].Namespace = name
	file := filepath.Join(env.WorkDir, ".kubeconfig")
	env.Vars = append(env.Vars, "KUBECONFIG="+file, "NS="+name, "REGISTRY="+s.registry)
	return clientcmd.WriteToFile(*config, file)
}

// namespaceOf is the script's name: testscript's folder is script-NAME.
func namespaceOf(workDir string) string {
	return strings.TrimPrefix(filepath.Base(workDir), "script-")
}

// bound is the namespace of a running script.
func bound(ts *testscript.TestScript) string { return ts.Getenv("NS") }

// check ends the script unless err is nil.
func check(ts *testscript.TestScript, err error) {
	if err != nil {
		ts.Fatalf("%v", err)
	}
}

// arguments ends the script unless there are as many words as wanted.
func arguments(ts *testscript.TestScript, args []string, least int, usage string) {
	if len(args) < least {
		ts.Fatalf("usage: %s", usage)
	}
}

var errNotYet = fmt.Errorf("not yet")

// A cluster without kn-krt is not one that lacks the version: the error says how to install it.
func TestNotInstalled(t *testing.T) {
	server := apiserver.For(t)
	for _, test := range [][]string{
		{"list"}, {"describe", "one"}, {"start", "one"}, {"publish", "one"}, {"rollback"}, {"delete", "one"}, {"wait", "one"},
		{"create", "../../../functions/chain", "--registry=localhost:1"},
	} {
		t.Run(test[0], func(t *testing.T) {
			var out, errs strings.Builder
			words := append([]string{"kn-krt", "--kubeconfig", server.Kubeconfig}, test...)
			require.Equal(t, term.ExitCluster, cli.Main(t.Context(), words, term.Streams{Out: &out, Err: &errs}))
			require.Contains(t, errs.String(), ": kn-krt is not installed on the cluster at "+server.URL+": it has no resource versions.krt.dev\n"+
				"Install it from kn-krt's sources with 'KO_CONFIG_PATH=ko.yaml ko apply -f config/', then check with 'kn-krt doctor'.\n")
		})
	}
}
