// Package queue names what a version with durable delivery has in a NATS server with
// JetStream, and says how it is reached: one stream for each version, one subject and one
// consumer for each step of each workflow. It knows no NATS: package client does.
package queue

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// Files of the credentials for a queue, in one folder. All may be missing: then the server
// must accept clients without credentials.
const (
	// FileCredential is a version's own credential (package credential), for the queue that
	// kn-krt installs. It is sent as a token.
	FileCredential = "credential"
	// FileNATS is a file of NATS with a JWT and its seed, for other servers.
	FileNATS = "nats.creds"
	// FileUser is the name of a user with a password, for servers that have such users.
	FileUser = "user"
	// FilePassword is the user's password.
	FilePassword = "password"
	// FileCA has the certificates, in PEM, by one of which a server's must be signed; without
	// this file it is one of the system's. With it connections use TLS.
	FileCA = "ca.crt"
)

const (
	// DefaultMaxBytes bounds the events that wait, in bytes, where no setting does.
	DefaultMaxBytes = 1 << 30
	// Window is how long the server knows the ids of events that it has, so that one that is
	// published again is there once.
	Window = 2 * time.Minute
	// AckWait is after what time an event is given to another replica, if the one that had it
	// has not been heard of.
	AckWait = 10 * time.Second
)

// Settings are how an entrypoint reaches its queue, and how much it may hold: "queue" in
// entrypoint.json.
type Settings struct {
	// URL is one or several addresses, separated by commas, of the form nats://host:port or
	// tls://host:port.
	URL string `json:"url"`
	// Credentials is the folder with the files named above; empty: there are none.
	Credentials string `json:"credentials,omitempty"`
	// Stream is the name of the version's stream. Default: that of [Stream].
	Stream string `json:"stream,omitempty"`
	// Replicas is on how many servers of a cluster the stream is. Default 1.
	Replicas int `json:"replicas,omitempty"`
	// MaxBytes bounds what waits in the stream; beyond it new requests are refused. Default
	// [DefaultMaxBytes].
	MaxBytes int64 `json:"maxBytes,omitempty"`
}

// Step is a node's place in a workflow.
type Step struct {
	// Workflow and Node are names of the manifest, Index counts the steps from 0.
	Workflow string
	Index    int
	Node     string
}

// Postbox is the node of a step after the last one of each workflow, which no node can have as its
// name: letters that the store has not accepted yet wait there.
const Postbox = "_letters"

// Steps are those of which an entrypoint fetches the events of a workflow: one for each node, and the postbox.
func Steps(workflow string, nodes ...string) []Step {
	steps := make([]Step, 0, len(nodes)+1)
	for i, node := range nodes {
		steps = append(steps, Step{Workflow: workflow, Index: i, Node: node})
	}
	return append(steps, Step{Workflow: workflow, Index: len(nodes), Node: Postbox})
}

// Name is the step's part of subjects: its index and its node, such as "0-model". An event
// for a node that the workflow does not have there any more is never given to another one.
func (s Step) Name() string { return strconv.Itoa(s.Index) + "-" + s.Node }

// Consumer is the name of the step's consumer.
func (s Step) Consumer() string { return s.Workflow + "_" + s.Name() }

// ParseConsumer returns the step of a consumer's name, and whether it is that of one.
func ParseConsumer(name string) (Step, bool) {
	workflow, step, found := strings.Cut(name, "_")
	index, node, named := strings.Cut(step, "-")
	i, err := strconv.Atoi(index)
	if !found || !named || err != nil || i < 0 || workflow == "" || node == "" {
		return Step{}, false
	}
	s := Step{Workflow: workflow, Index: i, Node: node}
	return s, s.Consumer() == name
}

// Stream is the name of a version's stream. Names of namespaces and versions are DNS labels,
// so they have no underscore.
func Stream(namespace, version string) string { return "KRT_" + namespace + "_" + version }

// ParseStream returns whose stream has a name, and whether it is that of a version.
func ParseStream(name string) (namespace, version string, ok bool) {
	rest, own := strings.CutPrefix(name, "KRT_")
	namespace, version, found := strings.Cut(rest, "_")
	ok = own && found && namespace != "" && version != "" && !strings.ContainsAny(version, "_.*> ")
	return namespace, version, ok
}

// Subjects matches all subjects of a version's stream.
func Subjects(namespace, version string) string { return prefix(namespace, version) + ".>" }

// Subject is that of the events for a step.
func Subject(namespace, version string, s Step) string {
	return prefix(namespace, version) + "." + s.Workflow + "." + s.Name()
}

// StepSubjects matches those of the events for all steps, and no others of a version's stream.
func StepSubjects(namespace, version string) string { return prefix(namespace, version) + ".*.*" }

// Mark is the subject of what is known of a request with a correlation id while its work goes on, at whatever
// step. [Workflow] matches it, and no consumer gets it: no step's name is like that.
func Mark(namespace, version, workflow, correlation string) string {
	return prefix(namespace, version) + "." + workflow + ".mark." + correlation
}

// Workflow matches the subjects of all steps of a workflow.
func Workflow(namespace, version, workflow string) string {
	return prefix(namespace, version) + "." + workflow + ".>"
}

// Inbox begins the subjects of responses to a version, so that a server can refuse others
// to read them.
func Inbox(namespace, version string) string { return "_INBOX." + namespace + "." + version }

func prefix(namespace, version string) string { return "krt." + namespace + "." + version }

// ID is what a server knows an event by: published again within [Window], it is there once.
// Replays counts how often the request's event was replayed for this step.
func ID(correlation string, index, replays int) string {
	id := correlation + "/" + strconv.Itoa(index)
	if replays > 0 {
		id += "/r" + strconv.Itoa(replays)
	}
	return id
}

// Why an event is not in the queue. All other errors of publishing mean that nobody knows: the
// server cannot be reached, or has not responded in time.
var (
	// ErrFull says that the stream has no room.
	ErrFull = errors.New("the queue is full")
	// ErrTooLarge says that the server accepts no event of this size.
	ErrTooLarge = errors.New("the event is larger than the queue accepts")
	// ErrMissing says that there is no stream, or no consumer.
	ErrMissing = errors.New("the stream does not exist")
)
