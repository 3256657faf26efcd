// Package dead makes dead letters fit for pages, and does what pages ask for them.
package dead

import (
	"net/url"
	"strings"
	"time"

	"krt.dev/kn-krt/pkg/legible"
	"krt.dev/kn-krt/pkg/letter"
)

const (
	// pageSize is how many letters a page lists.
	pageSize = 100
	// maxQuery bounds a value of a page's query, in bytes; maxName and maxError a name and an error's
	// text in a list.
	maxQuery, maxName, maxError = 512, 100, 200
	// shownID is how much of a request's id a list has.
	shownID = 8
)

// Filter is which letters a page lists, as the text of its query.
type Filter struct {
	Workflow string
	// Before is where the list begins: the Next of the page before, or empty.
	Before string
}

// ParseFilter reads a page's query. Values that are too long are cut: they cannot be names.
func ParseFilter(query url.Values) Filter {
	value := func(name string) string { return query.Get(name)[:min(len(query.Get(name)), maxQuery)] }
	return Filter{Workflow: value("workflow"), Before: value("before")}
}

// Selection is what the inspection port is asked for.
func (f Filter) Selection() letter.Selection {
	return letter.Selection{Workflow: f.Workflow, Before: f.Before, Limit: pageSize}
}

// Row is a letter in a list.
type Row struct {
	// ID is the letter's, Short the begin of its request's.
	ID, Short      string
	Time           time.Time
	Workflow, Node string
	// Step is the node's place in the workflow, from 1.
	Step        int
	Code, Error string
	Replays     int
	Size        string
	// Linked says that it has a page, Kept that it has a message, so that it can be replayed.
	Linked, Kept bool
}

// Rows are the letters of a page.
func Rows(page letter.Page) []Row {
	rows := make([]Row, 0, len(page.Letters))
	for i := range page.Letters {
		l := &page.Letters[i]
		row := Row{
			ID: l.ID, Short: legible.Line(l.ID[:min(len(l.ID), shownID)], maxName), Time: l.Time, Workflow: legible.Line(l.Workflow, maxName),
			Node: legible.Line(l.Node, maxName), Step: l.Step + 1, Replays: l.Replays, Size: legible.Bytes(l.Size), Kept: l.Message != "",
			Linked: IsID(l.ID),
		}
		if l.Status != nil {
			row.Code, row.Error = l.Status.Code, legible.Line(l.Status.Message, maxError)
		}
		rows = append(rows, row)
	}
	return rows
}

// IsID reports whether text is the id of a dead letter, as [letter.DeadID] makes them: a page has no other.
func IsID(text string) bool {
	request, step, ok := strings.Cut(text, "/")
	return ok && len(request) == 32 && strings.Trim(request, "0123456789abcdef") == "" &&
		step != "" && len(step) <= 4 && strings.Trim(step, "0123456789") == ""
}
