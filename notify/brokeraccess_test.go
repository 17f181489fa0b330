package notify

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"inspector/certificate/certtest"
)

// The real clients over TLS: with a certificate of the broker's own authority
// they need no password, and are called what it says.
func TestCertificateIsLogin(t *testing.T) {
	ours := certtest.New(t, "ours")
	broker, plc := ours.Issue(t, certtest.Want{}), ours.Issue(t, certtest.Want{Name: "plc"})
	b := startSecure(t, BrokerConfig{CertFile: broker.Cert, KeyFile: broker.Key, ClientCAFile: ours.File, ACLFile: usersFile(t, "user plc\ntopic readwrite line/#\n")})
	at := []string{"-h", "localhost", "-p", portOf(t, b, keyListenTLS), "--cafile", ours.File, "-V", "5", "-q", "1"}
	certified := slices.Concat(at, []string{"--cert", plc.Cert, "--key", plc.Key})
	if words, err := exec.Command(need(t, "mosquitto_pub"), append(certified, "-t", "line/x", "-m", "hello", "-r")...).CombinedOutput(); err != nil || len(words) > 0 {
		t.Errorf("publish: %v: %s", err, words)
	}
	if words, err := exec.Command(need(t, "mosquitto_sub"), append(certified, "-t", "#", "-C", "1", "-W", "10")...).CombinedOutput(); string(words) != "hello\n" {
		t.Errorf("subscribe: %v: %s", err, words)
	}
	if words, _ := exec.Command(need(t, "mosquitto_pub"), append(certified, "-t", "other", "-m", "x")...).CombinedOutput(); !strings.Contains(string(words), "Not authorized") {
		t.Errorf("publish elsewhere: %s; want it told", words)
	}
	if words, err := exec.Command(need(t, "mosquitto_pub"), append(at, "-t", "line/x", "-m", "x")...).CombinedOutput(); err == nil {
		t.Errorf("without a certificate: %s", words)
	}
	eventually(t, "the broker names both", func() bool {
		h := b.Health()
		return h.Denied.Times == 1 && strings.Contains(h.Denied.Last, `user "plc"`) && strings.Contains(h.Failed.Last, "certificate")
	})
}

// Encrypted and with a password.
func TestPasswordOverTLS(t *testing.T) {
	ours := certtest.New(t, "ours")
	p := ours.Issue(t, certtest.Want{})
	b := startSecure(t, BrokerConfig{CertFile: p.Cert, KeyFile: p.Key, UsersFile: bcryptUsers(t, "line")})
	for _, url := range []string{"ssl://localhost:" + portOf(t, b, keyListenTLS), "wss://localhost:" + portOf(t, b, keyListenWeb) + "/mqtt"} {
		c, stop := startClient(t, Config{URL: url, CAFile: ours.File, Username: "line", Password: "right-password"})
		if err := c.Publish(t.Context(), "x", true, []byte(url)); err != nil {
			t.Errorf("%s: %v", url, err)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	}
}

// Programs may connect by WebSocket; pages in browsers only if they are named.
func TestWebSocketOrigins(t *testing.T) {
	b := startSecure(t, BrokerConfig{Origins: []string{"https://scada.example"}})
	at := "127.0.0.1:" + portOf(t, b, keyListenWeb)
	c, _ := startClient(t, Config{URL: "ws://" + at})
	if err := c.Publish(t.Context(), "x", false, make([]byte, MaxPayload)); err != nil {
		t.Error(err)
	}
	dialer := websocket.Dialer{Subprotocols: []string{"mqtt"}}
	for origin, want := range map[string]bool{"https://scada.example": true, "https://evil.example": false, "http://127.0.0.1": false} {
		conn, answer, err := dialer.Dial("ws://"+at, http.Header{"Origin": {origin}})
		if (err == nil) != want {
			t.Errorf("%s: %v", origin, err)
		}
		if answer != nil {
			_ = answer.Body.Close()
		}
		if err == nil {
			_ = conn.Close()
		}
	}
	if f := b.Health().Failed; !strings.Contains(f.Last, "mqtt.websocket_origins") {
		t.Errorf("%+v; want the remedy", f)
	}
	answer, err := http.Get("http://" + at)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusBadRequest {
		t.Errorf("a browser gets %s", answer.Status)
	}
}

// MQTT.js, which Node-RED uses, over every transport: a persistent session,
// QoS 1 and 2, retained messages and wildcards. INSPECTOR_MQTTJS names a folder
// in which npm install mqtt was run.
func TestNodeRED(t *testing.T) {
	folder := os.Getenv("INSPECTOR_MQTTJS")
	if folder == "" {
		t.Skip("INSPECTOR_MQTTJS is not set: a folder in which npm install mqtt was run")
	}
	ours := certtest.New(t, "ours")
	p := ours.Issue(t, certtest.Want{})
	b := startSecure(t, BrokerConfig{CertFile: p.Cert, KeyFile: p.Key, UsersFile: bcryptUsers(t, "line")})
	for _, scheme := range []string{"mqtt " + keyListen, "mqtts " + keyListenTLS, "wss " + keyListenWeb} {
		for _, version := range []string{"4", "5"} {
			name, key, _ := strings.Cut(scheme, " ")
			url := name + "://localhost:" + portOf(t, b, key)
			cmd := exec.Command(need(t, "node"), "testdata/nodered.js", url, version, ours.File)
			cmd.Env = append(os.Environ(), "NODE_PATH="+folder+"/node_modules")
			if words, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s MQTT %s: %v: %s", url, version, err, words)
			}
		}
	}
}

