package local

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"krt.dev/kn-krt/pkg/entrypoint/httpclient"
)

// fast is a restart policy without pauses.
func fast() restart {
	r := defaultRestart()
	r.delay, r.maxDelay = time.Millisecond, time.Millisecond
	return r
}

func newTestFleet(t *testing.T, policy restart) (*fleet, *recorder) {
	r := newRecorder()
	f := newFleet(r, policy)
	t.Cleanup(func() { f.stop(time.Minute) })
	return f, r
}

func pidOf(t *testing.T, url string) int {
	t.Helper()
	response, err := http.Get(url + "/pid")
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	pid, err := strconv.Atoi(string(body))
	require.NoError(t, err)
	return pid
}

// requireGone waits until no process has the pid.
func requireGone(t *testing.T, pid int) {
	t.Helper()
	require.Eventually(t, func() bool {
		return errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || zombie(pid)
	}, 30*time.Second, 10*time.Millisecond, "process %d is still there", pid)
}

func childPID(t *testing.T, r *recorder) int {
	t.Helper()
	pattern := regexp.MustCompile(`child (\d+)`)
	r.until(t, "a child's pid", func() bool { return pattern.MatchString(r.output()) })
	pid, err := strconv.Atoi(pattern.FindStringSubmatch(r.output())[1])
	require.NoError(t, err)
	return pid
}

func TestStartReturnsWhenAllAreReady(t *testing.T) {
	f, r := newTestFleet(t, fast())
	instances, err := f.start(context.Background(), []spec{fakeSpec("etl", "serves"), fakeSpec("model", "serves")})
	require.NoError(t, err)
	require.Len(t, instances, 2)
	require.Len(t, r.of(EventNodeReady), 2)
	require.NotEqual(t, pidOf(t, instances[0].door.url), pidOf(t, instances[1].door.url))
}

func TestStartTellsWhichNodeFailedAndWhatItSaid(t *testing.T) {
	f, _ := newTestFleet(t, fast())
	_, err := f.start(context.Background(), []spec{fakeSpec("etl", "never-ready"), fakeSpec("model", "fails")})
	var failed *StartError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, "model", failed.Node)
	require.Equal(t, []string{"Traceback (most recent call last):", "ImportError: no module named pandas"}, failed.Output)
	require.EqualError(t, err, `node "model" did not start: exit status 3; its last output was:
  Traceback (most recent call last):
  ImportError: no module named pandas`)
	f.mu.Lock()
	defer f.mu.Unlock()
	require.Empty(t, f.instances, "the other node is stopped")
}

func TestStartOfWhatIsNoProgram(t *testing.T) {
	f, _ := newTestFleet(t, fast())
	s := fakeSpec("etl", "serves")
	s.args = []string{"/nonexistent/program"}
	_, err := f.start(context.Background(), []spec{s})
	require.ErrorContains(t, err, `node "etl" did not start: fork/exec /nonexistent/program: no such file`)
}

func TestStartStopsWhenItsContextEnds(t *testing.T) {
	f, r := newTestFleet(t, fast())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		_, err := f.start(ctx, []spec{fakeSpec("etl", "never-ready")})
		done <- err
	}()
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	require.Empty(t, r.of(EventNodeReady))
}

func TestStartGivesUpOnANodeThatIsNeverReady(t *testing.T) {
	policy := fast()
	policy.limit = 50 * time.Millisecond
	f, _ := newTestFleet(t, policy)
	f.kill() // do not wait for it to end, either
	_, err := f.start(context.Background(), []spec{fakeSpec("etl", "never-ready")})
	require.EqualError(t, err, `node "etl" did not start: not ready after 50ms`)
}

func TestKilledNodeComesBackAtItsPortAndLosesNoWaitingRequest(t *testing.T) {
	f, r := newTestFleet(t, fast())
	instances, err := f.start(context.Background(), []spec{fakeSpec("etl", "serves")})
	require.NoError(t, err)
	url := instances[0].door.url
	first := pidOf(t, url)
	require.NoError(t, syscall.Kill(first, syscall.SIGKILL))
	r.await(t, EventNodeExited, 1)
	require.NotEqual(t, first, pidOf(t, url), "the request waits until the new process serves it")
	exited := r.of(EventNodeExited)
	require.EqualError(t, exited[0].Error, "signal: killed")
	r.await(t, EventNodeReady, 2)
}

