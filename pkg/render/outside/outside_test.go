package outside_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
	"krt.dev/kn-krt/pkg/render"
	"krt.dev/kn-krt/pkg/render/outside"
)

var update = flag.Bool("update", false, "write testdata")

func TestObjects(t *testing.T) {
	for name, data := range map[string]map[string]string{
		"nothing": {},
		"ingress": {"ingress-domain": "krt.example.com", "ingress-class": "nginx", "ingress-tls-secret": "krt-tls"},
		"ingress-issuer": {
			"ingress-domain": "grpc.example.com", "ingress-tls-secret": "grpc-tls",
			"ingress-annotations":    "nginx.ingress.kubernetes.io/backend-protocol: GRPC\ncert-manager.io/cluster-issuer: letsencrypt",
			"ingress-web-domain":     "api.example.com",
			"ingress-web-tls-secret": "api-tls", "ingress-web-annotations": "cert-manager.io/cluster-issuer: letsencrypt",
		},
		"ingress-wildcard": {"ingress-domain": "grpc.example.com", "ingress-web-domain": "api.example.com", "ingress-tls-secret": "krt-tls"},
		"gateway":          {"gateway": "gateways/public", "ingress-domain": "grpc.example.com", "ingress-web-domain": "api.example.com"},
		"gateway-listener": {"gateway": "gateways/public/https", "ingress-web-domain": "api.example.com", "ingress-tls-secret": "unused"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := render.ParseSettings(data)
			require.NoError(t, err)
			rt := &v1alpha1.Runtime{ObjectMeta: metav1.ObjectMeta{Namespace: "kre"}}
			var documents []string
			for _, o := range outside.Objects(rt, s) {
				document, err := yaml.Marshal(o)
				require.NoError(t, err)
				documents = append(documents, string(document))
			}
			got, file := strings.Join(documents, "---\n"), filepath.Join("testdata", name+".yaml")
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(got), 0o600))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, string(want), got)
		})
	}
}

func TestHosts(t *testing.T) {
	rt := &v1alpha1.Runtime{ObjectMeta: metav1.ObjectMeta{Namespace: "kre"}}
	require.Empty(t, outside.Hosts(rt, render.DefaultSettings()))
	s, err := render.ParseSettings(map[string]string{"ingress-domain": "grpc.example.com", "ingress-web-domain": "api.example.com"})
	require.NoError(t, err)
	require.Equal(t, []string{"kre.grpc.example.com", "kre.api.example.com"}, outside.Hosts(rt, s))
}
