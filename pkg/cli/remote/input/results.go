package input

import (
	"errors"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"krt.dev/kn-krt/pkg/apis/krt/v1alpha1"
)

// Bounds of how long results are kept.
const (
	leastKept = time.Minute
	mostKept  = 720 * time.Hour
)

// errKept is why the value of --results is refused.
var errKept = errors.New("it must be a duration from 1m to 720h, such as 24h")

// Results is the flag --results: how long the responses to asynchronous requests are kept. It is a
// pflag.Value.
type Results struct {
	// Given is what the version gets; nil: they are not kept.
	Given *v1alpha1.Results
}

// AddTo adds the flag to cmd.
func (r *Results) AddTo(cmd *cobra.Command) {
	cmd.Flags().Var(r, "results", "keep the responses to asynchronous requests for so long, such as 24h (default: they are not kept)")
}

// String implements pflag.Value.
func (r *Results) String() string {
	if r.Given == nil {
		return ""
	}
	return r.Given.Retention.Duration.String()
}

// Set implements pflag.Value.
func (r *Results) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || d < leastKept || d > mostKept {
		return errKept
	}
	r.Given = &v1alpha1.Results{Retention: &metav1.Duration{Duration: d}}
	return nil
}

// Type implements pflag.Value.
func (r *Results) Type() string { return "duration" }
