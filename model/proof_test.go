package model

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"aead.dev/minisign"
)

const classifierFolder = "classifier/1.0.0/"

// with is the classifier with more in its manifest, and more files. HASH(NAME)
// in the manifest becomes the sha256 of that file.
func with(t *testing.T, manifest string, files map[string]string) fstest.MapFS {
	t.Helper()
	fsys := changed(t, "classifier", "1.0.0")
	for name, data := range files {
		fsys[classifierFolder+name] = &fstest.MapFile{Data: []byte(data)}
	}
	for name, f := range fsys {
		sum := sha256.Sum256(f.Data)
		manifest = strings.ReplaceAll(manifest, "HASH("+strings.TrimPrefix(name, classifierFolder)+")", hex.EncodeToString(sum[:]))
	}
	y := fsys[classifierFolder+"model.yaml"]
	y.Data = append(bytes.Clone(y.Data), manifest...)
	return fsys
}

// twoFloats is 1 and -1, as a tensor's file.
const twoFloats = "\x00\x00\x80\x3f\x00\x00\x80\xbf"

func TestMaterial(t *testing.T) {
	files := map[string]string{
		"vectors/expected.json": `{"tested":"a.png","golden":"b.png","output_mean":[0.5],"defects":[{"class":"stain","score":0.9,"box":[1,2,3,4]}],"made":"2026"}`,
		"vectors/a.png":         "A", "vectors/b.png": "B",
		"vectors/raw.json": `{"input":"in.f32","output":"out.f32"}`, "vectors/in.f32": twoFloats, "vectors/out.f32": "\x00\x00\x80\x3f",
		"vectors/notes.txt": "no vector", "stills/good.jpg": "G",
	}
	p, err := Load(with(t, `
goldens: [{still: stills/good.jpg, verdict: pass}]
files: {vectors/expected.json: HASH(vectors/expected.json), vectors/a.png: HASH(vectors/a.png), vectors/b.png: HASH(vectors/b.png),
  vectors/raw.json: HASH(vectors/raw.json), vectors/in.f32: HASH(vectors/in.f32), vectors/out.f32: HASH(vectors/out.f32), stills/good.jpg: HASH(stills/good.jpg)}
`, files), "classifier/1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	m := p.Proof
	if len(m.Pictures) != 1 || string(m.Pictures[0].Tested) != "A" || string(m.Pictures[0].Golden) != "B" || m.Pictures[0].Defects[0].Box[3] != 4 {
		t.Errorf("pictures %+v", m.Pictures)
	}
	if len(m.Tensors) != 1 || len(m.Tensors[0].Input) != 2 || m.Tensors[0].Input[1] != -1 || m.Tensors[0].Output[0] != 1 {
		t.Errorf("tensors %+v", m.Tensors)
	}
	if len(m.Stills) != 1 || string(m.Stills[0].Tested) != "G" || m.Stills[0].Good != nil || m.Stills[0].Verdict != "pass" {
		t.Errorf("stills %+v", m.Stills)
	}
}

// Whatever is not as the manifest says is refused, with the file and why.
func TestMaterialRefused(t *testing.T) {
	good := map[string]string{"vectors/expected.json": `{"input":"in.f32","output":"out.f32"}`, "vectors/in.f32": twoFloats, "vectors/out.f32": twoFloats}
	listed := "\nfiles: {vectors/expected.json: HASH(vectors/expected.json), vectors/in.f32: HASH(vectors/in.f32), vectors/out.f32: HASH(vectors/out.f32)}\n"
	for name, c := range map[string]struct {
		manifest, file, data string
		want                 []string
	}{
		"tampered":             {"\nfiles: {vectors/in.f32: " + strings.Repeat("0", 64) + "}\n", "", "", []string{"vectors/in.f32", "changed or damaged"}},
		"not listed":           {"\nfiles: {vectors/in.f32: HASH(vectors/in.f32)}\n", "", "", []string{"vectors/expected.json", "not listed"}},
		"listed, not there":    {strings.Replace(listed, "files: {", "files: {readme.txt: "+strings.Repeat("0", 64)+", ", 1), "", "", []string{"readme.txt", "not exist"}},
		"outside":              {"\nfiles: {../x: " + strings.Repeat("0", 64) + "}\n", "", "", []string{"inside the package"}},
		"no JSON":              {"", "vectors/expected.json", "{", []string{"expected.json", "models/README.md"}},
		"says nothing":         {"", "vectors/expected.json", "{}", []string{"want tested"}},
		"defects left out":     {"", "vectors/expected.json", `{"tested":"in.f32","output_mean":[1]}`, []string{"want tested"}},
		"both at once":         {"", "vectors/expected.json", `{"tested":"a","output_mean":[1],"defects":[],"input":"a","output":"b"}`, []string{"want tested"}},
		"picture elsewhere":    {"", "vectors/expected.json", `{"input":"../model.onnx","output":"out.f32"}`, []string{"beside the description"}},
		"odd bytes":            {"", "vectors/in.f32", "abc", []string{"in.f32", "4 bytes each"}},
		"copper of no kind":    {"", "vectors/expected.json", `{"tested":"in.f32","output_mean":[1],"defects":[],"copper":"gold"}`, []string{"dark or bright"}},
		"vector's file absent": {"", "vectors/expected.json", `{"input":"none.f32","output":"out.f32"}`, []string{"none.f32", "not exist"}},
		"verdict unsure":       {"\ngoldens: [{still: a.png, verdict: unsure}]\n", "", "", []string{"pass or fail"}},
		"still absent":         {"\ngoldens: [{still: a.png, verdict: fail}]\n", "", "", []string{"a.png", "not exist"}},
		"variant of no kind":   {"\nvariants: {int4: {file: a.onnx, sha256: HASH(model.onnx)}}\n", "", "", []string{"int4", "unknown"}},
		"vector of no variant": {"", "vectors/expected.json", `{"variant":"int4","input":"in.f32","output":"out.f32"}`, []string{"fp32 or int8"}},
		"too lax":              {"\ntolerance: 0.1\n", "", "", []string{"tolerance", "at most 0.01"}},
		"variant too lax":      {"\nvariants: {int8: {file: a.onnx, sha256: HASH(model.onnx), tolerance: 0.9}}\n", "", "", []string{"tolerance", "at most 0.25"}},
		"variant is the file":  {"\nvariants: {int8: {file: model.onnx, sha256: HASH(model.onnx)}}\n", "", "", []string{"another file"}},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{}
			for k, v := range good {
				files[k] = v
			}
			if c.file != "" {
				files[c.file] = c.data
			}
			_, err := Load(with(t, c.manifest, files), "classifier/1.0.0")
			for _, w := range c.want {
				if err == nil || !strings.Contains(err.Error(), w) {
					t.Errorf("error %v lacks %q", err, w)
				}
			}
		})
	}
	if _, err := Load(with(t, listed, good), "classifier/1.0.0"); err != nil {
		t.Error(err)
	}
	var hash *HashError
	_, err := Load(with(t, "\nfiles: {vectors/in.f32: "+strings.Repeat("0", 64)+"}\n", good), "classifier/1.0.0")
	if !errors.As(err, &hash) || !hash.Permanent() || hash.Have == hash.Want {
		t.Errorf("error is %v", err)
	}
}

