package model

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"google.golang.org/protobuf/encoding/protowire"
)

// asTorch writes a network as PyTorch's exporter does: the weights in another
// file, by offset and length.
func asTorch(t testing.TB, onnx []byte, location string) (small, data []byte) {
	t.Helper()
	bytesField := func(to []byte, num protowire.Number, b []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(to, num, protowire.BytesType), b)
	}
	tensor := func(b []byte) (out []byte) {
		for at := 0; at < len(b); {
			num, _, n := protowire.ConsumeField(b[at:])
			if num == 9 {
				_, _, tag := protowire.ConsumeTag(b[at:])
				raw, _ := protowire.ConsumeBytes(b[at+tag:])
				for key, value := range map[string]string{"location": location, "offset": fmt.Sprint(len(data)), "length": fmt.Sprint(len(raw))} {
					out = bytesField(out, 13, bytesField(bytesField(nil, 1, []byte(key)), 2, []byte(value)))
				}
				out = protowire.AppendVarint(protowire.AppendTag(out, 14, protowire.VarintType), 1)
				data = append(data, raw...)
			} else {
				out = append(out, b[at:at+n]...)
			}
			at += n
		}
		return out
	}
	err := eachField(onnx, func(f field) error {
		if f.num != 7 {
			if f.typ == protowire.BytesType {
				small = bytesField(small, f.num, f.bytes)
			} else {
				small = protowire.AppendVarint(protowire.AppendTag(small, f.num, f.typ), f.n)
			}
			return nil
		}
		var graph []byte
		err := eachField(f.bytes, func(f field) error {
			if f.num == 5 {
				f.bytes = tensor(f.bytes)
			}
			graph = bytesField(graph, f.num, f.bytes)
			return nil
		})
		small = bytesField(small, 7, graph)
		return err
	})
	if err != nil || len(data) == 0 {
		t.Fatal("no weights were put elsewhere: ", err)
	}
	return small, data
}

// Weights in another file, as PyTorch writes them, become part of the network;
// a file that has its own stays as it is, byte for byte.
func TestWeightsInAnotherFile(t *testing.T) {
	onnx, err := os.ReadFile("testdata/models/resnet18/1.0.0/model.onnx")
	if err != nil {
		t.Fatal(err)
	}
	small, data := asTorch(t, onnx, "m.onnx.data")
	fsys := fstest.MapFS{"x/own.onnx": {Data: onnx}, "x/m.onnx": {Data: small}, "x/m.onnx.data": {Data: data}, "damaged.onnx": {Data: onnx[:1000]}}
	if own, err := ReadFile(fsys, "x/own.onnx"); err != nil || !bytes.Equal(own, onnx) {
		t.Error("a file in one piece was changed: ", err)
	}
	if damaged, err := ReadFile(fsys, "damaged.onnx"); err != nil || !bytes.Equal(damaged, onnx[:1000]) {
		t.Error("what is no network is for ReadGraph to tell: ", err)
	}
	joined, err := ReadFile(fsys, "x/m.onnx")
	if err != nil {
		t.Fatal(err)
	}
	want, wantErr := ReadGraph(onnx)
	have, haveErr := readWhole(joined)
	if err := errors.Join(wantErr, haveErr); err != nil || !reflect.DeepEqual(have, want) {
		t.Errorf("another network: %v", err)
	}
}

