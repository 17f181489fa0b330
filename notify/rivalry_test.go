package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func TestRivalry(t *testing.T) {
	closed, refused := fmt.Errorf("mqtt connection lost: %w", io.EOF), syscall.ECONNREFUSED
	type end struct {
		up        bool
		lived     time.Duration
		err       error
		witnessed bool
	}
	soon, seen := end{true, time.Second, closed, false}, end{true, time.Second, closed, true}
	for name, c := range map[string]struct {
		ends              []end
		suspected, exists bool
	}{
		"nothing":             {nil, false, false},
		"twice":               {[]end{soon, soon}, false, false},
		"three times":         {[]end{soon, soon, soon}, true, false},
		"a bad link":          {[]end{soon, soon, soon, soon, soon, soon}, true, false},
		"witnessed":           {[]end{soon, soon, soon, seen}, true, true},
		"still there":         {[]end{soon, soon, soon, seen, {true, rivalPause + time.Second, errClosed, false}}, true, true},
		"reset":               {[]end{soon, soon, {true, 0, fmt.Errorf("read: %w", os.NewSyscallError("read", syscall.ECONNRESET)), false}}, true, false},
		"websocket":           {[]end{soon, soon, {true, 0, errors.New("websocket: close 1006 (abnormal closure)"), false}}, true, false},
		"broker restarted":    {[]end{soon, soon, {false, time.Second, refused, false}, soon}, false, false},
		"lived once":          {[]end{soon, soon, {true, settled, closed, false}, soon, soon}, false, false},
		"silence":             {[]end{soon, soon, {true, time.Second, errors.New("pingresp not received, disconnecting"), true}}, false, false},
		"never let in":        {[]end{{false, 0, closed, false}, {false, 0, closed, false}, {false, 0, closed, false}}, false, false},
		"over again":          {[]end{soon, soon, soon, seen, {true, settled, closed, true}}, false, false},
		"gone with a restart": {[]end{soon, soon, soon, seen, {false, 0, refused, false}}, false, false},
	} {
		var r rivalry
		for _, e := range c.ends {
			r.ended(e.up, e.lived, e.err, e.witnessed)
		}
		if r.suspected() != c.suspected || r.exists() != c.exists {
			t.Errorf("%s: suspected %v, exists %v", name, r.suspected(), r.exists())
		}
		if p := r.pause(1); c.exists != (p >= rivalPause/2) || p > rivalPause {
			t.Errorf("%s: pause %v", name, p)
		}
	}
}

// A link that is cut again and again is no rival, and is tried again soon.
func TestCutsAreNoRival(t *testing.T) {
	t.Parallel()
	p := startProxy(t, "127.0.0.1:"+startMosquitto(t, "allow_anonymous true"))
	c, _ := startClient(t, Config{URL: "tcp://" + p.Addr().String(), ClientID: "c"})
	for n := range rivalAfter + 2 {
		eventually(t, "connection", func() bool { h := c.Health(); return h.Connected && h.Reconnects == uint64(n) })
		if n > rivalAfter {
			eventually(t, "witness", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return len(p.open) == 4 })
		}
		p.cut()
	}
	eventually(t, "connection", func() bool { h := c.Health(); return h.Connected && h.Reconnects == rivalAfter+2 })
	if h := c.Health(); h.Rival || h.LastError != "" {
		t.Errorf("health %+v", h)
	}
}

