package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/ladlehq/ladle/engine"
)

// load sends as many messages as an address takes, or so many a second, for a while.
func load(ctx context.Context, c *call) error {
	var s sending
	l := loading{size: engine.KiB}
	s.flags(c.flags)
	c.flags.IntVar(&s.connections, "connections", 16, "send over so many connections at once")
	c.flags.DurationVar(&l.duration, "duration", 10*time.Second, "how long messages are sent and counted")
	c.flags.DurationVar(&l.warmup, "warmup", time.Second, "how long they are sent before that, uncounted")
	c.flags.TextVar(&l.size, "size", l.size, "the size of each message, such as 1KiB or 64KiB")
	c.flags.Float64Var(&l.rate, "rate", 0, "send so many messages a second in all, and count each one's time from when it was due, also when the partner holds it up; 0 is as fast as it answers")
	asJSON := c.flags.Bool("json", false, "print the result as JSON")
	if err := c.parse(1, 1); err != nil {
		return err
	}
	switch {
	case l.duration <= 0 || l.warmup < 0:
		return errors.New("-duration is more than 0, and -warmup can't be negative")
	case l.rate < 0:
		return errors.New("-rate can't be negative")
	}
	if err := s.settle(c, c.args[0]); err != nil {
		return err
	}
	var err error
	if l.frame, err = newLoadMessage(int(l.size)); err != nil {
		return err
	}
	p, err := s.open(ctx, c)
	if err != nil {
		return err
	}
	err = errors.Join(l.run(ctx, c.stderr, p, s.connections*s.window), p.Close())
	if *asJSON {
		err = errors.Join(err, json.NewEncoder(c.stdout).Encode(l.result()))
	} else {
		err = errors.Join(err, l.print(c.stdout))
	}
	if err == nil && l.notAccepted > 0 {
		err = errReported
	}
	return err
}

// A loading is one load, and what has become of it.
type loading struct {
	duration, warmup time.Duration
	size             engine.Size
	rate             float64
	frame            loadMessage

	sent atomic.Int64 // messages begun, those of the warm-up among them

	mu          sync.Mutex
	began, end  time.Time // of counting
	all, second histogram
	answers     map[string]int64
	answered    int64 // by anybody, in whatever way
	notAccepted int64
	lastErr     error
}

// patience is how long nobody may answer before a load is given up.
const patience = 3 * time.Second

// run sends until the time is over, or somebody interrupts it.
func (l *loading) run(ctx context.Context, stderr io.Writer, p partner, workers int) error {
	soft, release := interrupts(ctx, stderr)
	defer release()
	soft, stop := context.WithTimeout(soft, l.warmup+l.duration)
	defer stop()
	start := time.Now()
	l.began, l.answers = start.Add(l.warmup), make(map[string]int64)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for l.one(ctx, soft, p, start) {
			}
		})
	}
	nobody := l.watch(soft, stderr, start)
	stop()
	wg.Wait()
	l.end = time.Now()
	if nobody {
		return fmt.Errorf("nobody has answered within %v: %w", patience, l.lastErr)
	}
	return nil
}

// one sends a message when it is due, and reports whether there is time for another one.
func (l *loading) one(ctx, soft context.Context, p partner, start time.Time) bool {
	n := l.sent.Add(1) - 1
	due := time.Now()
	if l.rate > 0 {
		due = start.Add(time.Duration(float64(n) / l.rate * float64(time.Second)))
		timer := time.NewTimer(time.Until(due))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-soft.Done():
		}
	}
	if soft.Err() != nil {
		l.sent.Add(-1)
		return false
	}
	reply, err := p.Send(ctx, engine.NewMessage(l.frame.withID(n)))
	l.add(due, time.Now(), reply, err)
	if errors.Is(err, engine.ErrUnreachable) { // the sender itself pauses between attempts
		select {
		case <-time.After(10 * time.Millisecond):
		case <-soft.Done():
		}
	}
	return true
}

func (l *loading) add(due, now time.Time, reply engine.Reply, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil || len(reply.Body) > 0 {
		l.answered++
	} else {
		l.lastErr = err
	}
	if due.Before(l.began) {
		return
	}
	l.all.add(now.Sub(due))
	l.second.add(now.Sub(due))
	l.answers[nameAnswer(reply, err)]++
	if err != nil {
		l.notAccepted++
	}
}

