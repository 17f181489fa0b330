package workflow

import _ "embed"

// Inspection is the shipped definition of what happens after a verdict, in the
// States Language. Its input is
//
//	{"inspection": {…},                                  an inspector.Inspection
//	 "evidence": {"image": "evidence:PATH", "overlay": "overlay:ID"}, without them if there is no picture
//	 "station": {"site": "…", "line": "…", "device": "…"},
//	 "topics": {"result": "…", "alert": "…"},
//	 "upstream": {"bucket": "…", "prefix": "…", "queue": "…", "tags": "NAME=VALUE&…",
//	  "keys": {"image": "…", "overlay": "…", "record": "…"}, "passes_at": "TIME"},      without passes_at if passes are not forwarded
//	 "filters": {"schema": "…", "verdict": "…", "recipe": "…", "line": "…", "class": "…"}}   attributes of messages
//
// Its resources, beside AWS's own names for object storage and queues, are
// inspector:publish, inspector:alert, inspector:quarantine, inspector:review
// (with a task token) and inspector:close. A refusal that no retry can change
// is parked by the engine, so its Retry needs to name nothing but States.ALL.
//
//go:embed inspection.asl.json
var Inspection []byte
