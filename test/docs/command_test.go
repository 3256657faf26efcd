package docs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/cli"
)

// typed are the names of kn-krt, as it is typed.
var typed = [][]string{{"kn-krt"}, {"kn", "krt"}, {"kubectl", "krt"}}

// TestCommandsExist holds what blocks of shell show of kn-krt, also those that are not executed, to the
// commands and flags that there are.
func TestCommandsExist(t *testing.T) {
	count := 0
	for _, p := range pages(t) {
		for _, b := range p.Blocks {
			if b.Language != "sh" {
				continue
			}
			for _, command := range commandsIn(b.Text) {
				count++
				if err := check(command); err != nil {
					t.Errorf("%s: %s: %v", b.At(), strings.Join(command, " "), err)
				}
			}
		}
	}
	t.Logf("%d commands of kn-krt", count)
}

// check reports what is wrong with the words of a command after the program's name.
func check(words []string) error {
	cmd, rest, err := cli.Tree().Find(words)
	if err != nil {
		return err
	}
	// A value may be a placeholder: only the names of flags are held to what there is.
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	cmd.InheritedFlags()
	cmd.InitDefaultHelpFlag()
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		flags.AddFlag(&pflag.Flag{Name: f.Name, Shorthand: f.Shorthand, NoOptDefVal: f.NoOptDefVal, Value: new(anything)})
	})
	if err := flags.Parse(rest); err != nil {
		return err
	}
	if cmd.HasSubCommands() && flags.NArg() > 0 && (!cmd.HasParent() || cmd.Args == nil || cmd.Args(cmd, flags.Args()) != nil) {
		return fmt.Errorf("%s has no command %q", cmd.CommandPath(), flags.Arg(0))
	}
	return nil // how many arguments a command needs may depend on its flags
}

// anything is a flag's value that every text is.
type anything struct{}

func (*anything) String() string   { return "" }
func (*anything) Set(string) error { return nil }
func (*anything) Type() string     { return "" }

// commandsIn are the words after the program's name of each command of kn-krt in a block of shell.
func commandsIn(text string) (all [][]string) {
	text = strings.ReplaceAll(text, "\\\n", " ")
	for line := range strings.Lines(text) {
		for _, command := range split(line) {
			for _, name := range typed {
				if len(command) > len(name) && slices.Equal(command[:len(name)], name) {
					all = append(all, command[len(name):])
				}
			}
		}
	}
	return all
}

// split divides a line of shell into commands and their words, as far as the docs need it: quotes, comments,
// pipes, lists and redirections.
func split(line string) (commands [][]string) {
	var words []string
	word, quote, in := "", rune(0), false
	end := func() {
		if in {
			words = append(words, word)
		}
		word, in = "", false
	}
	for _, c := range line {
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word += string(c)
		case c == '\'' || c == '"':
			quote, in = c, true
		case c == '#' && !in:
			return append(commands, words)
		case strings.ContainsRune("|&;<>()", c):
			end()
			commands, words = append(commands, words), nil
		case c == ' ' || c == '\t' || c == '\n':
			end()
		default:
			word, in = word+string(c), true
		}
	}
	end()
	return append(commands, words)
}

func TestCommandsInABlock(t *testing.T) {
	const text = "A=1 \\\nkn krt list -A # all\nkn-krt run 'a b' | kn-krt data import -n x && echo kn-krt nothing\n"
	require.Equal(t, [][]string{{"run", "a b"}, {"data", "import", "-n", "x"}}, commandsIn(text))
	require.NoError(t, check([]string{"invoke", "my-version", "greet", "-d", "{}"}))
	for _, wrong := range [][]string{{"walk"}, {"run", "--grpc-prot", "0"}, {"data", "walk"}} {
		require.Error(t, check(wrong), "%v", wrong)
	}
}
