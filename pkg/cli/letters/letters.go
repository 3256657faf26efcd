// Package letters has the commands for what an entrypoint has kept of requests: dead-letters and
// result. Versions on a cluster and on this machine are reached by the same port.
package letters

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/cli/requests"
	"krt.dev/kn-krt/pkg/cli/term"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/legible"
	"krt.dev/kn-krt/pkg/letter/port"
)

// maxName and maxText limit what is printed of a name and of an error's text, in bytes.
const (
	maxName = 100
	maxText = 500
)

// Versions is how versions on a cluster are reached.
type Versions interface {
	// Flags gives cmd the flags that name a place on a cluster.
	Flags(cmd *cobra.Command)
	// Named reports whether such a flag was given, or one of the root command's.
	Named(cmd *cobra.Command) bool
	// Inspect calls f with the inspection port of the named version's entrypoint, or of the
	// published version's if version is "".
	Inspect(cmd *cobra.Command, version string, f func(context.Context, *inspection.Client) error) error
	// Complete suggests versions for the first argument.
	Complete(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective)
}

// place is where letters are read.
type place struct {
	versions Versions
	address  string
}

func (p *place) addFlags(cmd *cobra.Command) {
	p.versions.Flags(cmd)
	cmd.Flags().StringVar(&p.address, "address", "", requests.AddressUsage)
}

// check refuses flags that do not fit the version, which is "" if it is on this machine or the published one.
func (p *place) check(cmd *cobra.Command, version string) error {
	if p.address != "" && (version != "" || p.versions.Named(cmd)) {
		return term.UsageError(cmd, "--address cannot be combined with NAME or with flags for a cluster")
	}
	return nil
}

// reach calls f with the inspection port of the version.
func (p *place) reach(cmd *cobra.Command, version string, f func(context.Context, port.Client) error) error {
	if version != "" || p.versions.Named(cmd) {
		reached := false
		err := p.versions.Inspect(cmd, version, func(ctx context.Context, at *inspection.Client) error {
			reached = true
			return f(ctx, port.Client{Port: at})
		})
		if err != nil && !reached && !p.versions.Named(cmd) {
			err = requests.NotOnCluster(cmd, version, err)
		}
		return err
	}
	client, err := requests.Port(cmd.Context(), cmd.Root().DisplayName(), p.address)
	if err != nil {
		return err
	}
	err = f(cmd.Context(), port.Client{Port: client})
	if errors.Is(err, syscall.ECONNREFUSED) {
		return term.WithHint(err, "Start a version with '%[1]s run', name an address that it printed with --address, "+
			"or name a version on a cluster: '%[1]s %[2]s NAME'.", cmd.Root().DisplayName(), cmd.Name())
	}
	return err
}

// refused reports whether err is that the version keeps none, so that there is nothing to wait for.
func refused(err error) bool {
	var said *inspection.StatusError
	return errors.As(err, &said) && said.Code == http.StatusConflict
}

// clock is a time for people.
func clock(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

func line(text string) string { return legible.Line(text, maxName) }

// isCorrelation reports whether text is the id of a request: 32 hexadecimal digits.
func isCorrelation(text string) bool {
	return len(text) == 32 && strings.Trim(text, "0123456789abcdef") == ""
}

// exampleID is an id for hints.
const exampleID = "4f0c1d2e83ab45d0a2cf6be0b6f0d1aa"

// isDead reports whether text is the id of a dead letter.
func isDead(text string) bool {
	correlation, step, ok := strings.Cut(text, "/")
	return ok && isCorrelation(correlation) && step != "" && strings.Trim(step, "0123456789") == ""
}
