package main

import (
	"context"
	"errors"
	"io"

	"krt.dev/kn-krt/test/process"
)

// family are the processes of one case; they end with it.
type family struct {
	log io.Writer
	all []*process.Process
}

func (f *family) start(ctx context.Context, role string, settings any) (*process.Process, error) {
	p, err := process.Start(ctx, role, settings, f.log)
	if err == nil {
		f.all = append(f.all, p)
	}
	return p, err
}

// end stops the processes and adds what goes wrong to err.
func (f *family) end(err *error) {
	for _, p := range f.all {
		*err = errors.Join(*err, p.Stop())
	}
}

// urls makes URLs of addresses.
func urls(addresses []string) (list []string) {
	for _, a := range addresses {
		list = append(list, "http://"+a)
	}
	return list
}

// nodes starts a process with the given number of nodes.
func (f *family) nodes(ctx context.Context, count int) ([]string, error) {
	p, err := f.start(ctx, "nodes", process.NodesSettings{Count: count})
	if err != nil {
		return nil, err
	}
	return p.Addresses, nil
}

// entrypoint starts an entrypoint with one workflow over nodes, and a caller of
// it.
func (f *family) entrypoint(ctx context.Context, nodes []string, body []byte) (subject, error) {
	p, err := f.start(ctx, "entrypoint", process.EntrypointSettings{Workflows: [][]string{urls(nodes)}})
	if err != nil {
		return subject{}, err
	}
	c, err := callGRPC(p.Addresses[process.GRPC], process.Method(0), body)
	return subject{name: "entrypoint", process: p, call: c}, err
}

// orchestrator starts a raw orchestrator over nodes, and a caller of it.
func (f *family) orchestrator(ctx context.Context, name string, s orchestratorSettings, body []byte) (subject, error) {
	p, err := f.start(ctx, "orchestrator", s)
	if err != nil {
		return subject{}, err
	}
	return subject{name: name, process: p, call: callHTTP(p.Addresses[0], process.Message, body)}, nil
}
