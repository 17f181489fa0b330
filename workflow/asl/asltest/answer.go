package asltest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
)

// An Answer is what a task came to: Output, or Error and Cause.
type Answer struct {
	Output       json.RawMessage
	Error, Cause string
	Failed       bool // also where neither an error nor a cause was named
}

// Answer is what the recorded function gave for the input.
func (c Case) Answer(resource string, input json.RawMessage) Answer {
	if c.reads(resource) {
		return c.object(resource, input)
	}
	function := resource
	wrapped := resource == invoke
	if wrapped {
		var p struct {
			FunctionName string
			Payload      json.RawMessage
		}
		_ = json.Unmarshal(input, &p)
		function, input = p.FunctionName, p.Payload
	}
	a := called(function, c.handler(function), input)
	if wrapped && !a.Failed {
		a.Output = json.RawMessage(fmt.Sprintf(`{"ExecutedVersion":"$LATEST","Payload":%s,"StatusCode":200,"SdkHttpMetadata":{},"SdkResponseMetadata":{}}`, a.Output))
	}
	return a
}

// handler is the file of the function, or nothing.
func (c Case) handler(function string) string {
	handler, ok := c.Handlers[function]
	for name, of := range c.Handlers { // the input may hold the function's short name
		if !ok && (strings.HasSuffix(name, ":"+function) || len(c.Handlers) == 1 && !strings.Contains(function, "no_such")) {
			handler = of
		}
	}
	return handler
}

func called(function, handler string, input json.RawMessage) Answer {
	switch strings.TrimSuffix(filepath.Base(handler), ".py") {
	case ".":
		if strings.Contains(function, "no_such") {
			return Answer{Failed: true, Error: "Lambda.ResourceNotFoundException", Cause: "Function not found: " + function}
		}
	case "id_function":
		return Answer{Output: input}
	case "echo_function":
		return Answer{Output: json.RawMessage(`{"Return":"HelloWorld"}`)}
	case "return_decorated_input":
		out, _ := json.Marshal("input-event-" + words(input))
		return Answer{Output: out}
	case "raise_exception":
		return raised("Exception", "Some exception was raised.")
	case "raise_custom_exception":
		return raised("CustomException", "CustomException message")
	case "wait_60_seconds":
		return Answer{Failed: true, Error: "States.Timeout"}
	case "large_output_string":
		out, _ := json.Marshal(strings.Repeat("a", 257*1024))
		return Answer{Output: out}
	case "return_bytes_str":
		return Answer{Output: json.RawMessage(`"HelloWorld!"`)}
	}
	return Answer{Output: json.RawMessage("null")} // mocked
}

// words is plain JSON as the function's language prints it.
func words(input json.RawMessage) string {
	var compact bytes.Buffer
	_ = json.Compact(&compact, input)
	return strings.NewReplacer(`"`, "'", ",", ", ", ":", ": ", "null", "None", "true", "True", "false", "False").Replace(compact.String())
}

func raised(name, message string) Answer {
	cause, _ := json.Marshal(map[string]any{"errorMessage": message, "errorType": name, "requestId": "r", "stackTrace": []string{}})
	return Answer{Failed: true, Error: name, Cause: string(cause)}
}
