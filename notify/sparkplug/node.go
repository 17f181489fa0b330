package sparkplug

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"inspector/notify"
)

// Config says who the edge node is, and whom it speaks to.
type Config struct {
	MQTT   notify.Config // with a client id of its own
	Group  string        // group id
	Node   string        // edge node id: one of a kind in its group
	Device string        // device id
	Host   string        // host id of the primary host, for which it waits; empty: it waits for none
}

// Faults tells report everything that is wrong, each with its key.
func (c Config) Faults(report func(key, problem string)) {
	for _, id := range [][2]string{{"group", c.Group}, {"node", c.Node}, {"device", c.Device}, {"host", c.Host}} {
		if id[1] == "" && id[0] != "host" || len(id[1]) > 128 || strings.ContainsAny(id[1], "+#/\x00") {
			report("mqtt.sparkplug."+id[0], fmt.Sprintf("%q: want 1 to 128 bytes without /, + and #", id[1]))
		}
	}
}

// Validate reports every fault at once.
func (c Config) Validate() error {
	var errs []error
	c.Faults(func(key, problem string) { errs = append(errs, fmt.Errorf("%s: %s", key, problem)) })
	return errors.Join(errs...)
}

const namespace = "spBv1.0"

// topic of a message of the node, or of the device.
func (c Config) topic(kind string) string {
	t := strings.Join([]string{namespace, c.Group, kind, c.Node}, "/")
	if kind[0] == 'D' {
		t += "/" + c.Device
	}
	return t
}

// Names of metrics that Sparkplug itself knows.
const (
	deathNumber = "bdSeq"
	rebirth     = "Node Control/Rebirth"
)

// mostPending is how many changes may wait for the connection; the oldest are
// then told by the next birth only.
const mostPending = 1024

// A change is news that the host is still to be told.
type change struct {
	device  bool
	metrics []Metric
	online  bool // of the device; without metrics
}

// A Node is the edge node with its one device. Its methods may be called from
// any goroutine at the same time.
type Node struct {
	config Config
	log    *slog.Logger
	number func() (uint8, error)

	mu      sync.Mutex
	node    []Metric // as the host knows them, after births and data
	device  []Metric
	online  bool // the device
	pending []change
	latest  map[string]any // newest value of each metric, told or not
	newest  bool           // whether the device is there, told or not
	health  Health
	news    chan struct{}
}

// Health tells how the connection to the hosts is.
type Health struct {
	Born      bool      `json:"born"` // the host has our birth
	Since     time.Time `json:"since,omitzero"`
	LastError string    `json:"last_error,omitempty"`
	Births    uint64    `json:"births"`
}

// New returns a node at rest. node and device are all metrics that it will ever
// report; a value of nil is none yet. number gives the bdSeq of the next
// connection, one more than the last, from 0 to 255 and round; it must be
// durable when number returns.
func New(c Config, node, device []Metric, number func() (uint8, error), log *slog.Logger) *Node {
	return &Node{config: c, log: log, number: number, node: slices.Clone(node), device: slices.Clone(device), latest: map[string]any{}, news: make(chan struct{}, 1)}
}

// Health tells how the node is.
func (n *Node) Health() Health {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.health
}

// Tell reports values of the node. Those that did not change are left out.
func (n *Node) Tell(metrics ...Metric) { n.tell(false, false, metrics) }

// TellDevice reports values of the device, likewise.
func (n *Node) TellDevice(metrics ...Metric) { n.tell(true, false, metrics) }

// Report reports values of the device that belong together, such as a board's,
// in one message, whether or not they changed.
func (n *Node) Report(metrics ...Metric) { n.tell(true, true, metrics) }

func (n *Node) tell(device, all bool, metrics []Metric) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var news []Metric
	for _, m := range metrics {
		key := fmt.Sprint(device, m.Name)
		if old, known := n.latest[key]; all || !known || old != m.Value {
			n.latest[key] = m.Value
			news = append(news, m)
		}
	}
	if len(news) > 0 {
		n.add(change{device: device, metrics: news})
	}
}

// Online says whether the device can be reached.
func (n *Node) Online(is bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.newest != is {
		n.newest = is
		n.add(change{device: true, online: is})
	}
}

// add is called under mu.
func (n *Node) add(c change) {
	if n.pending = append(n.pending, c); len(n.pending) > mostPending {
		n.apply(n.pending[0])
		n.pending = slices.Delete(n.pending, 0, 1)
	}
	select {
	case n.news <- struct{}{}:
	default:
	}
}

// apply makes the change part of what the next birth tells. Called under mu.
func (n *Node) apply(c change) {
	if c.metrics == nil {
		n.online = c.online
	}
	to := n.node
	if c.device {
		to = n.device
	}
	for _, m := range c.metrics {
		if i := slices.IndexFunc(to, func(k Metric) bool { return k.Name == m.Name }); i >= 0 {
			to[i].Value, to[i].At = m.Value, m.At
		}
	}
}

// take gives the next change and makes it part of what the host knows.
func (n *Node) take() (c change, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.pending) == 0 {
		return c, false
	}
	c = n.pending[0]
	n.pending = slices.Delete(n.pending, 0, 1)
	n.apply(c)
	return c, true
}

// Run keeps the node connected until ctx ends, then says that it is dead and
// returns nil. A broker that is down, or a host that is away, is no error.
func (n *Node) Run(ctx context.Context) error {
	if err := n.config.Validate(); err != nil {
		return err
	}
	for failures := 0; ctx.Err() == nil; failures++ {
		began := time.Now()
		err := n.connection(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // it was merely asked to stop
		}
		if time.Since(began) > 10*time.Second {
			failures = 0
		}
		n.lost(err)
		pause := min(250*time.Millisecond<<min(failures, 10), 10*time.Second)
		select {
		case <-ctx.Done():
		case <-time.After(pause/2 + time.Duration(rand.Int64N(int64(pause/2)))):
		}
	}
	return nil
}

// lost notes a connection that ended or never was; the same trouble is logged
// once.
func (n *Node) lost(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if words := err.Error(); n.health.Born || words != n.health.LastError {
		n.log.Warn("sparkplug: not connected; will retry", "err", err)
	}
	n.health.Born, n.health.Since, n.health.LastError = false, time.Now(), err.Error()
}
