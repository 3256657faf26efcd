package runner

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/runner/store"
)

const (
	defaultPort            = 8080
	defaultMaxMessageBytes = 4 << 20
	maxTurns               = 256 // the manifest's limit of workers
	// defaultBackgroundTimeout is also the entrypoint's.
	defaultBackgroundTimeout = time.Hour
)

// config is what a node reads from its environment. KRT_VERSION, KRT_RUNTIME_ID,
// KRT_NODE_NAME, KRT_WORKFLOW_NAME and KRT_BASE_PATH are KRT V1's; KRT_REPLY_URL,
// KRT_STORE, KRT_MAX_MESSAGE_BYTES, KRT_WORKERS, KRT_TIMEOUT,
// KRT_BACKGROUND_TIMEOUT and KRT_LISTEN_FD are this platform's; PORT is Knative's.
type config struct {
	version, runtime, node, workflow string
	basePath                         string
	replyURL                         string // replies are posted there; empty: not at all
	store                            *store.Client
	maxMessageBytes                  int64
	timeout                          time.Duration // the node's own, of a call; 0: none
	backgroundTimeout                time.Duration // of the work after a response
	port                             int
	listenFD                         int // -1: none
	turns                            int // calls at a time; 0: no limit
}

// readConfig reads the environment. The error lists everything that is wrong with it.
func readConfig(o Options) (config, error) {
	getenv := o.Getenv
	c := config{
		version:  cmp.Or(getenv("KRT_VERSION"), getenv("KRT_VERSION_ID")),
		runtime:  cmp.Or(getenv("KRT_RUNTIME_ID"), "local"),
		node:     cmp.Or(getenv("KRT_NODE_NAME"), "node"),
		workflow: getenv("KRT_WORKFLOW_NAME"),
	}
	var errs [9]error
	// ko puts the files of a bundle under KO_DATA_PATH in the images it builds.
	base := cmp.Or(getenv("KRT_BASE_PATH"), getenv("KO_DATA_PATH"), ".")
	if c.basePath, errs[0] = filepath.Abs(base); errs[0] != nil {
		errs[0] = fmt.Errorf("KRT_BASE_PATH: %w", errs[0])
	}
	c.replyURL, errs[1] = readReplyURL(getenv("KRT_REPLY_URL"))
	if raw := getenv("KRT_STORE"); raw != "" {
		if c.store, errs[2] = store.New(raw); errs[2] != nil {
			errs[2] = fmt.Errorf("KRT_STORE: %w", errs[2])
		}
	}
	var most int
	most, errs[3] = readInt(getenv, "KRT_MAX_MESSAGE_BYTES", defaultMaxMessageBytes, 1, 1<<30)
	c.maxMessageBytes = int64(most)
	c.port, errs[4] = readInt(getenv, "PORT", defaultPort, 0, 65535)
	c.listenFD, errs[5] = readInt(getenv, "KRT_LISTEN_FD", -1, 3, 1<<20)
	if o.InTurn {
		c.turns, errs[6] = readInt(getenv, "KRT_WORKERS", 1, 1, maxTurns)
	}
	c.timeout, errs[7] = readDuration(getenv, "KRT_TIMEOUT", 0)
	c.backgroundTimeout, errs[8] = readDuration(getenv, "KRT_BACKGROUND_TIMEOUT", defaultBackgroundTimeout)
	return c, errors.Join(errs[:]...)
}

// readReplyURL checks the reply URL; replies go to its path /reply.
func readReplyURL(raw string) (string, error) {
	if raw == "" {
		return "", nil
	}
	u, err := url.Parse(raw)
	if err != nil {
		return "", fmt.Errorf("KRT_REPLY_URL: %w", err)
	}
	if u.Scheme != "http" || u.Host == "" {
		return "", fmt.Errorf("KRT_REPLY_URL: %q is not of the form http://host:port", raw)
	}
	return strings.TrimSuffix(u.String(), "/") + "/reply", nil
}

func readInt(getenv func(string) string, name string, unset, least, most int) (int, error) {
	raw := getenv(name)
	if raw == "" {
		return unset, nil
	}
	n, err := strconv.Atoi(raw)
	if err != nil || n < least || n > most {
		return unset, fmt.Errorf("%s: %q is not a whole number from %d to %d", name, raw, least, most)
	}
	return n, nil
}

func readDuration(getenv func(string) string, name string, unset time.Duration) (time.Duration, error) {
	raw := getenv(name)
	if raw == "" {
		return unset, nil
	}
	d, err := time.ParseDuration(raw)
	if err != nil || d <= 0 {
		return unset, fmt.Errorf("%s: %q is not a positive duration such as \"30s\"", name, raw)
	}
	return d, nil
}