// A client may not say by its death what it may not say alive.
func TestLastWillIsDenied(t *testing.T) {
	b := NewBroker(BrokerConfig{Listen: "127.0.0.1:0", Dir: t.TempDir(), UsersFile: bcryptUsers(t, "eve"), ACLFile: usersFile(t, "user eve\ntopic readwrite own/#\n")}, quiet())
	if err := b.Listen(); err != nil {
		t.Fatal(err)
	}
	run(t, b.Run)
	for will, want := range map[string]string{"own/will": "", "line/1/set/trigger": "denied", "$SYS/x": "denied"} {
		cmd := exec.Command(need(t, "mosquitto_pub"), "-h", "127.0.0.1", "-p", portOf(t, b, keyListen), "-u", "eve", "-P", "right-password", "-t", "own/x", "-m", "x", "-q", "1", "--will-topic", will, "--will-payload", "boo")
		if words, err := cmd.CombinedOutput(); (err == nil) != (want == "") {
			t.Errorf("will to %s: %v: %s", will, err, words)
		}
	}
	if d := b.Health().Denied; d.Times != 2 || !strings.Contains(d.Last, "last will") {
		t.Errorf("%+v", d)
	}
}

// What waits for one user is not given to another who takes the same id.
func TestSessionBelongsToUser(t *testing.T) {
	b := NewBroker(BrokerConfig{Listen: "127.0.0.1:0", Dir: t.TempDir(), UsersFile: bcryptUsers(t, "scada", "eve")}, quiet())
	if err := b.Listen(); err != nil {
		t.Fatal(err)
	}
	run(t, b.Run)
	as := func(user string) *exec.Cmd {
		return exec.Command(need(t, "mosquitto_sub"), "-h", "127.0.0.1", "-p", portOf(t, b, keyListen), "-u", user, "-P", "right-password", "-i", "shared", "-c", "-q", "1", "-t", "x", "-E")
	}
	for i, user := range []string{"scada", "eve", "scada"} {
		if words, err := as(user).CombinedOutput(); (err == nil) != (user == "scada") {
			t.Errorf("%d %s: %v: %s", i, user, err, words)
		}
	}
	if r := b.Health().Refused; r.Times != 1 || !strings.Contains(r.Last, "belongs to another user") {
		t.Errorf("%+v", r)
	}
}

// A client that sends too much is held back and loses nothing; the appliance
// itself is not.
func TestHeldBack(t *testing.T) {
	b := NewBroker(BrokerConfig{Listen: "127.0.0.1:0", Dir: t.TempDir(), Limits: Limits{Messages: 40, Packet: 2048, Queue: 5}}, quiet())
	if err := b.Listen(); err != nil {
		t.Fatal(err)
	}
	run(t, b.Run)
	at := []string{"-h", "127.0.0.1", "-p", portOf(t, b, keyListen)}
	var text strings.Builder
	for n := range 60 {
		fmt.Fprintln(&text, n)
	}
	cmd := exec.Command(need(t, "mosquitto_pub"), append(at, "-q", "1", "-t", "x", "-l")...)
	cmd.Stdin = strings.NewReader(text.String())
	began := time.Now()
	if words, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, words)
	}
	if took := time.Since(began); took < 400*time.Millisecond {
		t.Errorf("60 messages at 40 a second took %v", took)
	}
	if h := b.Health(); h.Held.Times == 0 || h.Held.Times > 20 {
		t.Errorf("held back %+v; want the last 20 or fewer", h.Held)
	}
	if words, err := exec.Command(need(t, "mosquitto_pub"), append(at, "-q", "1", "-V", "5", "-t", "x", "-m", strings.Repeat("x", 3000))...).CombinedOutput(); err == nil && len(words) == 0 {
		t.Error("a packet that is too long was taken")
	}
	if words, err := exec.Command(need(t, "mosquitto_sub"), append(at, "-i", "away", "-c", "-q", "1", "-t", "y", "-E")...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, words)
	}
	c, _ := startClient(t, b.Client(Config{}))
	for range 50 {
		if err := c.Publish(t.Context(), "y", false, []byte("y")); err != nil {
			t.Fatal(err)
		}
	}
	if h := b.Health(); h.Dropped != 45 {
		t.Errorf("dropped %d of 50 for a queue of 5", h.Dropped)
	}
}

