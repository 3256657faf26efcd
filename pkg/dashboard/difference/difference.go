// Package difference compares two versions by what a source says of both.
package difference

import (
	"cmp"
	"strings"

	"krt.dev/kn-krt/pkg/dashboard/source"
)

// Table is one kind of objects of both versions. Problem is why it cannot be compared.
type Table struct {
	Title, Problem string
	Rows           []Row
}

// Row is one object: what it is in the version that is looked at, and in the other one.
type Row struct {
	Name        string
	Here, There object
	Change      Change
}

// Change is how an object differs from that of the other version, as a word for people.
type Change string

// Changes.
const (
	Same    Change = "same"
	Changed Change = "changed"
	Added   Change = "only here"
	Removed Change = "only there"
)

// Nodes compares what the nodes run.
func Nodes(here, there *source.Version) Table {
	return Table{Title: "Nodes", Rows: pair(nodesOf(here), nodesOf(there))}
}

// Workflows compares rpcs and nodes of the workflows.
func Workflows(here, there *source.Version) Table {
	return Table{Title: "Workflows", Rows: pair(workflowsOf(here), workflowsOf(there))}
}

// About compares what is said of the versions themselves.
func About(here, there *source.Version) Table {
	return Table{Title: "Version", Rows: pair(aboutVersion(here), aboutVersion(there))}
}

// Config compares what both declare. Values are not compared: nobody sees them.
func Config(here, there []source.ConfigEntry) Table {
	return Table{Title: configTitle, Rows: pair(entries(here), entries(there))}
}

const configTitle = "Config"

// NoConfig is the table for config that cannot be read.
func NoConfig(err error) Table { return Table{Title: configTitle, Problem: err.Error()} }

func entries(all []source.ConfigEntry) []object {
	var objects []object
	for _, e := range all {
		kind := "variable"
		if e.File {
			kind = "file"
		}
		objects = append(objects, object{e.Name, kind, kind})
	}
	return objects
}

// object is one object of a version. Long is what it is, if Text is short for it.
type object struct{ Name, Text, Long string }

// nodesOf has what the nodes run.
func nodesOf(v *source.Version) []object {
	var nodes []object
	for i := range v.Nodes {
		n := &v.Nodes[i]
		long := cmp.Or(n.Image, n.Source, "–")
		text := shortImage(long)
		if n.GPU {
			gpu := ", " + cmp.Or(n.GPUs, "GPU")
			text, long = text+gpu, long+gpu
		}
		nodes = append(nodes, object{n.Name, text, long})
	}
	return nodes
}

// shortImage shortens the digest of an image to what differs in practice.
func shortImage(image string) string {
	const shown = 12
	name, digest, found := strings.Cut(image, "@sha256:")
	if !found || len(digest) <= shown {
		return image
	}
	return name + "@sha256:" + digest[:shown] + "…"
}

// workflowsOf has the rpcs and the nodes of the workflows.
func workflowsOf(v *source.Version) []object {
	var workflows []object
	for _, w := range v.Workflows {
		text := w.Method + ": " + strings.Join(w.Nodes, " → ")
		workflows = append(workflows, object{w.Name, text, text})
	}
	return workflows
}

// aboutVersion has what is said of the version itself.
func aboutVersion(v *source.Version) []object {
	return []object{{"delivery", v.Delivery, v.Delivery}, {"description", v.Description, v.Description}}
}

// pair puts what has the same name next to each other: the objects of here in their order, then
// those that are only there.
func pair(here, there []object) []Row {
	others := make(map[string]object, len(there))
	for _, other := range there {
		others[other.Name] = other
	}
	var rows []Row
	for _, one := range here {
		other, ok := others[one.Name]
		delete(others, one.Name)
		row := Row{Name: one.Name, Here: one, There: other, Change: Changed}
		switch {
		case !ok:
			row.Change = Added
		case other == one:
			row.Change = Same
		}
		rows = append(rows, row)
	}
	for _, other := range there {
		if _, ok := others[other.Name]; ok {
			rows = append(rows, Row{Name: other.Name, There: other, Change: Removed})
		}
	}
	return rows
}
