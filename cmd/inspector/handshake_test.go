package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"inspector"
	"inspector/notify"
)

// listener is what a controller on the line sees: the retained words, and
// everything in its order.
type listener struct {
	mu       sync.Mutex
	words    map[string]string // by the last two levels of the topic
	order    []string
	beats    int
	away     bool // nothing gets through
	came     time.Time
	reason   string
	shake    *handshake
	unableTo string
}

func (l *listener) publish(_ context.Context, topic string, retained bool, payload []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away {
		return errors.New("away")
	}
	levels := strings.Split(topic, "/")
	name := strings.Join(levels[len(levels)-2:], "/")
	if name == "line/heartbeat" {
		l.beats++
		return nil
	}
	if !retained {
		return errors.New(topic + " is not retained")
	}
	if name == "state/line" {
		var s notify.LineState
		if err := json.Unmarshal(payload, &s); err != nil {
			return err
		}
		l.reason = s.Reason
	} else {
		l.order = append(l.order, name+"="+string(payload))
	}
	l.words[name] = string(payload)
	return nil
}

func (l *listener) since() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away {
		return time.Time{}
	}
	return l.came
}

func (l *listener) unable() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unableTo
}

// seen gives ready, busy, reject and verdict as bits and a word.
func (l *listener) seen() string {
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.words["line/ready"] + l.words["line/busy"] + l.words["line/reject"] + " " + l.words["line/verdict"]
}

func startHandshake(t *testing.T, c HandshakeConfig) (l *listener, stop func()) {
	t.Helper()
	topics, err := notify.TopicsOf("inspector", inspector.Station{Site: "s", Line: "l", Device: "d"})
	if err != nil {
		t.Fatal(err)
	}
	l = &listener{words: map[string]string{}, came: time.Now()}
	l.shake = newHandshake(&handshake{config: c, topics: topics, publish: l.publish, since: l.since, unable: l.unable, log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.shake.Run(ctx) }()
	return l, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// wants fails the test unless the line shows these bits.
func (l *listener) wants(t *testing.T, when, want string) {
	t.Helper()
	if got := l.seen(); got != want {
		t.Errorf("%s: %q, want %q (%s)", when, got, want, l.reason)
	}
}

// One board after the other, with every time-out, seen by a controller that
// reads no JSON.
func TestLineHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, stop := startHandshake(t, HandshakeConfig{Heartbeat: 3 * time.Second, Acknowledge: 2 * time.Second, Beat: time.Second, Plain: true})
		l.wants(t, "without a heartbeat", "001 none")
		l.shake.heartbeat()
		l.wants(t, "alive", "101 none")
		if err := l.shake.triggered("a"); err != nil {
			t.Fatal(err)
		}
		l.wants(t, "triggered", "111 none")
		time.Sleep(time.Second)
		l.shake.judged(notify.Answer{Request: "a", ID: "x-1", Verdict: inspector.Pass})
		l.wants(t, "passed", "100 pass")
		time.Sleep(time.Second)
		l.shake.taken("a")
		time.Sleep(1500 * time.Millisecond)
		l.wants(t, "taken in time", "100 pass")

		_ = l.shake.triggered("b")
		l.shake.judged(notify.Answer{Request: "b", ID: "x-2", Verdict: inspector.Fail})
		l.wants(t, "failed", "101 fail")
		time.Sleep(2 * time.Second)
		l.wants(t, "not taken in time", "001 fail")
		if err := l.shake.triggered("c"); err == nil || !strings.Contains(err.Error(), "request b was not taken") {
			t.Errorf("the next trigger: %v", err)
		}
		l.shake.taken("b")
		l.wants(t, "taken late", "101 fail")
		time.Sleep(3 * time.Second)
		l.wants(t, "no heartbeat", "001 fail")
		l.shake.heartbeat()
		l.wants(t, "heartbeat", "101 fail")
		l.mu.Lock()
		l.unableTo = "camera: lost"
		l.mu.Unlock()
		time.Sleep(lookAgain)
		l.wants(t, "camera lost", "001 fail")
		if !strings.Contains(l.reason, "camera: lost") {
			t.Errorf("because %q", l.reason)
		}
		stop()
		l.wants(t, "stopped", "001 fail")
		if l.reason != "stopping" {
			t.Errorf("because %q", l.reason)
		}
		if l.beats < 8 {
			t.Errorf("%d beats", l.beats)
		}
	})
}

// What a controller must heed first comes first: no moment at which it could
// take an old pass for the new board's.
func TestWordsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, stop := startHandshake(t, HandshakeConfig{Plain: true})
		defer stop()
		l.wants(t, "able", "101 none")
		for _, request := range []string{"a", "b"} {
			_ = l.shake.triggered(request)
			synctest.Wait()
			l.shake.judged(notify.Answer{Request: request, ID: "x", Verdict: inspector.Pass})
			synctest.Wait()
		}
		busy := false
		for _, word := range l.order {
			switch word {
			case "line/busy=1", "line/busy=0":
				busy = word == "line/busy=1"
			case "line/reject=0":
				if !busy {
					t.Errorf("a pass while it was not busy: %v", l.order)
				}
			}
		}
		const want = "line/busy=1 line/reject=1 line/verdict=none line/reject=0 line/verdict=pass line/busy=0"
		if all := strings.Join(l.order, " "); !strings.Contains(all, want) {
			t.Errorf("%v; want in it %s", l.order, want)
		}
	})
}

// What could not be told is told at the next connection, all of it, as it is
// then.
func TestHandshakeIsToldAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, stop := startHandshake(t, HandshakeConfig{Plain: true})
		defer stop()
		l.wants(t, "able", "101 none")
		set := func(away bool) {
			l.mu.Lock()
			defer l.mu.Unlock()
			if l.away = away; away {
				clear(l.words) // a broker that keeps nothing
			} else {
				l.came = time.Now()
			}
		}
		set(true)
		_ = l.shake.triggered("a")
		l.wants(t, "away", " ")
		l.shake.judged(notify.Answer{Request: "a", ID: "x", Verdict: inspector.Pass})
		time.Sleep(5 * time.Second)
		set(false)
		time.Sleep(lookAgain)
		l.wants(t, "back", "100 pass")
	})
}
