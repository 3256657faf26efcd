package inspection

import (
	"context"
	"fmt"
	"time"
)

// MaxDifferences is how many differing responses an entrypoint keeps.
const MaxDifferences = 64

// MaxFields is how many differing fields there are of one pair of responses.
const MaxFields = 16

// Difference is a request to the published version and its copy, which the canary got, whose
// responses differ.
type Difference struct {
	// ID is the correlation id of the request; the copy has one of its own.
	ID string `json:"id"`
	// Canary is the version that got the copy.
	Canary string `json:"canary"`
	// Workflow is the workflow's name, Method the rpc as package.Service/Rpc.
	Workflow string `json:"workflow"`
	Method   string `json:"method"`
	// Time is when the responses were compared, by the entrypoint's clock.
	Time time.Time `json:"time"`
	// PublishedCode and CanaryCode are the names of the results' gRPC codes, such as "OK".
	PublishedCode string `json:"publishedCode"`
	CanaryCode    string `json:"canaryCode"`
	// Fields are the first fields that differ, at most MaxFields; none if the codes do.
	Fields []Field `json:"fields,omitempty"`
	// More says that there are more.
	More bool `json:"more,omitempty"`
	// Note says why the responses could not be compared field by field.
	Note string `json:"note,omitempty"`
	// Request is the message of both. It is there only if the version keeps messages
	// (spec.entrypoint.inspect), and is redacted as these are.
	Request *Payload `json:"request,omitempty"`
	// Replica names the entrypoint's pod. A client that reads several sets it; an entrypoint does not.
	Replica string `json:"replica,omitempty"`
}

// Field is a field with two values.
type Field struct {
	// Path is where it is: `items[2].price`, `rates["eu"]`. If the version keeps no messages,
	// keys of maps are not shown: `rates[…]`.
	Path string `json:"path"`
	// Published and Canary are the values, cut where they are long: JSON, "absent", "[redacted]",
	// or empty if the version keeps no messages.
	Published string `json:"published,omitempty"`
	Canary    string `json:"canary,omitempty"`
}

// Differences is the response to GET /differences, newest first.
type Differences struct {
	Differences []Difference `json:"differences"`
}

// Differences returns the differing responses that are kept, newest first. If canary is not
// empty, those of that version alone.
func (c *Client) Differences(ctx context.Context, canary string) ([]Difference, error) {
	var list Differences
	if err := c.read(ctx, c.base.JoinPath("differences"), nil, maxFull, &list); err != nil {
		return nil, fmt.Errorf("cannot list differing responses: %w", err)
	}
	selected := list.Differences[:0]
	for _, d := range list.Differences {
		if canary == "" || d.Canary == canary {
			selected = append(selected, d)
		}
	}
	return selected, nil
}