func TestBucket(t *testing.T) {
	start := time.Unix(0, 0)
	for _, c := range []struct {
		limits Limits
		at     []time.Duration
		size   int
		want   []time.Duration
	}{
		{Limits{}, []time.Duration{0, 0}, 1 << 20, []time.Duration{0, 0}},
		{Limits{Messages: 2}, []time.Duration{0, 0, 0, 0, 5 * time.Second}, 1, []time.Duration{0, 0, time.Second / 2, time.Second, 0}},
		{Limits{Bytes: 1000}, []time.Duration{0, 0, 0, time.Second}, 1000, []time.Duration{0, time.Second, 2 * time.Second, 2 * time.Second}},
		{Limits{Messages: 2}, []time.Duration{time.Second, 0, 0}, 1, []time.Duration{0, 0, time.Second / 2}}, // the clock goes back
	} {
		b := &bucket{limits: c.limits}
		for i, at := range c.at {
			if got := b.take(start.Add(at), c.size); got.Round(time.Millisecond) != c.want[i] {
				t.Errorf("%+v message %d: %v; want %v", c.limits, i, got, c.want[i])
			}
		}
	}
}

func TestBrokerFaults(t *testing.T) {
	good := BrokerConfig{Listen: "127.0.0.1:1883"}
	for key, spoil := range map[string]func(*BrokerConfig){
		"":                      func(*BrokerConfig) {},
		"mqtt.listen":           func(c *BrokerConfig) { c.Listen, c.UsersFile = "0.0.0.0:1883", "users" },
		"mqtt.listen_websocket": func(c *BrokerConfig) { c.ListenWebSocket, c.Plain = ":9001", true },
		"mqtt.listen_tls":       func(c *BrokerConfig) { c.ListenTLS = "127.0.0.1:8883" },
		"mqtt.server_cert_file": func(c *BrokerConfig) { c.CertFile = "cert.pem" },
		"mqtt.client_ca_file":   func(c *BrokerConfig) { c.ClientCAFile = "ca.pem" },
		"mqtt.limits.queue":     func(c *BrokerConfig) { c.Limits.Queue = 40000 },
		"mqtt.limits.messages":  func(c *BrokerConfig) { c.Limits.Messages = -1 },
	} {
		c, found := good, []string{}
		spoil(&c)
		c.Faults(func(k, problem string) { found = append(found, k) })
		if key == "" && len(found) > 0 || key != "" && (len(found) != 1 || found[0] != key) {
			t.Errorf("%q: %v", key, found)
		}
	}
	open := BrokerConfig{Listen: "0.0.0.0:1883", UsersFile: "users", Plain: true, ListenTLS: ":8883", CertFile: "c", KeyFile: "k", ClientCAFile: "ca"}
	if err := open.Validate(); err != nil {
		t.Error(err)
	}
}

// What is wrong in a file is found before the broker is started.
func TestBrokerFiles(t *testing.T) {
	ours := certtest.New(t, "ours")
	p, other := ours.Issue(t, certtest.Want{}), ours.Issue(t, certtest.Want{})
	good := BrokerConfig{CertFile: p.Cert, KeyFile: p.Key, ClientCAFile: ours.File, UsersFile: bcryptUsers(t, "a"), ACLFile: usersFile(t, "user a\ntopic #\n")}
	for want, spoil := range map[string]func(*BrokerConfig){
		"":                                      func(*BrokerConfig) {},
		"mqtt.users_file: ":                     func(c *BrokerConfig) { c.UsersFile = usersFile(t, "a:plain") },
		"mqtt.acl_file: " + "FILE:2: ":          func(c *BrokerConfig) { c.ACLFile = usersFile(t, "user a\ntopic red #\n") },
		"mqtt.server_cert_file: ":               func(c *BrokerConfig) { c.KeyFile = other.Key },
		"mqtt.server_cert_file: mqtt.client_ca": func(c *BrokerConfig) { c.ClientCAFile = c.UsersFile },
	} {
		c, found := good, ""
		spoil(&c)
		c.Check(func(key, problem string) { found += key + ": " + problem })
		if want = strings.ReplaceAll(want, "FILE", c.ACLFile); !strings.HasPrefix(found, want) || want == "" && found != "" {
			t.Errorf("%q; want %q", found, want)
		}
	}
}
