// Command node is the node of the versions that the tests make: it answers by
// the version's name and with the payload it got, or passes the request on where
// that names another node as the last. An order is to send that many messages first.
// Its environment can make it worse than another one. It reports the ids of requests to
// the address in TALLY, and handles none whose report is not accepted.
package main

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"krt.dev/kn-krt/pkg/runner"
	"krt.dev/kn-krt/test/conformance/node"
)

func main() { runner.Start(handlerInit, handler) }

// handlerInit fails where CRASH says so.
func handlerInit(*runner.HandlerContext) {
	if text := os.Getenv("CRASH"); text != "" {
		panic(text)
	}
}

func handler(ctx *runner.HandlerContext, data *anypb.Any) (proto.Message, error) {
	in := &node.Request{}
	if err := data.UnmarshalTo(in); err != nil {
		return nil, err
	}
	if err := report(ctx, in.GetId()); err != nil {
		return nil, err
	}
	if last := in.GetLast(); last != "" && last != ctx.Node() {
		return in, nil
	}
	if err := behave(ctx); err != nil {
		return nil, err
	}
	text := cmp.Or(os.Getenv("SAYS"), ctx.Version())
	for _, order := range in.GetOrders() {
		for range order.GetNumber() {
			if err := ctx.Send(&node.Reply{Text: text, Payload: make([]byte, order.GetSize())}); err != nil {
				return nil, err
			}
		}
	}
	return &node.Reply{Text: text, Payload: in.GetPayload()}, nil
}

// behave takes about as long as TAKES says, saves a prediction that is right in as many of 100 cases
// as RIGHT says, and fails in as many as FAILS says. What is not set is left out.
func behave(ctx *runner.HandlerContext) error {
	if takes, err := time.ParseDuration(os.Getenv("TAKES")); err == nil {
		if err := wait(ctx.Context(), takes/2+rand.N(takes)); err != nil {
			return err
		}
	}
	if right, set := percent("RIGHT"); set {
		predicted := "mouse"
		if right {
			predicted = "cat"
		}
		if err := ctx.Prediction.Save(time.Now().UTC(), predicted, "cat"); err != nil {
			return err
		}
	}
	if fails, _ := percent("FAILS"); fails {
		return errors.New("this one fails")
	}
	return nil
}

// percent decides by chance, by the percentage in an environment variable, if that is set.
func percent(name string) (chosen, set bool) {
	share, err := strconv.ParseFloat(os.Getenv(name), 64)
	return err == nil && rand.Float64()*100 < share, err == nil
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// report posts the id to the tally, NODE/ID, until that accepts it.
func report(ctx *runner.HandlerContext, id string) error {
	tally := os.Getenv("TALLY")
	if tally == "" || id == "" {
		return nil
	}
	for {
		request, err := http.NewRequestWithContext(ctx.Context(), http.MethodPost, tally+"/"+ctx.Node()+"/"+id, http.NoBody)
		if err != nil {
			return err
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			status := response.StatusCode
			if err := response.Body.Close(); err == nil && status == http.StatusNoContent {
				return nil
			}
		}
		if err := wait(ctx.Context(), 100*time.Millisecond); err != nil {
			return err
		}
	}
}
