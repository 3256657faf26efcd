package functions_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"krt.dev/kn-krt/test/localrun"
)

const write = "writer.Entrypoint/Write"

// chunk is a message of the stream: one of the two is set.
type chunk struct{ Progress, Text string }

// written calls the rpc and returns its chunks.
func written(ctx context.Context, method *localrun.Method, request string) ([]chunk, error) {
	messages, err := method.Stream(ctx, request)
	chunks := make([]chunk, len(messages))
	for i, message := range messages {
		if err := json.Unmarshal([]byte(message), &chunks[i]); err != nil {
			return nil, err
		}
	}
	return chunks, err
}

func TestWriter(t *testing.T) {
	localrun.NeedPython(t)
	v := localrun.Start(t, "writer")
	ctx := within(t)
	method, err := v.Method(ctx, write)
	require.NoError(t, err)

	t.Run("progress and words", func(t *testing.T) {
		chunks, err := written(ctx, method, `{"about": "fox", "max_words": 5}`)
		require.NoError(t, err)
		require.Len(t, chunks, 8)
		require.Equal(t, []chunk{{Progress: "Reading 12 fables"}, {Progress: "2 of them are about the fox"}, {Text: "The fox"}}, chunks[:3])
		for _, c := range chunks[3:] {
			require.NotEmpty(t, c.Text)
			require.Empty(t, c.Progress)
		}
	})
	t.Run("early exit", func(t *testing.T) {
		chunks, err := written(ctx, method, `{"about": "whale"}`)
		require.NoError(t, err)
		require.Equal(t, []chunk{{Progress: "Reading 12 fables"}, {Progress: "No fable is about the whale"}}, chunks)
	})
	t.Run("exception", func(t *testing.T) {
		chunks, err := written(ctx, method, `{}`)
		require.Equal(t, codes.Internal, status.Code(err), "%v", err)
		require.Equal(t, "error in 'etl': about: name an animal, such as fox", status.Convert(err).Message())
		require.Empty(t, chunks)
	})
	t.Run("saved", func(t *testing.T) {
		saved(t, v, "/v1/measurements?name=written", `"words":5`)
	})
	t.Run("many", func(t *testing.T) {
		texts := make([][]chunk, 24) // fewer than of unary rpcs: a worker has one stream at a time
		group, ctx := errgroup.WithContext(ctx)
		for i := range texts {
			group.Go(func() (err error) {
				// Eight lengths, so that the text of another is a wrong one.
				texts[i], err = written(ctx, method, fmt.Sprintf(`{"about": "fox", "max_words": %d}`, i%8+1))
				return err
			})
		}
		require.NoError(t, group.Wait())
		for i, chunks := range texts {
			require.Len(t, chunks, 3+i%8+1)
			require.Equal(t, texts[i%8], chunks)
		}
	})
}
