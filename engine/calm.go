package engine

import (
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// calmLines is how many lines of each level a calm logger writes in calmTime.
const (
	calmLines = 200
	calmTime  = time.Minute
)

// calm returns log for what any peer can bring about by itself, again and again: so that
// nobody fills the log, it writes so many lines of each level a minute, and then one that
// says that there are more. Lines at debug are for who asks for all of them.
func calm(log *zap.Logger) *zap.Logger {
	return log.WithOptions(zap.WrapCore(func(c zapcore.Core) zapcore.Core {
		return calmCore{c, new(quota)}
	}))
}

type calmCore struct {
	zapcore.Core
	quota *quota
}

func (c calmCore) With(fields []zapcore.Field) zapcore.Core {
	return calmCore{c.Core.With(fields), c.quota}
}

func (c calmCore) Check(e zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if !c.Enabled(e.Level) {
		return ce
	}
	if e.Level > zapcore.DebugLevel {
		switch n := c.quota.take(e); {
		case n == calmLines+1:
			e.Message = "there is more of this than is logged: the rest of this minute is left out"
		case n > calmLines:
			return ce
		}
	}
	return c.Core.Check(e, ce)
}

// A quota counts lines by their level.
type quota struct {
	mu    sync.Mutex
	since time.Time
	n     map[zapcore.Level]int
}

// take counts e in, and returns how many there have been in this minute.
func (q *quota) take(e zapcore.Entry) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if d := e.Time.Sub(q.since); d < 0 || d >= calmTime {
		q.since, q.n = e.Time, make(map[zapcore.Level]int)
	}
	q.n[e.Level]++
	return q.n[e.Level]
}
