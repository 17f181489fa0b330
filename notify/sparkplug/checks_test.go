package sparkplug

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// checks each give what is wrong with a life.
var checks = map[string]func(record) []string{
	"topics":                   topicsAre,
	"payloads are protobuf":    payloadsAre,
	"QoS 0, not retained":      qualityIs,
	"timestamps":               timestampsAre,
	"metrics":                  metricsAre,
	"seq":                      seqIs,
	"bdSeq":                    bdSeqIs,
	"will":                     willIs,
	"deaths hold bdSeq only":   deathsAre,
	"deaths have no seq":       deathsHaveNoSeq,
	"death before goodbye":     deathBeforeGoodbye,
	"subscriptions":            subscriptionsAre,
	"one connection":           oneConnection,
	"births wait for the host": birthsWait,
	"the host leaves":          hostLeaves,
	"the device dies":          deviceDies,
	"rebirth metric":           rebirthMetric,
	"rebirth":                  rebirths,
	"births come first":        birthsFirst,
	"births name every metric": birthsComplete,
	"data is what changed":     dataIsChange,
}

// Without the corpus, too, all of them hold, at either broker.
func TestChecks(t *testing.T) {
	for broker, start := range map[string]func(*testing.T) string{"embedded": startBroker, "mosquitto": startMosquitto} {
		t.Run(broker, func(t *testing.T) {
			r := life(t, start(t))
			for name, check := range checks {
				for _, fault := range check(r) {
					t.Errorf("%s: %s", name, fault)
				}
			}
		})
	}
}

// faultsOf collects the faults of all messages.
func faultsOf(all []seen, is func(s seen) bool, what string) (faults []string) {
	for i, s := range all {
		if !is(s) {
			faults = append(faults, fmt.Sprintf("%s: message %d, %s: %+v", what, i, s.topic, s.payload))
		}
	}
	return faults
}

func topicsAre(r record) []string {
	return faultsOf(r.got, func(s seen) bool {
		want := "spBv1.0/site/" + s.kind + "/line1_box"
		if s.kind[0] == 'D' {
			want += "/inspection"
		}
		return s.topic == want
	}, "topic")
}

func payloadsAre(r record) []string {
	return faultsOf(r.got, func(s seen) bool { return s.err == nil && len(s.raw) > 0 }, "payload")
}

// qualityIs leaves deaths out, which are wills: QoS 1.
func qualityIs(r record) []string {
	return faultsOf(r.got, func(s seen) bool { return !s.retained && (s.qos == 0) == (s.kind != "NDEATH") }, "quality")
}

func timestampsAre(r record) []string {
	return faultsOf(r.got, func(s seen) bool {
		now, last := time.Now(), time.Time{}
		for _, m := range s.metrics {
			if now.Sub(m.At).Abs() > time.Minute || s.kind[1:] == "DATA" && m.At.Before(last) {
				return false
			}
			last = m.At
		}
		return now.Sub(s.at).Abs() < time.Minute
	}, "timestamps")
}

func isBirth(s seen) bool { return strings.HasSuffix(s.kind, "BIRTH") }
func isData(s seen) bool  { return strings.HasSuffix(s.kind, "DATA") }

func metricsAre(r record) []string {
	return faultsOf(r.got, func(s seen) bool {
		names := map[string]bool{}
		for _, m := range s.metrics {
			if low := strings.ToLower(m.Name); low == "" || names[low] {
				return false
			}
			names[strings.ToLower(m.Name)] = true
			if isBirth(s) != slices.Contains([]Type{Int64, Double, Boolean, String, DateTime}, m.Type) && s.kind != "NDEATH" {
				return false
			}
		}
		return true
	}, "metrics")
}

func seqIs(r record) []string {
	last, most := -1, 0
	faults := faultsOf(r.got, func(s seen) bool {
		if s.kind == "NDEATH" {
			return true
		}
		want := (last + 1) % 256
		if s.kind == "NBIRTH" {
			want = 0
		}
		last, most = s.seq, max(most, s.seq)
		return s.seq == want
	}, "seq")
	if most != 255 {
		faults = append(faults, "seq never came to 255")
	}
	return faults
}

// bdSeq is the number in a message; -1 without one of its type.
func bdSeq(p payload, typed bool) int64 {
	for _, m := range p.metrics {
		if n, ok := m.Value.(int64); ok && m.Name == deathNumber && (!typed || m.Type == Int64) {
			return n
		}
	}
	return -1
}

func (r record) wills() (wills []payload, connects []*packets.ConnectPacket) {
	for _, p := range r.sent {
		if c, ok := p.(*packets.ConnectPacket); ok {
			will, _ := parse(c.WillMessage)
			wills, connects = append(wills, will), append(connects, c)
		}
	}
	return wills, connects
}

