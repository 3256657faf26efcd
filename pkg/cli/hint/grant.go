package hint

import (
	"regexp"
	"strings"

	"krt.dev/kn-krt/pkg/legible"
)

// plain are names that a shell reads as one word.
var plain = regexp.MustCompile(`^[A-Za-z0-9._@:/+-]+$`)

// Grant is the command by which an administrator gives a user, as the API server knows them, all
// rights that are needed in the namespace. Without a name it has a word to replace.
func (p Place) Grant(user string) string {
	subject := "--user=YOU"
	account, ok := strings.CutPrefix(user, "system:serviceaccount:")
	switch {
	case ok && plain.MatchString(account): // NAMESPACE:NAME, as the flag has it
		subject = "--serviceaccount=" + account
	case plain.MatchString(user):
		subject = "--user=" + user
	case user != "":
		subject = "--user=" + legible.Argument(user)
	}
	return p.Kubectl("create rolebinding kn-krt-users --clusterrole=edit %s", subject)
}
