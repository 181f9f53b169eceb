package main

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/engine/enginetest"
	"github.com/ladlehq/ladle/hl7"
	"github.com/ladlehq/ladle/hl7/mllp/mllptest"
	"github.com/ladlehq/ladle/receivers"
)

// startReceivers runs an MLLP and an HTTP receiver and returns their addresses.
func startReceivers(t *testing.T) []string {
	t.Helper()
	e, err := engine.New([]engine.Workflow{
		{Name: "mllp", Receiver: &receivers.MLLP{Address: "127.0.0.1:0"}},
		{Name: "http", Receiver: &receivers.HTTP{Address: "127.0.0.1:0", Path: "/hl7"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Shutdown(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return []string{e.URL("mllp"), e.URL("http")}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	for _, address := range startReceivers(t) {
		stdout, stderr, status := callLadle(t.Context(), "load", "-warmup", "50ms", "-duration", "300ms", "-connections", "4", "-size", "2KiB", address)
		if status != 0 || !strings.Contains(stdout, "messages  seconds  messages/s") || !strings.Contains(stdout, "      AA") {
			t.Errorf("%s: %d\n%s%s", address, status, stdout, stderr)
		}
		stdout, stderr, status = callLadle(t.Context(), "load", "-json", "-warmup", "0", "-duration", "500ms", "-connections", "4", "-rate", "100", address)
		var r loadResult
		if err := json.Unmarshal([]byte(stdout), &r); err != nil || status != 0 {
			t.Fatalf("%s: %d\n%s%s%v", address, status, stdout, stderr, err)
		}
		if r.Messages < 1 || r.Messages > 55 || r.Answers["AA"] != r.Messages || r.NotAccepted != 0 || r.Size != 1024 || r.P50 > r.P99 || r.Min > r.P50 || r.P99 > r.Max {
			t.Errorf("%s: %+v", address, r)
		}
	}
}

func TestLoadNotAccepted(t *testing.T) {
	t.Parallel()
	partner := mllptest.NewServer(t, mllptest.Repeat(mllptest.Answer("AE")))
	stdout, stderr, status := callLadle(t.Context(), "load", "-json", "-warmup", "0", "-duration", "100ms", "-connections", "1", "mllp://"+partner.Address)
	var r loadResult
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || status != 1 || r.NotAccepted != r.Messages || r.Answers["AE"] != r.Messages || r.Messages == 0 {
		t.Errorf("%d %s%s%v", status, stdout, stderr, err)
	}
}

func TestLoadMistakes(t *testing.T) {
	t.Parallel()
	for text, args := range map[string][]string{
		"is no address of a partner": {"localhost:2575"},
		"-size is at least":          {"-size", "10B", "mllp://localhost"},
		"-duration is more than 0":   {"-duration", "0s", "mllp://localhost"},
		"-rate can't be negative":    {"-rate", "-1", "mllp://localhost"},
		"-connections and -window":   {"-connections", "0", "mllp://localhost"},
		"are for TLS":                {"-insecure", "mllp://localhost"},
		"nobody has answered":        {"-warmup", "0s", "-duration", "20s", "mllp://" + enginetest.FreeAddress(t)},
	} {
		if stdout, stderr, status := callLadle(t.Context(), append([]string{"load"}, args...)...); status != 1 || !strings.Contains(stderr, text) {
			t.Errorf("%v: %d %s%s", args, status, stdout, stderr)
		}
	}
	if _, _, status := callLadle(t.Context(), "load"); status != 2 {
		t.Errorf("without an address: status %d", status)
	}
}

func TestLoadMessage(t *testing.T) {
	t.Parallel()
	for _, size := range []int{300, 1024, 64 << 10} {
		m, err := newLoadMessage(size)
		if err != nil {
			t.Fatal(err)
		}
		seen := make(map[string]bool)
		for _, n := range []int64{0, 1, 9, 10, 123456789012} {
			b := m.withID(n)
			msg, err := hl7.Parse(b)
			if err != nil || len(b) != size {
				t.Fatalf("%d bytes: %v", len(b), err)
			}
			if id := msg.Get(hl7.MustPath("MSH-10")); len(id) != 20 || seen[id] {
				t.Errorf("%q", id)
			} else {
				seen[id] = true
			}
		}
	}
}

// The histogram's percentiles are within 1 % of those of the times themselves.
func TestHistogram(t *testing.T) {
	t.Parallel()
	var h histogram
	if h.percentile(50) != 0 {
		t.Error("an empty one has a percentile")
	}
	var all []time.Duration
	for range 20_000 {
		d := time.Duration(rand.Int64N(1 << (5 + rand.N(35))))
		all = append(all, d)
		h.add(d)
	}
	slices.Sort(all)
	for _, percent := range []float64{0, 1, 10, 50, 90, 99, 99.9, 100} {
		want := all[min(int(percent/100*float64(len(all))), len(all)-1)]
		got := h.percentile(percent)
		if diff := (got - want).Abs(); diff > want/100+1 {
			t.Errorf("p%v: %v, want %v", percent, got, want)
		}
	}
}
