package pyrunner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// host makes workers.
type host interface {
	// spawn starts a worker with output as its standard output, which it closes.
	// The worker may still have to become ready: see worker.await.
	spawn(number uint32, output *os.File) (*worker, error)
	// failed is closed when no more workers can be made; err says why.
	failed() (over <-chan struct{}, err func() error)
	// close ends all processes, in an orderly way those that have run init and are
	// not at work, and returns when they are gone: after grace it kills. Idle are the
	// workers that nobody has.
	close(idle []*worker, grace time.Duration)
}

// command returns how a Python process is started: "zygote" or "worker".
func (n *node) command(mode, modules string) (command, error) {
	settings, err := n.config.settings(n.scratch, modules)
	return command{[]string{n.python, filepath.Join(n.scratch, "krt_main.py"), mode, settings}, n.environ}, err
}

// startHost starts what makes workers. First is a worker that there is already,
// or nil.
func (n *node) startHost(ctx context.Context) (first *worker, err error) {
	modules := n.makeModules(ctx)
	afresh, err := n.command("worker", modules)
	if err != nil {
		return nil, err
	}
	l := newLone(afresh, n.config.maxMessageBytes)
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
	p, w, err := startWorker(forking, out, n.config.maxMessageBytes)
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
	n.host = newZygote(p, w, n.config.maxMessageBytes)
	return nil, nil
}

// forksNot says once why the node's workers are not forked, though they should be.
func (n *node) forksNot(obstacle string) {
	n.log.Warn(fmt.Sprintf("node %q is not forked: %s; each worker starts as a new process and runs init itself", n.config.node, obstacle))
}
