package notify

import (
	"cmp"
	"slices"
	"sync"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/storage"
	"github.com/mochi-mqtt/server/v2/packets"
)

// sequence keeps the messages that wait for a client in the order in which they
// came. mochi v2.7.9 sorts them by the low 16 bits of the second of their
// arrival, and so gives a returning subscriber all of one second in any order.
// Here that field holds a place in the row, and the disk has a larger one.
type sequence struct {
	mu   sync.Mutex
	next int64 // the last place given, first to places
	sent int64 // the last number on the disk
}

// places is how many mochi can compare. Numbers begin behind the longest queue
// (maxQueue): before them is room for those that wait when they run out.
const (
	places   = 65535
	maxQueue = 32767
)

// numbered reports whether the message has a place; others hold a time.
func numbered(pk packets.Packet) bool { return pk.Created <= places }

// take gives the next place, and the next number for the disk.
func (o *sequence) take(clients *mochi.Clients) (place, sent int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.next++; o.next > places {
		closeRanks(clients)
		o.next = maxQueue + 1
	}
	o.sent = max(o.sent+1, time.Now().UnixNano())
	return o.next, o.sent
}

// closeRanks gives those that wait the first places.
func closeRanks(clients *mochi.Clients) {
	for _, cl := range clients.GetAll() {
		for i, pk := range cl.State.Inflight.GetAll(false) {
			if now, ok := cl.State.Inflight.Get(pk.PacketID); ok && now.Created == pk.Created && now.FixedHeader.Type == pk.FixedHeader.Type {
				pk.Created = int64(i)
				cl.State.Inflight.Set(pk)
			}
		}
	}
}

// load puts what the disk held into order, each client's for itself.
func (o *sequence) load(waiting []storage.Message) {
	slices.SortStableFunc(waiting, func(a, b storage.Message) int { return cmp.Compare(a.Sent, b.Sent) })
	n := map[string]int64{}
	for i := range waiting {
		m := &waiting[i]
		m.Created = min(n[m.Client], maxQueue)
		n[m.Client]++
		o.sent = max(o.sent, m.Sent)
	}
	o.next = maxQueue
}
