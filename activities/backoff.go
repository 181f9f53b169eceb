package activities

import (
	"fmt"
	"sync"
	"time"

	"github.com/ladlehq/ladle/engine"
)

// firstPause is the pause behind the first failure to connect; each further one doubles it.
const firstPause = 100 * time.Millisecond

// A backoff keeps a sender from calling a partner that is away again and again. It is
// safe for concurrent use.
type backoff struct {
	max time.Duration
	now func() time.Time

	mu    sync.Mutex
	pause time.Duration
	until time.Time
}

// check fails while the pause behind the last failure lasts.
func (b *backoff) check() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pause == 0 {
		return nil
	}
	left := b.until.Sub(b.now())
	if left <= 0 {
		return nil
	}
	return &pausedError{left}
}

// failed begins a pause, longer than the last one.
func (b *backoff) failed() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pause = min(max(2*b.pause, firstPause), b.max)
	b.until = b.now().Add(b.pause)
}

// succeeded ends the pauses.
func (b *backoff) succeeded() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pause = 0
}

// A pausedError says that the partner wasn't called, because it was away a moment ago.
type pausedError struct{ left time.Duration }

func (e *pausedError) Error() string {
	return fmt.Sprintf("it was away a moment ago, and is called again in %v", e.left.Round(time.Millisecond))
}

// Unwrap makes it one of the errors for a partner that is away.
func (e *pausedError) Unwrap() error { return engine.ErrUnreachable }
