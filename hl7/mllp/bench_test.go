package mllp_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ladlehq/ladle/hl7"
	"github.com/ladlehq/ladle/hl7/mllp"
)

// BenchmarkExchange sends a message and reads its acknowledgement over loopback: with
// this package's Reader and Writer, the header read and an acknowledgement built of it;
// with a plain loop of one Read, a scan for the end byte, and one Write; and with a raw
// exchange of the same sizes. They take turns in one run; the ratios are to the raw one
// and to the plain loop.
func BenchmarkExchange(b *testing.B) {
	for _, size := range []int{728, 64 << 10} {
		for _, connections := range []int{1, 16, 128} {
			if size > 1000 && connections != 16 {
				continue
			}
			b.Run(fmt.Sprintf("bytes=%d/connections=%d", size, connections), func(b *testing.B) {
				msg := message("M1")
				msg = append(msg, "ZZZ|"+strings.Repeat("x", size-len(msg)-8)+"\r"...)
				frame := framed(msg)
				h, err := hl7.ParseHeader(msg)
				if err != nil {
					b.Fatal(err)
				}
				answer := framed(h.AppendAck(nil, hl7.Ack{Code: hl7.ApplicationAccept}))
				loads := []*exchangeLoad{
					newExchangeLoad(b, serveOurs, frame, connections),
					newExchangeLoad(b, servePlain(answer), frame, connections),
					newExchangeLoad(b, serveRaw(len(frame), answer), frame, connections),
				}
				var took [3]time.Duration
				for _, l := range loads {
					l.run(b, 4*connections)
				}
				b.ResetTimer()
				const block = 4096
				for n := 0; n < b.N; n += block {
					for i, l := range loads {
						began := time.Now()
						l.run(b, min(block, b.N-n))
						took[i] += time.Since(began)
					}
				}
				b.ReportMetric(float64(b.N)/took[0].Seconds(), "msg/s")
				b.ReportMetric(took[1].Seconds()/took[0].Seconds(), "of-plain")
				b.ReportMetric(took[2].Seconds()/took[0].Seconds(), "of-raw")
			})
		}
	}
}

func serveOurs(_ int, c net.Conn, r *mllp.Reader) {
	w := mllp.NewWriter(c)
	var answer []byte
	for {
		msg, err := r.Next()
		if err != nil {
			return
		}
		h, err := hl7.ParseHeader(msg)
		if err != nil {
			return
		}
		answer = h.AppendAck(answer[:0], hl7.Ack{Code: hl7.ApplicationAccept})
		if w.WriteMessage(answer) != nil {
			return
		}
	}
}

func servePlain(answer []byte) func(int, net.Conn, *mllp.Reader) {
	return func(_ int, c net.Conn, _ *mllp.Reader) {
		buf := make([]byte, 128<<10)
		n := 0
		for {
			m, err := c.Read(buf[n:])
			if err != nil {
				return
			}
			n += m
			if bytes.IndexByte(buf[n-m:n], 0x1c) < 0 {
				continue
			}
			n = 0
			if _, err := c.Write(answer); err != nil {
				return
			}
		}
	}
}

func serveRaw(size int, answer []byte) func(int, net.Conn, *mllp.Reader) {
	return func(_ int, c net.Conn, _ *mllp.Reader) {
		buf := make([]byte, size)
		for {
			if _, err := io.ReadFull(c, buf); err != nil {
				return
			}
			if _, err := c.Write(answer); err != nil {
				return
			}
		}
	}
}

// An exchangeLoad sends one frame again and again over its connections.
type exchangeLoad struct {
	conns []net.Conn
	frame []byte
}

func newExchangeLoad(b *testing.B, script func(int, net.Conn, *mllp.Reader), frame []byte, connections int) *exchangeLoad {
	address := partner(b, script)
	l := &exchangeLoad{frame: frame}
	for range connections {
		c, err := net.Dial("tcp", address)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { c.Close() })
		l.conns = append(l.conns, c)
	}
	return l
}

func (l *exchangeLoad) run(b *testing.B, n int) {
	var left atomic.Int64
	left.Store(int64(n))
	var wg sync.WaitGroup
	for _, c := range l.conns {
		wg.Go(func() {
			buf := make([]byte, 4096)
			for left.Add(-1) >= 0 {
				if _, err := c.Write(l.frame); err != nil {
					b.Error(err)
					return
				}
				for {
					n, err := c.Read(buf)
					if err != nil {
						b.Error(err)
						return
					}
					if bytes.HasSuffix(buf[:n], []byte("\x1c\r")) {
						break
					}
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkClient sends a message with a Client and waits for its acknowledgement over
// loopback; a raw exchange of the same sizes takes turns with it in one run. The ratio is
// to the raw one.
func BenchmarkClient(b *testing.B) {
	for _, size := range []int{728, 64 << 10} {
		b.Run(fmt.Sprintf("bytes=%d", size), func(b *testing.B) {
			msg := message("M1")
			msg = append(msg, "ZZZ|"+strings.Repeat("x", size-len(msg)-8)+"\r"...)
			frame, answer := framed(msg), framed(ack("M1"))
			c := newClient(b, &mllp.Client{Address: partner(b, serveRaw(len(frame), answer))})
			raw := newExchangeLoad(b, serveRaw(len(frame), answer), frame, 1)
			exchange := func(n int) {
				for range n {
					if _, err := c.Send(b.Context(), msg); err != nil {
						b.Fatal(err)
					}
				}
			}
			exchange(16)
			raw.run(b, 16)
			var took [2]time.Duration
			b.ResetTimer()
			const block = 1024
			for n := 0; n < b.N; n += block {
				began := time.Now()
				exchange(min(block, b.N-n))
				between := time.Now()
				raw.run(b, min(block, b.N-n))
				took[0] += between.Sub(began)
				took[1] += time.Since(between)
			}
			b.ReportMetric(took[0].Seconds()*1e9/float64(b.N), "ns/send")
			b.ReportMetric(took[1].Seconds()/took[0].Seconds(), "of-raw")
		})
	}
}

// BenchmarkWindow sends over one connection with more and more messages in flight.
func BenchmarkWindow(b *testing.B) {
	for _, window := range []int{1, 4, 16} {
		b.Run(fmt.Sprintf("window=%d", window), func(b *testing.B) {
			c := newClient(b, &mllp.Client{Address: partner(b, serveOurs), Window: window})
			var n atomic.Int64
			b.ResetTimer()
			var wg sync.WaitGroup
			for range window {
				wg.Go(func() {
					for i := n.Add(1); i <= int64(b.N); i = n.Add(1) {
						if _, err := c.Send(b.Context(), message(fmt.Sprint(i))); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
		})
	}
}
