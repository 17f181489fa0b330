package notify

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"inspector"
)

// fakeBroker accepts everybody, answers pings and subscriptions, and never
// acknowledges anything on the topic "silent"; it cuts the connection when
// told to.
type fakeBroker struct {
	net.Listener
	connections atomic.Int32
	got         chan string // topics of what it did not acknowledge
	cut         chan struct{}
}

func startFake(t *testing.T) *fakeBroker {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeBroker{Listener: l, got: make(chan string, 100), cut: make(chan struct{})}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			f.connections.Add(1)
			wg.Go(func() { f.serve(conn) })
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return f
}

func (f *fakeBroker) serve(conn net.Conn) {
	defer conn.Close()
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-f.cut:
			conn.Close()
		case <-ended:
		}
	}()
	for {
		p, err := packets.ReadPacket(conn)
		if err != nil {
			return
		}
		switch p := p.(type) {
		case *packets.ConnectPacket:
			_ = packets.NewControlPacket(packets.Connack).Write(conn)
		case *packets.PingreqPacket:
			_ = packets.NewControlPacket(packets.Pingresp).Write(conn)
		case *packets.PublishPacket:
			if p.TopicName == "silent" {
				f.got <- p.TopicName
				continue
			}
			ack := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
			ack.MessageID = p.MessageID
			_ = ack.Write(conn)
		}
	}
}

// No PUBACK, no success: not when the connection is lost, nor when the next
// one is there (where paho's own reconnecting reports success), nor later.
func TestNoAcknowledgementNoSuccess(t *testing.T) {
	f := startFake(t)
	c, _ := startClient(t, Config{URL: "tcp://" + f.Addr().String()})
	for range 3 {
		before := f.connections.Load()
		result := make(chan error, 1)
		go func() { result <- c.Publish(t.Context(), "silent", false, []byte("x")) }()
		<-f.got
		f.cut <- struct{}{}
		eventually(t, "next connection", func() bool { return f.connections.Load() > before })
		if err := <-result; err == nil {
			t.Fatal("success without a PUBACK")
		} else if permanent(err) {
			t.Fatalf("%v is permanent", err)
		}
		connected(t, c)
	}
	if err := c.Publish(t.Context(), "loud", false, nil); err != nil {
		t.Fatalf("after the losses: %v", err)
	}
	if h := c.Health(); h.Reconnects != 3 || h.LastError != "" {
		t.Errorf("health %+v; want 3 reconnects and no trouble", h)
	}
}

func TestDeadlineWithoutAcknowledgement(t *testing.T) {
	f := startFake(t)
	c, _ := startClient(t, Config{URL: "tcp://" + f.Addr().String()})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := c.Publish(ctx, "silent", false, nil); !errors.Is(err, context.DeadlineExceeded) || permanent(err) {
		t.Fatalf("got %v; want a transient error about the deadline", err)
	}
	if err := c.Publish(t.Context(), "loud", false, nil); err != nil {
		t.Fatalf("the connection did not survive: %v", err)
	}
}

// proxy stands between client and broker: it can cut, and swallow bytes.
type proxy struct {
	net.Listener
	target  string
	swallow atomic.Bool
	mu      sync.Mutex
	open    []net.Conn
}

func startProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: l, target: target}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			a, err := l.Accept()
			if err != nil {
				return
			}
			b, err := net.Dial("tcp", target)
			if err != nil {
				a.Close()
				continue
			}
			p.mu.Lock()
			p.open = append(p.open, a, b)
			p.mu.Unlock()
			wg.Go(func() { p.pump(a, b) })
			wg.Go(func() { p.pump(b, a) })
		}
	})
	t.Cleanup(func() { l.Close(); p.cut(); wg.Wait() })
	return p
}

func (p *proxy) pump(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	b := make([]byte, 4096)
	for {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		if p.swallow.Load() {
			continue
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
	}
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.open {
		c.Close()
	}
	p.open = nil
}

func TestHalfOpenLink(t *testing.T) {
	p := startProxy(t, "127.0.0.1:"+startMosquitto(t, "allow_anonymous true"))
	c, _ := startClient(t, Config{URL: "tcp://" + p.Addr().String()})
	p.swallow.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	var wg sync.WaitGroup
	for range 200 { // more than the buffers on the way hold
		wg.Go(func() {
			if err := c.Publish(ctx, "x", false, make([]byte, MaxPayload)); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v; want the deadline", err)
			}
		})
	}
	wg.Wait()
	p.swallow.Store(false)
	p.cut()
	eventually(t, "delivery over the next connection", func() bool { return c.Publish(t.Context(), "x", false, nil) == nil })
}

