package asl

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// A shape is what AWS says about a part of a service's answer. The zero shape
// is anything.
type shape struct {
	kind     string // string, number, boolean, array or object
	fields   map[string]shape
	of       *shape   // of an array's elements
	least    float64  // of a number
	most     float64  // of a number; 0: none
	shortest int      // of a string
	values   []string // of a string
}

var (
	aString = shape{kind: "string"}
	aNumber = shape{kind: "number"}
	aBool   = shape{kind: "boolean"}
)

func listOf(s shape) shape { return shape{kind: "array", of: &s} }

func objectOf(s shape, names ...string) map[string]shape {
	out := map[string]shape{}
	for _, name := range names {
		out[name] = s
	}
	return out
}

// record joins fields of several kinds.
func record(parts ...map[string]shape) shape {
	s := shape{kind: "object", fields: map[string]shape{}}
	for _, p := range parts {
		maps.Copy(s.fields, p)
	}
	return s
}

// shapes gives what AWS documents of the answers of services that workflows
// ask most; a mock for another one is not checked.
func shapes(resource string) (s shape, ok bool) {
	capacity := record(objectOf(aNumber, "CapacityUnits", "ReadCapacityUnits", "WriteCapacityUnits"), objectOf(aString, "TableName"))
	storage := shape{kind: "string", values: strings.Fields("STANDARD REDUCED_REDUNDANCY STANDARD_IA ONEZONE_IA INTELLIGENT_TIERING GLACIER DEEP_ARCHIVE OUTPOSTS GLACIER_IR SNOW EXPRESS_ONEZONE FSX_OPENZFS FSX_ONTAP")}
	switch resource {
	case "lambda:invoke":
		return record(objectOf(aNumber, "StatusCode"), objectOf(aString, "ExecutedVersion", "FunctionError", "LogResult")), true
	case "lambda:getFunction":
		return record(map[string]shape{
			"Configuration": record(objectOf(aString, "FunctionName", "FunctionArn", "Handler", "Runtime", "Role", "Description", "Version", "State"),
				map[string]shape{"MemorySize": {kind: "number", least: 128, most: 10240}, "Timeout": {kind: "number", least: 1}, "CodeSize": aNumber}),
			"Code": record(objectOf(aString, "RepositoryType", "Location", "ImageUri", "ResolvedImageUri")), "Tags": {kind: "object"},
		}), true
	case "events:putEvents":
		return record(objectOf(aNumber, "FailedEntryCount"), map[string]shape{"Entries": listOf(record(objectOf(aString, "EventId", "ErrorCode", "ErrorMessage")))}), true
	case "dynamodb:putItem", "dynamodb:getItem", "dynamodb:updateItem", "dynamodb:deleteItem":
		return record(objectOf(shape{kind: "object"}, "Attributes", "Item", "ItemCollectionMetrics"), map[string]shape{"ConsumedCapacity": capacity}), true
	case "s3:getObject", "s3:putObject":
		return record(objectOf(aNumber, "ContentLength", "MissingMeta", "PartsCount", "TagCount", "Size"), objectOf(aBool, "DeleteMarker", "BucketKeyEnabled"),
			objectOf(aString, "ETag", "VersionId", "ContentType", "ContentEncoding", "CacheControl", "ContentRange", "AcceptRanges", "Expiration"),
			map[string]shape{"StorageClass": storage, "Metadata": {kind: "object"}}), true
	case "sqs:sendMessage":
		return record(objectOf(aString, "MD5OfMessageBody", "MD5OfMessageAttributes", "MD5OfMessageSystemAttributes", "MessageId", "SequenceNumber")), true
	case "sns:publish":
		return record(objectOf(aString, "MessageId", "SequenceNumber")), true
	case "kms:encrypt":
		return record(objectOf(aString, "EncryptionAlgorithm"), objectOf(shape{kind: "string", shortest: 1}, "CiphertextBlob", "KeyId")), true
	case "states:startExecution":
		return record(objectOf(shape{kind: "string", shortest: 1}, "ExecutionArn")), true
	case "http:invoke":
		return record(objectOf(aNumber, "StatusCode"), objectOf(aString, "StatusText"), objectOf(shape{kind: "object"}, "Headers")), true
	}
	return s, false
}

// resultFits checks a mock's result against what the service answers. Fields
// that the service does not have are let pass, as AWS does.
func (t *stateTest) resultFits() error {
	resource, _ := t.state["Resource"].(string)
	name, ours := strings.CutPrefix(resource, "arn:aws:states:::")
	if !ours || t.kind != "Task" {
		return nil
	}
	name, _, _ = strings.Cut(strings.TrimPrefix(name, "aws-sdk:"), ".")
	s, ok := shapes(name)
	if !ok {
		return nil
	}
	return s.check("result", t.mock)
}

func (s shape) check(name string, v any) error {
	if s.kind == "" || v == nil {
		return nil
	}
	if jsonKind(v) != s.kind {
		return s.fault(name, map[string]string{"string": "must be a string", "number": "must be a number", "boolean": "must be a boolean", "array": "must be an array", "object": "must be an object"}[s.kind])
	}
	switch v := v.(type) {
	case string:
		switch {
		case len(v) < s.shortest:
			return s.fault(name, "is smaller than the minimum length")
		case s.values != nil && !slices.Contains(s.values, v):
			return s.fault(name, "is not an expected value")
		}
	case json.Number:
		switch f := toFloat(v); {
		case f < s.least:
			return s.fault(name, "is less than the minimum value")
		case s.most > 0 && f > s.most:
			return s.fault(name, "exceeds the maximum value")
		}
	case []any:
		for _, e := range v {
			if s.of == nil {
				break
			}
			if err := s.of.check(name, e); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if err := s.fields[key].check(key, v[key]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s shape) fault(name, what string) error {
	return invalidRequest("Mock result schema validation error: Field '%s' %s", name, what)
}
