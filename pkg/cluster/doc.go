// Package cluster is everything that can be done with versions in a cluster: connect, list,
// get, watch, create, start, stop, restart, publish, unpublish, roll back, delete, and wait
// for any of these; read and follow logs and requests, list events, read and write config,
// forward a port, check rights and the cluster itself. It has two kinds of users, a command line and a
// dashboard: it prints nothing and reads no flags. Results are values; progress, log lines
// and what fails among many go to callbacks; errors have types from which a user can find out
// what to do next ([Error], [NotFoundError], [logs.UnknownNameError], [RefusedError],
// [value.Error], [UnavailableError], [WaitError], [logs.Error], [ReplicaError],
// [RequestNotFoundError], [KubeconfigError]).
package cluster
