package camera

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// readHeader returns what data is and how many pixels wide and high it says it
// is, without decoding it.
func readHeader(data []byte) (kind string, w, h int, err error) {
	switch {
	case len(data) == 0:
		return "", 0, 0, errors.New("the file has 0 bytes: copy or save it again")
	case hasPrefix(data, "\xff\xd8\xff"):
		kind = "JPEG"
		w, h, err = sizeJPEG(data)
	case hasPrefix(data, "\x89PNG\r\n\x1a\n"):
		kind = "PNG"
		w, h, err = sizePNG(data)
	case hasPrefix(data, "BM"):
		kind = "BMP"
		w, h, err = sizeBMP(data)
	case hasPrefix(data, "II*\x00"):
		kind = "TIFF"
		w, h, err = sizeTIFF(data, binary.LittleEndian)
	case hasPrefix(data, "MM\x00*"):
		kind = "TIFF"
		w, h, err = sizeTIFF(data, binary.BigEndian)
	case len(data) >= 12 && hasPrefix(data, "RIFF") && hasPrefix(data[8:], "WEBP"):
		kind = "WebP"
		w, h, err = sizeWebP(data)
	default:
		return "", 0, 0, fmt.Errorf("it is no JPEG, PNG, BMP, TIFF or WebP (it begins with %q): convert it", data[:min(len(data), 12)])
	}
	if err != nil {
		return "", 0, 0, fmt.Errorf("the %s is truncated or damaged: %w: copy or save it again", kind, err)
	}
	return kind, w, h, nil
}

func hasPrefix(data []byte, prefix string) bool { return bytes.HasPrefix(data, []byte(prefix)) }

// sizeJPEG walks from marker to marker to the end of the image (ITU-T T.81,
// B.1.1). OpenCV fills what is missing with grey and says nothing.
func sizeJPEG(data []byte) (w, h int, err error) {
	for i, scanned := 2, false; i+2 <= len(data); {
		marker := data[i+1]
		switch {
		case data[i] != 0xff:
			return 0, 0, fmt.Errorf("byte %d is no marker", i)
		case marker == 0xff: // fill
			i++
			continue
		case marker == 0xd9 && scanned: // end of image
			return w, h, nil
		case marker == 0x01 || marker >= 0xd0 && marker <= 0xd9:
			i += 2
			continue
		case i+4 > len(data):
			return 0, 0, errCut
		}
		if marker&0xf0 == 0xc0 && marker != 0xc4 && marker != 0xc8 && marker != 0xcc { // start of frame
			if w != 0 || i+9 > len(data) {
				return 0, 0, errors.New("it gives its size twice or not at all")
			}
			h, w = int(binary.BigEndian.Uint16(data[i+5:])), int(binary.BigEndian.Uint16(data[i+7:]))
		}
		i += 2 + int(binary.BigEndian.Uint16(data[i+2:]))
		if marker == 0xda { // start of scan
			i, scanned = endOfScan(data, i), true
		}
	}
	return 0, 0, errCut
}

// endOfScan returns where the next marker is after the coded data at i.
func endOfScan(data []byte, i int) int {
	for ; i+1 < len(data); i++ {
		if next := data[i+1]; data[i] == 0xff && next != 0 && next != 0xff && (next < 0xd0 || next > 0xd7) {
			return i
		}
	}
	return len(data)
}

func sizePNG(data []byte) (w, h int, err error) {
	if len(data) < 24 || string(data[12:16]) != "IHDR" {
		return 0, 0, errCut
	}
	return int(binary.BigEndian.Uint32(data[16:])), int(binary.BigEndian.Uint32(data[20:])), nil
}

var errCut = errors.New("its end is missing")

func sizeBMP(data []byte) (w, h int, err error) {
	if len(data) < 26 {
		return 0, 0, errCut
	}
	le := binary.LittleEndian
	if le.Uint32(data[14:]) == 12 { // BITMAPCOREHEADER
		return int(le.Uint16(data[18:])), int(le.Uint16(data[20:])), nil
	}
	w, h = int(int32(le.Uint32(data[18:]))), int(int32(le.Uint32(data[22:])))
	if size := int(le.Uint32(data[2:])); size > len(data) {
		return 0, 0, errCut
	}
	return w, max(h, -h), nil // rows from top to bottom have a negative height
}

// sizeTIFF reads the first directory (TIFF 6.0, section 2).
func sizeTIFF(data []byte, o binary.ByteOrder) (w, h int, err error) {
	if len(data) < 8 {
		return 0, 0, errCut
	}
	at := int64(o.Uint32(data[4:]))
	if at+2 > int64(len(data)) {
		return 0, 0, errCut
	}
	entries := data[at+2:]
	for range o.Uint16(data[at:]) {
		if len(entries) < 12 {
			return 0, 0, errCut
		}
		size := int(o.Uint32(entries[8:]))
		if o.Uint16(entries[2:]) == 3 { // SHORT, left-justified
			size = int(o.Uint16(entries[8:]))
		}
		field := &w
		switch o.Uint16(entries) {
		case 257:
			field = &h
			fallthrough
		case 256:
			if *field != 0 {
				return 0, 0, errors.New("it gives its size twice")
			}
			*field = min(size, math.MaxInt32)
		}
		entries = entries[12:]
	}
	return w, h, nil
}

// sizeWebP reads the first chunk (RFC 9649).
func sizeWebP(data []byte) (w, h int, err error) {
	if len(data) < 30 || int64(len(data)) < 8+int64(binary.LittleEndian.Uint32(data[4:])) {
		return 0, 0, errCut
	}
	switch body := data[20:]; string(data[12:16]) {
	case "VP8X":
		return 1 + int(uint24(body[4:])), 1 + int(uint24(body[7:])), nil
	case "VP8L":
		bits := binary.LittleEndian.Uint32(body[1:])
		return 1 + int(bits&0x3fff), 1 + int(bits>>14&0x3fff), nil
	case "VP8 ":
		return int(binary.LittleEndian.Uint16(body[6:]) & 0x3fff), int(binary.LittleEndian.Uint16(body[8:]) & 0x3fff), nil
	}
	return 0, 0, errors.New("its first chunk is unknown")
}

func uint24(b []byte) uint32 { return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 }
