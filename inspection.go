// Package inspector is the vocabulary of the appliance: plain values that the
// other packages exchange. It does no I/O and imports only the standard library.
package inspector

import (
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Pixels are 8-bit samples, interleaved, rows Stride bytes apart: 3 channels
// are BGR, 1 is grey. Nobody writes to Data after capture.
type Pixels struct {
	Width, Height, Channels, Stride int
	Data                            []byte
}

// Check reports whether the geometry fits the data; nil if it does.
func (p Pixels) Check() error {
	switch {
	case p.Channels != 1 && p.Channels != 3:
		return fmt.Errorf("pixels: %d channels; want 1 (grey) or 3 (BGR)", p.Channels)
	case p.Width <= 0 || p.Height <= 0:
		return fmt.Errorf("pixels: %d x %d is empty", p.Width, p.Height)
	case p.Stride < p.Width*p.Channels || len(p.Data) < p.Stride*(p.Height-1)+p.Width*p.Channels:
		return fmt.Errorf("pixels: %d bytes with stride %d cannot hold %d x %d x %d", len(p.Data), p.Stride, p.Width, p.Height, p.Channels)
	}
	return nil
}

// A Frame is one still from the camera. It may be shared without copying
// until its owner calls Release, after which nobody may read its pixels.
type Frame struct {
	Seq    uint64    // dense since boot: a gap is a frame that was dropped
	At     time.Time // of capture, for people; order by Seq, never by At
	Name   string    // of the file or still, if the source knows one
	Pixels Pixels

	release func()
}

// NewFrame returns a frame whose Release calls release once the pixels are
// free; release may be nil.
func NewFrame(seq uint64, at time.Time, p Pixels, release func()) Frame {
	return Frame{Seq: seq, At: at, Pixels: p, release: release}
}

// Release gives the pixels back to their pool. The owner of the frame calls it
// exactly once; copies of the frame must not call it again.
func (f Frame) Release() {
	if f.release != nil {
		f.release()
	}
}

// A Trigger asks for one verdict about one board. It always gets exactly one.
type Trigger struct {
	Source  string    `json:"source"`            // http, mqtt, interval, free-run, file
	Request string    `json:"request,omitempty"` // the asker's own id: asked again, the answer is the same
	Serial  string    `json:"serial,omitempty"`  // of the board, if the asker knows it
	Recipe  string    `json:"recipe,omitempty"`  // empty: the recipe in force
	Picture string    `json:"picture,omitempty"` // sha256 of the still that was sent; empty: the camera's
	At      time.Time `json:"at"`
}

// Same reports whether t asks for what other asked for.
func (t Trigger) Same(other Trigger) bool {
	t.At, other.At = time.Time{}, time.Time{}
	return t == other
}

// A Verdict is what the line should do with the board. There is no fourth.
type Verdict string

// The verdicts.
const (
	Pass   Verdict = "pass"
	Fail   Verdict = "fail"
	Unsure Verdict = "unsure" // a person must look
)

// A Box is a rectangle in pixels of the captured picture: left and top are
// inside it, right and bottom are not.
type Box struct {
	Left   float32 `json:"left"`
	Top    float32 `json:"top"`
	Right  float32 `json:"right"`
	Bottom float32 `json:"bottom"`
}

// A Point is a position in pixels of the captured picture.
type Point struct {
	X float32 `json:"x"`
	Y float32 `json:"y"`
}

// A Defect is one deviation from the golden board.
type Defect struct {
	Class   string  `json:"class"`
	Score   float32 `json:"score"` // 0 to 1
	Box     Box     `json:"box"`
	Polygon []Point `json:"polygon,omitempty"` // outline, if the model gives one
}

// A Registration says how a board lay in the picture beside its golden board.
type Registration struct {
	Quality float32 `json:"quality"` // correlation of the two once aligned; 1 is perfect
	Right   float32 `json:"right"`   // of its middle, pixels of the captured picture; left is negative
	Down    float32 `json:"down"`    // the same; up is negative
	Turn    float32 `json:"turn"`    // degrees, clockwise
	Scale   float32 `json:"scale"`   // 1 is the golden board's
	Golden  int     `json:"golden"`  // which of the recipe's golden boards it was compared with, from 0
	Etch    float32 `json:"etch"`    // pixels of the captured picture by which copper is wider at each edge than the golden board's, as compensated; narrower is negative
}

// An ID names an inspection for ever: device, store epoch, row number. The
// epoch is drawn when a store is created, so that a replaced disk never
// repeats an ID. It is also the name of the inspection's execution.
type ID struct {
	Device string // letters, digits and '_' only
	Epoch  string // 8 hexadecimal digits
	Row    int64
}

// String is the form used in keys, files, topics and addresses: DEVICE-EPOCH-ROW.
func (id ID) String() string { return fmt.Sprintf("%s-%s-%d", id.Device, id.Epoch, id.Row) }

// Timings are what each stage of one board took.
type Timings struct {
	Wait    time.Duration `json:"wait_ns"`           // from capture (or trigger, if later) until work began
	Code    time.Duration `json:"code_ns,omitempty"` // reading the code on the board
	Prepare time.Duration `json:"prepare_ns"`        // pixels to the model's input
	Align   time.Duration `json:"align_ns"`          // of Prepare: finding how the board lies beside the golden one
	Infer   time.Duration `json:"infer_ns"`          // the model alone
	Decode  time.Duration `json:"decode_ns"`         // output to defects and verdict
	Store   time.Duration `json:"store_ns"`          // until the verdict was durable
}

// An Inspection is what the appliance believes about one board. Its ID is the
// root of the key of everything done in its name.
type Inspection struct {
	ID       string        `json:"id"`
	Station  Station       `json:"station"`
	Trigger  Trigger       `json:"trigger"`
	Seq      uint64        `json:"seq"`    // of the frame; 0 if no frame was judged
	At       time.Time     `json:"at"`     // of capture, or of the trigger without a frame
	Missed   uint64        `json:"missed"` // frames dropped just before this one
	Serial   string        `json:"serial,omitempty"`
	Code     string        `json:"code,omitempty"`  // text of the code on the board, if the recipe reads one
	Still    string        `json:"still,omitempty"` // name of the file or still, if the source has one
	Recipe   string        `json:"recipe"`
	Model    string        `json:"model"` // name/version@sha256 of the judge
	Runtime  string        `json:"runtime"`
	Verdict  Verdict       `json:"verdict"`
	Reason   string        `json:"reason"` // of the verdict, in words
	Score    float32       `json:"score"`  // the highest that the model gave, also below the limits
	Defects  []Defect      `json:"defects"`
	LeftOut  int           `json:"left_out,omitempty"`     // defects that the recipe's regions and smallest leave out
	Lay      *Registration `json:"registration,omitempty"` // how the board lay, if it was aligned
	Evidence []Blob        `json:"evidence"`
	Width    int           `json:"width"` // of the picture that the boxes refer to
	Height   int           `json:"height"`
	Timings  Timings       `json:"timings"`
}

// A Station says where the appliance stands, in ISA-95 levels.
type Station struct {
	Site   string `json:"site" yaml:"site"`
	Line   string `json:"line" yaml:"line"`
	Device string `json:"device" yaml:"device"`
}

// A Blob names bytes of evidence that the store keeps.
type Blob struct {
	Kind   string `json:"kind"` // image (as captured), overlay (with defects drawn, on demand)
	Path   string `json:"path"` // below the evidence folder, slash-separated
	Type   string `json:"type"` // media type
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
}

// A Disposition is a person's decision about a board that did not pass.
type Disposition struct {
	Decision string    `json:"decision"` // scrap, rework, release (a false call)
	By       string    `json:"by"`
	Note     string    `json:"note,omitempty"`
	At       time.Time `json:"at"`
}

// An Acknowledgement says that somebody has seen a board that did not pass. It
// ends reminders and decides nothing.
type Acknowledgement struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// Secret is a string that no verb and no encoder will print. Keep it in
// exported fields: fmt cannot see methods through unexported ones.
type Secret string

// Format prints stars, whatever the verb.
func (Secret) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, "***") }

// MarshalText gives stars to every text encoder.
func (Secret) MarshalText() ([]byte, error) { return []byte("***"), nil }

// MarshalJSON gives stars to JSON.
func (Secret) MarshalJSON() ([]byte, error) { return json.Marshal("***") }

// MarshalYAML gives stars to YAML.
func (Secret) MarshalYAML() (any, error) { return "***", nil }