// A second client with our ID is named, and the two do not fight at every turn.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	b, _ := startBroker(t, t.TempDir())
	for name, config := range map[string]Config{
		"mosquitto": {URL: "tcp://127.0.0.1:" + startMosquitto(t, "allow_anonymous true"), ClientID: "inspector-7"},
		"embedded":  b.Client(Config{ClientID: "inspector-7"}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log lockedBuffer
			ours, theirs := NewClient(config, slog.New(slog.NewTextHandler(&log, nil))), NewClient(config, quiet())
			run(t, ours.Run)
			connected(t, ours)
			stopped := run(t, theirs.Run)
			eventually(t, "that the other is named", func() bool { return ours.Health().Rival })
			h := ours.Health()
			if !strings.Contains(h.LastError, "another client uses the id inspector-7") || !strings.Contains(h.LastError, "give each box its own station.device") {
				t.Errorf("health %+v", h)
			}
			if !strings.Contains(log.String(), "another client uses the id inspector-7") {
				t.Errorf("logged %s", log.String())
			}
			before := ours.Health().Reconnects + theirs.Health().Reconnects
			select { // a fight at every turn would be four and more in this time
			case <-t.Context().Done():
			case <-time.After(1500 * time.Millisecond):
			}
			if n := ours.Health().Reconnects + theirs.Health().Reconnects - before; n > 2 {
				t.Errorf("%d connections in 1.5 s", n)
			}
			if err := stopped(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A broker that accepts the connection and never answers is an error in words,
// and asked to stop, the client stops at once.
func TestSilentBroker(t *testing.T) {
	t.Parallel()
	f := startMute(t)
	c := NewClient(Config{URL: "tcp://" + f, ClientID: "c"}, quiet())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	eventually(t, "trouble in words", func() bool { return c.Health().LastError != "" })
	if h := c.Health(); h.Connected || !strings.Contains(h.LastError, "is there an mqtt broker at this address") {
		t.Errorf("health %+v", h)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A broker that lets us in and never acknowledges our birth is one that we are
// not connected to, in words; and it is no rival.
func TestBrokerThatNeverAcknowledges(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	c := NewClient(Config{URL: "tcp://" + f.Addr().String(), ClientID: "c", Availability: "silent"}, quiet())
	run(t, c.Run)
	eventually(t, "trouble in words", func() bool { return c.Health().LastError != "" })
	if h := c.Health(); h.Connected || h.Rival || !strings.Contains(h.LastError, "announce availability on silent: not acknowledged in time") {
		t.Errorf("health %+v", h)
	}
	if err := c.Publish(t.Context(), "loud", false, nil); !errors.Is(err, ErrNotConnected) || !strings.Contains(err.Error(), "not acknowledged in time") {
		t.Errorf("a message meanwhile: %v", err)
	}
}

// Retained orders are named, as often as they come once; gone with them.
func TestRetainedOrders(t *testing.T) {
	port := startMosquitto(t, "allow_anonymous true")
	p := startProxy(t, "127.0.0.1:"+port)
	helper, _ := startClient(t, Config{URL: "tcp://127.0.0.1:" + port, ClientID: "helper"})
	for _, topic := range []string{"set/trigger", "set/pause"} {
		if err := helper.Publish(t.Context(), topic, true, bytes.Repeat([]byte("poison"), 20000)); err != nil {
			t.Fatal(err)
		}
	}
	var log lockedBuffer
	var handled atomic.Int32
	c := NewClient(Config{URL: "tcp://" + p.Addr().String(), ClientID: "c"}, slog.New(slog.NewTextHandler(&log, nil)))
	c.Subscribe("set/+", func(context.Context, string, []byte) { handled.Add(1) })
	run(t, c.Run)
	named := func(n int) func() bool {
		return func() bool { h := c.Health(); return h.Connected && len(h.Retained) == n }
	}
	eventually(t, "both named", named(2))
	p.cut()
	eventually(t, "named again", func() bool { return c.Health().Reconnects == 1 && named(2)() })
	if n := strings.Count(log.String(), "topic=set/pause"); n != 1 {
		t.Errorf("named %d times in the log: %s", n, log.String())
	}
	for _, topic := range []string{"set/trigger", "set/pause"} {
		if err := helper.Publish(t.Context(), topic, true, nil); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the empty messages that removed them", func() bool { return handled.Load() == 2 })
	p.cut()
	eventually(t, "none named", func() bool { return c.Health().Reconnects == 2 && named(0)() })
}

// What is too long comes cut, so that it can be refused.
func TestOversizedOrder(t *testing.T) {
	port := startMosquitto(t, "allow_anonymous true")
	got := make(chan int, 1)
	startClient(t, Config{URL: "tcp://127.0.0.1:" + port}, func(c *Client) {
		c.Subscribe("set/trigger", func(_ context.Context, _ string, b []byte) { got <- len(b) })
	})
	publishRaw(t, port, "set/trigger", bytes.Repeat([]byte("x"), 3*MaxPayload))
	if n := <-got; n != MaxPayload+1 {
		t.Errorf("got %d bytes", n)
	}
}

// startMute listens and says nothing.
func startMute(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { _, _ = io.Copy(io.Discard, conn); conn.Close() })
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return l.Addr().String()
}

// publishRaw sends with a real mosquitto_pub what our own client would refuse.
func publishRaw(t *testing.T, port, topic string, payload []byte) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), need(t, "mosquitto_pub"), "-h", "127.0.0.1", "-p", port, "-q", "1", "-t", topic, "-s")
	cmd.Stdin = bytes.NewReader(payload)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
