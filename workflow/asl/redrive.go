package asl

import "encoding/json"

// Input is the input of the execution.
func (x *Execution) Input() json.RawMessage { return encode(x.input) }
