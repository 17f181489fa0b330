package asltest

import (
	"crypto/md5"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// An Object is what lay in S3.
type Object struct{ Bucket, Key, Body string }

const listObjects = "arn:aws:states:::s3:listObjectsV2"

// reads reports whether a Map asks by resource for the recorded objects.
func (c Case) reads(resource string) bool {
	return len(c.Objects) > 0 && (resource == listObjects || resource == "arn:aws:states:::s3:getObject")
}

// object is the answer of S3 as drivers give it.
func (c Case) object(resource string, input json.RawMessage) Answer {
	if resource == listObjects {
		return c.list(input)
	}
	var asked Object
	_ = json.Unmarshal(input, &asked)
	for _, o := range c.Objects {
		if o.Bucket == asked.Bucket && o.Key == asked.Key {
			out, _ := json.Marshal(map[string]string{"Body": o.Body})
			return Answer{Output: out}
		}
	}
	return Answer{Failed: true, Error: "S3.NoSuchKeyException", Cause: "The specified key does not exist."}
}

// list is the answer of S3 to a request for all objects of a prefix.
func (c Case) list(input json.RawMessage) Answer {
	var asked struct{ Bucket, Prefix string }
	_ = json.Unmarshal(input, &asked)
	contents := []map[string]any{}
	for _, o := range c.Objects {
		if o.Bucket == asked.Bucket && strings.HasPrefix(o.Key, asked.Prefix) {
			etag := fmt.Sprintf("\"%x\"", md5.Sum([]byte(o.Body)))
			contents = append(contents, map[string]any{"Etag": etag, "Key": o.Key, "LastModified": 0, "Size": len(o.Body), "StorageClass": "STANDARD"})
		}
	}
	slices.SortFunc(contents, func(a, b map[string]any) int { return strings.Compare(a["Key"].(string), b["Key"].(string)) })
	out, _ := json.Marshal(map[string]any{"Contents": contents})
	return Answer{Output: out}
}
