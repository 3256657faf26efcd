package runner

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/runner/environment"
	"krt.dev/kn-krt/pkg/runner/store"
)

// config is what a node reads from its environment.
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
		version:  cmp.Or(getenv(environment.Version), getenv(environment.VersionID)),
		runtime:  cmp.Or(getenv(environment.RuntimeID), "local"),
		node:     cmp.Or(getenv(environment.NodeName), "node"),
		workflow: getenv(environment.WorkflowName),
	}
	var errs [9]error
	if c.basePath, errs[0] = environment.Base(getenv); errs[0] != nil {
		errs[0] = fmt.Errorf("%s: %w", environment.BasePath, errs[0])
	}
	c.replyURL, errs[1] = readReplyURL(getenv(environment.ReplyURL))
	if raw := getenv(environment.Store); raw != "" {
		if c.store, errs[2] = store.New(raw, store.Credentials(getenv(environment.StoreCredentials))); errs[2] != nil {
			errs[2] = fmt.Errorf("%s: %w", environment.Store, errs[2])
		}
	}
	var most int
	most, errs[3] = environment.Int(getenv, environment.MaxMessageBytes, environment.DefaultMaxMessageBytes, 1, environment.MostMessageBytes)
	c.maxMessageBytes = int64(most)
	c.port, errs[4] = environment.Int(getenv, environment.Port, environment.DefaultPort, 0, 65535)
	c.listenFD, errs[5] = environment.Int(getenv, environment.ListenFD, -1, 3, 1<<20)
	if o.InTurn {
		c.turns, errs[6] = environment.Int(getenv, environment.Workers, 1, 1, environment.MostWorkers)
	}
	c.timeout, errs[7] = environment.Duration(getenv, environment.Timeout, 0)
	c.backgroundTimeout, errs[8] = environment.Duration(getenv, environment.BackgroundTimeout, environment.DefaultBackgroundTimeout)
	return c, errors.Join(errs[:]...)
}

// readReplyURL checks the reply URL; replies go to its path /reply.
func readReplyURL(raw string) (string, error) {
	if raw == "" {
		return "", nil
	}
	u, err := url.Parse(raw)
	if err != nil {
		return "", fmt.Errorf("%s: %w", environment.ReplyURL, err)
	}
	if u.Scheme != "http" || u.Host == "" {
		return "", fmt.Errorf("%s: %q is not of the form http://host:port", environment.ReplyURL, raw)
	}
	return strings.TrimSuffix(u.String(), "/") + replyPath, nil
}
