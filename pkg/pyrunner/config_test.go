package pyrunner

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFrontTakesOneProcessorForFourWorkers(t *testing.T) {
	for workers, want := range map[int]int{1: 1, 4: 1, 5: 2, 256: 64} {
		require.Equal(t, min(want, runtime.GOMAXPROCS(0)), config{workers: workers}.processors(), workers)
	}
}
