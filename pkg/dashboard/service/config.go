// Package service is the dashboard as a program in a cluster. It has no rights of its own: each
// user's own token is sent to the API server with whatever the user reads or does.
package service

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/link"
	"krt.dev/kn-krt/pkg/dashboard/promql"
)

// Config is how a dashboard runs in a cluster. The zero value, but for API and CA, is a
// dashboard of all namespaces on port 8080 on which nothing can be changed.
type Config struct {
	// Listen is the address of the pages, Probes that of /healthz.
	Listen, Probes string
	// API is the URL of the API server; CA is the file with the certificates that it is known by.
	API, CA string
	// TLS is a folder with tls.crt and tls.key, which may be renewed; if it has none, the pages
	// are served by plain HTTP.
	TLS string
	// Hosts are the names by which browsers may reach the dashboard, besides those of this
	// machine: others are refused, because a name may resolve to any address (DNS rebinding).
	// "*" accepts all, for a dashboard behind a proxy that checks them.
	Hosts []string
	// Namespaces are those that are shown; none for all that the user may read.
	Namespaces []string
	// Changes allows users with the rights to change versions.
	Changes bool
	// TokenHeader is a header in which a proxy passes the user's token on, instead of
	// Authorization. It needs no trust: the API server checks the token.
	TokenHeader string
	// SignIn lets users paste a token; without it a proxy has to send one.
	SignIn bool
	// Registries are the registries, or paths in them, from which the files of versions are read,
	// with the credentials of DOCKER_CONFIG; none for no files.
	Registries []string
	// Title is shown as the name of the cluster.
	Title string
	// Traces makes links to the pages of traces.
	Traces link.Trace
	// Prometheus has the metrics of entrypoints; without it they are read from the entrypoints.
	Prometheus promql.Setting
	// CheckTime is how long the API server's word about a token counts; 30 seconds if it is 0.
	CheckTime time.Duration
}

// parse reads the flags. The API server's address is the one that Kubernetes gives each pod.
func parse(args []string, getenv func(string) string, stderr io.Writer) (Config, error) {
	c := Config{}
	flags := flag.NewFlagSet("dashboard", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&c.Listen, "listen", ":8080", "address of the pages")
	flags.StringVar(&c.Probes, "probes", ":8081", "address of /healthz")
	flags.StringVar(&c.API, "api", "", "URL of the API server (default: that of the pod's cluster)")
	flags.StringVar(&c.CA, "ca", "/etc/krt-dashboard-ca/ca.crt", "file with the API server's certificates")
	flags.StringVar(&c.TLS, "tls", "", "folder with tls.crt and tls.key; without them the pages have no TLS")
	hosts := flags.String("hosts", "", "names by which browsers reach the dashboard, separated by commas")
	namespaces := flags.String("namespaces", "", "namespaces to show, separated by commas (default: all that the user may read)")
	registries := flags.String("registries", "", "registries, or paths in them, to read documentation from (default: none)")
	flags.BoolVar(&c.Changes, "changes", false, "let users with the rights change versions")
	flags.StringVar(&c.TokenHeader, "token-header", "", "header in which a proxy passes the user's token on (default: Authorization)")
	flags.BoolVar(&c.SignIn, "sign-in", true, "let users paste a token")
	flags.Var(&c.Traces, "trace-url", link.TraceUsage)
	flags.Var(&c.Prometheus, "prometheus-url", promql.Usage)
	flags.StringVar(&c.Title, "title", "", "name of the cluster to show")
	if err := flags.Parse(args); err != nil {
		return Config{}, err
	}
	if flags.NArg() > 0 {
		return Config{}, fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	c.Hosts, c.Namespaces, c.Registries = list(*hosts), list(*namespaces), list(*registries)
	if c.API == "" {
		host, port := getenv("KUBERNETES_SERVICE_HOST"), getenv("KUBERNETES_SERVICE_PORT")
		if host == "" || port == "" {
			return Config{}, errors.New("this is not a pod of a cluster: give the API server's URL with -api")
		}
		c.API = "https://" + net.JoinHostPort(host, port)
	}
	return c, nil
}

func list(text string) (all []string) {
	for word := range strings.SplitSeq(text, ",") {
		if word = strings.TrimSpace(word); word != "" {
			all = append(all, word)
		}
	}
	return all
}
