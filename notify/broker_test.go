package notify

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/vfs"
	"golang.org/x/crypto/bcrypt"
)

// startKillable runs the embedded broker as a process on the port.
func startKillable(t *testing.T, listen, dir string) (address string, kill func()) {
	t.Helper()
	return startChild(t, "broker", true, "NOTIFY_LISTEN="+listen, "NOTIFY_DIR="+dir)
}

// kill -9 of the embedded broker, again and again while 2,000 messages are
// sent: no acknowledged one is lost for a subscriber who was away.
func TestBrokerKilled(t *testing.T) {
	dir := t.TempDir()
	address, kill := startKillable(t, "127.0.0.1:0", dir)
	_, port, _ := net.SplitHostPort(address)
	subscribeFirst(t, port, "line/result")
	c, _ := startClient(t, Config{URL: "tcp://" + address})
	if err := c.Publish(t.Context(), "line/last", true, []byte("kept")); err != nil {
		t.Fatal(err)
	}
	next, kills := int32(100), 0
	want := publishAll(t, c, "line/result", 2000, func(done int32) {
		if done >= next {
			kill()
			_, kill = startKillable(t, address, dir)
			next, kills = next+600, kills+1
		}
	})
	if kills < 3 {
		t.Errorf("killed %d times; want at least 3", kills)
	}
	lines, _ := collect(t, port, "line/#")
	want["kept"] = true
	if lost := missing(lines, want); len(lost) > 0 {
		t.Errorf("%d acknowledged messages were lost: %.200v", len(lost), lost)
	}
}

// The moment after the acknowledgement is the dangerous one.
func TestBrokerKilledAtAcknowledgement(t *testing.T) {
	dir := t.TempDir()
	address, kill := startKillable(t, "127.0.0.1:0", dir)
	_, port, _ := net.SplitHostPort(address)
	subscribeFirst(t, port, "x")
	want := map[string]bool{}
	for n := range 6 {
		c, stop := startClient(t, Config{URL: "tcp://" + address})
		if err := c.Publish(t.Context(), "x", false, fmt.Append(nil, n)); err != nil {
			t.Fatal(err)
		}
		kill()
		want[fmt.Sprint(n)] = true
		_ = stop()
		_, kill = startKillable(t, address, dir)
	}
	lines, _ := collect(t, port, "x")
	if lost := missing(lines, want); len(lost) > 0 {
		t.Errorf("acknowledged, then lost: %v", lost)
	}
}

// A returning subscriber's messages stay on the disk until it has them.
func TestBrokerKilledWhileSubscriberReturns(t *testing.T) {
	dir := t.TempDir()
	address, kill := startKillable(t, "127.0.0.1:0", dir)
	_, port, _ := net.SplitHostPort(address)
	subscribeFirst(t, port, "x")
	c, stop := startClient(t, Config{URL: "tcp://" + address})
	want := publishAll(t, c, "x", 500, func(int32) {})
	_ = stop()
	got := map[string]bool{}
	for range 3 { // it comes, and the broker dies
		lines, gone := collect(t, port, "x")
		got[<-lines] = true
		kill()
		gone()
		for len(lines) > 0 {
			got[<-lines] = true
		}
		_, kill = startKillable(t, address, dir)
	}
	for l := range got {
		delete(want, l)
	}
	lines, _ := collect(t, port, "x")
	if lost := missing(lines, want); len(lost) > 0 {
		t.Errorf("%d of 500 were lost", len(lost))
	}
}

func TestBrokerReopens(t *testing.T) {
	dir := t.TempDir()
	for n := range 3 {
		b, stop := startBroker(t, dir)
		c, leave := startClient(t, b.Client(Config{Availability: "a"}))
		if err := c.Publish(t.Context(), fmt.Sprintf("kept/%d", n), true, []byte("x")); err != nil {
			t.Fatal(err)
		}
		if h := b.Health(); h.Clients != 1 || h.Dropped != 0 || h.Retained < int64(n+2) {
			t.Errorf("round %d: %+v", n, h)
		}
		if err := errors.Join(leave(), stop()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	err = NewBroker(BrokerConfig{Listen: taken.Addr().String(), Dir: t.TempDir()}, quiet()).Run(t.Context())
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), taken.Addr().String()) || !strings.Contains(err.Error(), "mqtt.listen") {
		t.Errorf("%v; want the port and what to set", err)
	}
}