func TestWeightsThatAreNotThere(t *testing.T) {
	onnx, err := os.ReadFile("testdata/models/classifier/1.0.0/model.onnx")
	if err != nil {
		t.Fatal(err)
	}
	small, data := asTorch(t, onnx, "m.data")
	up, _ := asTorch(t, onnx, "../m.data")
	odd := bytes.ReplaceAll(small, []byte("offset\x12\x010"), []byte("offset\x12\x01x"))
	for name, files := range map[string]map[string][]byte{
		"no file":       {"d/m.onnx": small},
		"a short file":  {"d/m.onnx": small, "d/m.data": data[:len(data)-1]},
		"an empty file": {"d/m.onnx": small, "d/m.data": nil},
		"outside":       {"d/m.onnx": up, "m.data": data},
		"an odd offset": {"d/m.onnx": odd, "d/m.data": data},
	} {
		fsys := fstest.MapFS{}
		for file, data := range files {
			fsys[file] = &fstest.MapFile{Data: data}
		}
		var damaged *DamagedError
		if _, err := ReadFile(fsys, "d/m.onnx"); !errors.As(err, &damaged) || !strings.Contains(err.Error(), "another file") || !strings.Contains(err.Error(), "copy it again") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ReadFile(fstest.MapFS{}, "none.onnx"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	var large *TooLargeError
	huge := hugeFS{fstest.MapFS{"m.onnx": {Data: small}, "m.data": {Data: data}}}
	if _, err := ReadFile(huge, "m.onnx"); !errors.As(err, &large) {
		t.Errorf("weights of 2 GB: %v", err)
	}
}

// Tensors may share the bytes of a file: a small network that names one 300
// times is refused before the memory is taken.
func TestWeightsThatShareAFile(t *testing.T) {
	var tensor, graph, file, at message
	at.text(1, "location")
	at.text(2, "w")
	tensor.message(13, at)
	tensor.number(14, 1)
	for range 300 {
		graph.message(5, tensor)
	}
	file.message(7, graph)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := ReadFile(fstest.MapFS{"m.onnx": {Data: file}, "w": {Data: make([]byte, 4<<20)}}, "m.onnx")
	runtime.ReadMemStats(&after)
	var large *TooLargeError
	var damaged *DamagedError
	if !errors.As(err, &large) || errors.As(err, &damaged) || !strings.Contains(err.Error(), "m.onnx with its weights") {
		t.Errorf("1.2 GB of weights: %v", err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > 8*maxONNX {
		t.Errorf("%d MB were taken", took>>20)
	}
}

// elsewhere are the tensors of a network that may name another file.
var elsewhere = map[string]struct {
	fields   []protowire.Number // from the model to the tensor
	location []int64
}{
	"weights":                    {[]protowire.Number{7, 5}, []int64{1}},
	"of 64 bits":                 {[]protowire.Number{7, 5}, []int64{1<<32 | 1}},
	"then unknown":               {[]protowire.Number{7, 5}, []int64{1, 7}},
	"sparse weights":             {[]protowire.Number{7, 15, 1}, []int64{1}},
	"their places":               {[]protowire.Number{7, 15, 2}, []int64{1}},
	"an attribute":               {[]protowire.Number{7, 1, 5, 5}, []int64{1}},
	"a list in an attribute":     {[]protowire.Number{7, 1, 5, 10}, []int64{1}},
	"sparse in an attribute":     {[]protowire.Number{7, 1, 5, 22, 1}, []int64{1}},
	"a list of such":             {[]protowire.Number{7, 1, 5, 23, 2}, []int64{1}},
	"a branch":                   {[]protowire.Number{7, 1, 5, 6, 5}, []int64{1}},
	"branches":                   {[]protowire.Number{7, 1, 5, 11, 15, 1}, []int64{1}},
	"a function":                 {[]protowire.Number{25, 7, 5, 5}, []int64{1}},
	"a default of a function":    {[]protowire.Number{25, 11, 5}, []int64{1}},
	"training":                   {[]protowire.Number{20, 1, 5}, []int64{1}},
	"training, what it computes": {[]protowire.Number{20, 2, 5}, []int64{1}},
}

// farAway is a tensor in m.data, as a field of a network.
func farAway(fields []protowire.Number, location []int64) message {
	var at, m message
	at.text(1, "location")
	at.text(2, "m.data")
	m.text(8, "far away")
	m.message(13, at)
	for _, l := range location {
		m.number(14, l)
	}
	for _, num := range slices.Backward(fields) {
		var outer message
		outer.message(num, m)
		m = outer
	}
	return m
}

// A network that was put into the folder by hand may name other files in any
// tensor, wherever one can be; a runtime would open them. Load refuses each, and
// ReadFile brings each into the network.
func TestNoWeightsElsewhere(t *testing.T) {
	onnx, err := os.ReadFile("testdata/models/classifier/1.0.0/model.onnx")
	if err != nil {
		t.Fatal(err)
	}
	sum := func(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }
	load := func(file string, b []byte, pairs ...string) error {
		fsys := changed(t, "classifier", "1.0.0", pairs...)
		fsys["classifier/1.0.0/"+file] = &fstest.MapFile{Data: b}
		p, err := Load(fsys, "classifier/1.0.0")
		if err == nil {
			_, err = p.in(INT8, fsys, "classifier/1.0.0")
		}
		return err
	}
	for name, tt := range elsewhere {
		t.Run(name, func(t *testing.T) {
			b := append(slices.Clone(onnx), farAway(tt.fields, tt.location)...)
			var no *ExternalError
			err := load("model.onnx", b, sum(onnx), sum(b))
			if !errors.As(err, &no) || !no.Permanent() || no.Tensor != "far away" || !strings.Contains(err.Error(), "model.onnx") || !strings.Contains(err.Error(), "model add") {
				t.Errorf("loaded: %v", err)
			}
			if err := load("int8.onnx", b, "task:", "variants: {int8: {file: int8.onnx, sha256: "+sum(b)+"}}\ntask:"); !errors.As(err, &no) {
				t.Errorf("a variant was loaded: %v", err)
			}
			joined, err := ReadFile(fstest.MapFS{"m.onnx": {Data: b}, "m.data": {Data: []byte("12345678")}}, "m.onnx")
			if err != nil || whole(joined) != nil || !bytes.Contains(joined, []byte("12345678")) {
				t.Errorf("joined: %v, %v", err, whole(joined))
			}
		})
	}
	var damaged *DamagedError
	bad := append(slices.Clone(onnx), 0xca, 0x01, 1, 0xff) // functions that are no message
	if err := load("model.onnx", bad, sum(onnx), sum(bad)); !errors.As(err, &damaged) {
		t.Errorf("what cannot be read: %v", err)
	}
}

// hugeFS says that every file of weights has 2 GB.
type hugeFS struct{ fs.FS }

func (h hugeFS) Open(name string) (fs.File, error) {
	f, err := h.FS.Open(name)
	if err == nil && strings.HasSuffix(name, ".data") {
		f = hugeFile{f}
	}
	return f, err
}

type hugeFile struct{ fs.File }

func (h hugeFile) Stat() (fs.FileInfo, error) {
	i, err := h.File.Stat()
	return hugeInfo{i}, err
}

type hugeInfo struct{ fs.FileInfo }

func (hugeInfo) Size() int64 { return 2 << 30 }

// Junk never panics; what is joined is a network if it was one.
func FuzzReadFile(f *testing.F) {
	onnx, err := os.ReadFile("testdata/models/classifier/1.0.0/model.onnx")
	if err != nil {
		f.Fatal(err)
	}
	small, data := asTorch(f, onnx, "m.data")
	f.Add(small)
	f.Fuzz(func(t *testing.T, b []byte) {
		whole, err := ReadFile(fstest.MapFS{"m.onnx": {Data: b}, "m.data": {Data: data}}, "m.onnx")
		if err != nil {
			return
		}
		_, before := ReadGraph(b)
		if _, after := ReadGraph(whole); (before == nil) != (after == nil) {
			t.Errorf("%v before, %v after", before, after)
		}
	})
}
