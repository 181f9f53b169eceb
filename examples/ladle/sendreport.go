package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/hl7"
	"golang.org/x/term"
)

const (
	// firstAnswers is how many messages are reported on one by one, whatever is answered.
	firstAnswers = 20
	// firstFailures is how many that are not accepted are, after which they are only counted.
	firstFailures = 100
)

// A report prints what becomes of messages as they are sent: acknowledgements to stdout,
// everything else to stderr. It is safe for concurrent use.
type report struct {
	stdout, stderr io.Writer
	colour         bool // of acknowledgements
	progress       bool // stderr is a terminal
	all            bool
	began          time.Time

	mu     sync.Mutex
	n      int // messages answered, or given up
	failed int // of them, and files
	times  map[string][]time.Duration
	shown  bool // a line of progress is on the terminal
	last   time.Time
}

func newReport(stdout, stderr io.Writer, all bool) *report {
	return &report{
		stdout: stdout, stderr: stderr, all: all, began: time.Now(), times: make(map[string][]time.Duration),
		colour:   isTerminal(stdout) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb",
		progress: isTerminal(stderr) && os.Getenv("TERM") != "dumb",
	}
}

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd()))
}

// add reports on one message.
func (r *report) add(m message, reply engine.Reply, err error, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
	answer := nameAnswer(reply, err)
	r.times[answer] = append(r.times[answer], took)
	if err != nil {
		r.failed++
	}
	if r.all || err != nil && r.failed <= firstFailures || r.n <= firstAnswers {
		r.clearLocked()
		took := took.Round(time.Millisecond / 10)
		switch {
		case err != nil:
			fmt.Fprintf(r.stderr, "%s: not accepted after %v: %v\n", m.name, took, err)
		case reply.Unconfirmed:
			fmt.Fprintf(r.stderr, "%s: sent after %v, unconfirmed\n", m.name, took)
		default:
			fmt.Fprintf(r.stderr, "%s: accepted after %v\n", m.name, took)
		}
		if len(reply.Body) > 0 {
			text := forTerminal(reply.Body)
			if r.colour {
				text = inColour(text, err == nil)
			}
			fmt.Fprintf(r.stdout, "%s\n", text)
		}
	}
	if err != nil && r.failed == firstFailures && !r.all {
		r.clearLocked()
		fmt.Fprintln(r.stderr, "further ones that are not accepted are only counted")
	}
	r.progressLocked()
}

// mistake reports what is wrong with a file.
func (r *report) mistake(file string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed++
	r.clearLocked()
	fmt.Fprintf(r.stderr, "%s: %v\n", file, err)
}

// progressLocked shows how far the sending is, on a terminal, ten times a second at most.
func (r *report) progressLocked() {
	now := time.Now()
	if !r.progress || r.n < 2 || now.Sub(r.last) < time.Second/10 {
		return
	}
	r.clearLocked()
	r.last, r.shown = now, true
	fmt.Fprintf(r.stderr, "%d sent, %d not accepted, %.0f messages/s", r.n, r.failed, float64(r.n)/now.Sub(r.began).Seconds())
}

// clearLocked takes the line of progress from the terminal.
func (r *report) clearLocked() {
	if r.shown {
		fmt.Fprint(r.stderr, "\r\x1b[K")
		r.shown = false
	}
}

// finish prints the table of answers and times, where there was more than one message.
func (r *report) finish() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.clearLocked()
	if r.n < 2 {
		return
	}
	took := time.Since(r.began)
	fmt.Fprintf(r.stderr, "\n%d messages in %v, %.1f messages/s\n", r.n, took.Round(time.Millisecond), float64(r.n)/took.Seconds())
	t := tabwriter.NewWriter(r.stderr, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "messages\tmin\tp50\tp90\tp99\tmax\t  answer")
	answers := slices.SortedFunc(maps.Keys(r.times), func(a, b string) int {
		return cmp.Or(len(r.times[b])-len(r.times[a]), strings.Compare(a, b))
	})
	for _, a := range answers {
		times := r.times[a]
		slices.Sort(times)
		fmt.Fprintf(t, "%d", len(times))
		for _, percent := range []int{0, 50, 90, 99, 100} {
			fmt.Fprintf(t, "\t%v", percentile(times, percent).Round(10*time.Microsecond))
		}
		fmt.Fprintf(t, "\t  %s\n", a)
	}
	_ = t.Flush() // to where the rest went
}

// percentile returns the time that so many percent of the sorted times don't exceed.
func percentile(sorted []time.Duration, percent int) time.Duration {
	return sorted[max((len(sorted)*percent+99)/100, 1)-1]
}

// nameAnswer says in a word or two what was answered.
func nameAnswer(reply engine.Reply, err error) string {
	ack, noAck := hl7.ParseAck(reply.Body)
	if noAck == nil && (err == nil || errors.Is(err, engine.ErrPartnerError) || errors.Is(err, engine.ErrPartnerRejected)) {
		return string(ack.Code)
	}
	for _, known := range []error{
		engine.ErrTimeout, engine.ErrUnreachable, engine.ErrWrongID, engine.ErrNoAcknowledgement, engine.ErrPartnerStatus,
	} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	switch {
	case err != nil:
		return "not sent"
	case reply.Unconfirmed:
		return "sent, unconfirmed"
	}
	return "accepted, without a code"
}

// inColour colours what decides: MSA in green or red, and ERR in red.
func inColour(text []byte, accepted bool) []byte {
	const red, green, end = "\x1b[31m", "\x1b[32m", "\x1b[0m"
	lines := bytes.Split(text, []byte("\n"))
	for i, line := range lines {
		colour := ""
		switch {
		case bytes.HasPrefix(line, []byte("MSA")) && accepted:
			colour = green
		case bytes.HasPrefix(line, []byte("MSA")), bytes.HasPrefix(line, []byte("ERR")):
			colour = red
		default:
			continue
		}
		lines[i] = slices.Concat([]byte(colour), line, []byte(end))
	}
	return bytes.Join(lines, []byte("\n"))
}

// forTerminal shows each segment on a line of its own, and no control character that a
// peer could steer a terminal with.
func forTerminal(body []byte) []byte {
	body = bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n"))
	body = bytes.ReplaceAll(body, []byte("\r"), []byte("\n"))
	body = bytes.Map(func(r rune) rune {
		if r < ' ' && r != '\n' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '.'
		}
		return r
	}, body)
	return bytes.TrimRight(body, "\n")
}
