// Package depcheck holds the shape of the repository as tests: who may import
// whom, how long a file may grow, what a package may be called.
package depcheck

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "krt.dev/kn-krt"

// kubernetes is everything that belongs to a cluster. What runs a version on
// one machine must build and run without it.
var kubernetes = []string{"k8s.io", "sigs.k8s.io", "knative.dev"}

// drivers are those of databases that only the store on a cluster has.
var drivers = []string{"github.com/jackc", "go.mongodb.org"}

// never is the import table: a package (with those below it) and what must not
// be among its dependencies, however deep.
var never = []struct {
	pkg, why string
	imports  []string
}{
	{"pkg/apis", "the kinds are apimachinery and k8s.io/api only",
		[]string{"sigs.k8s.io/controller-runtime", "k8s.io/client-go", "knative.dev"}},
	{"pkg/krt", "a manifest is read without a cluster", kubernetes},
	{"pkg/schema", "protos are compiled without a cluster", kubernetes},
	{"pkg/entrypoint", "the entrypoint talks to addresses, not to an API server", kubernetes},
	{"pkg/entrypoint/httpclient", "it knows HTTP only",
		[]string{"google.golang.org/grpc", module + "/pkg/entrypoint", module + "/pkg/runner/event", module + "/pkg/schema"}},
	{"pkg/entrypoint/record", "a record is data, whoever makes something of it",
		[]string{"google.golang.org/grpc", "github.com/prometheus", "go.opentelemetry.io"}},
	{"pkg/entrypoint/capture", "requests are kept, not served to their clients",
		[]string{"google.golang.org/grpc", "connectrpc.com", "github.com/prometheus"}},
	{"pkg/entrypoint/delivery", "events are carried as bytes", []string{"connectrpc.com", module + "/pkg/schema"}},
	{"pkg/entrypoint/stream", "messages are bytes", []string{"connectrpc.com", "github.com/prometheus", module + "/pkg/schema"}},
	{"pkg/pyrunner", "a node knows no cluster", kubernetes},
	{"pkg/store", "the store serves local runs too", kubernetes},
	{"pkg/local", "a local run has no database but SQLite", drivers},
	{"pkg/entrypoint", "what serves requests has no database", append([]string{"modernc.org/sqlite"}, drivers...)},
	{"pkg/pyrunner", "nodes reach what they save through the store", append([]string{"modernc.org/sqlite"}, drivers...)},
	{"cmd/kn-krt", "the command line reaches what nodes save through the store", drivers},
	{"cmd/controller", "the controller has no database", append([]string{"modernc.org/sqlite"}, drivers...)},
	{"pkg/queue", "a queue is reached without a cluster", kubernetes},
	{"pkg/render", "rendering knows the queue's names only", []string{"github.com/nats-io"}},
	{"pkg/credential", "the store checks credentials without a cluster", kubernetes},
	{"pkg/child", "a node knows no cluster", kubernetes},
	{"pkg/local", "a local run knows no cluster", kubernetes},
	{"pkg/gobuild", "Go nodes are built without a cluster", kubernetes},
	{"pkg/image", "images are built by the CLI too", []string{module + "/pkg/controller"}},
	{"pkg/render", "rendering is pure",
		[]string{"sigs.k8s.io/controller-runtime", module + "/pkg/apply", module + "/pkg/controller"}},
	{"pkg/observe", "observing is pure",
		[]string{"sigs.k8s.io/controller-runtime", module + "/pkg/apply", module + "/pkg/controller"}},
	{"pkg/apply", "apply knows objects, not versions", []string{module + "/pkg/apis", module + "/pkg/krt"}},
	{"pkg/controller", "the controller is no command line", []string{module + "/pkg/cli", module + "/pkg/local"}},
	{"pkg/cluster", "a client of the cluster is not a command line, a controller or a local run",
		[]string{"github.com/spf13/cobra", module + "/pkg/cli", module + "/pkg/controller", module + "/pkg/local", module + "/pkg/image"}},
	{"pkg/logline", "lines of logs are read without a cluster", kubernetes},
	{"pkg/cli/term", "what all verbs share knows no cluster", kubernetes},
	{"pkg/cli/bundle", "a bundle is checked and packed without a cluster", kubernetes},
	{"pkg/cli/local", "a local run knows no cluster", kubernetes},
	{"pkg/cli/call", "how a version on a cluster is reached is given to it", kubernetes},
	{"pkg/invocation", "a version is called at an address", kubernetes},
	{"pkg/cli/requests", "how a version on a cluster is reached is given to it", kubernetes},
	{"pkg/cli/letters", "how a version on a cluster is reached is given to it", kubernetes},
	{"pkg/cli/backlog", "how a version on a cluster is reached is given to it", kubernetes},
	{"pkg/cli/saved", "how data on a cluster is reached is given to it", kubernetes},
	{"pkg/legible", "it is text", []string{"github.com", "k8s.io", "google.golang.org"}},
	{"pkg/dashboard/meter", "what is read is given to it", append([]string{"google.golang.org/grpc"}, kubernetes...)},
	{"pkg/dashboard/waterfall", "a chart is made of values", append([]string{"google.golang.org", "github.com"}, kubernetes...)},
	{"pkg/dashboard/recent", "what a page keeps is given to it", append([]string{"google.golang.org", "github.com"}, kubernetes...)},
	{"pkg/dashboard/logview", "lines are given to it", append([]string{"google.golang.org", "github.com"}, kubernetes...)},
	{"pkg/dashboard/promql", "a Prometheus is asked over HTTP", append([]string{"google.golang.org", "github.com"}, kubernetes...)},
	{"pkg/dashboard/measured", "the store is read by its client", kubernetes},
	{"pkg/dashboard/picture", "a picture is made of values", append([]string{"google.golang.org", "github.com"}, kubernetes...)},
	{"pkg/judge", "verdicts are made of counts", append([]string{"google.golang.org", "github.com", module + "/pkg/apis"}, kubernetes...)},
	{"pkg/dashboard/prediction", "figures are made of values", append([]string{"github.com"}, kubernetes...)},
	{"pkg/inspection", "it is the standard library's HTTP and JSON", []string{module, "google.golang.org", "github.com", "k8s.io"}},
	{"pkg/dashboard/service", "of the command line it has the hints only",
		[]string{module + "/pkg/cli/remote", module + "/pkg/cli/bundle", module + "/pkg/cli/local", module + "/pkg/local"}},
	{"pkg/cli", "the command line is no controller", []string{module + "/pkg/controller"}},
}