func TestOpenToOthersNeedsUsers(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:1883"} {
		err := NewBroker(BrokerConfig{Listen: listen, Dir: t.TempDir()}, quiet()).Listen()
		if !permanent(err) || !strings.Contains(err.Error(), "mqtt.users_file") {
			t.Errorf("%s: %v; want a refusal with the remedy", listen, err)
		}
	}
}

func usersFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "users")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUsersFile(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("right"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	good := usersFile(t, "# people\n\nline:"+string(hash)+"\n")
	b := NewBroker(BrokerConfig{Listen: "0.0.0.0:0", Plain: true, Dir: t.TempDir(), UsersFile: good}, quiet())
	if err := b.Listen(); err != nil {
		t.Fatal(err)
	}
	run(t, b.Run)
	own, _ := startClient(t, b.Client(Config{ClientID: "own"}))
	if err := own.Publish(t.Context(), "x", false, nil); err != nil {
		t.Errorf("the appliance itself: %v", err)
	}
	url := b.Client(Config{}).URL
	startClient(t, Config{URL: url, ClientID: "line", Username: "line", Password: "right"})
	for _, c := range []Config{{Username: "line", Password: "wrong"}, {Username: "nobody", Password: "right"}, {Username: b.self.name, Password: "guess"}, {}} {
		c.URL, c.ClientID = url, "bad"
		client := NewClient(c, quiet())
		stop := run(t, client.Run)
		eventually(t, "refusal", func() bool { return strings.Contains(client.Health().LastError, "refused") })
		if err := stop(); err != nil {
			t.Error(err)
		}
	}
	for _, text := range []string{"", "line", "line:plain", ":" + string(hash), "a:" + string(hash) + "\na:" + string(hash)} {
		if _, err := readUsers(usersFile(t, text), user{}); !permanent(err) || !strings.Contains(err.Error(), "htpasswd") && !strings.Contains(err.Error(), "twice") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := readUsers("absent", user{}); !permanent(err) {
		t.Errorf("absent file: %v", err)
	}
}

func TestAdmit(t *testing.T) {
	u, err := readUsers("", user{name: "self", password: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		remote, name, password string
		want                   bool
	}{
		{"127.0.0.1:5", "", "", true},
		{"[::1]:5", "anybody", "", true},
		{"192.0.2.1:5", "", "", false},
		{"192.0.2.1:5", "self", "secret", false},
		{"127.0.0.1:5", "self", "secret", true},
		{"127.0.0.1:5", "self", "other", false},
		{"nonsense", "", "", false},
	} {
		if _, got := u.admit(c.remote, c.name, []byte(c.password), ""); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// A client that floods, lies about itself or says nothing harms itself only,
// and does not keep the broker from stopping.
func TestBrokerBadClients(t *testing.T) {
	b, stop := startBroker(t, t.TempDir())
	c, leave := startClient(t, b.Client(Config{}))
	for _, bytes := range []string{
		"", "GET / HTTP/1.1\r\n\r\n", "\x10\xff\xff\xff\x7f", "\x30\x00", "\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00\x30\xff\xff\xff\x7f",
	} {
		conn, err := net.Dial("tcp", b.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write([]byte(bytes)); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Publish(t.Context(), "x", false, nil); err != nil {
		t.Error(err)
	}
	if err := errors.Join(leave(), stop()); err != nil {
		t.Error(err)
	}
}

// fullDisk is a file system that runs full when told to.
type fullDisk struct {
	vfs.FS
	full atomic.Bool
}

type fullFile struct {
	vfs.File
	disk *fullDisk
}

func (d *fullDisk) wrap(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &fullFile{f, d}, nil
}

func (d *fullDisk) Create(name string) (vfs.File, error) { return d.wrap(d.FS.Create(name)) }
func (d *fullDisk) ReuseForWrite(o, n string) (vfs.File, error) {
	return d.wrap(d.FS.ReuseForWrite(o, n))
}

func (f *fullFile) Write(p []byte) (int, error) {
	if f.disk.full.Load() {
		return 0, syscall.ENOSPC
	}
	return f.File.Write(p)
}

// A disk that runs full ends the broker without an acknowledgement and without
// the process, and a new one goes on once there is room.
func TestDiskFull(t *testing.T) {
	dir := t.TempDir()
	disk := &fullDisk{FS: vfs.Default}
	b := NewBroker(BrokerConfig{Listen: "127.0.0.1:0", Dir: dir}, quiet())
	b.fs = disk
	if err := b.Listen(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { ended <- b.Run(ctx) }()
	c, _ := startClient(t, b.Client(Config{}))
	if err := c.Publish(t.Context(), "x", true, []byte("before")); err != nil {
		t.Fatal(err)
	}
	disk.full.Store(true)
	if err := c.Publish(t.Context(), "x", true, []byte("while full")); err == nil {
		t.Error("acknowledged on a full disk")
	}
	if err := <-ended; !errors.Is(err, syscall.ENOSPC) && (err == nil || !strings.Contains(err.Error(), "no space")) {
		t.Errorf("Run: %v; want a full disk", err)
	}
	disk.full.Store(false)
	go func() { ended <- b.Run(ctx) }()
	patience, enough := context.WithTimeout(t.Context(), 30*time.Second)
	defer enough()
	for c.Publish(patience, "x", true, []byte("after")) != nil { // until the same client found the broker again
		if patience.Err() != nil {
			t.Fatal("the client did not come back")
		}
		runtime.Gosched()
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestDamagedStore(t *testing.T) {
	dir := t.TempDir()
	_, stop := startBroker(t, dir)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "pebble", "CURRENT"), []byte("nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := NewBroker(BrokerConfig{Listen: "127.0.0.1:0", Dir: dir}, quiet())
	if err := b.Run(t.Context()); err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "move it away") {
		t.Errorf("%v; want the directory and what to do", err)
	}
}

// What one acknowledged message costs with a subscriber, in syncs of this disk.
func BenchmarkPublish(b *testing.B) {
	f, err := os.Create(filepath.Join(b.TempDir(), "sync"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	const syncs = 200
	began := time.Now()
	for range syncs {
		if _, err := f.Write(make([]byte, 512)); err != nil {
			b.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			b.Fatal(err)
		}
	}
	sync := time.Since(began) / syncs
	for _, subscribers := range []int{0, 1} {
		b.Run(fmt.Sprintf("subscribers=%d", subscribers), func(b *testing.B) {
			benchmarkEmbedded(b, subscribers)
			b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(sync), "syncs/op")
		})
	}
}

func benchmarkEmbedded(b *testing.B, subscribers int) {
	broker := NewBroker(BrokerConfig{Listen: "127.0.0.1:0", Dir: b.TempDir()}, quiet())
	if err := broker.Listen(); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 2)
	go func() { ended <- broker.Run(ctx) }()
	c := NewClient(broker.Client(Config{ClientID: "bench"}), quiet())
	for range subscribers {
		c.Subscribe("x", func(context.Context, string, []byte) {})
	}
	inner, leave := context.WithCancel(ctx)
	go func() { ended <- c.Run(inner) }()
	for !c.Health().Connected {
		<-time.After(time.Millisecond)
	}
	for b.Loop() {
		if err := c.Publish(ctx, "x", false, []byte("0123456789")); err != nil {
			b.Fatal(err)
		}
	}
	leave()
	if err := <-ended; err != nil {
		b.Error(err)
	}
	cancel()
	if err := <-ended; err != nil {
		b.Error(err)
	}
}
