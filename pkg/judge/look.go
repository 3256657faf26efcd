package judge

// growth is by how much the samples must have grown since the last look: a quarter.
const growth = 1.25

// Looks are the looks at the values of one window. A test that is repeated every few seconds would
// find anything in the end; so the k-th look at a value is one only if there is a quarter more to
// see than at the look before, and it may use 1/(k(k+1)) of the value's risk. These shares add up
// to one, so all looks together have no more than that risk, whatever their number.
type Looks map[string]*look

type look struct {
	number int
	at     int64   // samples at the last one
	level  float64 // of all looks
	bad    bool
}

// of returns the looks at a value.
func (l Looks) of(name string, level float64) *look {
	if l[name] == nil {
		l[name] = &look{level: level}
	}
	l[name].level = level
	return l[name]
}

// due reports whether there is enough more to see than at the last look, and with which level.
// What was bad stays so: nothing of the window is taken back.
func (l *look) due(samples int64) (level float64, due bool) {
	if l.bad || l.number > 0 && float64(samples) < growth*float64(l.at) {
		return 0, false
	}
	l.number++
	l.at = samples
	return l.level / float64(l.number*(l.number+1)), true
}
