package cluster

import (
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What verbs use that have not moved here yet.

// Raw returns the client and configuration that c uses.
func (c *Client) Raw() (client.WithWatch, *rest.Config) { return c.kube, c.config }

// Explain is explain.
func (c *Client) Explain(err error, doing string) error { return c.explain(err, doing) }

// IsUnknownName is isUnknownName.
func IsUnknownName(err error) bool { return isUnknownName(err) }
