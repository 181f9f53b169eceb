package hl7_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/ladlehq/ladle/hl7"
)

// sink keeps the compiler from leaving out what is measured.
var sink int

// benchmark runs work over the corpus (the folder LADLE_CORPUS, or our own), in turns with
// a scan of the same bytes for a byte that isn't there, and reports the ratio: absolute
// figures move from machine to machine, the ratio holds.
func benchmark(b *testing.B, work func(raw []byte)) {
	var messages [][]byte
	size := 0
	for _, raw := range corpus(b) {
		if _, err := hl7.Parse(raw); err == nil {
			messages = append(messages, raw)
			size += len(raw)
		}
	}
	var worked, scanned []time.Duration
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		began := time.Now()
		for _, raw := range messages {
			work(raw)
		}
		worked = append(worked, time.Since(began))
		began = time.Now()
		for _, raw := range messages {
			sink += bytes.IndexByte(raw, 0x01)
		}
		scanned = append(scanned, time.Since(began))
	}
	// The middle one of many passes is the one that nobody has disturbed.
	slices.Sort(worked)
	slices.Sort(scanned)
	work1, scan1 := worked[len(worked)/2], scanned[len(scanned)/2]
	b.ReportMetric(float64(size)/work1.Seconds()/1e6, "work-MB/s")
	b.ReportMetric(float64(size)/scan1.Seconds()/1e6, "scan-MB/s")
	b.ReportMetric(scan1.Seconds()/work1.Seconds(), "x-scan")
	b.ReportMetric(float64(work1.Nanoseconds())/float64(len(messages)), "ns/message")
}

func BenchmarkParseAndRead(b *testing.B) {
	paths := []hl7.Path{hl7.MustPath("MSH-9.1"), hl7.MustPath("MSH-10"), hl7.MustPath("PID-3.1"), hl7.MustPath("PID-5.1")}
	obx := hl7.MustPath("OBX[last]-5")
	var m hl7.Message
	benchmark(b, func(raw []byte) {
		if m.Parse(raw) != nil {
			return
		}
		for _, p := range paths {
			v, _ := m.Lookup(p)
			sink += len(v.Raw())
		}
		v, _ := m.Lookup(obx)
		sink += len(v.Raw())
	})
}

func BenchmarkParseSetEncode(b *testing.B) {
	path := hl7.MustPath("PID-5.1")
	var m hl7.Message
	var out []byte
	benchmark(b, func(raw []byte) {
		if m.Parse(raw) != nil || m.Set(path, "EVERYWOMAN") != nil {
			return
		}
		out = m.AppendTo(out[:0])
		sink += len(out)
	})
}

func BenchmarkHeaderAndAck(b *testing.B) {
	var out []byte
	now := time.Now()
	benchmark(b, func(raw []byte) {
		h, err := hl7.ParseHeader(raw)
		if err != nil {
			return
		}
		out = h.AppendAck(out[:0], hl7.Ack{Code: hl7.ApplicationAccept, Time: now})
		sink += len(out)
	})
}

func BenchmarkWalk(b *testing.B) {
	var m hl7.Message
	benchmark(b, func(raw []byte) {
		if m.Parse(raw) != nil {
			return
		}
		for c := m.Walk(); c.Next(); {
			sink += len(c.Raw())
		}
	})
}

// BenchmarkWalkPaths asks for the path of each value, too.
func BenchmarkWalkPaths(b *testing.B) {
	var m hl7.Message
	benchmark(b, func(raw []byte) {
		if m.Parse(raw) != nil {
			return
		}
		for c := m.Walk(); c.Next(); {
			sink += len(c.Raw()) + c.Path().Field()
		}
	})
}

// BenchmarkLimits are what the others are measured by: a loop that counts the six
// structural bytes, and one that stores their offsets.
func BenchmarkLimits(b *testing.B) {
	structural := func(c byte) bool {
		return c == '|' || c == '^' || c == '~' || c == '\\' || c == '&' || c == '\r'
	}
	b.Run("count", func(b *testing.B) {
		benchmark(b, func(raw []byte) {
			for _, c := range raw {
				if structural(c) {
					sink++
				}
			}
		})
	})
	b.Run("store", func(b *testing.B) {
		var offsets []uint32
		benchmark(b, func(raw []byte) {
			offsets = offsets[:0]
			for i, c := range raw {
				if structural(c) {
					offsets = append(offsets, uint32(i))
				}
			}
			sink += len(offsets)
		})
	})
}