func TestNodeThatKeepsDyingIsStartedAgainUntilItRuns(t *testing.T) {
	f, r := newTestFleet(t, fast())
	s, flag := fakeSpec("etl", "runs-once"), filepath.Join(t.TempDir(), "flag")
	s.env = append(s.env, "FLAG="+flag)
	instances, err := f.start(context.Background(), []spec{s})
	require.NoError(t, err)
	url := instances[0].door.url
	require.NoError(t, syscall.Kill(pidOf(t, url), syscall.SIGKILL))
	require.EqualError(t, r.await(t, EventNodeExited, 10)[9].Error, "exit status 7")
	host := strings.TrimPrefix(url, "http://")
	_, err = f.links.Dial(host)
	require.True(t, httpclient.DialFailed(err))
	require.ErrorContains(t, err, "it keeps exiting (exit status 7), and it is ")
	waiting, err := net.Dial("tcp", host)
	require.NoError(t, err)
	defer waiting.Close()
	require.NoError(t, waiting.SetDeadline(time.Now().Add(time.Minute)))
	_, err = waiting.Read(make([]byte, 1))
	require.Error(t, err)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "who waits is sent away")
	require.NoError(t, os.Remove(flag))
	r.await(t, EventNodeReady, 2)
	conn, err := f.links.Dial(host)
	require.NoError(t, err)
	require.Nil(t, conn, "it is reached by its socket")
	pidOf(t, url)
}

func TestRefusalSaysWhenTheNodeIsStartedAgain(t *testing.T) {
	died := errors.New("exit status 7")
	require.EqualError(t, &refusal{died, time.Now().Add(time.Hour - time.Nanosecond)},
		"it keeps exiting (exit status 7), and it is started again in 3600.0s; its lines in the log say why")
	require.EqualError(t, &refusal{died, time.Now()},
		"it keeps exiting (exit status 7), and it is being started again; its lines in the log say why")
}

func TestStopTerminatesGracefully(t *testing.T) {
	r := newRecorder()
	f := newFleet(r, fast())
	instances, err := f.start(context.Background(), []spec{fakeSpec("etl", "serves")})
	require.NoError(t, err)
	pid := pidOf(t, instances[0].door.url)
	f.stop(time.Minute)
	requireGone(t, pid)
	require.Contains(t, r.output(), "etl stdout bye", "the last line is not lost")
	require.Empty(t, r.of(EventNodeExited))
	_, err = f.start(context.Background(), []spec{fakeSpec("etl", "serves")})
	require.ErrorIs(t, err, errStopping)
}

func TestStopKillsTheWholeGroupOfWhoDoesNotEnd(t *testing.T) {
	r := newRecorder()
	f := newFleet(r, fast())
	_, err := f.start(context.Background(), []spec{fakeSpec("etl", "stubborn")})
	require.NoError(t, err)
	child := childPID(t, r)
	f.stop(time.Millisecond)
	requireGone(t, child)
}

func TestDeadLeadersGroupIsKilledAndItsLastWordsAreKept(t *testing.T) {
	f, r := newTestFleet(t, fast())
	_, err := f.start(context.Background(), []spec{fakeSpec("etl", "leader-dies")})
	var failed *StartError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, "last words", failed.Output[len(failed.Output)-1])
	requireGone(t, childPID(t, r))
}

func TestPause(t *testing.T) {
	r := defaultRestart()
	var pauses []time.Duration
	for deaths := 1; deaths <= 10; deaths++ {
		pauses = append(pauses, r.pause(deaths))
	}
	ms := time.Millisecond
	require.Equal(t, []time.Duration{0, 100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 5000 * ms, 5000 * ms, 5000 * ms}, pauses)
}