// direct is the same for what a package must not import itself. The types of
// Knative's Sequence depend on client-go; what renders them must not use it.
var direct = []struct {
	pkg, why string
	imports  []string
}{
	{"pkg/render", "rendering is pure: no client, context, clock, environment or log",
		[]string{"k8s.io/client-go", "context", "log", "log/slog", "net/http", "os"}},
	{"pkg/observe", "observing is pure: no client, context, environment or log; the time is passed",
		[]string{"k8s.io/client-go", "context", "log", "log/slog", "net/http", "os"}},
	{"pkg/dashboard/meter", "what is read is given to it", []string{"net/http"}},
	{"pkg/cluster", "a client of the cluster has no flags and logs nothing", []string{"github.com/spf13/pflag", "flag", "log", "log/slog"}},
	{"pkg/cli", "the command line uses a cluster through pkg/cluster only",
		[]string{"sigs.k8s.io/controller-runtime", "k8s.io/client-go"}},
}

// only names the packages that alone may import another one directly.
var only = []struct {
	imported, why string
	by            []string
}{
	{"github.com/bufbuild/protocompile", "pkg/schema is the only importer of a proto compiler", []string{"pkg/schema"}},
	{"github.com/cloudevents/sdk-go", "the CloudEvents SDK is used at the entrypoint's outer edge only", []string{"pkg/entrypoint/web"}},
	{module + "/pkg/store", "runners hold a client, only the local run and cmd/store own a store",
		[]string{"cmd/store", "pkg/local", "pkg/store", "test/monitoring", "test/store"}},
	{"modernc.org/sqlite", "a backend alone knows its database", []string{"pkg/store/sqlite"}},
	{"github.com/jackc/pgx", "a backend alone knows its database", []string{"pkg/store/postgres", "test/store"}},
	{"go.mongodb.org/mongo-driver", "a backend alone knows its database", []string{"pkg/store/mongo", "test/store"}},
	{"github.com/nats-io/nats.go", "a client of the queue alone knows NATS", []string{"pkg/queue/client", "test/bench/peers", "test/jetstream"}},
	{"github.com/nats-io/nats-server", "the queue's program alone is a server of NATS",
		[]string{"cmd/queue", "pkg/queue/server", "test/bench", "test/jetstream"}},
	{"go.opentelemetry.io", "pkg/telemetry alone knows OpenTelemetry", []string{"pkg/telemetry", "test"}},
	{module + "/pkg/telemetry", "a program decides whether its entrypoint records traces",
		[]string{"cmd/entrypoint", "pkg/local", "pkg/telemetry", "test"}},
	{module + "/pkg/dashboard/cluster", "the pages know no cluster",
		[]string{"cmd/dashboard", "pkg/cli/remote", "pkg/dashboard/cluster", "pkg/dashboard/service", "test/apiserver/dashboard"}},
	{module + "/pkg/cli", "the command line is the outermost package",
		[]string{"cmd/kn-krt", "pkg/cli", "pkg/dashboard/service", "pkg/release", "test/browser", "test/scripts",
			"test/apiserver/scripts", "test/docs"}},
}