func bdSeqIs(r record) (faults []string) {
	wills, _ := r.wills()
	for i, want := range []int64{254, 255, 0} {
		if len(wills) != 3 || bdSeq(wills[i], true) != want {
			faults = append(faults, fmt.Sprintf("wills are %v", wills))
		}
	}
	for kind, want := range map[string][]int64{"NBIRTH": {254, 254, 255, 0}, "NDEATH": {254, 255, 0}} {
		for i, s := range r.kind(kind) {
			if i >= len(want) || bdSeq(s.payload, true) != want[i] {
				faults = append(faults, fmt.Sprintf("%s %d has %+v; want %v", kind, i, s.payload, want))
			}
		}
	}
	return faults
}

func willIs(r record) (faults []string) {
	wills, connects := r.wills()
	for i, c := range connects {
		if !c.WillFlag || c.WillQos != 1 || c.WillRetain || c.WillTopic != "spBv1.0/site/NDEATH/line1_box" || len(wills[i].metrics) != 1 || !c.CleanSession {
			faults = append(faults, c.String())
		}
	}
	return faults
}

func deathsAre(r record) []string {
	return faultsOf(r.kind("NDEATH"), func(s seen) bool { return len(s.metrics) == 1 && s.metrics[0].Name == deathNumber }, "death")
}

func deathsHaveNoSeq(r record) []string {
	return faultsOf(r.kind("NDEATH"), func(s seen) bool { return s.seq == -1 }, "death")
}

// deathBeforeGoodbye: each DISCONNECT follows an NDEATH that was published.
func deathBeforeGoodbye(r record) (faults []string) {
	var before packets.ControlPacket
	goodbyes := 0
	for _, p := range r.sent {
		if _, ok := p.(*packets.DisconnectPacket); ok {
			goodbyes++
			if d, ok := before.(*packets.PublishPacket); !ok || d.TopicName != "spBv1.0/site/NDEATH/line1_box" {
				faults = append(faults, fmt.Sprintf("goodbye after %v", before))
			}
		}
		before = p
	}
	if goodbyes != 2 {
		faults = append(faults, fmt.Sprintf("%d goodbyes; want 2, as the host left, and at the end", goodbyes))
	}
	return faults
}

func subscriptionsAre(r record) (faults []string) {
	want := map[string]int{"spBv1.0/site/NCMD/line1_box": 3, "spBv1.0/STATE/scada": 3}
	for _, p := range r.sent {
		if s, ok := p.(*packets.SubscribePacket); ok {
			for i, topic := range s.Topics {
				if want[topic]--; s.Qoss[i] != 1 {
					faults = append(faults, s.String())
				}
			}
		}
	}
	for topic, left := range want {
		if left != 0 {
			faults = append(faults, fmt.Sprintf("%s: %d subscriptions left of 3", topic, left))
		}
	}
	return faults
}

// oneConnection: births come over a connection, and there were three of them,
// one after the other.
func oneConnection(r record) []string {
	if _, connects := r.wills(); len(connects) != 3 {
		return []string{fmt.Sprintf("%d connections", len(connects))}
	}
	if _, ok := r.sent[0].(*packets.ConnectPacket); !ok {
		return []string{"something came before CONNECT"}
	}
	return nil
}

func birthsWait(r record) []string {
	if r.host[0] != "" {
		return []string{"it said " + r.host[0] + " before its host was there"}
	}
	return nil
}

func hostLeaves(r record) []string {
	kinds := strings.Join(kindsOf(r.got), " ")
	if !strings.HasSuffix(r.host[2], "NBIRTH DBIRTH NDATA NDEATH") {
		return []string{"after old and new words of the host it said " + kinds}
	}
	return nil
}

func kindsOf(all []seen) (kinds []string) {
	for _, s := range all {
		if len(kinds) == 0 || s.kind != "DDATA" || kinds[len(kinds)-1] != "DDATA" { // many are as one
			kinds = append(kinds, s.kind)
		}
	}
	return kinds
}

func deviceDies(r record) []string {
	if got := strings.Join(kindsOf(r.got), " "); !strings.Contains(got, "DDATA DDEATH DBIRTH") {
		return []string{got}
	}
	return faultsOf(r.kind("DDEATH"), func(s seen) bool { return s.seq >= 0 }, "death of the device")
}

func rebirthMetric(r record) []string {
	return faultsOf(r.kind("NBIRTH"), func(s seen) bool {
		return slices.ContainsFunc(s.metrics, func(m Metric) bool { return m.Name == rebirth && m.Type == Boolean && m.Value == false })
	}, "rebirth metric")
}

// rebirths: on its command only, all births anew, at once.
func rebirths(r record) []string {
	if got := strings.Join(kindsOf(r.got), " "); !strings.HasSuffix(r.host[1], "DBIRTH") || !strings.Contains(got, "DDEATH DBIRTH NBIRTH DBIRTH NDATA") {
		return []string{got}
	}
	return nil
}
