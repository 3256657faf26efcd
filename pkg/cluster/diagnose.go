package cluster

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/discovery"

	"krt.dev/kn-krt/pkg/cluster/diagnosis"
)

// Diagnose checks whether the cluster can run versions in the namespace, and whether the
// user has the rights to: its kinds, controller, settings, Knative, GPUs; then whether
// anything collects metrics and traces. Its error is an [*Error] if the API server does not
// respond, or ctx's.
func (c *Client) Diagnose(ctx context.Context) ([]diagnosis.Finding, error) {
	release, err := c.serverVersion(ctx)
	if err != nil {
		return nil, c.explain(err, "cannot check the cluster")
	}
	d := diagnosis.Cluster{Kube: c.kube, Host: c.config.Host, Release: release, Namespace: c.namespace}
	// What is wrong with the settings or rights is a finding of its own.
	d.Settings, d.SettingsFound, d.SettingsErr = c.Settings(ctx)
	missing, err := c.Missing(ctx, UserRights())
	for _, r := range missing {
		d.Missing = append(d.Missing, r.String())
	}
	d.MissingErr = err
	d.User, _ = c.User(ctx) // without it, the command has a word to replace
	return d.Check(ctx), ctx.Err()
}

func (c *Client) serverVersion(ctx context.Context) (string, error) {
	discovered, err := discovery.NewDiscoveryClientForConfig(c.config)
	if err != nil {
		return "", err
	}
	text, err := discovered.RESTClient().Get().AbsPath("/version").DoRaw(ctx)
	if err != nil {
		return "", err
	}
	var server version.Info
	if err := json.Unmarshal(text, &server); err != nil {
		return "", fmt.Errorf("cannot read the cluster's version: %w", err)
	}
	return server.GitVersion, nil
}
