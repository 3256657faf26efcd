//go:build local

package cli

// builtFor is what this build has for clusters: see cluster_whole.go.
func builtFor() clusterPart { return noCluster() }
