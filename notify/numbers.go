package notify

import (
	"bytes"
	"sync"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// numbers keeps the packet numbers of a client's requests apart from those of
// the messages on their way to it. They are two series in MQTT, but mochi
// v2.7.9 has one: it refuses the subscription of a client that returns to
// waiting messages, and forgets the message that has the number of a request.
type numbers struct {
	mochi.HookBase
	renamed sync.Map // *mochi.Client to rename: a client has one request at a time
}

type rename struct{ was, is uint16 }

func (n *numbers) ID() string { return "numbers" }

func (n *numbers) Provides(b byte) bool {
	return bytes.IndexByte([]byte{mochi.OnPacketRead, mochi.OnPacketEncode, mochi.OnDisconnect}, b) >= 0
}

// OnPacketRead gives a request a number that no waiting message has.
func (n *numbers) OnPacketRead(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	switch pk.FixedHeader.Type {
	case packets.Subscribe, packets.Unsubscribe:
	case packets.Publish:
		if pk.FixedHeader.Qos != 1 {
			return pk, nil
		}
	default:
		return pk, nil
	}
	n.renamed.Delete(cl)
	if _, taken := cl.State.Inflight.Get(pk.PacketID); !taken || pk.PacketID == 0 {
		return pk, nil
	}
	for free := uint16(65535); free > 0; free-- {
		if _, taken := cl.State.Inflight.Get(free); !taken {
			n.renamed.Store(cl, rename{was: pk.PacketID, is: free})
			pk.PacketID = free
			break
		}
	}
	return pk, nil
}

// OnPacketEncode gives the answer the number that the client knows.
func (n *numbers) OnPacketEncode(cl *mochi.Client, pk packets.Packet) packets.Packet {
	switch pk.FixedHeader.Type {
	case packets.Suback, packets.Unsuback, packets.Puback:
		if r, ok := n.renamed.Load(cl); ok && r.(rename).is == pk.PacketID {
			pk.PacketID = r.(rename).was
		}
	}
	return pk
}

// OnDisconnect forgets the client.
func (n *numbers) OnDisconnect(cl *mochi.Client, _ error, _ bool) { n.renamed.Delete(cl) }
