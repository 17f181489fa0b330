package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"

	pebbledb "github.com/cockroachdb/pebble"
	"github.com/cockroachdb/pebble/vfs"
	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/storage"
	"github.com/mochi-mqtt/server/v2/hooks/storage/pebble"
	"github.com/mochi-mqtt/server/v2/packets"
)

// store is mochi's pebble hook, made to keep the promise of a PUBACK. As it
// comes, mochi v2.7.9 acknowledges before it stores, forgets the stored
// messages of a session for a moment while its client returns, loses write
// errors, and leaks iterators, with a goroutine, at every start.
type store struct {
	pebble.Hook
	server *mochi.Server
	own    *mochi.Client // in whose name messages are passed on; not mochi's inline client, whose ID others could take
	log    *slog.Logger
	dir    string
	fs     vfs.FS
	loaded loaded
	order  sequence

	gate   sync.RWMutex // held for reading by writers; closed for good by Stop
	closed bool

	mu      sync.Mutex
	err     error
	broken  chan struct{} // closed after err is set
	warning string
}

// loaded is what the disk held at the start.
type loaded struct {
	clients       []storage.Client
	subscriptions []storage.Subscription
	inflight      []storage.Message
	retained      []storage.Message
}

func newStore(dir string, fs vfs.FS, log *slog.Logger) *store {
	return &store{dir: dir, log: log, fs: fs, broken: make(chan struct{})}
}

// failed notes the first thing that went wrong and ends the broker.
func (s *store) failed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
		close(s.broken)
	}
}

func (s *store) cause() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// contain runs f and outlives Fatalf within it.
func (s *store) contain(f func() error) error {
	ended := make(chan error)
	go func() {
		err := errors.New("mqtt broker: its store gave up")
		defer func() {
			if cause := s.cause(); cause != nil {
				err = cause
			}
			ended <- err
		}()
		err = f()
	}()
	return <-ended
}

// Infof is pebble's diary.
func (s *store) Infof(string, ...any) {}

// Errorf is told of trouble that pebble retries, over and over.
func (s *store) Errorf(format string, args ...any) {
	words := fmt.Sprintf(format, args...)
	s.mu.Lock()
	defer s.mu.Unlock()
	if words != s.warning {
		s.warning = words
		s.log.Warn("mqtt broker: trouble with the disk", "dir", s.dir, "err", words)
	}
}

// Fatalf is called by pebble when it cannot write; it must not return. It ends
// the goroutine, and with it the connection, before any acknowledgement.
func (s *store) Fatalf(format string, args ...any) {
	s.failed(fmt.Errorf("mqtt broker: store in %s: "+format+"; is the disk full or failing?", append([]any{s.dir}, args...)...))
	runtime.Goexit()
}

func (s *store) options() *pebbledb.Options {
	return &pebbledb.Options{Logger: s, FS: s.fs}
}

// Init reads everything, with iterators that it closes, and then lets the hook
// open the store.
func (s *store) Init(any) error {
	err := s.load()
	if err == nil {
		err = s.Hook.Init(&pebble.Options{Path: s.dir, Mode: pebble.Sync, Options: s.options()})
	}
	if err != nil {
		err = fmt.Errorf("mqtt broker: open the store in %s: %w; does another program use it? If it is damaged, move it away: undelivered messages go with it", s.dir, err)
		s.failed(err) // mochi would decorate it
	}
	return err
}

func (s *store) load() (err error) {
	db, err := pebbledb.Open(s.dir, s.options())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	defer func() { s.order.load(s.loaded.inflight) }()
	return errors.Join(
		each(db, storage.ClientKey, &s.loaded.clients),
		each(db, storage.SubscriptionKey, &s.loaded.subscriptions),
		each(db, storage.InflightKey, &s.loaded.inflight),
		each(db, storage.RetainedKey, &s.loaded.retained),
	)
}

// each appends the values whose key begins with kind and '_'.
func each[T any](db *pebbledb.DB, kind string, to *[]T) error {
	iter, err := db.NewIter(&pebbledb.IterOptions{LowerBound: []byte(kind + "_"), UpperBound: []byte(kind + "`")}) // '`' follows '_'
	if err != nil {
		return err
	}
	for iter.First(); iter.Valid(); iter.Next() {
		var v T
		if err := json.Unmarshal(iter.Value(), &v); err != nil {
			return errors.Join(fmt.Errorf("value of %q: %w", iter.Key(), err), iter.Close())
		}
		*to = append(*to, v)
	}
	return errors.Join(iter.Error(), iter.Close())
}

// Provides adds OnPublish to what the hook does.
func (s *store) Provides(b byte) bool {
	return b == mochi.OnPublish || b != mochi.OnSysInfoTick && b != mochi.StoredSysInfo && s.Hook.Provides(b)
}

