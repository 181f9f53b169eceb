package hl7_test

import (
	"bytes"
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
	var worked, scanned time.Duration
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		began := time.Now()
		for _, raw := range messages {
			work(raw)
		}
		worked += time.Since(began)
		began = time.Now()
		for _, raw := range messages {
			sink += bytes.IndexByte(raw, 0x01)
		}
		scanned += time.Since(began)
	}
	b.ReportMetric(float64(size)*float64(b.N)/worked.Seconds()/1e6, "work-MB/s")
	b.ReportMetric(scanned.Seconds()/worked.Seconds(), "x-scan")
	b.ReportMetric(float64(worked.Nanoseconds())/float64(b.N)/float64(len(messages)), "ns/message")
}

func BenchmarkParseAndRead(b *testing.B) {
	paths := []hl7.Path{hl7.MustPath("MSH-9.1"), hl7.MustPath("MSH-10"), hl7.MustPath("PID-3.1"), hl7.MustPath("PID-5.1")}
	obx := hl7.MustPath("OBX-5")
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
