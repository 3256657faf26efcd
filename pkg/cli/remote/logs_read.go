package remote

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// maxLogLine bounds a line; what is longer is cut.
	maxLogLine = 1 << 20
	// logTries is how often a log is opened again in a row.
	logTries = 10
	// logReaders is how many pods are read at a time when all are read to their end.
	logReaders = 16
)

// logReader reads the logs of a version's pods.
type logReader struct {
	c *Cluster
	o logsOptions
	p *logPrinter

	mu      sync.Mutex
	reading map[types.UID]bool      // pods being followed
	seen    map[types.UID]time.Time // of a pod's last line
}

func newLogReader(c *Cluster, o logsOptions) *logReader {
	return &logReader{c: c, o: o, p: newLogPrinter(o), reading: map[types.UID]bool{}, seen: map[types.UID]time.Time{}}
}

// meant reports whether the pod's logs are asked for.
func (r *logReader) meant(p *corev1.Pod) bool {
	part, container := partOf(p)
	return container != "" && (len(r.o.nodes) == 0 || slices.Contains(r.o.nodes, part))
}

// wants reports whether the pod's logs are asked for and there are any.
func (r *logReader) wants(p *corev1.Pod) bool {
	if !r.meant(p) {
		return false
	}
	_, container := partOf(p)
	for _, s := range p.Status.ContainerStatuses {
		if s.Name == container {
			return s.State.Running != nil || s.State.Terminated != nil || s.RestartCount > 0
		}
	}
	return false
}

// open opens the pod's log. With a time, only lines of that second and later ones come.
func (r *logReader) open(ctx context.Context, p *corev1.Pod, follow bool, since time.Time) (io.ReadCloser, error) {
	core, err := corev1client.NewForConfig(r.c.Config)
	if err != nil {
		return nil, err
	}
	_, container := partOf(p)
	options := &corev1.PodLogOptions{Container: container, Follow: follow, Timestamps: true}
	switch {
	case !since.IsZero():
		options.SinceTime = new(metav1.NewTime(since))
	case r.o.since > 0:
		options.SinceTime = new(metav1.NewTime(time.Now().Add(-r.o.since)))
	}
	if r.o.tail >= 0 && since.IsZero() {
		options.TailLines = &r.o.tail
	}
	return core.Pods(r.c.Namespace).GetLogs(p.Name, options).Stream(ctx)
}

// read prints the logs of the pods, merged by time.
func (r *logReader) read(ctx context.Context, pods []corev1.Pod) error {
	all := make([][]logLine, len(pods))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(logReaders)
	for i := range pods {
		group.Go(func() error {
			return r.each(ctx, &pods[i], false, func(l logLine) { all[i] = append(all[i], l) })
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	lines := slices.Concat(all...)
	slices.SortStableFunc(lines, func(a, b logLine) int { return a.at.Compare(b.at) })
	for _, l := range lines {
		r.p.show(l)
	}
	return nil
}

// each gives f the lines of the pod's log, but those that were seen. A pod that has
// gone meanwhile has none.
func (r *logReader) each(ctx context.Context, p *corev1.Pod, follow bool, f func(logLine)) error {
	part, _ := partOf(p)
	seen := r.lastSeen(p.UID)
	stream, err := r.open(ctx, p, follow, seen)
	if IsUnknownName(err) {
		return nil
	}
	if err != nil {
		return r.c.Explain(err, fmt.Sprintf("cannot read the logs of %s", part))
	}
	defer stream.Close()
	lines := bufio.NewReaderSize(stream, 64<<10)
	for {
		line, err := readLine(lines)
		if l := parseLogLine(part, line); len(line) > 0 && l.at.After(seen) {
			f(l)
			r.see(p.UID, l.at)
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return fmt.Errorf("cannot read the logs of %s: %w", part, err)
		}
	}
}

// readLine reads a line without its end, cut at [maxLogLine].
func readLine(r *bufio.Reader) (string, error) {
	var line []byte
	for {
		part, prefix, err := r.ReadLine()
		if room := maxLogLine - len(line); room > 0 {
			line = append(line, part[:min(len(part), room)]...)
		}
		if err != nil || !prefix {
			return string(line), err
		}
	}
}

// follow prints lines as they come, of the pods that are there and of those that
// come, until ctx is done.
func (r *logReader) follow(ctx context.Context, pods *corev1.PodList) error {
	interrupted := ctx
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		heard := time.Now()
		for {
			for i := range pods.Items {
				r.begin(ctx, group, &pods.Items[i])
			}
			if err := r.watch(ctx, group, pods.ResourceVersion); err != nil {
				return err
			}
			pause(ctx)
			if ctx.Err() != nil {
				return ctx.Err()
			}
			// The watch has ended, as watches do: what came meanwhile is in a new list.
			found, err := r.c.versionPods(ctx, r.o.name)
			switch {
			case err == nil:
				pods, heard = found, time.Now()
			case !isBlip(err) || time.Since(heard) > silence:
				return err
			}
		}
	})
	if err := group.Wait(); interrupted.Err() == nil {
		return err
	}
	return nil // it goes on until interrupted
}

func (r *logReader) watch(ctx context.Context, group *errgroup.Group, since string) error {
	changes, err := r.c.Watch(ctx, &corev1.PodList{}, r.c.in(), versionLabel(r.o.name),
		&client.ListOptions{Raw: &metav1.ListOptions{ResourceVersion: since}})
	switch {
	case isBlip(err):
		return nil // who lists them next sees whether it lasts
	case err != nil:
		return r.c.Explain(err, "cannot watch pods")
	}
	defer changes.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case change, open := <-changes.ResultChan():
			if !open || change.Type == watch.Error {
				return nil
			}
			if pod, ok := change.Object.(*corev1.Pod); ok && change.Type != watch.Deleted {
				r.begin(ctx, group, pod)
			}
		}
	}
}

// begin follows the pod's log, once.
func (r *logReader) begin(ctx context.Context, group *errgroup.Group, p *corev1.Pod) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.reading[p.UID] || !r.wants(p) {
		return
	}
	r.reading[p.UID] = true
	p = p.DeepCopy()
	group.Go(func() error {
		defer r.end(p.UID)
		return r.persist(ctx, p)
	})
}

// persist follows the pod's log to its end. A stream that breaks off, as one does when
// the pod's machine is lost, ends nothing else: it is told, and begun again where it was,
// until it has broken off too often without a line.
func (r *logReader) persist(ctx context.Context, p *corev1.Pod) error {
	part, _ := partOf(p)
	for left, seen := logTries, r.lastSeen(p.UID); ; left-- {
		err := r.each(ctx, p, true, r.p.show)
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		if now := r.lastSeen(p.UID); now.After(seen) {
			left, seen = logTries, now
		}
		if left == 0 {
			fmt.Fprintf(r.o.streams.Err, "Warning: Pod %s of %s is followed no longer: %v\n", p.Name, part, err)
			return nil
		}
		if left == logTries {
			fmt.Fprintf(r.o.streams.Err, "Warning: Pod %s of %s: %v; trying again\n", p.Name, part, err)
		}
		pause(ctx)
	}
}

// end says that the pod's log has ended. Should its container run again, what is new is shown.
func (r *logReader) end(pod types.UID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.reading, pod)
}

func (r *logReader) see(pod types.UID, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[pod] = at
}

func (r *logReader) lastSeen(pod types.UID) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen[pod]
}
