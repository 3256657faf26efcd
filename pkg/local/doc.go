// Package local runs a whole version on this machine, without a cluster: the
// real entrypoint with Direct delivery in this process, each node's real runner
// in a process of its own, and the store behind a Unix socket.
//
// [Run] starts all of it, serves until its context is done, and stops all of
// it. What happens meanwhile, and every line that a node writes, goes to a
// [Reporter]; nothing is printed here.
package local