// Who must reproduce which vector, and how closely.
func TestToleranceFor(t *testing.T) {
	for _, tt := range []struct {
		running string
		own     float32 // of the manifest
		vector  string
		want    float32
		ok      bool
	}{
		{FP32, 0, FP32, 1e-4, true}, {FP32, 0, "", 1e-4, true}, {FP32, 0.005, FP32, 0.005, true}, {FP32, 0, INT8, 0, false},
		{INT8, 0.005, FP32, 0.05, true}, {INT8, 0, INT8, 0.02, true},
	} {
		p := &Package{Variant: tt.running}
		p.Manifest.Tolerance = tt.own
		if have, ok := p.ToleranceFor(tt.vector); have != tt.want || ok != tt.ok {
			t.Errorf("%+v: %v, %v", tt, have, ok)
		}
	}
}

func TestVariants(t *testing.T) {
	onnx, err := os.ReadFile("testdata/models/classifier/1.0.0/model.onnx")
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"model.int8.onnx": string(onnx) + "\x08\x06"} // the same network in another file
	fsys := with(t, "\nvariants: {int8: {file: model.int8.onnx, sha256: HASH(model.int8.onnx)}}\n", files)
	r, err := OpenRegistry(fsys, "")
	if err != nil {
		t.Fatal(err)
	}
	p, err := r.Load("classifier", "1.0.0", Trust{})
	if err != nil {
		t.Fatal(err)
	}
	q, err := r.In(INT8, p)
	if err != nil || q.Variant != INT8 || q.ID() == p.ID() || q.Tolerance() != ToleranceINT8 || p.Tolerance() != ToleranceFP32 || p.Variant != FP32 {
		t.Errorf("%v as int8 is %v, %v", p.ID(), q, err)
	}
	var none *VariantError
	if _, err := r.In("int4", p); !errors.As(err, &none) || !none.Permanent() || !strings.Contains(err.Error(), "int4") {
		t.Errorf("a variant that is not there: %v", err)
	}
	fsys[classifierFolder+"model.int8.onnx"].Data[100] ^= 1
	var hash *HashError
	if _, err := r.In(INT8, p); !errors.As(err, &hash) {
		t.Errorf("a variant that was changed: %v", err)
	}
}

