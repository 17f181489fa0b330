package asltest

import (
	"crypto/md5"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// An Answer is what a task came to: Output, or Error and Cause.
type Answer struct {
	Output       json.RawMessage
	Error, Cause string
}

// Answer is what the recorded function gave for the input.
func (c Case) Answer(resource string, input json.RawMessage) Answer {
	if len(c.Objects) > 0 {
		switch resource {
		case "arn:aws:states:::s3:getObject":
			return c.object(input)
		case "arn:aws:states:::s3:listObjectsV2":
			return c.list(input)
		}
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
	if wrapped && a.Error == "" {
		a.Output = json.RawMessage(fmt.Sprintf(`{"ExecutedVersion":"$LATEST","Payload":%s,"StatusCode":200,"SdkHttpMetadata":{},"SdkResponseMetadata":{}}`, a.Output))
	}
	return a
}

// object is the answer of S3 as drivers give it.
func (c Case) object(input json.RawMessage) Answer {
	var asked Object
	_ = json.Unmarshal(input, &asked)
	for _, o := range c.Objects {
		if o.Bucket == asked.Bucket && o.Key == asked.Key {
			out, _ := json.Marshal(map[string]string{"Body": o.Body})
			return Answer{Output: out}
		}
	}
	return Answer{Error: "S3.NoSuchKeyException", Cause: "The specified key does not exist."}
}

// list is the answer of S3 to a request for all objects of a prefix.
func (c Case) list(input json.RawMessage) Answer {
	var asked struct{ Bucket, Prefix string }
	_ = json.Unmarshal(input, &asked)
	contents := []map[string]any{}
	for _, o := range c.Objects {
		if o.Bucket == asked.Bucket && strings.HasPrefix(o.Key, asked.Prefix) {
			contents = append(contents, map[string]any{"Etag": fmt.Sprintf("%q", fmt.Sprintf("%x", md5.Sum([]byte(o.Body)))), "Key": o.Key, "LastModified": 0, "Size": len(o.Body), "StorageClass": "STANDARD"})
		}
	}
	slices.SortFunc(contents, func(a, b map[string]any) int { return strings.Compare(a["Key"].(string), b["Key"].(string)) })
	out, _ := json.Marshal(map[string]any{"Contents": contents})
	return Answer{Output: out}
}

// handler is the file of the function, or nothing.
func (c Case) handler(function string) string {
	handler, ok := c.Handlers[function]
	for _, only := range c.Handlers { // the input may hold the function's short name
		if len(c.Handlers) == 1 && !ok && !strings.Contains(function, "no_such") {
			handler = only
		}
	}
	return handler
}

func called(function, handler string, input json.RawMessage) Answer {
	switch strings.TrimSuffix(filepath.Base(handler), ".py") {
	case ".":
		if strings.Contains(function, "no_such") {
			return Answer{Error: "Lambda.ResourceNotFoundException", Cause: "Function not found: " + function}
		}
	case "id_function":
		return Answer{Output: input}
	case "echo_function":
		return Answer{Output: json.RawMessage(`{"Return":"HelloWorld"}`)}
	case "raise_exception":
		return raised("Exception", "Some exception was raised.")
	case "raise_custom_exception":
		return raised("CustomException", "CustomException message")
	case "wait_60_seconds":
		return Answer{Error: "States.Timeout"}
	case "large_output_string":
		out, _ := json.Marshal(strings.Repeat("a", 257*1024))
		return Answer{Output: out}
	case "return_bytes_str":
		return Answer{Output: json.RawMessage(`"HelloWorld!"`)}
	}
	return Answer{Output: json.RawMessage("null")} // mocked
}

func raised(name, message string) Answer {
	cause, _ := json.Marshal(map[string]any{"errorMessage": message, "errorType": name, "requestId": "r", "stackTrace": []string{}})
	return Answer{Error: name, Cause: string(cause)}
}
