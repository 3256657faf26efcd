package main

import (
	"os"
	"path/filepath"
)

// step is one part of a run: tests of Go, or another program.
type step struct {
	Name string
	// Dir is where it runs, "" for the repository.
	Dir string
	// Packages and Pattern are what go test runs; nothing for another program.
	Packages []string
	Pattern  string
	// Args are more of go test.
	Args []string
	// Alone: it needs no cluster.
	Alone bool
	// Limit is how long the tests may take, as go test reads it.
	Limit string
	// Tools are variables that name programs which bin/cluster builds.
	Tools map[string]string
	// Program is what runs in place of go test.
	Program []string
}

// steps are all, in their order: what stops the cluster is the last.
func steps() []step {
	const long = "90m"
	return []step{
		{Name: "publish", Packages: []string{"./test/load"}, Pattern: "Publish|Canary", Args: []string{"-skip", "^TestNodes"}, Limit: long},
		{Name: "faults", Packages: []string{"./test/load"}, Pattern: "Fault", Limit: long},
		{Name: "soak", Packages: []string{"./test/load"}, Pattern: "Soak", Limit: "24h"},
		{Name: "nodes", Packages: []string{"./test/load"}, Pattern: "^TestNodes", Limit: long},
		{Name: "load", Packages: []string{"./test/load"}, Args: []string{"-skip", "Publish|Canary|Fault|Soak|^TestNodes"}, Limit: long},
		{Name: "traces", Packages: []string{"./test/tracing"}, Limit: long, Tools: map[string]string{"KRT_JAEGER": "jaeger"}},
		{Name: "line", Packages: []string{"./test/store/line"}, Limit: long, Tools: map[string]string{"KRT_VICTORIAMETRICS": "victoriametrics"}},
		{Name: "versions", Packages: []string{"./test/e2e", "./test/conformance"}, Limit: long,
			Pattern: "Plans|Faults|Sticky|OnCluster|Channel|Durable|Queue"},
		{Name: "plans", Packages: []string{"./pkg/controller/canary"}, Pattern: "Plans|Limits", Limit: "30m", Alone: true},
		{Name: "many", Packages: []string{"./test/apiserver/scale"}, Limit: long, Alone: true,
			Tools: map[string]string{"KRT_KUBE": "kube", "KRT_CRDS": "crds"}},
		{Name: "conformance", Dir: "test/cluster/conformance", Packages: []string{"./..."}, Limit: "30m"},
		{Name: "knative-1.22", Program: []string{"make", "--no-print-directory", "e2e-knative"}},
	}
}

// command is the step's program with its arguments.
func (s step) command() []string {
	if len(s.Program) > 0 {
		return s.Program
	}
	args := []string{"go", "test", "-json", "-p", "1", "-count=1", "-timeout", s.Limit}
	if s.Pattern != "" {
		args = append(args, "-run", s.Pattern)
	}
	if root, err := os.Getwd(); err == nil && !s.Alone {
		args = append(args, "-exec", filepath.Join(root, "bin/cluster")+" exec --")
	}
	return append(append(args, s.Args...), s.Packages...)
}
