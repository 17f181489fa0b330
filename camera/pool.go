package camera

import (
	"fmt"
	"sync"
	"sync/atomic"

	"gocv.io/x/gocv"

	"inspector"
)

// spare is how many idle buffers a pool keeps: one each for capture, mailbox
// and consumer, and one more for a consumer that prepares the next.
const spare = 4

// pool lends buffers of one size. When the geometry of the source changes, the
// buffers of the old size are left to the garbage collector.
type pool struct {
	mu   sync.Mutex
	size int
	free [][]byte
}

// A lease is one buffer on loan. Returning it twice is harmless: it must never
// be lent to two frames at once.
type lease struct {
	pool *pool
	data []byte
	done atomic.Bool
}

func (p *pool) lend(size int) *lease {
	p.mu.Lock()
	defer p.mu.Unlock()
	if size != p.size {
		p.size, p.free = size, nil
	}
	if n := len(p.free); n > 0 {
		data := p.free[n-1]
		p.free = p.free[:n-1]
		return &lease{pool: p, data: data}
	}
	return &lease{pool: p, data: make([]byte, size)}
}

func (l *lease) release() {
	if !l.done.CompareAndSwap(false, true) {
		return
	}
	l.pool.mu.Lock()
	defer l.pool.mu.Unlock()
	if len(l.data) == l.pool.size && len(l.pool.free) < spare {
		l.pool.free = append(l.pool.free, l.data)
	}
}

// fromMat copies the picture in m, which stays the caller's, into a buffer.
func (p *pool) fromMat(m gocv.Mat) (inspector.Pixels, *lease, error) {
	if t := m.Type(); t != gocv.MatTypeCV8UC1 && t != gocv.MatTypeCV8UC3 {
		return inspector.Pixels{}, nil, fmt.Errorf("the picture has OpenCV type %v; want 8-bit grey or BGR: convert it in the camera or the pipeline", t)
	}
	data, err := m.DataPtrUint8()
	if err != nil {
		return inspector.Pixels{}, nil, err
	}
	l := p.lend(len(data))
	copy(l.data, data)
	return inspector.Pixels{
		Width: m.Cols(), Height: m.Rows(), Channels: m.Channels(),
		Stride: m.Cols() * m.Channels(), Data: l.data,
	}, l, nil
}

// fromPixels copies src, which stays the caller's, into a buffer.
func (p *pool) fromPixels(src inspector.Pixels) (inspector.Pixels, *lease, error) {
	if err := src.Check(); err != nil {
		return inspector.Pixels{}, nil, err
	}
	dst := src
	dst.Stride = src.Width * src.Channels
	l := p.lend(dst.Stride * dst.Height)
	for y := range dst.Height {
		copy(l.data[y*dst.Stride:(y+1)*dst.Stride], src.Data[y*src.Stride:])
	}
	dst.Data = l.data
	return dst, l, nil
}

// still is fromPixels as a source delivers it.
func (p *pool) still(src inspector.Pixels, name string) still {
	pixels, l, err := p.fromPixels(src)
	if err != nil {
		return still{name: name, err: err}
	}
	return still{pixels: pixels, name: name, release: l.release}
}
