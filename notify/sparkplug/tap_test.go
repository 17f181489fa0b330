package sparkplug

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"
	"github.com/eclipse/paho.mqtt.golang/packets"
	"go.uber.org/goleak"

	"inspector/notify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A tap is a wire between the node and the broker: it keeps every packet that
// the node sends, and can be cut.
type tap struct {
	net.Listener
	mu    sync.Mutex
	open  []net.Conn
	sent  []packets.ControlPacket
	pumps sync.WaitGroup
}

func newTap(t *testing.T, broker string) *tap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &tap{Listener: l}
	p.pumps.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", broker)
			if err != nil {
				near.Close()
				continue
			}
			p.mu.Lock()
			p.open = append(p.open, near, far)
			p.mu.Unlock()
			p.pumps.Go(func() { _, _ = io.Copy(near, far); near.Close() })
			p.pumps.Go(func() { p.forward(near, far) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		p.cut()
		p.pumps.Wait()
	})
	return p
}

// forward passes packets on and keeps them.
func (p *tap) forward(near, far net.Conn) {
	defer far.Close()
	for {
		packet, err := packets.ReadPacket(near)
		if err != nil {
			return
		}
		p.mu.Lock()
		p.sent = append(p.sent, packet)
		p.mu.Unlock()
		if packet.Write(far) != nil {
			return
		}
	}
}

func (p *tap) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.open {
		c.Close()
	}
	p.open = nil
}

func (p *tap) packets() []packets.ControlPacket {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.sent)
}

// seen is a message as a subscriber got it.
type seen struct {
	topic    string
	kind     string // NBIRTH, ...
	qos      byte
	retained bool
	raw      []byte
	payload
	err error
}

// A watcher is a host: it sees everything and can speak.
type watcher struct {
	client mqtt.Client
	mu     sync.Mutex
	all    []seen
}

func newWatcher(t *testing.T, broker string) *watcher {
	t.Helper()
	w := &watcher{}
	w.client = mqtt.NewClient(mqtt.NewClientOptions().AddBroker("tcp://" + broker).SetClientID("watcher").SetOrderMatters(true))
	done := func(token mqtt.Token) {
		t.Helper()
		if token.Wait(); token.Error() != nil {
			t.Fatal(token.Error())
		}
	}
	done(w.client.Connect())
	done(w.client.Subscribe(namespace+"/#", 2, func(_ mqtt.Client, m mqtt.Message) {
		s := seen{topic: m.Topic(), qos: m.Qos(), retained: m.Retained(), raw: m.Payload()}
		s.kind = strings.Split(m.Topic(), "/")[2]
		s.payload, s.err = parse(m.Payload())
		w.mu.Lock()
		defer w.mu.Unlock()
		w.all = append(w.all, s)
	}))
	t.Cleanup(func() { w.client.Disconnect(250) })
	return w
}

func (w *watcher) say(t *testing.T, topic string, retained bool, payload []byte) {
	t.Helper()
	if token := w.client.Publish(topic, 1, retained, payload); token.Wait() && token.Error() != nil {
		t.Fatal(token.Error())
	}
}

func (w *watcher) state(t *testing.T, id string, online bool, at int) {
	t.Helper()
	w.say(t, namespace+"/STATE/"+id, true, fmt.Appendf(nil, `{"online":%v,"timestamp":%d}`, online, at))
}

// messages are those of the node, in order.
func (w *watcher) messages() (all []seen) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range w.all {
		if s.kind[0] == 'N' && s.kind != "NCMD" || s.kind[0] == 'D' {
			all = append(all, s)
		}
	}
	return all
}

func (w *watcher) kinds() (all []string) {
	for _, s := range w.messages() {
		all = append(all, s.kind)
	}
	return all
}

// await waits for the n-th message of the kind.
func (w *watcher) await(t *testing.T, kind string, n int) seen {
	t.Helper()
	var got seen
	eventually(t, fmt.Sprintf("%d %s", n, kind), func() bool {
		left := n
		for _, s := range w.messages() {
			if s.kind == kind {
				if left--; left == 0 {
					got = s
					return true
				}
			}
		}
		return false
	})
	return got
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		case <-tick.C:
		}
	}
}

func run(t *testing.T, f func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- f(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("Run: %v", err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

// startBroker runs the embedded broker.
func startBroker(t *testing.T) (address string) {
	t.Helper()
	b := notify.NewBroker(notify.BrokerConfig{Listen: "127.0.0.1:0", Dir: t.TempDir()}, slog.New(slog.DiscardHandler))
	if err := b.Listen(); err != nil {
		t.Fatal(err)
	}
	address = b.Addr().String()
	run(t, b.Run)
	return address
}

// counter gives bdSeq numbers from first on.
func counter(first uint8) func() (uint8, error) {
	next := first
	return func() (uint8, error) { next++; return next - 1, nil }
}

// startMosquitto runs the real one.
func startMosquitto(t *testing.T) (address string) {
	t.Helper()
	program := "/usr/sbin/mosquitto"
	if _, err := os.Stat(program); err != nil {
		if os.Getenv("INSPECTOR_REQUIRE_TOOLS") != "" {
			t.Fatalf("%v; apt install mosquitto", err)
		}
		t.Skipf("%v; apt install mosquitto", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(address)
	cmd := exec.Command(program, "-p", port)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	eventually(t, "mosquitto listens", func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return address
}
