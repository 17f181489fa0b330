package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// A pool is the gRPC servers at the addresses of one name, which take turns.
// Each has one connection, which is used once its server was admitted over it.
// A connection that is lost is not used again: whoever is at the other end of
// the next one must be admitted anew. Methods may be called by several
// goroutines at once.
type pool struct {
	*network
	host, port string
	lookup     func(ctx context.Context, host string) ([]string, error)
	dial       func(at string) (*grpcLink, error)
	admit      func(context.Context, link) error

	life context.Context // ends with the pool
	end  context.CancelFunc
	work sync.WaitGroup

	mu       sync.Mutex
	seats    []*seat
	next     int           // whose turn it is
	due      time.Time     // of the next search
	looking  bool          // a search is under way
	unknown  error         // why the last one found no addresses
	underway int           // searches and admissions
	changed  chan struct{} // closed when one of them ends
}

// A seat is one address, guarded by the pool's mu.
type seat struct {
	at     string
	link   *grpcLink // nil: nobody is admitted
	err    error     // why not
	again  time.Time // when it may be tried again
	trying bool
}

const (
	soon   = 2 * time.Second  // until an address that did not answer is tried again
	later  = time.Minute      // until one that was refused is
	seldom = 30 * time.Second // between searches while every address has its server
)

// rest makes a pool at rest ready for take.
func (p *pool) rest(ctx context.Context) *pool {
	p.changed = make(chan struct{})
	p.life, p.end = context.WithCancel(context.WithoutCancel(ctx))
	return p
}

func (p *pool) infer(ctx context.Context, in, out []float32) error {
	l, err := p.take(ctx)
	if err != nil {
		return err
	}
	err = l.infer(ctx, in, out)
	return errors.Join(err, p.leave(l, err))
}

// take gives the next connection in turn whose server is admitted. Where there
// is none, it waits for those on their way. Leave it after use.
func (p *pool) take(ctx context.Context) (*grpcLink, error) {
	for {
		p.mu.Lock()
		err := p.sweep()
		p.search()
		l := p.pick()
		none, busy, changed := errors.Join(p.reasons(), err), p.underway > 0, p.changed
		closed := p.life.Err() != nil
		p.mu.Unlock()
		switch {
		case closed:
			return nil, p.silent(net.ErrClosed)
		case l != nil:
			return l, nil
		case !busy:
			return nil, none
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, p.silent(ctx.Err())
		}
	}
}

func (p *pool) leave(l *grpcLink, err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	l.uses--
	var other *ChangedError
	if status.Code(err) == codes.Unavailable || errors.As(err, &other) {
		if i := slices.IndexFunc(p.seats, func(s *seat) bool { return s.link == l }); i >= 0 {
			return p.drop(p.seats[i])
		}
	}
	return l.closeIf(l.dropped)
}

// sweep drops the connections that were lost.
func (p *pool) sweep() error {
	var errs []error
	for _, s := range p.seats {
		if s.link != nil && !s.link.alive() {
			errs = append(errs, p.drop(s))
		}
	}
	return errors.Join(errs...)
}

// drop ends the use of a connection, which closes after its last board.
func (p *pool) drop(s *seat) error {
	l := s.link
	l.dropped = true
	s.link, s.err, s.again, p.due = nil, l.silent(errLost), time.Time{}, time.Time{}
	return l.closeIf(true)
}

func (p *pool) pick() *grpcLink {
	for range p.seats {
		s := p.seats[p.next%len(p.seats)]
		p.next++
		if s.link != nil {
			s.link.uses++
			return s.link
		}
	}
	return nil
}

// reasons say why nobody is admitted.
func (p *pool) reasons() error {
	errs := []error{p.unknown}
	for _, s := range p.seats {
		errs = append(errs, s.err)
	}
	return errors.Join(errs...)
}

// search starts looking for the addresses of the name, if that is due, and for
// who is there.
func (p *pool) search() {
	if p.looking || time.Now().Before(p.due) || p.life.Err() != nil {
		return
	}
	p.looking = true
	p.start(func() {
		ctx, cancel := context.WithTimeout(p.life, 5*time.Second)
		defer cancel()
		found, err := p.lookup(ctx, p.host)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.looking, p.unknown = false, nil
		if err != nil {
			p.unknown = p.silent(err)
		}
		p.seat(found)
	})
}

// seat adds the addresses that are new, forgets those that are gone with their
// servers, and tries all where nobody is admitted. None found: all stay.
func (p *pool) seat(found []string) {
	now := time.Now()
	p.due = now.Add(seldom)
	var all []string
	for _, host := range found {
		at := net.JoinHostPort(host, p.port)
		if all = append(all, at); !slices.ContainsFunc(p.seats, func(s *seat) bool { return s.at == at }) {
			p.seats = append(p.seats, &seat{at: at})
		}
	}
	if len(found) > 0 {
		p.seats = slices.DeleteFunc(p.seats, func(s *seat) bool { return s.link == nil && !s.trying && !slices.Contains(all, s.at) })
	}
	for _, s := range p.seats {
		if s.link == nil && !s.trying && !now.Before(s.again) {
			s.trying = true
			p.start(func() { p.try(s) })
		}
	}
	if len(p.seats) == 0 || slices.ContainsFunc(p.seats, func(s *seat) bool { return s.link == nil }) {
		p.due = now.Add(soon)
	}
}

// try admits who is at the address, or not.
func (p *pool) try(s *seat) {
	pause := soon
	l, err := p.dial(s.at)
	if err == nil {
		if err = p.admit(p.life, l); err != nil {
			if refused(err) {
				pause = later
			}
			err = errors.Join(err, l.close())
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s.trying, s.err, s.again = false, err, time.Now().Add(pause)
	if err == nil {
		s.link = l
	}
}

// refused reports whether err is of a server that has another network, which
// trying again soon cannot help; not of one that cannot compute at present.
func refused(err error) bool {
	var p interface{ Permanent() bool }
	var no *ServerError
	return errors.As(err, &p) && p.Permanent() && !errors.As(err, &no) && !errors.Is(err, context.DeadlineExceeded) && status.Code(err) != codes.Unavailable
}

// start has f done beside, until the pool closes at the latest.
func (p *pool) start(f func()) {
	p.underway++
	p.work.Go(func() {
		f()
		p.mu.Lock()
		defer p.mu.Unlock()
		p.underway--
		close(p.changed)
		p.changed = make(chan struct{})
	})
}

func (p *pool) close() error {
	p.mu.Lock()
	p.end()
	p.mu.Unlock()
	p.work.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	errs := []error{}
	for _, s := range p.seats {
		if s.link != nil {
			errs = append(errs, s.link.close())
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("remote: %s: %w", p.url, err)
	}
	return nil
}
