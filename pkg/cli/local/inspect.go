package local

import (
	"fmt"
	"math"
	"strconv"

	"github.com/spf13/cobra"

	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/local"
)

// inspectOff is the value of --inspect-port with which no requests are kept for others.
const inspectOff = "off"

// inspectFlag adds the flag --inspect-port.
func inspectFlag(cmd *cobra.Command, to *local.Ports) {
	to.Inspection, to.InspectionOrFree = inspection.Port, true
	cmd.Flags().Var(&inspectPort{to}, "inspect-port",
		"port on this machine for reading the last requests; 0 is any free port, as is used if the default is taken; "+inspectOff+" for none")
	// The flag was added just above, so this cannot fail.
	_ = cmd.RegisterFlagCompletionFunc("inspect-port", cobra.FixedCompletions([]string{inspectOff}, cobra.ShellCompDirectiveNoFileComp))
}

// inspectPort is the value of --inspect-port.
type inspectPort struct{ to *local.Ports }

// String returns the value; pflag also calls it on a zero inspectPort.
func (p *inspectPort) String() string {
	switch {
	case p.to == nil:
		return ""
	case p.to.Inspection < 0:
		return inspectOff
	}
	return strconv.Itoa(p.to.Inspection)
}

// Type is the value's name in help texts.
func (p *inspectPort) Type() string { return "port" }

// Set takes a port or off.
func (p *inspectPort) Set(text string) error {
	port := -1
	if text != inspectOff {
		var err error
		if port, err = strconv.Atoi(text); err != nil || port < 0 || port > math.MaxUint16 {
			return fmt.Errorf("must be a whole number from 0 to %d, or %s", math.MaxUint16, inspectOff)
		}
	}
	p.to.Inspection, p.to.InspectionOrFree = port, false
	return nil
}
