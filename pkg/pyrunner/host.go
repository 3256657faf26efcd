package pyrunner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// host starts workers.
type host interface {
	// spawn starts a worker with the standard output output, which it closes. The worker
	// may not be ready yet: see worker.await.
	spawn(number uint32, output *os.File) (*worker, error)
	// failed is closed when no more workers can be started; err says why.
	failed() (over <-chan struct{}, err func() error)
	// close ends all processes and returns when they are gone; those that ran init and
	// are idle end in an orderly way. Idle are the workers without a call.
	close(idle []*worker)
	// kill kills all processes, also while close waits for them.
	kill()
}

// command returns how to start a Python process in the mode "zygote" or "worker".
func (n *node) command(mode, modules string) (command, error) {
	settings, err := n.config.settings(n.scratch, modules)
	return command{[]string{n.python, filepath.Join(n.scratch, "krt_main.py"), mode, settings}, n.environ, n.dir}, err
}

// startHost starts the host. First is a worker that already runs, or nil.
func (n *node) startHost(ctx context.Context) (first *worker, err error) {
	modules, err := n.write(ctx)
	if err != nil {
		return nil, err
	}
	l := newLone(n.workerCommand, n.config.maxMessageBytes)
	n.host = l
	switch {
	case !n.config.fork:
		return nil, nil
	case n.config.gpu:
		n.forksNot("it has a GPU (gpu: true)")
		return nil, nil
	}
	forking, err := n.command("zygote", modules)
	if err != nil {
		return nil, err
	}
	out, err := n.pipe()
	if err != nil {
		return nil, err
	}
	control, other, err := socketPair()
	if err != nil {
		return nil, errors.Join(err, out.Close())
	}
	p, w, err := startOn(control, forking, out, n.config.maxMessageBytes, other)
	if err != nil {
		return nil, err
	}
	obstacle, err := w.await(ctx)
	switch {
	case err != nil:
		p.Kill()
		<-p.Done()
		return nil, errors.Join(err, w.conn.Close())
	case obstacle != "":
		n.forksNot(obstacle)
		w.number = n.numbers.Add(1)
		l.adopt(p)
		return w, nil
	}
	n.host = newZygote(p, w, control, n)
	return nil, nil
}

// forksNot logs why the node's workers are not forked although KRT_FORK asks for it.
func (n *node) forksNot(obstacle string) {
	n.log.Warn(fmt.Sprintf("node %q is not forked: %s; each worker starts as a new process and runs init itself", n.config.node, obstacle))
}
