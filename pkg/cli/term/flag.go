package term

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Flags with bounds. A value outside is a usage error that names the flag, before anything
// is done.

// PositiveVar adds a flag for a duration of more than 0.
func PositiveVar(flags *pflag.FlagSet, to *time.Duration, name string, value time.Duration, usage string) {
	*to = value
	flags.Var((*positive)(to), name, usage)
}

// positive is a duration of more than 0.
type positive time.Duration

func (p *positive) String() string { return time.Duration(*p).String() }

// Type is the value's name in help texts.
func (p *positive) Type() string { return "duration" }

// Set takes a duration such as 1m30s.
func (p *positive) Set(text string) error {
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return errors.New(`not a duration such as 500ms, 30s or 1m30s`)
	case d <= 0:
		return errors.New("must be more than 0")
	}
	*p = positive(d)
	return nil
}

// RangeVar adds a flag for a whole number within bounds, both included. The default is what to points to.
func RangeVar(flags *pflag.FlagSet, to *int, name string, bounds [2]int, usage string) {
	flags.Var(&ranged{to: to, bounds: bounds}, name, usage)
}

// ranged is a whole number within bounds.
type ranged struct {
	to     *int
	bounds [2]int
}

// String returns the value; pflag also calls it on a zero ranged.
func (r *ranged) String() string {
	if r.to == nil {
		return "0"
	}
	return strconv.Itoa(*r.to)
}

// Type is the value's name in help texts.
func (r *ranged) Type() string { return "int" }

// Set takes a number in decimal digits.
func (r *ranged) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < r.bounds[0] || n > r.bounds[1] {
		return fmt.Errorf("must be a whole number from %d to %d", r.bounds[0], r.bounds[1])
	}
	*r.to = n
	return nil
}

// HostVar adds a flag for an address without a port.
func HostVar(flags *pflag.FlagSet, to *string, name, value, usage string) {
	*to = value
	flags.Var((*host)(to), name, usage)
}

// host is an IP address or a host name.
type host string

func (h *host) String() string { return string(*h) }

// Type is the value's name in help texts.
func (h *host) Type() string { return "host" }

// Set takes an address without a port.
func (h *host) Set(text string) error {
	if _, err := netip.ParseAddr(text); err != nil && strings.ContainsAny(text, ":[]/") {
		return errors.New("must be an IP address or a host name, without a port; set ports with --grpc-port and --web-port")
	}
	*h = host(text)
	return nil
}

// Pairs reads the flag's values of the form NAME=VALUE. Errors contain no value, because it
// may be a secret.
func Pairs(cmd *cobra.Command, flag string, list []string) (map[string]string, error) {
	read := map[string]string{}
	for i, pair := range list {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, UsageError(cmd, "value %d of %s: write NAME=VALUE", i+1, flag)
		}
		if _, twice := read[name]; twice {
			return nil, UsageError(cmd, "%s gives %q twice", flag, name)
		}
		read[name] = value
	}
	return read, nil
}