// watch prints a line a second until soft ends, and ends early when nobody answers.
func (l *loading) watch(soft context.Context, stderr io.Writer, start time.Time) (nobody bool) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-soft.Done():
			l.mu.Lock()
			defer l.mu.Unlock()
			return l.answered == 0 && l.lastErr != nil && time.Since(start) >= patience
		case now := <-tick.C:
			l.mu.Lock()
			if now.After(l.began.Add(time.Second / 2)) {
				h := &l.second
				fmt.Fprintf(stderr, "%4.0f s  %8d messages  %8d/s  p50 %-8v p90 %-8v p99 %-8v %d not accepted\n", now.Sub(l.began).Seconds(), l.all.n, h.n,
					round(h.percentile(50)), round(h.percentile(90)), round(h.percentile(99)), l.notAccepted)
			}
			l.second = histogram{}
			silent := l.answered == 0 && l.lastErr != nil && now.Sub(start) >= patience
			l.mu.Unlock()
			if silent {
				return true
			}
		}
	}
}

func round(d time.Duration) time.Duration {
	if d < time.Millisecond {
		return d.Round(time.Microsecond)
	}
	return d.Round(10 * time.Microsecond)
}

// A loadResult is what a load has come to. Times are in milliseconds.
type loadResult struct {
	Messages    int64            `json:"messages"`
	Seconds     float64          `json:"seconds"`
	PerSecond   float64          `json:"messagesPerSecond"`
	Size        int              `json:"bytesPerMessage"`
	NotAccepted int64            `json:"notAccepted"`
	Min         float64          `json:"minMs"`
	P50         float64          `json:"p50Ms"`
	P90         float64          `json:"p90Ms"`
	P99         float64          `json:"p99Ms"`
	Max         float64          `json:"maxMs"`
	Answers     map[string]int64 `json:"answers"`
}

func (l *loading) result() loadResult {
	ms := func(percent float64) float64 { return float64(l.all.percentile(percent).Microseconds()) / 1000 }
	r := loadResult{
		Messages: l.all.n, Size: int(l.size), NotAccepted: l.notAccepted, Answers: l.answers,
		Min: ms(0), P50: ms(50), P90: ms(90), P99: ms(99), Max: ms(100),
	}
	if r.Seconds = l.end.Sub(l.began).Seconds(); r.Seconds > 0 {
		r.PerSecond = float64(r.Messages) / r.Seconds
	}
	return r
}

// print writes the result as a table for people.
func (l *loading) print(w io.Writer) error {
	r := l.result()
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "messages\tseconds\tmessages/s\tMB/s\tmin\tp50\tp90\tp99\tmax\t")
	fmt.Fprintf(t, "%d\t%.1f\t%.0f\t%.1f", r.Messages, r.Seconds, r.PerSecond, r.PerSecond*float64(r.Size)/1e6)
	for _, percent := range []float64{0, 50, 90, 99, 100} {
		fmt.Fprintf(t, "\t%v", round(l.all.percentile(percent)))
	}
	fmt.Fprint(t, "\t\n\nmessages\tanswer\t\n")
	for _, a := range slices.SortedFunc(maps.Keys(r.Answers), func(a, b string) int {
		return cmp.Or(cmp.Compare(r.Answers[b], r.Answers[a]), strings.Compare(a, b))
	}) {
		fmt.Fprintf(t, "%d\t%s\t\n", r.Answers[a], a)
	}
	return t.Flush()
}

// A loadMessage is a message of a size, in which MSH-10 is filled in.
type loadMessage struct {
	text   []byte
	prefix string // of control ids: no other load has it
	at     int    // where the control id stands
}

// idDigits is how many digits the number in a control id has. With the prefix there are 20,
// which is what MSH-10 has room for in every version.
const idDigits = 12

func newLoadMessage(size int) (loadMessage, error) {
	m := loadMessage{prefix: fmt.Sprintf("%08X", rand.Uint32())}
	head := "MSH|^~\\&|LADLE|LOAD|ENGINE|TEST|" + time.Now().Format("20060102150405") + "||ORU^R01^ORU_R01|"
	m.at = len(head)
	text := head + m.prefix + strings.Repeat("0", idDigits) + "|P|2.5\r" +
		"PID|1||4711^^^TEST^MR||LOAD^TEST||19700101|U\rOBR|1||1|LOAD^Load test\rOBX|1|TX|LOAD^Load test||"
	const tail = "||||||F\r"
	if room := size - len(text) - len(tail); room < 0 {
		return m, fmt.Errorf("-size is at least %d bytes: that is what a result needs", len(text)+len(tail))
	} else {
		m.text = append(append([]byte(text), bytes.Repeat([]byte("x"), room)...), tail...)
	}
	return m, nil
}

// withID returns the n-th message.
func (m loadMessage) withID(n int64) []byte {
	b := bytes.Clone(m.text)
	for i := m.at + len(m.prefix) + idDigits - 1; n > 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	return b
}