// runnerMay is all that pkg/runner may depend on besides the standard library,
// for it is linked into user code.
var runnerMay = []string{
	module + "/pkg/runner",
	"google.golang.org/protobuf",
	"google.golang.org/genproto/googleapis/rpc",
}

type goPackage struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Deps       []string
}

func TestImportTable(t *testing.T) {
	packages := list(t, "../..", "./...")
	for _, rule := range never {
		t.Run(rule.pkg, func(t *testing.T) {
			for _, p := range packages {
				if !within(p.ImportPath, module+"/"+rule.pkg) {
					continue
				}
				for _, dep := range p.Deps {
					require.Falsef(t, withinAny(dep, rule.imports), "%s depends on %s: %s", p.ImportPath, dep, rule.why)
				}
			}
		})
	}
}

func TestDirectImports(t *testing.T) {
	packages := list(t, "../..", "./...")
	for _, rule := range direct {
		t.Run(rule.pkg, func(t *testing.T) {
			for _, p := range packages {
				if !within(p.ImportPath, module+"/"+rule.pkg) {
					continue
				}
				for _, path := range p.Imports {
					require.Falsef(t, withinAny(path, rule.imports), "%s imports %s: %s", p.ImportPath, path, rule.why)
				}
			}
		})
	}
}

func TestOnlyImporters(t *testing.T) {
	packages := list(t, "../..", "./...")
	for _, rule := range only {
		t.Run(rule.imported, func(t *testing.T) {
			by := make([]string, len(rule.by))
			for i, name := range rule.by {
				by[i] = module + "/" + name
			}
			for _, p := range packages {
				imports := slices.ContainsFunc(p.Imports, func(path string) bool { return within(path, rule.imported) })
				require.Falsef(t, imports && !withinAny(p.ImportPath, by), "%s imports %s: %s", p.ImportPath, rule.imported, rule.why)
			}
		})
	}
}

func TestRunnerStaysSmall(t *testing.T) {
	for _, p := range list(t, "../../pkg/runner", "-deps", "./...") {
		if p.Standard {
			continue
		}
		require.Truef(t, withinAny(p.ImportPath, runnerMay),
			"pkg/runner depends on %s: it is linked into user code and may use only the standard library and %s",
			p.ImportPath, strings.Join(runnerMay[1:], ", "))
	}
}

// mostLocal bounds the packages of a program for local runs, the standard library's
// included: `make run` compiles them all in a fresh clone. About 60 of them are
// OpenTelemetry's exporters, which read all of its variables themselves, about 25 the
// dashboard's own, of which nine make HTML of Markdown, six verify tokens, and letters, pods, warm and cold nodes are one each;
// a package of the dashboard that is split by idea is counted several times too.
const mostLocal = 665

func TestLocalProgramStaysSmall(t *testing.T) {
	packages := list(t, "../..", "-tags", "local", "-deps", "./cmd/kn-krt")
	left := append([]string{"github.com/google/ko", "github.com/google/go-containerregistry"}, kubernetes...)
	for _, p := range packages {
		require.Falsef(t, withinAny(p.ImportPath, left), "with the tag local, cmd/kn-krt depends on %s", p.ImportPath)
	}
	require.LessOrEqual(t, len(packages), mostLocal)
}

// list runs go list in folder, which says which module is meant.
func list(t *testing.T, folder string, args ...string) []goPackage {
	t.Helper()
	dir, err := filepath.Abs(folder)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Standard,Imports,Deps"}, args...)...)
	cmd.Dir = dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoErrorf(t, err, "go list: %s", &stderr)

	var packages []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		packages = append(packages, p)
	}
	require.NotEmpty(t, packages)
	return packages
}

// within reports whether path is parent or stands below it.
func within(path, parent string) bool {
	return path == parent || strings.HasPrefix(path, parent+"/")
}

func withinAny(path string, parents []string) bool {
	return slices.ContainsFunc(parents, func(parent string) bool { return within(path, parent) })
}
