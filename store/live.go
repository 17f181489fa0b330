package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"inspector/workflow"
)

// Most work is begun at once and is over soon. It never comes into the table of
// work: the events that begin and end it say so, and the writer has what is
// open in memory. It is written to the table before anybody reads that, and
// from time to time, so that a start has few events to go through.
type live struct {
	open    map[place]piece
	turns   []turn // of the transaction under way, to undo them
	event   int64  // row of the newest event
	settled int64  // row of the newest event whose work is in the table, if it is open
	settles int64  // likewise once the transaction under way is committed

	mu    sync.Mutex     // guards what follows: readers see it
	lanes map[string]int // how much is open, by lane; of what is committed
	asked map[string]int // by lane: how much is to be written at once, as somebody reads the lane
}

const (
	mostUnsettled = 8192 // events that a start goes through
	stillAsked    = 256  // pieces of a lane are written at once after it was read
)

// A place names a piece of work.
type place struct{ execution, command int64 }

// A piece of open work, as the table has it.
type piece struct {
	execution, due int64
	machine        string
	parked         string

	Command int64  `json:"c"`
	Row     int64  `json:"r"`
	Lane    string `json:"l"`
	State   string `json:"s"`
	Since   int64  `json:"t"`
}

func newPiece(execution, row int64, machine string, w *workflow.Work) piece {
	return piece{
		execution: execution, Command: w.Command, Row: row, machine: machine, Lane: w.Lane, State: w.State,
		due: nanos(w.Due), Since: nanos(w.Since), parked: w.Parked,
	}
}

func (p piece) place() place { return place{p.execution, p.Command} }

// A turn is a piece that began or ended.
type turn struct {
	piece
	began bool
}

// turned is what an event says of the work that is not in the table.
type turned struct {
	Ended []int64 `json:"e"`
	Begun []piece `json:"b"`
}

// text is t as JSON.
func (t turned) text() string {
	if len(t.Ended)+len(t.Begun) == 0 {
		return ""
	}
	b := append(make([]byte, 0, 128), `{"e":[`...)
	for i, command := range t.Ended {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, command, 10)
	}
	b = append(b, `],"b":[`...)
	for i, p := range t.Begun {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(b, `{"c":`...), p.Command, 10)
		b = strconv.AppendInt(append(b, `,"r":`...), p.Row, 10)
		b = strconv.AppendInt(append(b, `,"t":`...), p.Since, 10)
		b = appendText(append(b, `,"l":`...), p.Lane)
		b = append(appendText(append(b, `,"s":`...), p.State), '}')
	}
	return string(append(b, `]}`...))
}

// appendText appends s as JSON.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // of a string: there is no error
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

func newLive() live {
	return live{open: map[place]piece{}, lanes: map[string]int{}, asked: map[string]int{}}
}

// takes reports whether the work, asked for just now, is better not written.
func (l *live) takes(w *workflow.Work) bool {
	if w.Parked != "" || !w.Due.Equal(w.Since) || w.Lane == workflow.LaneTimer || w.Lane == workflow.LaneToken {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.asked[w.Lane] == 0 {
		return true
	}
	l.asked[w.Lane]--
	return false
}

func (l *live) begin(p piece) error {
	if _, ok := l.open[p.place()]; ok {
		return fmt.Errorf("command %d is open already", p.Command)
	}
	l.open[p.place()] = p
	l.turns = append(l.turns, turn{p, true})
	return nil
}

// end reports whether the work was live.
func (l *live) end(at place) bool {
	p, ok := l.open[at]
	if ok {
		delete(l.open, at)
		l.turns = append(l.turns, turn{p, false})
	}
	return ok
}

// undo takes the turns of the transaction back, but for the first ones.
func (l *live) undo(but int) {
	for i := len(l.turns) - 1; i >= but; i-- {
		if t := l.turns[i]; t.began {
			delete(l.open, t.place())
		} else {
			l.open[t.place()] = t.piece
		}
	}
	l.turns = l.turns[:but]
	if but == 0 {
		l.settles = l.settled
	}
}

// committed makes the turns final.
func (l *live) committed() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range l.turns {
		if t.began {
			l.lanes[t.Lane]++
		} else if l.lanes[t.Lane]--; l.lanes[t.Lane] == 0 {
			delete(l.lanes, t.Lane)
		}
	}
	l.turns, l.settled = l.turns[:0], l.settles
}

