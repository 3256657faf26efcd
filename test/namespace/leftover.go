package namespace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
)

// UndoNote is the annotation of a Node, Deployment or StatefulSet that a test has changed, or of the Namespace that it has
// made, with what [Undo] returns.
const UndoNote = "undo.krt.dev/kubectl"

// process is the one whose test has changed something.
type process struct {
	Host string `json:"host"`
	PID  int    `json:"pid"`
}

// undo is how kubectl undoes what a test has changed: on the object, because the test may be killed.
type undo struct {
	Args []string `json:"args"`
	process
}

// Undo returns the value of [UndoNote]: kubectl undoes the change with these arguments. Where the process is killed, the
// next one that uses the cluster does so.
func Undo(args ...string) (string, error) {
	us, err := thisProcess()
	if err != nil {
		return "", err
	}
	note, err := json.Marshal(undo{args, us})
	return string(note), err
}

func thisProcess() (process, error) {
	host, err := os.Hostname()
	return process{host, os.Getpid()}, err
}

// lives reports whether the process that made the change is there still.
func (p process) lives() bool {
	host, err := os.Hostname()
	if err != nil || host != p.Host {
		return false
	}
	found, err := os.FindProcess(p.PID)
	return err == nil && found.Signal(syscall.Signal(0)) == nil
}

var restore = sync.OnceValue(restoreAll)

// restoreAll restores what tests have changed that were killed.
func restoreAll() error {
	out, err := exec.CommandContext(context.Background(), // for all tests of the process
		"kubectl", "get", "configmaps,nodes,deployments,statefulsets,namespaces", "--all-namespaces", "-o", "json").Output()
	if err != nil {
		return err
	}
	var all struct{ Items []object }
	if err := json.Unmarshal(out, &all); err != nil {
		return err
	}
	var errs []error
	for _, m := range all.Items {
		errs = append(errs, m.restore(), m.undo())
	}
	return errors.Join(errs...)
}

// undo undoes what the object's note says.
func (m *object) undo() error {
	text := m.Metadata.Annotations[UndoNote]
	if text == "" {
		return nil
	}
	var note undo
	if err := json.Unmarshal([]byte(text), &note); err != nil || note.lives() {
		return err
	}
	remove := []string{"annotate", strings.ToLower(m.Kind), m.Metadata.Name, UndoNote + "-"}
	if m.Metadata.Namespace != "" {
		remove = append(remove, "-n", m.Metadata.Namespace)
	}
	for _, args := range [][]string{note.Args, remove} {
		_, err := try(context.Background(), "", "kubectl", args...)
		if err != nil && !strings.Contains(err.Error(), "not found") { // it may have been killed before it changed anything
			return fmt.Errorf("cannot undo what a test has changed of %s %s before it was killed: %w", m.Kind, m.Metadata.Name, err)
		}
	}
	return nil
}
