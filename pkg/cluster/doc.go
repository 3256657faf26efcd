// Package cluster is everything that can be done with versions in a cluster: connect,
// list, get, watch, create, start, stop, restart, publish, unpublish, roll back, delete,
// and wait for any of these. It has two kinds of users, a command line and a dashboard:
// it prints nothing and reads no flags. Results are values, progress goes to a callback,
// and errors have types from which a user can find out what to do next ([Error],
// [NotFoundError], [RefusedError], [WaitError], [KubeconfigError]).
package cluster