// any reports whether work of the lane is live; of any lane, if that is empty.
// Who asks for one lane will do so again: what is begun in it next is written.
func (l *live) any(lane string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if lane == "" {
		return len(l.lanes) > 0
	}
	if l.lanes[lane] == 0 {
		return false
	}
	l.asked[lane] = stillAsked
	return true
}

// settle writes what is live to the table of work.
func (w *writer) settle(ctx context.Context) error {
	if w.live.settles == w.live.event {
		return nil
	}
	for at, p := range w.live.open {
		if err := w.insert(ctx, p); err != nil {
			return err
		}
		w.live.end(at)
	}
	w.live.settles = w.live.event
	return w.run(ctx, `UPDATE store SET settled = ?`, w.live.event)
}

func (w *writer) insert(ctx context.Context, p piece) error {
	return w.run(ctx, `INSERT INTO work (execution, command, row, machine, lane, state, due, since, parked) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		p.execution, p.Command, p.Row, p.machine, p.Lane, p.State, p.due, p.Since, p.parked)
}

// settleWork brings the table of work up to date, if it is not for the lane: the
// empty one stands for all.
func (s *Store) settleWork(ctx context.Context, lane string) error {
	if !s.writer.live.any(lane) {
		return nil
	}
	return s.ask(ctx, &request{whole: true, done: make(chan struct{}), do: func(context.Context, *writer) error { return nil }})
}

// show brings the table of work up to date for people, if it can: a full disk
// keeps nobody from seeing the rest.
func (s *Store) show(ctx context.Context) { _ = s.settleWork(ctx, "") }

// relive finds in the events what was live when the store's last life ended.
func (s *Store) relive(ctx context.Context) error {
	if err := s.readers.QueryRowContext(ctx, `SELECT coalesce(max(row), 0) FROM work`).Scan(&s.writer.last); err != nil {
		return err
	}
	last, err := s.writer.live.replay(ctx, s.readers)
	s.writer.last = max(s.writer.last, last)
	return err
}

// replay finds in the events what is live, and gives the highest place in the
// order of journalling among what ever was since the mark.
func (l *live) replay(ctx context.Context, q querier) (last int64, err error) {
	marks, err := query(ctx, q, func(rows *sql.Rows) (m [2]int64, err error) { return m, rows.Scan(&m[0], &m[1]) },
		`SELECT settled, max(settled, coalesce((SELECT max(row) FROM events), 0)) FROM store`)
	if err != nil || len(marks) == 0 {
		return 0, err
	}
	l.settled, l.event = marks[0][0], marks[0][1]
	l.settles = l.settled
	_, err = query(ctx, q, func(rows *sql.Rows) (none struct{}, err error) {
		var execution int64
		var machine string
		var said []byte
		var turned turned
		if err := rows.Scan(&execution, &machine, &said); err != nil {
			return none, err
		}
		if err := json.Unmarshal(said, &turned); err != nil {
			return none, err
		}
		for _, command := range turned.Ended {
			l.end(place{execution, command})
		}
		for _, p := range turned.Begun {
			p.execution, p.machine, p.due = execution, machine, p.Since
			err = errors.Join(err, l.begin(p))
			last = max(last, p.Row)
		}
		return none, err
	}, `SELECT execution, machine, live FROM events CROSS JOIN executions ON executions.n = execution WHERE row > ? AND live <> '' ORDER BY row`, l.settled)
	l.committed()
	return last, err
}
