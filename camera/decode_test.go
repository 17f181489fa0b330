package camera

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gocv.io/x/gocv"
)

const someMegapixels = 64_000_000

// picture is a colourful still of 48 x 32 in the format of ext.
func picture(t testing.TB, ext gocv.FileExt, channels int) []byte {
	t.Helper()
	kind := gocv.MatTypeCV8UC3
	if channels == 1 {
		kind = gocv.MatTypeCV8UC1
	}
	raw := make([]byte, 48*32*channels)
	for i := range raw {
		raw[i] = byte(i*7 ^ i>>5)
	}
	m, err := gocv.NewMatFromBytes(32, 48, kind, raw)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	b, err := gocv.IMEncode(ext, m)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	return bytes.Clone(b.GetBytes())
}

func formats() []gocv.FileExt { return []gocv.FileExt{".png", ".jpg", ".bmp", ".tiff", ".webp"} }

func TestDecodeGivesWhatTheFileHas(t *testing.T) {
	for _, ext := range formats() {
		for _, channels := range []int{1, 3} {
			p, err := Decode(picture(t, ext, channels), someMegapixels)
			if err != nil || p.Check() != nil || p.Width != 48 || p.Height != 32 {
				t.Errorf("%s with %d channels: %d x %d, %v", ext, channels, p.Width, p.Height, err)
				continue
			}
			if ext != ".webp" && p.Channels != channels { // WebP knows no grey
				t.Errorf("%s: %d channels, want %d", ext, p.Channels, channels)
			}
		}
	}
}

func TestDecodeReducesDepthAndAlpha(t *testing.T) {
	grey16, rgba := image.NewGray16(image.Rect(0, 0, 3, 2)), image.NewNRGBA(image.Rect(0, 0, 3, 2))
	grey16.SetGray16(1, 1, color.Gray16{Y: 0xab12})
	rgba.SetNRGBA(1, 1, color.NRGBA{R: 10, G: 20, B: 30, A: 99})
	for _, c := range []struct {
		name string
		img  image.Image
		want []byte
	}{
		{"16 bit grey", grey16, []byte{0xab}},
		{"alpha", rgba, []byte{30, 20, 10}},
	} {
		var b bytes.Buffer
		if err := png.Encode(&b, c.img); err != nil {
			t.Fatal(err)
		}
		p, err := Decode(b.Bytes(), someMegapixels)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		at := p.Stride + p.Channels
		if got := p.Data[at : at+p.Channels]; !bytes.Equal(got, c.want) {
			t.Errorf("%s: pixel %v, want %v", c.name, got, c.want)
		}
	}
}

func TestDecodeRefusesTruncated(t *testing.T) {
	for _, ext := range formats() {
		whole := picture(t, ext, 3)
		for i := range 64 {
			n := i * len(whole) / 68
			if _, err := Decode(whole[:n], someMegapixels); err == nil {
				t.Errorf("%s: %d of %d bytes were taken for a picture", ext, n, len(whole))
				break
			}
		}
	}
	jpg := picture(t, ".jpg", 3)
	zeroed := append(bytes.Clone(jpg[:len(jpg)/2]), make([]byte, len(jpg)/2)...) // as after a power cut
	for name, data := range map[string][]byte{"without its last byte": jpg[:len(jpg)-1], "with a zeroed tail": zeroed} {
		if _, err := Decode(data, someMegapixels); err == nil {
			t.Errorf("a JPEG %s was taken for a picture", name)
		}
	}
}

// bombPNG is a small PNG that says it is 30,000 x 30,000.
func bombPNG() []byte {
	chunk := func(kind string, body []byte) []byte {
		b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
		b = append(append(b, kind...), body...)
		return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
	}
	size := binary.BigEndian.AppendUint32(nil, 30_000)
	size = binary.BigEndian.AppendUint32(size, 30_000)
	return append([]byte("\x89PNG\r\n\x1a\n"), chunk("IHDR", append(size, 8, 2, 0, 0, 0))...)
}

// resized is picture with another size in its header.
func resized(t testing.TB, ext gocv.FileExt) []byte {
	b := picture(t, ext, 3)
	switch ext {
	case ".bmp":
		binary.LittleEndian.PutUint32(b[18:], 30_000)
		binary.LittleEndian.PutUint32(b[22:], 30_000)
	case ".jpg":
		at := bytes.Index(b, []byte{0xff, 0xc0})
		binary.BigEndian.PutUint16(b[at+5:], 30_000)
		binary.BigEndian.PutUint16(b[at+7:], 30_000)
	case ".webp":
		binary.LittleEndian.PutUint32(b[21:], 0x0fff_ffff) // VP8L: 14 bits each
	}
	return b
}

func TestDecodeRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"nothing", nil, "0 bytes"},
		{"text", []byte("this is a text that was named .png"), "no JPEG, PNG"},
		{"gif", []byte("GIF89a\x01\x00\x01\x00\x00\x00\x00;"), "convert it"},
		{"png bomb", bombPNG(), "30000 x 30000"},
		{"bmp bomb", resized(t, ".bmp"), "30000 x 30000"},
		{"jpeg bomb", resized(t, ".jpg"), "30000 x 30000"},
		{"webp bomb", resized(t, ".webp"), "16384 x 16384"},
	} {
		var err error
		bytes := allocated(func() { _, err = Decode(c.data, someMegapixels) })
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
		if bytes > 1<<20 {
			t.Errorf("%s: %d bytes allocated to refuse it", c.name, bytes)
		}
	}
	if _, err := Decode(picture(t, ".png", 3), 48*32-1); err == nil {
		t.Error("a picture of one pixel too many was decoded")
	}
	if _, err := Decode(picture(t, ".png", 3), 48*32); err != nil {
		t.Errorf("a picture of just as many pixels as allowed: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, ext := range formats() {
		f.Add(picture(f, ext, 3))
		f.Add(picture(f, ext, 1))
	}
	f.Add(bombPNG())
	f.Add([]byte("BM"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Decode(data, 1<<20)
		if err != nil {
			return
		}
		if err := p.Check(); err != nil {
			t.Error(err)
		}
		if p.Width*p.Height > 1<<20 {
			t.Errorf("%d x %d is more than was allowed", p.Width, p.Height)
		}
	})
}

// recorded is the folder of recorded boards, or the test is skipped.
func recorded(t testing.TB) string {
	t.Helper()
	dir := filepath.Join("..", "..", "shared", "data", "deeppcb", "trainval")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no recorded boards: %v", err)
	}
	return dir
}

func ExampleRedact() {
	fmt.Println(Redact("rtsp://admin:secret@10.0.0.7:554/live?token=abc"))
	// Output: rtsp://***@10.0.0.7:554/live?***
}
