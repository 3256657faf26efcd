package store

// Mirrored selects predictions by whether they were made for copies of requests that another
// version has served.
type Mirrored int

// What is selected.
const (
	MirroredToo Mirrored = iota
	MirroredNot
	MirroredOnly
)

// predictions is selected for predictions: with mirror=true also those that were made for copies
// of requests, with mirror=only no others.
func (r request) predictions() (of Selection, err error) {
	if of, err = r.selected(); err != nil {
		return of, err
	}
	known := map[string]Mirrored{"": MirroredNot, "false": MirroredNot, "true": MirroredToo, "only": MirroredOnly}
	var ok bool
	if of.Mirrored, ok = known[r.values.Get("mirror")]; !ok {
		return of, Refuse("mirror: %q is not true, false or only", r.values.Get("mirror"))
	}
	return of, nil
}
