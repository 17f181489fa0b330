package sparkplug

import (
	"errors"
	"log/slog"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"inspector/notify"
)

func testNode(broker, host string, first uint8) *Node {
	c := Config{MQTT: notify.Config{URL: "tcp://" + broker, ClientID: "node"}, Group: "site", Node: "line1_box", Device: "inspection", Host: host}
	return New(c, []Metric{{Name: "Model", Type: String}, {Name: "Queue/Depth", Type: Int64}},
		[]Metric{{Name: "Board/ID", Type: String}, {Name: "Board/Verdict", Type: String}, {Name: "Board/At", Type: DateTime}, {Name: "Yield", Type: Double}},
		counter(first), slog.New(slog.DiscardHandler))
}

// A record is a node's life, as the broker and a host saw it.
type record struct {
	sent []packets.ControlPacket
	got  []seen
	host []string // what the node said before each thing that the host did
}

// life is everything that a node can go through.
func life(t *testing.T, broker string) record {
	t.Helper()
	wire, host := newTap(t, broker), newWatcher(t, broker)
	n := testNode(wire.Addr().String(), "scada", 254)
	n.Tell(Metric{"Model", String, "pcb", time.Now()})
	n.Online(true)
	stop := run(t, n.Run)
	var r record
	note := func() { r.host = append(r.host, strings.Join(host.kinds(), " ")) }

	host.state(t, "other", true, 900)
	host.state(t, "scada", false, 1000)
	eventually(t, "the node listens", func() bool { return len(wire.packets()) >= 3 })
	note()
	host.state(t, "scada", true, 1000)
	host.await(t, "DBIRTH", 1)

	n.Tell(Metric{"Model", String, "pcb", time.Now()}, Metric{"Queue/Depth", Int64, int64(3), time.Now()})
	host.await(t, "NDATA", 1)
	for range 260 {
		n.Report(Metric{"Board/ID", String, "b", time.Now()}, Metric{"Board/Verdict", String, "pass", time.Now()}, Metric{"Board/At", DateTime, time.Now(), time.Now()})
	}
	host.await(t, "DDATA", 260)
	n.TellDevice(Metric{"Yield", Double, .5, time.Now()})
	host.await(t, "DDATA", 261)

	n.Online(false)
	host.await(t, "DDEATH", 1)
	n.Report(Metric{"Board/Verdict", String, "fail", time.Now()}) // nobody is told before the device is back
	n.Online(true)
	host.await(t, "DBIRTH", 2)

	command := namespace + "/site/NCMD/line1_box"
	host.say(t, command, false, []byte("nonsense"))
	host.say(t, command, false, payload{at: time.Now(), metrics: []Metric{{rebirth, Boolean, false, time.Now()}, {"Model", String, "x", time.Now()}}, seq: -1}.encode(true))
	note()
	host.say(t, command, false, payload{at: time.Now(), metrics: []Metric{{rebirth, Boolean, true, time.Now()}}, seq: -1}.encode(true))
	host.await(t, "DBIRTH", 3)

	host.state(t, "scada", false, 999) // older than what is known
	n.Tell(Metric{"Queue/Depth", Int64, int64(4), time.Now()})
	host.await(t, "NDATA", 2)
	host.state(t, "scada", false, 2000)
	host.await(t, "NDEATH", 1)
	note()
	host.state(t, "scada", true, 3000)
	host.await(t, "DBIRTH", 4)

	wire.cut()
	host.await(t, "NDEATH", 2)
	host.await(t, "DBIRTH", 5)
	stop()
	host.await(t, "NDEATH", 3)
	eventually(t, "goodbye", func() bool {
		all := wire.packets()
		_, ok := all[len(all)-1].(*packets.DisconnectPacket)
		return ok
	})
	r.sent, r.got = wire.packets(), host.messages()
	return r
}

