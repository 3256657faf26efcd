package reference

import (
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"krt.dev/kn-krt/pkg/cli"
)

func commands(string) (string, error) {
	var b strings.Builder
	begin(&b, "Commands", "Every command of `kn-krt`. As a plugin it is `kn krt …` and `kubectl krt …`, with the same commands. "+
		"A program that was built for this machine alone (the build tag `local`) has no commands for a cluster.")
	root := cli.Tree()
	root.InitDefaultCompletionCmd()
	b.WriteString("\n" + Wrap(plain(oneParagraph(root.Long))))
	b.WriteString("\n## Flags of all commands\n\n")
	flagTable(&b, root.PersistentFlags())
	for _, group := range root.Groups() {
		b.WriteString("\n## " + strings.TrimSuffix(group.Title, ":") + "\n")
		for _, cmd := range root.Commands() {
			if cmd.GroupID == group.ID {
				command(&b, cmd)
			}
		}
	}
	return b.String(), nil
}

func command(b *strings.Builder, cmd *cobra.Command) {
	if cmd.Hidden {
		return
	}
	b.WriteString("\n### " + cmd.CommandPath() + "\n\n")
	long := cmd.Long
	if long == "" {
		long = cmd.Short + "."
	}
	b.WriteString(literal(cmd.UseLine()) + "\n")
	for _, paragraph := range strings.Split(long, "\n\n") {
		if strings.HasPrefix(paragraph, " ") {
			fence(b, "text", "pkg/cli", paragraph)
			continue
		}
		b.WriteString("\n" + Wrap(plain(paragraph)))
	}
	if cmd.LocalNonPersistentFlags().HasAvailableFlags() {
		b.WriteByte('\n')
		flagTable(b, cmd.LocalNonPersistentFlags())
	}
	if cmd.Example != "" {
		fence(b, "sh", "test/docs/command_test.go", strings.ReplaceAll("\n"+cmd.Example, "\n  ", "\n"))
	}
	for _, below := range cmd.Commands() {
		command(b, below)
	}
}

// typeless are the names of pflag's types that say nothing to a reader.
var typeless = regexp.MustCompile(`^(bool|string|stringArray)$`)

func flagTable(b *strings.Builder, flags *pflag.FlagSet) {
	table(b, "flag", "default", "meaning")
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		kind, usage := pflag.UnquoteUsage(f)
		if kind != "" && !typeless.MatchString(f.Value.Type()) {
			name += " " + kind
		}
		row(b, literal(name), literal(defaultOf(f)), plain(usage))
	})
}

// defaultOf is a flag's default, empty for one that says nothing.
func defaultOf(f *pflag.Flag) string {
	switch f.DefValue {
	case "", "false", "[]":
		return ""
	}
	return f.DefValue
}

func oneParagraph(text string) string { return strings.Join(strings.Fields(text), " ") }
