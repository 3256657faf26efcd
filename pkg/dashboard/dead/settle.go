package dead

import (
	"context"
	"fmt"
	"time"

	"krt.dev/kn-krt/pkg/dashboard/source"
	"krt.dev/kn-krt/pkg/inspection"
	"krt.dev/kn-krt/pkg/legible"
	"krt.dev/kn-krt/pkg/letter"
	"krt.dev/kn-krt/pkg/letter/port"
)

// What is done with letters, as the last part of a path.
const (
	Replay = "replay"
	Delete = "delete"
)

// Text is the word of a button that replays or deletes; empty for anything else.
func Text(do string) string {
	switch do {
	case Replay:
		return "Replay"
	case Delete:
		return "Delete"
	}
	return ""
}

// allTime bounds how long letters are replayed or deleted for one order.
const allTime = time.Minute

// Order is what to do with a letter, or with the newest [letter.MaxPage] of a workflow, "" for all.
type Order struct {
	// Do is [Replay] or [Delete].
	Do string
	// ID is the letter's; empty for all.
	ID       string
	Workflow string
}

// Give gives the order. Done says in a sentence what was done, and Left what could not be; each is empty if
// there is nothing to say. The error is of an order that nothing was done for.
func (o Order) Give(ctx context.Context, at *inspection.Client) (done, left string, err error) {
	to := port.Client{Port: at}
	if o.ID == "" {
		return o.all(ctx, to)
	}
	if err := o.one(ctx, to, o.ID); err != nil {
		return "", "", err
	}
	if o.Do == Delete {
		return "The dead letter was deleted.", "", nil
	}
	return "The replay has begun. The letter is deleted once all of it has succeeded; " +
		"if it fails again, it is listed with the new error.", "", nil
}

func (o Order) one(ctx context.Context, to port.Client, id string) error {
	if o.Do == Delete {
		return to.Delete(ctx, letter.Dead, id)
	}
	return to.Replay(ctx, id)
}

func (o Order) all(ctx context.Context, to port.Client) (done, left string, err error) {
	ctx, cancel := context.WithTimeout(ctx, allTime)
	defer cancel()
	page, err := to.List(ctx, letter.Dead, letter.Selection{Workflow: o.Workflow, Limit: letter.MaxPage})
	if err != nil {
		return "", "", err
	}
	if len(page.Letters) == 0 {
		return "There are no dead letters any more.", "", nil
	}
	n, why := 0, error(nil)
	for i := range page.Letters {
		switch failed := o.one(ctx, to, page.Letters[i].ID); {
		case failed == nil:
			n++
		case why == nil:
			why = failed
		}
	}
	if done = fmt.Sprintf("The replays of %s have begun.", legible.Count(n, "dead letter")); o.Do == Delete {
		done = fmt.Sprintf("%s deleted.", legible.Count(n, "dead letter"))
	}
	if n == 0 {
		done = ""
	}
	switch {
	case why != nil:
		left = fmt.Sprintf("%d of %d remain. The first: %s", len(page.Letters)-n, len(page.Letters), legible.Line(text(why), maxError))
	case page.Next != "":
		left = fmt.Sprintf("There are more than %d: do it again for the others.", letter.MaxPage)
	}
	return done, left, nil
}

// text is an error as pages show it.
func text(err error) string { return source.OfPort(err, "", "").Error() }

// pageOf is a list of one letter.
func pageOf(l *port.Letter) letter.Page { return letter.Page{Letters: []letter.Letter{l.Letter}} }
