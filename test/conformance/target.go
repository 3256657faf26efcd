package conformance

// Target is a started conformance version, seen from outside. A method that
// returns an address returns "" where there is none to be had.
type Target interface {
	// Namespace and Version are the names the version was started by.
	Namespace() string
	Version() string
	// Delivery and Language say what is tried.
	Delivery() Delivery
	Language() Language
	// OnCluster says whether the version runs on Knative, where an ingress and a
	// queue-proxy stand before each node.
	OnCluster() bool
	// GRPC and Web are where callers call: host:port, and a URL.
	GRPC() string
	Web() string
	// Replicas are the gRPC addresses of the entrypoints that callers may call.
	Replicas() []string
	// Reply is the URL to which nodes and channels post answers, before the paths
	// /reply and /dead-letter.
	Reply() string
	// Node is the URL at which the node of that name takes events.
	Node(name string) string
	// Metrics is the text of the replicas' metrics, one after the other.
	Metrics() (string, error)
	// Stop asks the entrypoint to stop, as the end of its pod does; the channel
	// delivers how that went when it is over.
	Stop() <-chan error
}

// Delivery is how events travel.
type Delivery string

// The deliveries there are.
const (
	Direct   Delivery = "Direct"
	Sequence Delivery = "Sequence"
	Durable  Delivery = "Durable"
	// Async is a Sequence whose channels answer before they deliver: in-memory channels in
	// their asynchronous mode.
	Async Delivery = "Async"
	// Storing is a Sequence on channels that store what they accept: package test/channel's.
	Storing Delivery = "Storing"
)

// HasChannels says whether events go through Knative's channels.
func (d Delivery) HasChannels() bool { return d == Sequence || d.AcceptsFirst() }

// AcceptsFirst says whether a channel accepts an event before it is delivered, and goes on with what it has accepted.
func (d Delivery) AcceptsFirst() bool { return d == Async || d == Storing }

// Language is what the nodes are written in.
type Language string

// The languages there are.
const (
	Go     Language = "Go"
	Python Language = "Python"
)

// Variant is a way to start the version; each case wants one.
type Variant string

// The variants. All but Standard have the nodes n1 to n3 only.
const (
	// Standard has defaults throughout, but for short pauses between retries.
	Standard Variant = "conf"
	// Hasty gives a request ShortTimeout.
	Hasty Variant = "conf-hasty"
	// Paired has two replicas: callers reach the one, answers the other.
	Paired Variant = "conf-paired"
	// Unsteady breaks what is posted to the reply port: of each event the first
	// attempt meets a 503, the second is taken but its answer lost, the third
	// comes through.
	Unsteady Variant = "conf-unsteady"
	// Stopping is stopped by the one case that it is for.
	Stopping Variant = "conf-stopping"
)
