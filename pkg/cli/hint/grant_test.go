package hint

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestGrant(t *testing.T) {
	const command = "kubectl -n team create rolebinding kn-krt-users --clusterrole=edit "
	for user, subject := range map[string]string{
		"":                              "--user=YOU",
		"ada@example.com":               "--user=ada@example.com",
		"https://login/oidc#Ada 'L' $x": `--user='https://login/oidc#Ada '\''L'\'' $x'`,
		"system:serviceaccount:ci:bot":  "--serviceaccount=ci:bot",
	} {
		require.Equal(t, command+subject, Place{Namespace: "team"}.Grant(user))
	}
}