// Publishing through losses with the caller's retries loses nothing that was
// acknowledged.
func publishAll(t *testing.T, c *Client, topic string, n int, trouble func(done int32)) (acknowledged map[string]bool) {
	t.Helper()
	var done atomic.Int32
	work := make(chan int)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range work {
				for {
					ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
					err := c.Publish(ctx, topic, false, fmt.Append(nil, i))
					cancel()
					if err == nil {
						break
					}
					if permanent(err) || t.Context().Err() != nil {
						t.Errorf("message %d: %v", i, err)
						return
					}
					<-time.After(20 * time.Millisecond) // the engine's pause
				}
				done.Add(1)
			}
		})
	}
	acknowledged = map[string]bool{}
	for i := range n {
		acknowledged[fmt.Sprint(i)] = true
		work <- i
		trouble(done.Load())
	}
	close(work)
	wg.Wait()
	return acknowledged
}

func TestMosquittoLinkCut(t *testing.T) {
	port := startMosquitto(t, "allow_anonymous true", "max_queued_messages 0")
	p := startProxy(t, "127.0.0.1:"+port)
	subscribeFirst(t, port, "line/result")
	lines, _ := collect(t, port, "line/result")
	c, _ := startClient(t, Config{URL: "tcp://" + p.Addr().String()})
	next := int32(200)
	want := publishAll(t, c, "line/result", 2000, func(done int32) {
		if done >= next {
			p.cut()
			next += 600
		}
	})
	if lost := missing(lines, want); len(lost) > 0 {
		t.Errorf("%d acknowledged messages were lost: %.200v", len(lost), lost)
	}
	if c.Health().Reconnects < 3 {
		t.Errorf("only %d reconnects: the link was not cut", c.Health().Reconnects)
	}
}

func TestBrokerDownAtStart(t *testing.T) {
	port := freePort(t)
	c := NewClient(Config{URL: "mqtt://127.0.0.1:" + port, ClientID: "early", Availability: "a/availability"}, quiet())
	if err := c.Publish(t.Context(), "x", false, nil); !errors.Is(err, ErrNotConnected) || permanent(err) {
		t.Fatalf("before Run: %v", err)
	}
	run(t, c.Run)
	eventually(t, "trouble in words", func() bool { return strings.Contains(c.Health().LastError, port) })
	if err := c.Publish(t.Context(), "x", false, nil); !errors.Is(err, ErrNotConnected) || !strings.Contains(err.Error(), "refused") {
		t.Fatalf("while down: %v; want not connected, and why", err)
	}
	b := NewBroker(BrokerConfig{Listen: "127.0.0.1:" + port, Dir: t.TempDir()}, quiet())
	run(t, b.Run)
	connected(t, c)
}

