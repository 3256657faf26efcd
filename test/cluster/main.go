// Command cluster runs a real Kubernetes with Knative on this one machine, for
// the tests: built from Go modules and Debian packages, in namespaces of its
// own. README.md says what it is made of and why.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
)

const usage = `usage: go run ./test/cluster VERB

  up               start the cluster, or use the running one; with as many nodes as KRT_NODES says
  down             stop it and remove everything it created
  exec -- COMMAND  run a command inside it, with KUBECONFIG and KO_DOCKER_REPO set
  nodes            list the nodes
  node VERB N      start, stop (as by a loss of power) or remove a node after the first;
                   pause or resume the kube-proxy of any: its Services stay as they are
  node exec N -- COMMAND
                   run a command in the namespaces of a node after the first
  restart NAME     kill a component (apiserver, kubelet, ...) and start it again
  logs [NAME]      print the last lines of a component's log, or of all
  tools            build every tool, start nothing
  tool NAME        build one tool and print its path
  crds             print the path of a file with Knative's CRDs
`

const elsewhere = `cannot run the test cluster here: it needs root on Linux (Debian or a derivative).
Use another cluster instead, with Knative Serving and Eventing installed:
  KUBECONFIG=<file> KO_DOCKER_REPO=<registry it pulls from> make e2e
kind with Knative's quickstart makes one: https://knative.dev/docs/getting-started/quickstart-install/`

var errUsage = errors.New("unknown verb")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout)
	var exit *exec.ExitError
	switch {
	case err == nil:
	case errors.Is(err, errUsage):
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	case errors.As(err, &exit) && slices.Contains([]string{"exec", "node", "nodes"}, os.Args[1]):
		os.Exit(max(exit.ExitCode(), 1)) // the command has reported its error itself
	default:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return errUsage
	}
	place, err := newPlace()
	if err != nil {
		return err
	}
	steps := &steps{out: os.Stderr}
	switch verb, rest := args[0], args[1:]; verb {
	case "tool":
		return printTool(ctx, place, steps, rest, out)
	case "crds":
		return printCRDs(ctx, place, out)
	case "tools":
		return buildTools(ctx, place, steps)
	case "logs":
		return printLogs(place, rest, out)
	case "up", "down", "exec", "init", "install", "restart", "node", "nodes", "node-init":
		if runtime.GOOS != "linux" || os.Geteuid() != 0 {
			return errors.New(elsewhere)
		}
		return runCluster(ctx, place, steps, args, out)
	}
	return errUsage
}

// runCluster does what needs root and Linux. The verbs init, node-init and install are
// the cluster's own: its first process, a node's, and what is set up inside it.
func runCluster(ctx context.Context, p place, s *steps, args []string, out io.Writer) error {
	switch args[0] {
	case "up":
		return up(ctx, p, s)
	case "down":
		return down(ctx, p, s)
	case "init":
		return initCluster(p)
	case "install":
		return install(ctx, p, s)
	case "restart":
		return restart(ctx, p, args[1:])
	case "nodes":
		return printNodes(ctx, p, out)
	case "node":
		return nodeVerb(ctx, p, s, args[1:])
	case "node-init":
		return initNode(p, args[1:])
	}
	command := args[1:]
	if len(command) > 0 && command[0] == "--" {
		command = command[1:]
	}
	if len(command) == 0 {
		return errUsage
	}
	return enter(ctx, p, command)
}
