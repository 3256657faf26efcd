package call

import (
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"krt.dev/kn-krt/pkg/entrypoint/authentication"
	"krt.dev/kn-krt/pkg/invocation"
	"krt.dev/kn-krt/pkg/krt/untrusted"
)

// credentialsHint is what to do about a version that refuses the client.
const credentialsHint = "Give a file with a token (--token-file FILE) or with an API key (--api-key-file FILE)."

// credentialFiles are the files with a client's credentials. What is in an argument can be read by
// all users of a machine, so credentials are never one.
type credentialFiles struct{ token, apiKey string }

func (c *credentialFiles) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&c.token, "token-file", "", "file with the token (JWT) to send, for a version that requires authentication")
	flags.StringVar(&c.apiKey, "api-key-file", "", "file with the API key to send, for a version that requires authentication")
}

func (c *credentialFiles) read() (by invocation.Credentials, err error) {
	if by.Token, err = readCredential("the token", c.token, authentication.MaxTokenBytes); err != nil {
		return by, err
	}
	by.APIKey, err = readCredential("the API key", c.apiKey, authentication.MaxKeyBytes)
	return by, err
}

// readCredential reads a file of one line; "" if path is empty. An error has nothing of its text.
func readCredential(what, path string, most int64) (string, error) {
	if path == "" {
		return "", nil
	}
	data, err := untrusted.ReadPath(path, most+2) // with a line break
	if err != nil {
		return "", fmt.Errorf("cannot read %s: %w", what, err)
	}
	text := strings.TrimRight(string(data), "\r\n")
	if text == "" || strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return "", fmt.Errorf("cannot read %s: %q must have one line of printable characters, without spaces", what, path)
	}
	return text, nil
}
