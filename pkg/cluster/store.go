package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	corev1 "k8s.io/api/core/v1"

	"krt.dev/kn-krt/pkg/data"
	"krt.dev/kn-krt/pkg/render"
)

// storePort is the port of the store's pod that serves its API.
const storePort = 8080

// ErrNoCredential is returned when no version of the namespace has credentials for the store:
// none has been started since the cluster has one.
var ErrNoCredential = errors.New("no version of the namespace has credentials for the store")

// Data returns a client of the store for the namespace's data, through a port-forward to
// the store's pod, and the function that ends it. Its error is [ErrNoCredential] if
// there is no credential; else the user may not read Secrets, or the store is not there.
func (c *Client) Data(ctx context.Context) (_ *data.Client, end func(), err error) {
	credential, err := c.storeCredential(ctx)
	if err != nil {
		return nil, nil, err
	}
	settings, _, err := c.Settings(ctx)
	if err != nil {
		return nil, nil, err
	}
	f, err := c.forward(ctx, SystemNamespace, render.StoreName+"-0", storePort)
	if err != nil {
		return nil, nil, c.explain(err, "cannot reach the store")
	}
	client := &data.Client{Address: "http://" + f.Address, Credential: credential, HTTP: &http.Client{}}
	if at, err := url.Parse(settings.Store()); err == nil && at.Scheme == "https" {
		client.Address = "https://" + f.Address
		client.HTTP.Transport = &http.Transport{TLSClientConfig: trusting(at.Hostname(), settings.StoreCA)}
	}
	return client, f.Close, nil
}

// trusting expects a server with a certificate for a name, of an authority in ca or, if
// that is empty, of the system's.
func trusting(name, ca string) *tls.Config {
	config := &tls.Config{ServerName: name, MinVersion: tls.VersionTLS12}
	if ca != "" {
		config.RootCAs = x509.NewCertPool()
		config.RootCAs.AppendCertsFromPEM([]byte(ca))
	}
	return config
}

// storeCredential returns the credential by which an owner of the namespace reads and
// changes its data: that of any version which uses the store.
func (c *Client) storeCredential(ctx context.Context) (string, error) {
	versions, err := c.List(ctx)
	if err != nil {
		return "", err
	}
	for i := range versions.Items {
		with := versions.Items[i].Status.StartedWith
		if with == nil || with.StoreSecret == "" {
			continue
		}
		secret := &corev1.Secret{}
		if err := c.kube.Get(ctx, c.key(with.StoreSecret), secret); err != nil {
			return "", c.explain(err, fmt.Sprintf("cannot read the credential for the store in Secret %q", with.StoreSecret))
		}
		return string(secret.Data[render.StoreSecretOwner]), nil
	}
	return "", ErrNoCredential
}
