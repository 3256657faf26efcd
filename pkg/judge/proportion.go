package judge

import "math"

// lower is the largest proportion that is too small for part of total at a level, by Clopper and
// Pearson: exact, also for the rare events and extreme levels at which Wilson's interval is wrong.
func lower(s Share, level float64) float64 {
	if s.Part == 0 {
		return 0
	}
	return invert(float64(s.Part), float64(s.Total-s.Part+1), level)
}

// upper is the smallest proportion that is too large for part of total at a level.
func upper(s Share, level float64) float64 {
	if s.Part == s.Total {
		return 1
	}
	return invert(float64(s.Part+1), float64(s.Total-s.Part), 1-level)
}

// difference is the lower bound of by how much the proportion of a is larger than that of b: the
// distances of both to their own bounds, combined as independent errors are (Newcombe 1998, method
// 10, with exact bounds instead of Wilson's).
func difference(a, b Share, level float64) float64 {
	pa, pb := a.ratio(), b.ratio()
	return pa - pb - math.Hypot(pa-lower(a, level), upper(b, level)-pb)
}

// invert returns the x for which the regularized incomplete beta function is p.
func invert(a, b, p float64) float64 {
	low, high := 0.0, 1.0
	for range 60 {
		if middle := (low + high) / 2; beta(a, b, middle) < p {
			low = middle
		} else {
			high = middle
		}
	}
	return (low + high) / 2
}

// beta is the regularized incomplete beta function I_x(a,b): the probability that at least a of
// a+b-1 trials, each with the probability x, succeed (Abramowitz and Stegun, 26.5.8 and 6.6.2).
func beta(a, b, x float64) float64 {
	if x <= 0 || x >= 1 {
		return min(max(x, 0), 1)
	}
	if x > (a+1)/(a+b+2) { // the fraction converges on the other side
		return 1 - beta(b, a, 1-x)
	}
	ab, _ := math.Lgamma(a + b)
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	return math.Exp(ab-la-lb+a*math.Log(x)+b*math.Log1p(-x)) / a * fraction(a, b, x)
}

// fraction is the continued fraction of the incomplete beta function, by the method of Lentz.
func fraction(a, b, x float64) float64 {
	const tiny, precise, most = 1e-300, 1e-14, 10_000
	nonzero := func(v float64) float64 {
		if math.Abs(v) < tiny {
			return tiny
		}
		return v
	}
	c, d := 1.0, 1/nonzero(1-(a+b)*x/(a+1))
	f := d
	for i := range most {
		m := float64(i + 1)
		even := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		odd := -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		for _, term := range []float64{even, odd} {
			d = 1 / nonzero(1+term*d)
			c = nonzero(1 + term/c)
			f *= c * d
		}
		if math.Abs(c*d-1) < precise {
			break
		}
	}
	return f
}
