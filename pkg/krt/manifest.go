// Package krt reads KRT V1: the manifest krt.yml, checked whole with every mistake at its
// place, and the bundle it belongs to, as a folder or packed as a .krt file.
//
// The fields of a manifest are one table, [Form]: Parse has its keys and bounds from it, and [JSONSchema]
// and references for people are made of it.
package krt

import (
	"slices"
	"time"

	"krt.dev/kn-krt/pkg/runner/environment"
)

// Limits of a manifest, the same wherever a version is declared.
const (
	MaxNodes     = 64 // nodes of a version
	MaxWorkflows = 32 // workflows of a version
	MaxSteps     = 32 // nodes of one workflow
	MaxVariables = 64 // config variables, and environment variables of a node
	MaxFiles     = 64 // config files

	// MaxName is the length of the names of versions, nodes and workflows, so that
	// <version>-<node> and all that is made of it stays a legal name in a cluster.
	MaxName = 19
)

const (
	maxDescription = 4096  // characters
	maxImage       = 512   // characters
	maxPath        = 1024  // characters of a path in the bundle
	maxRPC         = 512   // characters of an rpc's name
	maxVariable    = 253   // characters of a variable's name: it becomes the key of a Secret
	maxValue       = 32768 // characters of an environment value
	maxPods        = 1000
	maxWorkers     = environment.MostWorkers
	// maxTimeout leaves Knative room: it refuses a revision's timeout above 600 s, and a
	// step's is the entrypoint's plus 5 s.
	maxTimeout = 590 * time.Second
	// maxRevision is the longest timeout that Knative allows a revision by default.
	maxRevision = 600 * time.Second
	// maxBackground is the limit for work after an early reply.
	maxBackground = 24 * time.Hour
	// maxKeep is Knative's limit for its scale-to-zero-pod-retention-period; maxStart bounds a start.
	maxKeep  = time.Hour
	maxStart = 24 * time.Hour
	maxGPUs  = 64
)

// Manifest is the content of krt.yml, without defaults: those are up to the user of a Manifest.
type Manifest struct {
	// KRTVersion is "v1" or empty, which means v1.
	KRTVersion string
	// Version is the version's name.
	Version     string
	Description string
	Entrypoint  Entrypoint
	Config      Config
	// Nodes and Workflows have at least one element each.
	Nodes     []Node
	Workflows []Workflow
}

// Entrypoint is what clients can call.
type Entrypoint struct {
	// Proto is the path of the public proto, from the bundle's root.
	Proto string
	// Image is accepted and not used: the platform's own entrypoint runs.
	Image string
	// BackgroundTimeout is how long work may continue after an early reply, or for an
	// asynchronous request; 0 if not set. An addition of kn-krt to KRT V1.
	BackgroundTimeout time.Duration
	// WarmUp is whether nodes at zero are woken ahead; nil if not set. An addition of kn-krt to KRT V1.
	WarmUp *bool
	// Inspect keeps the messages of requests in the entrypoint, for people to look at; nil if
	// not set. An addition of kn-krt to KRT V1.
	Inspect *Inspect
}

// Inspect is what an entrypoint keeps of messages.
type Inspect struct {
	// Share is the percentage of requests whose messages are kept without being asked for.
	Share int
	// PayloadBytes is how much is kept of a message; 0 if not set.
	PayloadBytes int
	// Redact are paths of fields whose values are never kept; see package fieldpath.
	Redact []string
}

// Config names what must have a value before the version starts.
type Config struct {
	// Variables are names of environment variables.
	Variables []string
	// Files are names of variables that hold the path of a file, or its content: see
	// [Node.FileContent].
	Files []string
}

// Node is user code in a runner.
type Node struct {
	Name string
	// Image is an image reference, or ko:// and a Go import path.
	Image string
	// Src is the code's cleaned path from the bundle's root, empty when the image holds it.
	Src string
	// GPU asks for a GPU. GPURequest says which and how many; nil: one of the cluster's usual kind.
	GPU        bool
	GPURequest *GPURequest
	// Replicas is the minimum number of pods, nil if not set.
	Replicas *int
	// GPURequest, Workers, Fork, Scale, Resources, Env and Timeout are additions of kn-krt to KRT V1.
	//
	// Workers is how many calls the node works on at once, in as many processes if it is
	// in Python; nil if not set.
	Workers *int
	// Fork has a Python node's workers forked from one process that has run init.
	Fork      bool
	Scale     *Scale
	Resources *Resources
	// Env are further environment variables of the node.
	Env map[string]string
	// Timeout is how long one call of the node may take, 0 if not set.
	Timeout time.Duration
}

// GPURequest is a number of GPUs, or of parts of GPUs.
type GPURequest struct {
	// Resource is the name of the resource, such as nvidia.com/gpu; empty if not set.
	Resource string
	// Count is how many of them, nil if not set.
	Count *int
}

// Scale is how the number of a node's pods follows its load. A nil field is not set.
type Scale struct {
	// Min and Max bound the number of pods; a Max of 0 means no bound.
	Min, Max *int
	// Target is how many requests a pod should have in flight.
	Target *int
	// Concurrency is how many it may have at most; 0 means no bound.
	Concurrency *int
	// Keep is how long the last pod stays after its last request, StartTimeout how long a pod may take
	// to become ready; 0 if not set.
	Keep, StartTimeout time.Duration
}

// Resources are quantities as Kubernetes writes them ("500m", "2Gi"), by resource name.
type Resources struct {
	Requests, Limits map[string]string
}

// Workflow ties an rpc of the entrypoint to nodes in order.
type Workflow struct {
	Name string
	// Entrypoint is an rpc of the public proto: its name, with its service, or in full.
	Entrypoint string
	// Sequential are the names of the nodes a request passes, in order.
	Sequential []string
}

// Node returns the node named name.
func (m *Manifest) Node(name string) (Node, bool) {
	for _, n := range m.Nodes {
		if n.Name == name {
			return n, true
		}
	}
	return Node{}, false
}

// WorkflowID is the id of a workflow, empty for none: KRT V1's was made by a database, ours names the
// version and the workflow, as a node's does.
func WorkflowID(version, workflow string) string {
	if workflow == "" {
		return ""
	}
	return version + "-" + workflow
}

// OnlyWorkflow is the name of the workflow that uses the node, empty if none or several do. as converts
// another type of workflow to this one.
func OnlyWorkflow[W any](workflows []W, as func(W) Workflow, node string) string {
	only := ""
	for _, other := range workflows {
		w := as(other)
		if !slices.Contains(w.Sequential, node) {
			continue
		}
		if only != "" {
			return ""
		}
		only = w.Name
	}
	return only
}
