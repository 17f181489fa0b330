package notify

import (
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
// 3.1.1, so what counts is the pattern: let in, thrown out soon, let in at
// the very next attempt, again and again. A broker that is restarted or a
// link that is bad shows attempts that fail in between.
type rivalry struct{ thrown int }

const (
	rivalAfter = 3                // connections in a row that the broker closed soon
	rivalPause = 20 * time.Second // at most, between attempts while there is a rival
	settled    = time.Minute      // a connection that lives so long has no rival
)

// ended takes up how an attempt to be connected ended: up says whether the
// broker let us in, and lived for how long.
func (r *rivalry) ended(up bool, lived time.Duration, err error) {
	if up && lived < settled && closedByBroker(err) {
		r.thrown++
	} else {
		r.thrown = 0
	}
}

func (r *rivalry) exists() bool { return r.thrown >= rivalAfter }

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
		"(if no other has this one, the broker's log says why it closes: its access rules may deny a topic)", id, r.thrown)
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