func TestLife(t *testing.T) {
	r := life(t, startBroker(t))
	for i, want := range []string{"", "DBIRTH", "NDEATH"} {
		if got := r.host[i]; !strings.HasSuffix(got, want) || want == "" && got != "" {
			t.Errorf("before %d: %s; want %q last", i, got, want)
		}
	}
	verdict := func(s seen) any {
		i := slices.IndexFunc(s.metrics, func(m Metric) bool { return m.Name == "Board/Verdict" })
		return s.metrics[i].Value
	}
	births := r.kind("DBIRTH")
	if verdict(births[0]) != nil || verdict(births[1]) != "fail" {
		t.Errorf("births tell %v and %v; want nothing, then what came while the device was away", verdict(births[0]), verdict(births[1]))
	}
}

func (r record) kind(kind string) (all []seen) {
	for _, s := range r.got {
		if s.kind == kind {
			all = append(all, s)
		}
	}
	return all
}

// A node whose number cannot be kept does not connect: a host would mix up its
// deaths.
func TestNoNumberNoConnection(t *testing.T) {
	broker := startBroker(t)
	n := testNode(broker, "", 0)
	n.number = func() (uint8, error) { return 0, errors.New("disk full") }
	run(t, n.Run)
	eventually(t, "the reason", func() bool { return strings.Contains(n.Health().LastError, "disk full") })
}

// What comes faster than it is told does not grow without end, and the newest
// is what a birth tells.
func TestPendingIsBounded(t *testing.T) {
	n := testNode("127.0.0.1:1", "", 0)
	for i := range 3 * mostPending {
		n.Report(Metric{"Yield", Double, float64(i), time.Now()})
	}
	if len(n.pending) != mostPending {
		t.Errorf("%d wait", len(n.pending))
	}
	if got := n.device[3].Value; got != float64(2*mostPending-1) {
		t.Errorf("the state is %v", got)
	}
}

func TestConfig(t *testing.T) {
	for _, c := range []Config{{Group: "a/b", Node: "n", Device: "d"}, {Group: "g", Node: "", Device: "d"}, {Group: "g", Node: "n", Device: "+"}, {Group: "g", Node: "n", Device: "d", Host: "#"}} {
		if c.Validate() == nil {
			t.Errorf("%+v passes", c)
		}
	}
}

func TestHost(t *testing.T) {
	for name, c := range map[string]struct {
		topic, payload string
		counts, absent bool
	}{
		"online":    {"s", `{"online":true,"timestamp":5}`, true, false},
		"same time": {"s", `{"online":true,"timestamp":3}`, true, false},
		"older":     {"s", `{"online":true,"timestamp":2}`, false, true},
		"other":     {"x", `{"online":true,"timestamp":5}`, false, true},
		"no time":   {"s", `{"online":true}`, false, true},
		"words":     {"s", `ONLINE`, false, true},
	} {
		h := host{topic: "s", heard: true, latest: 3}
		if got := h.hear(c.topic, []byte(c.payload)); got != c.counts || h.absent() != c.absent {
			t.Errorf("%s: %v, absent %v", name, got, h.absent())
		}
	}
}

func TestPayloadRoundTrip(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_123).UTC()
	want := payload{at: at, seq: 255, metrics: []Metric{
		{"a", Int64, int64(-7), at}, {"b", Double, math.Pi, at}, {"c", Boolean, true, at}, {"d", String, "ü", at}, {"e", DateTime, at, at}, {"f", String, nil, at},
	}}
	got, err := parse(want.encode(true))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

// Whatever a host sends, the node lives on, and only true is a rebirth.
func FuzzCommand(f *testing.F) {
	f.Add([]byte("nonsense"))
	f.Add(payload{at: time.Unix(1, 0), metrics: []Metric{{rebirth, Boolean, true, time.Unix(1, 0)}}, seq: -1}.encode(true))
	f.Add([]byte{0x12, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parse(b)
		if err != nil {
			if wantsRebirth(b) {
				t.Error("a command that cannot be read was obeyed")
			}
			return
		}
		p.encode(true)
	})
}

// Whatever is said of the host, older news never counts.
func FuzzHost(f *testing.F) {
	f.Add([]byte(`{"online":true,"timestamp":5}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		h := host{topic: "s", heard: true, latest: 7}
		if h.hear("s", b) && h.latest < 7 {
			t.Error("older news counted")
		}
	})
}
