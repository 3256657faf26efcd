package cluster

import (
	"time"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/dashboard/promql"
	"krt.dev/kn-krt/pkg/image/artifact"
)

// silence is the default of [Options.Silence].
const silence = 20 * time.Second

// Options are what of a cluster is shown.
type Options struct {
	// Namespaces are those that are shown; none for all that the user may read.
	Namespaces []string
	// Hint, if not nil, returns what to do next about an error of the cluster's client in a
	// namespace; "" if there is nothing to say.
	Hint func(namespace string, err error) string
	// Unkept, if not nil, returns what to do so that messages of the version's requests are kept,
	// in a sentence.
	Unkept func(*v1alpha1.Version) string
	// Artifacts, if not nil, has the files of versions that are in registries, with the
	// credentials that it was made with.
	Artifacts *artifact.Cache
	// SignIn, if not nil, returns what to do about a registry that lets nothing be read with these
	// credentials, in a sentence that may end in a command.
	SignIn func(registry string) string
	// Review is how often it is checked that the user still has the rights that an open page takes.
	// Default: 30 seconds.
	Review time.Duration
	// Silence is how long the API server may be away before the pages say so. Default: 20 seconds.
	Silence time.Duration
	// Prometheus, if not nil, has the metrics of entrypoints. It is asked only about versions that
	// the user may read.
	Prometheus *promql.Client
}
