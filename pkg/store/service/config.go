// Package service is the store as a program of its own, for the versions of a cluster:
// who may save and read what, how much at a time, how long it is kept, probes and metrics.
// What the store does with data is in package store, and in the packages of its backends.
package service

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"krt.dev/kn-krt/pkg/letter"
)

// Environment variables with the URLs of what keeps each kind of data. They may have
// passwords, so they are neither flags nor settings in a ConfigMap.
const (
	EnvDocuments    = "KRT_STORE_DOCUMENTS"
	EnvPredictions  = "KRT_STORE_PREDICTIONS"
	EnvMeasurements = "KRT_STORE_MEASUREMENTS"
)

// Config is what a store is started with. Zero fields mean the defaults, but Keys is required.
type Config struct {
	// Listen and Metrics are the addresses of the API and of /metrics; :8080 and :9090.
	Listen, Metrics string
	// Keys is the folder with the keys by which credentials are sealed.
	Keys string
	// TLS is the folder with tls.crt and tls.key of the API. It is plain HTTP without the
	// former, because a Secret may be mounted there that does not exist.
	TLS string
	// Settings is the folder with config-krt, of which the periods of retention are read
	// again and again; empty for none.
	Settings string
	// Documents, Predictions and Measurements are the URLs of what keeps them. Predictions
	// and Measurements are kept where documents are, unless that cannot keep them: then in
	// [DefaultURL], which is also the default of Documents.
	Documents, Predictions, Measurements string
	// Spool is the folder for measurements that wait for a database that is only written
	// to; empty to drop those that have no room in memory.
	Spool string
	// FileBytes limits an SQLite file; 1 GiB.
	FileBytes int64
	// Letters and LetterBytes limit the letters of one kind (results, dead letters) of one version;
	// 100,000 and 1 GiB.
	Letters, LetterBytes int64
	// Limits are those of one version, and of all.
	Limits Limits
	// Drain is how long requests in flight may continue at the end; 10 s.
	Drain time.Duration

	connections int // of a port; 0 for those of package crowd
}

const (
	defaultLetters     = 100_000
	defaultLetterBytes = 1 << 30
)

// DefaultURL is the store of who has no database.
const DefaultURL = "sqlite:///data/store.db"

func (c Config) withDefaults() Config {
	c.Listen, c.Metrics = cmp.Or(c.Listen, ":8080"), cmp.Or(c.Metrics, ":9090")
	c.Drain = cmp.Or(c.Drain, 10*time.Second)
	c.FileBytes = cmp.Or(c.FileBytes, 1<<30)
	c.Documents = cmp.Or(c.Documents, DefaultURL)
	c.Letters, c.LetterBytes = cmp.Or(c.Letters, defaultLetters), cmp.Or(c.LetterBytes, defaultLetterBytes)
	c.Limits = c.Limits.withDefaults()
	return c
}

// parse reads the configuration. Usage is printed to out.
func parse(args []string, getenv func(string) string, out io.Writer) (Config, error) {
	c := Config{}
	flags := flag.NewFlagSet("store", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&c.Listen, "listen", ":8080", "address of the API and of the probes /healthz and /readyz")
	flags.StringVar(&c.Metrics, "metrics", ":9090", "address of /metrics")
	flags.StringVar(&c.Keys, "keys", "", "folder with the keys of credentials (required)")
	flags.StringVar(&c.TLS, "tls", "", "folder with tls.crt and tls.key; plain HTTP without them")
	flags.StringVar(&c.Settings, "settings", "", "folder with the settings retention-*, a file for each")
	flags.StringVar(&c.Spool, "spool", "", "folder for measurements that wait for their database; empty to keep them in memory only")
	flags.Int64Var(&c.FileBytes, "file-bytes", 1<<30, "largest size of an SQLite file")
	flags.Int64Var(&c.Letters, "version-letters", defaultLetters, "results, and dead letters, that the store keeps of one version")
	flags.Int64Var(&c.LetterBytes, "version-letter-bytes", defaultLetterBytes, "bytes of these, each kind on its own")
	flags.IntVar(&c.Limits.Requests, "version-requests", defaultRequests, "requests of one version at a time")
	flags.IntVar(&c.Limits.PerSecond, "version-rate", defaultPerSecond, "requests of one version per second")
	flags.Int64Var(&c.Limits.Bytes, "bytes", defaultBytes, "bytes of requests and responses held at a time; a version may hold a quarter")
	if err := flags.Parse(args); err != nil {
		return c, err
	}
	c.Documents, c.Predictions, c.Measurements = getenv(EnvDocuments), getenv(EnvPredictions), getenv(EnvMeasurements)
	switch {
	case flags.NArg() > 0:
		return c, fmt.Errorf("%q is not a flag", flags.Arg(0))
	case c.Keys == "":
		return c, errors.New("-keys is missing: a store that others can reach must know who they are")
	case c.FileBytes < 1<<20:
		return c, errors.New("-file-bytes: it must be at least 1048576")
	case c.Letters < 1 || c.LetterBytes < letter.MaxData:
		return c, fmt.Errorf("-version-letters and -version-letter-bytes: they must be at least 1 and %d", letter.MaxData)
	}
	return c, c.Limits.check()
}
