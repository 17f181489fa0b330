package workflow

import (
	"errors"

	"inspector/workflow/asl"
)

// offer takes work that is durable just now, and which nobody can have done
// yet: the caller holds its execution. It is begun at once if the journal has
// nothing that comes before it, or if one of the places is free that a lane of
// a rank has for it beside a backlog; else the lane finds it there. A lane of one keeps the
// order of the journal, which is not that of the offers. The worker of by, if
// any, has done its deed and takes it.
func (l *lane) offer(w Work, c asl.Command, by *deed) {
	l.mu.Lock()
	_, busy := l.doing[place{w.Execution, w.Command}]
	simple := l.handler != nil && l.batch == nil && w.Parked == "" && !w.Due.After(w.Since) && !busy && l.concurrency > 1
	simple = simple && l.start != nil && !l.breaker.tripped() && !l.engine.held.Load()
	beside := l.more || len(l.doing)-l.over >= l.places()
	if simple && (!beside || l.Rank > 0 && l.extra < share(l.concurrency)) {
		if beside {
			l.ahead(w)
		}
		s := l.start(deed{Work: w, command: &c, extra: beside})
		l.mu.Unlock()
		if by != nil && by.next == nil {
			by.next = s
		} else if s != nil {
			go goOn(s)
		}
		return
	}
	l.mu.Unlock()
	l.look()
}

// look is signal where the journal has new work.
func (l *lane) look() {
	l.mu.Lock()
	l.more = true
	l.mu.Unlock()
	l.signal()
}

// makeRoom lets other work begin while it is being recorded how the deed went;
// of those that are there are no more than places.
func (l *lane) makeRoom(d *deed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d.probe || d.extra || l.over >= l.concurrency {
		return
	}
	d.over = true
	l.over++
	if under := len(l.doing) - l.over - l.extra; l.more && (under <= l.concurrency-share(l.concurrency) || under == 0) {
		l.signal() // for several places at once: looking costs, too
	}
}

// finish comes after the work is recorded, so that it is never started twice.
// The journal is read again only if that can be of use.
func (l *lane) finish(d *deed) {
	if d.finished {
		return
	}
	d.finished = true
	l.mu.Lock()
	delete(l.doing, d.place())
	if d.probe {
		l.probes--
	}
	if d.extra {
		l.extra--
	}
	if d.over {
		l.over--
	}
	look := d.probe || l.more && !d.over
	l.mu.Unlock()
	if look {
		l.signal()
	}
}

var errWithdrawn = errors.New("the execution no longer asks for it")

// withdraw ends work in flight whose command is over.
func (e *Engine) withdraw(id string, command int64) {
	for _, l := range e.lanes {
		l.mu.Lock()
		cancel := l.doing[place{id, command}]
		l.mu.Unlock()
		if cancel != nil {
			cancel(errWithdrawn)
		}
	}
}
