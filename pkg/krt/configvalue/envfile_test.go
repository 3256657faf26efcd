package configvalue

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParseEnv(t *testing.T) {
	for text, want := range map[string]string{
		`A=$2a$10$N9qo8uLOickgx2ZMRZoMye`: `$2a$10$N9qo8uLOickgx2ZMRZoMye`,
		`A=P@$$W0rd`:                      `P@$$W0rd`,
		`A=${HOME}`:                       `${HOME}`,
		`A="P@$$W0rd ${HOME}"`:            `P@$$W0rd ${HOME}`,
		`A='P@$$W0rd ${HOME}\n'`:          `P@$$W0rd ${HOME}\n`,
		`A=a=b==`:                         "a=b==",
		`A=a#b`:                           "a#b",
		"A=a\t# comment":                  "a",
		`A= # comment`:                    "",
		`A=#secret`:                       "#secret",
		`A=#secret # comment`:             "#secret",
		`A="a"# comment`:                  "a",
		"A=a\nA=\"a\"\nB=1\nB=2":          "a",
		`A="a # b" # comment`:             "a # b",
		` export  A = b c `:               "b c",
		`exportA=b`:                       "", // another variable
		`A=C:\new\dir`:                    `C:\new\dir`,
		`A="a\n\t\"\\\$\d"`:               "a\n\t\"\\$\\d",
		"A=\"1\n2\"\nB=3":                 "1\n2",
		"A='-----BEGIN\nx\n---'":          "-----BEGIN\nx\n---",
		"\ufeffA=b\r\n":                   "b",
		`A=it's`:                          "it's",
		`A=''`:                            "",
		"# A=no\n\n  # B\nA=yes\n":        "yes",
	} {
		t.Run(text, func(t *testing.T) {
			got, err := parseEnv(text, []string{"A"})
			require.NoError(t, err)
			require.Equal(t, want, got["A"])
		})
	}
}

func TestParseEnvErrors(t *testing.T) {
	for text, want := range map[string]string{
		"B=1\nA":          "2: the line is not of the form NAME=VALUE",
		"\n\n1A=b":        "3: the line is not of the form NAME=VALUE",
		"A b=c":           "1: the line is not of the form NAME=VALUE",
		"=b":              "1: the line is not of the form NAME=VALUE",
		"A=\"1\n2\"\nA=3": `3: "A" has another value on line 1; leave one of the lines out`,
		"B=1\nA='b\nC=d":  "2: the value has no closing '",
		"A='b'c":          "1: there is text after the closing quote; put the whole value in quotes",
		"A=\xff":          "1: the value is not text in UTF-8",
	} {
		t.Run(text, func(t *testing.T) {
			_, err := parseEnv(text, []string{"A"})
			require.EqualError(t, err, want)
		})
	}
}

// What is quoted comes back whole, whatever is in it.
func FuzzParseEnv(f *testing.F) {
	for _, seed := range []string{"", "A=b", "$x", `a"b\c`, "a\nb", "'", "#", "\\"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, _ = parseEnv(text, []string{"A"})
		if strings.ContainsAny(text, "\r\x00") || strings.ToValidUTF8(text, "") != text {
			return
		}
		escaped := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text)
		got, err := parseEnv(`A="`+escaped+`" # comment`+"\nB=1", nil)
		require.NoError(t, err)
		require.Equal(t, map[string]string{"A": text, "B": "1"}, got)
		if !strings.Contains(text, "'") {
			got, err = parseEnv("A='"+text+"'", nil)
			require.NoError(t, err)
			require.Equal(t, text, got["A"])
		}
	})
}