func TestWrongPassword(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	// mosquitto_passwd -b FILE line right-password
	users := file("users", "line:"+mosquittoHash)
	port := startMosquitto(t, "allow_anonymous false", "password_file "+users)
	secret := file("password", "wrong-password\n")
	var log bytes.Buffer
	c := NewClient(Config{URL: "tcp://127.0.0.1:" + port, ClientID: "c", Username: "line", PasswordFile: secret}, slog.New(slog.NewTextHandler(&log, nil)))
	stop := run(t, c.Run)
	eventually(t, "refusal", func() bool { return c.Health().LastError != "" })
	if e := c.Health().LastError; !strings.Contains(e, "line") || !strings.Contains(e, secret) {
		t.Errorf("%q names neither user nor password file", e)
	}
	file("password", "right-password\nanything\n") // a person corrects it: no restart
	connected(t, c)
	if err := c.Publish(t.Context(), "x", false, nil); err != nil {
		t.Error(err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if strings.Contains(log.String()+fmt.Sprintf("%+v", c.Health()), "-password") {
		t.Errorf("a password was logged: %s", &log)
	}
}

func TestAvailability(t *testing.T) {
	port := startMosquitto(t, "allow_anonymous true")
	var mu sync.Mutex
	var heard []string
	watch, _ := startClient(t, Config{URL: "tcp://127.0.0.1:" + port, ClientID: "watch"}, func(c *Client) {
		c.Subscribe("a/availability", func(_ context.Context, _ string, b []byte) {
			mu.Lock()
			defer mu.Unlock()
			heard = append(heard, string(b))
		})
	})
	hears := func(want ...string) {
		t.Helper()
		eventually(t, fmt.Sprint(want), func() bool {
			mu.Lock()
			defer mu.Unlock()
			return slices.Equal(heard, want)
		})
	}
	_, stop := startClient(t, Config{URL: "tcp://127.0.0.1:" + port, ClientID: "child", Availability: "a/availability"})
	hears(Online)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	hears(Online, Stopped)
	_, kill := startChild(t, "client", false, "NOTIFY_URL=tcp://127.0.0.1:"+port)
	hears(Online, Stopped, Online)
	kill()
	hears(Online, Stopped, Online, Offline)
	if err := watch.Publish(t.Context(), "x", false, nil); err != nil {
		t.Error(err)
	}
}

// A slow handler does not stop publishing, and what it had no time for is
// counted.
func TestSlowHandler(t *testing.T) {
	b, _ := startBroker(t, t.TempDir())
	hold := make(chan struct{})
	var handled atomic.Int32
	c, _ := startClient(t, b.Client(Config{}), func(c *Client) {
		c.Subscribe("set/+", func(_ context.Context, _ string, p []byte) {
			<-hold
			handled.Add(1)
		})
	})
	for range 100 {
		if err := c.Publish(t.Context(), "set/trigger", false, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "drops", func() bool { return c.Health().Dropped >= 100-64-1 })
	close(hold)
	eventually(t, "the rest", func() bool { return int(handled.Load())+int(c.Health().Dropped) == 100 })
}

// Subscriptions come back with every connection; retained messages do not
// trigger.
func TestResubscribe(t *testing.T) {
	b, _ := startBroker(t, t.TempDir())
	p := startProxy(t, b.Addr().String())
	got := make(chan string, 10)
	config := b.Client(Config{})
	config.URL = "tcp://" + p.Addr().String()
	c, _ := startClient(t, config, func(c *Client) {
		c.Subscribe("set/trigger", func(_ context.Context, _ string, b []byte) { got <- string(b) })
	})
	if err := c.Publish(t.Context(), "set/trigger", true, []byte("retained")); err != nil {
		t.Fatal(err)
	}
	if s := <-got; s != "retained" {
		t.Fatalf("got %q live", s)
	}
	p.cut()
	eventually(t, "reconnect", func() bool { h := c.Health(); return h.Connected && h.Reconnects == 1 })
	if err := c.Publish(t.Context(), "set/trigger", false, []byte("again")); err != nil {
		t.Fatal(err)
	}
	if s := <-got; s != "again" {
		t.Fatalf("got %q after the reconnect; want the new one only", s)
	}
}

func TestRejected(t *testing.T) {
	b, _ := startBroker(t, t.TempDir())
	c, _ := startClient(t, b.Client(Config{}))
	for topic, size := range map[string]int{
		"": 0, "a/+": 0, "a/#": 0, "$SYS/x": 0, "a\x00b": 0, "a\xff": 0, strings.Repeat("x", 1025): 0, "big": MaxPayload + 1,
	} {
		if err := c.Publish(t.Context(), topic, false, make([]byte, size)); err == nil || !permanent(err) {
			t.Errorf("topic %.20q, %d bytes: %v; want a permanent error", topic, size, err)
		}
	}
	if err := c.Publish(t.Context(), "big", false, make([]byte, MaxPayload)); err != nil {
		t.Errorf("the longest payload: %v", err)
	}
}

func TestTopics(t *testing.T) {
	got, err := TopicsOf("inspector", inspector.Station{Site: "s", Line: "l", Device: "d"})
	if err != nil || got.Result != "inspector/s/l/d/result" || got.Availability != "inspector/s/l/d/availability" || got.Set("trigger") != "inspector/s/l/d/set/trigger" ||
		got.State("line") != "inspector/s/l/d/state/line" || got.Line("busy") != "inspector/s/l/d/line/busy" {
		t.Errorf("got %+v, %v", got, err)
	}
	if deep, err := TopicsOf("acme/graz/inspector", inspector.Station{Site: "s", Line: "l", Device: "d"}); err != nil || deep.Alert != "acme/graz/inspector/s/l/d/alert" {
		t.Errorf("a root of three levels: %+v, %v", deep, err)
	}
	long := strings.Repeat("r", 128)
	if _, err := TopicsOf(strings.Repeat(long+"/", 6)+long, inspector.Station{Site: "s", Line: "l", Device: "d"}); err == nil {
		t.Error("topics that are too long were accepted")
	}
	for _, bad := range []string{"", "/", "a//b", "a/+/b", "a/", "+", "x#", "$SYS", "\x00", strings.Repeat("x", 129)} {
		for n := range 4 {
			if l := []string{"r", "s", "l", "d"}; n > 0 {
				l[n] = "a/b"
				if _, err := TopicsOf(l[0], inspector.Station{Site: l[1], Line: l[2], Device: l[3]}); err == nil {
					t.Errorf("level %d of two levels was accepted", n)
				}
			}
			l := []string{"r", "s", "l", "d"}
			l[n] = bad
			if _, err := TopicsOf(l[0], inspector.Station{Site: l[1], Line: l[2], Device: l[3]}); err == nil {
				t.Errorf("level %d %.20q was accepted", n, bad)
			}
		}
	}
}

func TestConfigFaults(t *testing.T) {
	good := Config{URL: "ssl://host", ClientID: "c", Username: "u", PasswordFile: "f", CAFile: "ca", CertFile: "c", KeyFile: "k", Availability: "a/b"}
	if err := good.Validate(); err != nil {
		t.Errorf("good: %v", err)
	}
	bad := Config{URL: "http://user:hunter2@host", CertFile: "c", PasswordFile: "f", Availability: "a/#"}
	err := bad.Validate()
	for _, want := range []string{"scheme", "out of the address", "not encrypted", "client ID", "cert_file and key_file", "without a username", "wildcards"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not mention %q", err, want)
		}
	}
	for _, url := range []string{"http://user:hunter2@host", "tcp://us er:hunter2@host", "://hunter2", "tcp://"} {
		c := NewClient(Config{URL: url, ClientID: "c"}, quiet())
		if err := c.Run(t.Context()); !permanent(err) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v; want a permanent error without the password", url, err)
		}
	}
}

func TestBackoff(t *testing.T) {
	for _, c := range []struct {
		failures int
		random   float64
		want     time.Duration
	}{{0, 0, 250 * time.Millisecond}, {1, 0, 500 * time.Millisecond}, {0, 0.5, 187500 * time.Microsecond}, {5, 0, 8 * time.Second}, {6, 0, 10 * time.Second}, {1000000, 0, 10 * time.Second}} {
		if got := backoff(c.failures, c.random); got != c.want {
			t.Errorf("backoff(%d, %v) = %v; want %v", c.failures, c.random, got, c.want)
		}
	}
}

// mosquitto_passwd -b FILE line right-password
const mosquittoHash = "$7$101$v3DxC9SeOSP4ErKL$p5H4w+gs7R4pmYaf1Tw/xOEOU/r7hUHtUtsjKXSSeYYO6i3K3NFJt12uDL357/cCzWzTW54MT+fyLc7oGbP7uw==\n"

// Encrypted, with a certificate on both sides or with a password, and over a
// websocket.
func TestTransports(t *testing.T) {
	dir := t.TempDir()
	authority(t, dir)
	at := func(name string) string { return filepath.Join(dir, name) }
	second := freePort(t)
	port := startMosquitto(t, "cafile "+at("ca.pem"), "certfile "+at("cert.pem"), "keyfile "+at("key.pem"), "require_certificate true",
		"listener "+second+" 127.0.0.1", "protocol websockets", "allow_anonymous true")
	secure := Config{URL: "mqtts://127.0.0.1:" + port, CAFile: at("ca.pem"), CertFile: at("cert.pem"), KeyFile: at("key.pem"), ClientID: "secure"}
	for name, text := range map[string]string{"users": "line:" + mosquittoHash, "password": "right-password\n"} {
		if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	third := startMosquitto(t, "cafile "+at("ca.pem"), "certfile "+at("cert.pem"), "keyfile "+at("key.pem"), "allow_anonymous false", "password_file "+at("users"))
	for _, config := range []Config{
		secure, {URL: "ws://127.0.0.1:" + second + "/mqtt", ClientID: "web"},
		{URL: "ssl://127.0.0.1:" + third, ClientID: "user", CAFile: at("ca.pem"), Username: "line", PasswordFile: at("password")},
	} {
		c, stop := startClient(t, config)
		if err := c.Publish(t.Context(), "x", false, []byte("y")); err != nil {
			t.Errorf("%s: %v", config.URL, err)
		}
		if err := stop(); err != nil {
			t.Errorf("%s: %v", config.URL, err)
		}
	}
	secure.CAFile = "" // the system's authorities do not know this one
	stranger := NewClient(secure, quiet())
	run(t, stranger.Run)
	eventually(t, "distrust", func() bool { return strings.Contains(stranger.Health().LastError, "certificate") })
}

// authority writes ca.pem, cert.pem and key.pem for 127.0.0.1.
func authority(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	own := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, own, own, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{
		"ca.pem": {Type: "CERTIFICATE", Bytes: cert}, "cert.pem": {Type: "CERTIFICATE", Bytes: cert}, "key.pem": {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// The first attempt ends, and health says how.
func TestTriedOnce(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	for address, connects := range map[string]bool{startFake(t).Addr().String(): true, gone.Addr().String(): false} {
		c := NewClient(Config{URL: "tcp://" + address, ClientID: "tried"}, slog.New(slog.DiscardHandler))
		select {
		case <-c.Tried():
			t.Error("tried before Run")
		default:
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		<-c.Tried()
		if h := c.Health(); h.Connected != connects || connects == (h.LastError != "") {
			t.Errorf("%+v after the first attempt; want connected %v", h, connects)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}
