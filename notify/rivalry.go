package notify

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"syscall"
	"time"
)

// A rivalry tells from how connections end whether another client uses our
// ID: a broker keeps one of them and closes the other, which comes back and
// has the first one closed, for ever. Whoever closes says no reason in MQTT
// 3.1.1, so a pattern makes suspicious: let in, thrown out soon, let in at the
// very next attempt, again and again. A broker or a link that is bad may look
// the same; so from then on a witness, which has an ID that nobody else has,
// is connected beside us. If we are thrown out and it is not, it is our ID.
type rivalry struct {
	thrown int // connections in a row that the broker closed soon
	proven bool
}

const (
	rivalAfter = 3                // so often makes suspicious
	rivalPause = 20 * time.Second // at most, between attempts while there is a rival
	settled    = time.Minute      // a connection that lives so long has no rival
)

// ended takes up how an attempt to be connected ended: up says whether the
// broker let us in, lived for how long, and witnessed that a witness outlived
// the connection.
func (r *rivalry) ended(up bool, lived time.Duration, err error, witnessed bool) {
	if !up || lived >= settled || !closedByBroker(err) {
		*r = rivalry{}
		return
	}
	r.thrown++
	r.proven = r.proven || witnessed
}

// suspected reports whether a witness is needed.
func (r *rivalry) suspected() bool { return r.thrown >= rivalAfter }

func (r *rivalry) exists() bool { return r.proven }

// outlives is how long a witness must be connected after us.
const outlives = 500 * time.Millisecond

// witness connects beside s, nil if it cannot, or if s is lost before.
func (s *session) witness(ctx context.Context, c Config) *session {
	c.ClientID, c.Availability = fmt.Sprintf("%s-witness-%08x", c.ClientID, rand.Uint32()), ""
	w, err := dial(ctx, c, nil, nil)
	if err != nil {
		return nil
	}
	select {
	case <-s.lost: // who knows how the link was then
		w.close()
		return nil
	default:
		return w
	}
}

// testify reports, once the connection beside it is lost, whether the witness
// outlives it, and ends it.
func (s *session) testify(ctx context.Context) bool {
	if s == nil {
		return false
	}
	defer s.close()
	select {
	case <-ctx.Done():
		return false
	case <-s.lost:
		return false
	case <-time.After(outlives):
		return s.paho.IsConnectionOpen()
	}
}

// closedByBroker reports that the other side ended the connection, as opposed
// to silence on the way.
func closedByBroker(err error) bool {
	return errors.Is(err, errClosed) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		err != nil && strings.Contains(err.Error(), "websocket: close") // the library's type is not ours to know
}

var errClosed = errors.New("the broker closed it")

// words name the rival and the remedy.
func (r *rivalry) words(id string) string {
	return fmt.Sprintf("another client uses the id %s: the broker closed our connection soon after letting us in, %d times in a row; give each box its own station.device "+
		"(if no other has it, the broker's log says why it closes: its access rules may deny a topic)", id, r.thrown)
}

// pause is how long to wait after so many failures in a row. Two that throw
// each other out must not do so at every turn, so each gets the connection
// for a while.
func (r *rivalry) pause(failures int) time.Duration {
	if r.exists() {
		return rivalPause - time.Duration(rand.Float64()*float64(rivalPause)/2)
	}
	return backoff(failures, rand.Float64())
}
