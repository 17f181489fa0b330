// Package sparkplug is an edge node of Sparkplug B 3.0 over MQTT 3.1.1: it tells
// a host the present state of the appliance, and nothing of the past.
package sparkplug

import (
	"errors"
	"fmt"
	"math"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// A Type is the kind of a metric's value.
type Type uint32

// The types that are used here; others are read and left without a value.
const (
	Int64    Type = 4
	Double   Type = 10
	Boolean  Type = 11
	String   Type = 12
	DateTime Type = 13
)

// A Metric is a named value at a time. Value is an int64, a float64, a bool, a
// string or a time.Time, as Type says, or nil: there is none.
type Metric struct {
	Name  string
	Type  Type
	Value any
	At    time.Time
}

// Numbers of the fields of Sparkplug's messages.
const (
	payloadTimestamp protowire.Number = 1
	payloadMetrics   protowire.Number = 2
	payloadSeq       protowire.Number = 3

	metricName      protowire.Number = 1
	metricTimestamp protowire.Number = 3
	metricType      protowire.Number = 4
	metricNull      protowire.Number = 7
	metricInt       protowire.Number = 10
	metricLong      protowire.Number = 11
	metricDouble    protowire.Number = 13
	metricBool      protowire.Number = 14
	metricString    protowire.Number = 15
)

// payload is one message. Seq is -1 in those that have none.
type payload struct {
	at      time.Time
	metrics []Metric
	seq     int
}

// encode gives the bytes; the types of the metrics are told in births only.
func (p payload) encode(birth bool) []byte {
	b := varint(nil, payloadTimestamp, millis(p.at))
	for _, m := range p.metrics {
		b = protowire.AppendTag(b, payloadMetrics, protowire.BytesType)
		b = protowire.AppendBytes(b, m.encode(birth))
	}
	if p.seq >= 0 {
		b = varint(b, payloadSeq, uint64(p.seq))
	}
	return b
}

func (m Metric) encode(birth bool) []byte {
	b := protowire.AppendTag(nil, metricName, protowire.BytesType)
	b = protowire.AppendString(b, m.Name)
	b = varint(b, metricTimestamp, millis(m.At))
	if birth {
		b = varint(b, metricType, uint64(m.Type))
	}
	switch v := m.Value.(type) {
	case int64:
		return varint(b, metricLong, uint64(v))
	case time.Time:
		return varint(b, metricLong, millis(v))
	case bool:
		return varint(b, metricBool, protowire.EncodeBool(v))
	case float64:
		b = protowire.AppendTag(b, metricDouble, protowire.Fixed64Type)
		return protowire.AppendFixed64(b, math.Float64bits(v))
	case string:
		b = protowire.AppendTag(b, metricString, protowire.BytesType)
		return protowire.AppendString(b, v)
	}
	return varint(b, metricNull, 1)
}

func varint(b []byte, field protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), v)
}

func millis(t time.Time) uint64 { return uint64(max(t.UnixMilli(), 0)) }

// parse reads a message, such as a host's command. Fields that it does not know
// are left out.
func parse(b []byte) (payload, error) {
	p := payload{seq: -1}
	err := fields(b, func(f field) error {
		switch f.number {
		case payloadTimestamp:
			p.at = time.UnixMilli(int64(min(f.varint, math.MaxInt64))).UTC()
		case payloadSeq:
			p.seq = int(min(f.varint, math.MaxInt32))
		case payloadMetrics:
			m, err := parseMetric(f.bytes)
			if err != nil {
				return err
			}
			p.metrics = append(p.metrics, m)
		}
		return nil
	})
	return p, err
}

func parseMetric(b []byte) (m Metric, err error) {
	var long uint64
	err = fields(b, func(f field) error {
		switch f.number {
		case metricName:
			m.Name = string(f.bytes)
		case metricTimestamp:
			m.At = time.UnixMilli(int64(min(f.varint, math.MaxInt64))).UTC()
		case metricType:
			m.Type = Type(f.varint)
		case metricInt, metricLong:
			long, m.Value = f.varint, int64(f.varint)
		case metricDouble:
			m.Value = math.Float64frombits(f.fixed)
		case metricBool:
			m.Value = f.varint != 0
		case metricString:
			m.Value = string(f.bytes)
		}
		return nil
	})
	if m.Type == DateTime && m.Value != nil {
		m.Value = time.UnixMilli(int64(min(long, math.MaxInt64))).UTC()
	}
	if err == nil && !utf8.ValidString(m.Name) {
		err = errors.New("the name of a metric is not UTF-8")
	}
	return m, err
}

// field is one of a protobuf message; the value is where its wire type has it.
type field struct {
	number protowire.Number
	varint uint64
	fixed  uint64
	bytes  []byte
}

// fields visits those of a message.
func fields(b []byte, visit func(field) error) error {
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("no Sparkplug payload: %w", protowire.ParseError(n))
		}
		b = b[n:]
		f := field{number: number}
		switch kind {
		case protowire.VarintType:
			f.varint, n = protowire.ConsumeVarint(b)
		case protowire.Fixed64Type:
			f.fixed, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(number, kind, b)
		}
		if n < 0 {
			return fmt.Errorf("no Sparkplug payload: %w", protowire.ParseError(n))
		}
		if err := visit(f); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}
