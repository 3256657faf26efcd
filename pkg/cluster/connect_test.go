package cluster

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

// kubeconfig is of a user who impersonates another one.
const kubeconfig = `
apiVersion: v1
kind: Config
current-context: one
contexts: [{name: one, context: {cluster: one, user: one, namespace: ns}}]
clusters: [{name: one, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: one, user: {token: own, as: admin, as-groups: [admins]}}]
`

func TestWhomRequestsAreSentAs(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config")
	require.NoError(t, os.WriteFile(file, []byte(kubeconfig), 0o600))
	eve := User{Name: "eve", UID: "1", Groups: []string{"readers"}}
	asEve := rest.ImpersonationConfig{UserName: "eve", UID: "1", Groups: []string{"readers"}}
	for name, test := range map[string]struct {
		options Options
		token   string
		as      rest.ImpersonationConfig
	}{
		"kubeconfig":          {Options{}, "own", rest.ImpersonationConfig{UserName: "admin", Groups: []string{"admins"}}},
		"another user":        {Options{As: User{Name: "eve"}}, "own", rest.ImpersonationConfig{UserName: "eve"}},
		"token":               {Options{Token: "other"}, "other", rest.ImpersonationConfig{}},
		"token, another user": {Options{Token: "other", As: eve}, "other", asEve},
	} {
		t.Run(name, func(t *testing.T) {
			test.options.Kubeconfig = file
			c, err := Connect(test.options)
			require.NoError(t, err)
			require.Equal(t, test.token, c.config.BearerToken)
			as := c.config.Impersonate
			require.Empty(t, as.Extra)
			as.Extra = nil
			require.Equal(t, test.as, as)
		})
	}
	// What clientcmd makes of a pod's service account impersonates nobody.
	o := Options{As: eve}
	require.Equal(t, asEve, o.identify(&rest.Config{BearerToken: "pod"}).Impersonate)
}