// OnPublish delivers, and so stores, before mochi acknowledges: it passes the
// message on in the name of the server and lets mochi only acknowledge it.
// (The message then has no origin: "no local" of MQTT 5 has no effect.)
func (s *store) OnPublish(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	if cl.Net.Inline {
		pk.Created, _ = s.order.take(s.server.Clients)
		return pk, nil
	}
	if pk.FixedHeader.Qos == 0 {
		return pk, nil
	}
	inner := pk.Copy(false)
	inner.FixedHeader.Qos, inner.FixedHeader.Dup, inner.PacketID = pk.FixedHeader.Qos, false, pk.PacketID
	inner.Properties.TopicAlias, inner.Properties.TopicAliasFlag = 0, false
	if err := s.server.InjectPacket(s.own, inner); err != nil || s.cause() != nil {
		return pk, packets.ErrRejectPacket // not acknowledged
	}
	return pk, packets.CodeSuccessIgnore
}

// write runs f unless the store is closed.
func (s *store) write(f func()) {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if !s.closed {
		f()
	}
}

// ours reports an acknowledgement that mochi keeps for the moment of sending:
// it need not survive, and its number may be that of a message that must.
func ours(pk packets.Packet) bool {
	return pk.FixedHeader.Type == packets.Puback && pk.Created != 0
}

// OnQosPublish stores a message that waits, at its place. One that is sent
// again is stored already.
func (s *store) OnQosPublish(cl *mochi.Client, pk packets.Packet, _ int64, resends int) {
	if ours(pk) || pk.FixedHeader.Dup && numbered(pk) {
		return
	}
	place, sent := s.order.take(s.server.Clients)
	if !numbered(pk) && pk.FixedHeader.Type == packets.Publish { // a last will
		pk.Created = place
		cl.State.Inflight.Set(pk)
	}
	s.write(func() { s.Hook.OnQosPublish(cl, pk, sent, resends) })
}

func (s *store) OnQosComplete(cl *mochi.Client, pk packets.Packet) {
	if !ours(pk) {
		s.write(func() { s.Hook.OnQosComplete(cl, pk) })
	}
}

// OnQosDropped keeps the messages of a session that its client just took over:
// they have moved, not gone.
func (s *store) OnQosDropped(cl *mochi.Client, pk packets.Packet) {
	if !cl.IsTakenOver() && !ours(pk) {
		s.write(func() { s.Hook.OnQosDropped(cl, pk) })
	}
}

func (s *store) OnSessionEstablished(cl *mochi.Client, pk packets.Packet) {
	s.write(func() { s.Hook.OnSessionEstablished(cl, pk) })
}

func (s *store) OnDisconnect(cl *mochi.Client, err error, expire bool) {
	s.write(func() { s.Hook.OnDisconnect(cl, err, expire) })
}

func (s *store) OnSubscribed(cl *mochi.Client, pk packets.Packet, codes []byte) {
	s.write(func() { s.Hook.OnSubscribed(cl, pk, codes) })
}

func (s *store) OnUnsubscribed(cl *mochi.Client, pk packets.Packet) {
	s.write(func() { s.Hook.OnUnsubscribed(cl, pk) })
}

func (s *store) OnRetainMessage(cl *mochi.Client, pk packets.Packet, n int64) {
	s.write(func() { s.Hook.OnRetainMessage(cl, pk, n) })
}

func (s *store) OnWillSent(cl *mochi.Client, pk packets.Packet) {
	s.write(func() { s.Hook.OnWillSent(cl, pk) })
}

func (s *store) OnRetainedExpired(filter string) {
	s.write(func() { s.Hook.OnRetainedExpired(filter) })
}

func (s *store) OnClientExpired(cl *mochi.Client) {
	s.write(func() { s.Hook.OnClientExpired(cl) })
}

func (s *store) StoredClients() ([]storage.Client, error) { return s.loaded.clients, nil }

func (s *store) StoredSubscriptions() ([]storage.Subscription, error) {
	return s.loaded.subscriptions, nil
}

func (s *store) StoredInflightMessages() ([]storage.Message, error) { return s.loaded.inflight, nil }

func (s *store) StoredRetainedMessages() ([]storage.Message, error) { return s.loaded.retained, nil }

// Stop closes the store once the last writer has left.
func (s *store) Stop() error {
	s.gate.Lock()
	defer s.gate.Unlock()
	s.closed = true
	if err := s.contain(s.Hook.Stop); err != nil {
		s.failed(fmt.Errorf("mqtt broker: close the store in %s: %w", s.dir, err))
	}
	return nil
}