// newKey is a key pair of minisign: the public half as people write it.
func newKey(t *testing.T) (string, minisign.PrivateKey) {
	t.Helper()
	public, private, err := minisign.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := public.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	return string(text), private
}

// With trusted keys, only what one of them signed is believed, and a signature
// is of the manifest, which vouches for the rest.
func TestSignatures(t *testing.T) {
	public, private := newKey(t)
	other, otherPrivate := newKey(t)
	files := map[string]string{"vectors/expected.json": `{"input":"in.f32","output":"in.f32"}`, "vectors/in.f32": twoFloats}
	listed := "\nfiles: {vectors/expected.json: HASH(vectors/expected.json), vectors/in.f32: HASH(vectors/in.f32)}\n"
	signed := func(manifest string, key minisign.PrivateKey) fstest.MapFS {
		fsys := with(t, manifest, files)
		fsys[classifierFolder+signatureName] = &fstest.MapFile{Data: minisign.Sign(key, fsys[classifierFolder+manifestName].Data)}
		return fsys
	}
	changedAfter := signed(listed, private)
	y := changedAfter[classifierFolder+manifestName]
	y.Data = append(bytes.Clone(y.Data), "# harmless\n"...)
	damaged := signed(listed, private)
	d := damaged[classifierFolder+signatureName].Data
	d[bytes.IndexByte(d, '\n')+40] ^= 1 // beyond the comment
	for name, c := range map[string]struct {
		keys []string
		fsys fstest.MapFS
		want string // of the error; empty: none
	}{
		"signed":             {[]string{public}, signed(listed, private), ""},
		"by one of two":      {[]string{other, public}, signed(listed, private), ""},
		"nobody asks":        {nil, with(t, listed, files), ""},
		"not signed":         {[]string{public}, with(t, listed, files), "not signed"},
		"by somebody else":   {[]string{public}, signed(listed, otherPrivate), "no trusted key"},
		"changed after":      {[]string{public}, changedAfter, "no trusted key"},
		"damaged signature":  {[]string{public}, damaged, "no trusted key"},
		"vectors not listed": {[]string{public}, signed("", private), "does not list"},
	} {
		t.Run(name, func(t *testing.T) {
			trust, err := ParseTrust(c.keys)
			if err != nil {
				t.Fatal(err)
			}
			r, err := OpenRegistry(c.fsys, "")
			if err != nil {
				t.Fatal(err)
			}
			_, err = r.Load("classifier", "1.0.0", trust)
			var bad *SignatureError
			if (err == nil) != (c.want == "") || err != nil && (!errors.As(err, &bad) || !bad.Permanent() || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error is %v; want %q", err, c.want)
			}
		})
	}
	if _, err := ParseTrust([]string{public, "RWnonsense"}); err == nil || !strings.Contains(err.Error(), "key 2") {
		t.Errorf("a key that is none: %v", err)
	}
}

func FuzzExpected(f *testing.F) {
	f.Add([]byte(`{"tested":"a.png","golden":"b.png","output_mean":[0.5],"defects":[{"class":"x","score":0.9,"box":[1,2,3,4]}]}`))
	f.Add([]byte(`{"input":"in.f32","output":"out.f32"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := parseExpected(data)
		if err != nil {
			return
		}
		if (e.Tested != "") == (e.Input != "") && e.Input != "" && e.Output != "" && len(e.Mean) > 0 && e.Defects != nil {
			t.Errorf("%q is two vectors in one", data)
		}
		for _, name := range []string{e.Tested, e.Golden, e.Input, e.Output} {
			if strings.ContainsAny(name, `/\`) || name == ".." {
				t.Errorf("%q leads outside: %q", data, name)
			}
		}
	})
}
