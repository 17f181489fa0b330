package asl

import "encoding/json"

// awaited is the input that the Await of a .sync state, and its Cancel, has:
// what the task was asked for, so that the driver can end it.
func (x *Execution) awaited(s *state, task Command) json.RawMessage {
	if !s.sync {
		return nil
	}
	return task.Input
}

// awaited is the input of an Await; nil of any other command.
func (p *pending) awaited() json.RawMessage {
	if p.role != roleAwait {
		return nil
	}
	return p.command.Input
}
