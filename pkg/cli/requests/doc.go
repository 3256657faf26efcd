// Package requests is the verb requests: what became of the last requests of a running version,
// on this machine or on a cluster, and one of them step by step with its messages. How a version
// on a cluster is reached is passed in as [Versions].
package requests
