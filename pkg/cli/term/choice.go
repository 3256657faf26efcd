package term

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// Choice is a flag whose value is one of a few words, which completion suggests.
type Choice struct {
	// Name is the flag's name, Short its letter or "".
	Name, Short string
	// Usage is what the flag is for; the words are added to it.
	Usage string
	// Of are the words.
	Of []string
}

// AddTo adds the flag to cmd. Its default is what to points to, which need not be one of
// the words.
func (c Choice) AddTo(cmd *cobra.Command, to *string) {
	cmd.Flags().VarP(&chosen{to: to, of: c.Of}, c.Name, c.Short, c.Usage+": "+orList(c.Of))
	// The flag was added just above, so this cannot fail.
	_ = cmd.RegisterFlagCompletionFunc(c.Name, cobra.FixedCompletions(c.Of, cobra.ShellCompDirectiveNoFileComp))
}

// chosen is the value of a Choice.
type chosen struct {
	to *string
	of []string
}

// String returns the value; pflag also calls it on a zero chosen.
func (c *chosen) String() string {
	if c.to == nil {
		return ""
	}
	return *c.to
}

// Type is the value's name in help texts.
func (c *chosen) Type() string { return "string" }

// Set accepts one of the words, and the default.
func (c *chosen) Set(text string) error {
	if text != *c.to && !slices.Contains(c.of, text) {
		return errors.New("must be " + orList(c.of))
	}
	*c.to = text
	return nil
}

// orList joins words: "a", "a or b", "a, b or c".
func orList(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
