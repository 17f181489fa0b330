package notify

import (
	"fmt"
	"os/exec"
	"testing"
)

// A subscriber that was away gets what waited in the order in which it came,
// also after the broker was killed, and when the places ran out meanwhile.
func TestOrderOfWaiting(t *testing.T) {
	for _, version := range []string{"311", "5"} {
		for _, qos := range []string{"1", "2"} {
			t.Run("MQTT "+version+" QoS "+qos, func(t *testing.T) { orderOfWaiting(t, version, qos) })
		}
	}
}

func orderOfWaiting(t *testing.T, version, qos string) {
	dir := t.TempDir()
	b, stop := startBroker(t, dir)
	away := func(more ...string) *exec.Cmd {
		args := []string{"-h", "127.0.0.1", "-p", portOf(t, b, keyListen), "-i", "away", "-c", "-q", qos, "-V", version, "-t", "line/#"}
		if version == "5" {
			args = append(args, "-x", "3600")
		}
		return exec.Command(need(t, "mosquitto_sub"), append(args, more...)...)
	}
	if words, err := away("-E").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, words)
	}
	n := 0
	say := func() {
		c, leave := startClient(t, b.Client(Config{}))
		for range 60 {
			n++
			if err := c.Publish(t.Context(), "line/x", false, fmt.Append(nil, n)); err != nil {
				t.Fatal(err)
			}
		}
		if err := leave(); err != nil {
			t.Error(err)
		}
	}
	say()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	b, stop = startBroker(t, dir)
	say()
	b.now.Load().store.order.skipTo(places - 20)
	say()
	lines, gone := printed(t, away())
	for want := 1; want <= n; want++ {
		if got := <-lines; got != fmt.Sprint(want) {
			t.Fatalf("message %d is %s", want, got)
		}
	}
	gone()
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// skipTo pretends that so many messages came.
func (o *sequence) skipTo(place int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.next = place
}
