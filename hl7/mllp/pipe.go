package mllp

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

var errEndedBefore = errors.New("the partner closed the connection just before the message was sent")

// A pipe is a connection with several messages in flight. While there are any, one goroutine reads it and gives each reply
// to the message whose MSH-10 is its MSA-2. What can't be given to anybody ends the connection and everything that is in
// flight on it. While there are none nobody reads, so that it can be seen before the next message whether there is
// anything to read.
type pipe struct {
	client *Client
	link   *link
	wg     sync.WaitGroup // of the reading goroutine

	mu      sync.Mutex
	flights map[string]*flight // by MSH-10
	reading bool
	dead    bool
}

// A flight is one message between its first byte sent and its last reply.
type flight struct {
	id   string
	msg  []byte
	done chan struct{} // closed when what follows is set
	// replied says that a reply has come, and that another is to follow.
	replied bool
	// What came of it.
	reply []byte
	phase Phase
	err   error
}

func newPipe(c *Client, l *link) *pipe {
	l.idleSince = time.Now()
	return &pipe{client: c, link: l, flights: make(map[string]*flight)}
}

// sendInWindow is send for a Window over 1.
func (c *Client) sendInWindow(ctx context.Context, msg []byte, await bool) ([]byte, Phase, error) {
	id, _ := field(msg, "MSH", 9)
	if len(id) == 0 && await {
		return nil, Connecting, ErrNoID
	}
	if err := c.take(ctx, c.slots); err != nil {
		return nil, Connecting, err
	}
	defer func() { c.slots <- struct{}{} }()
	f := &flight{id: string(id), msg: msg, done: make(chan struct{})}
	p, phase, err := c.launch(ctx, f, await)
	if err != nil || !await {
		return nil, phase, err
	}
	limit := orDefault(c.ReplyTimeout, DefaultReplyTimeout)
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-f.done:
	case <-timer.C:
		p.fail(f, Awaiting, fmt.Errorf("no reply within %v: %w", limit, os.ErrDeadlineExceeded))
	case <-ctx.Done():
		p.fail(f, Awaiting, ctx.Err())
	}
	<-f.done
	return f.reply, f.phase, f.err
}

// launch writes the message of f. When it returns an error f is not in flight any more.
func (c *Client) launch(ctx context.Context, f *flight, await bool) (*pipe, Phase, error) {
	for {
		if err := c.take(ctx, c.turn); err != nil {
			return nil, Connecting, err
		}
		if err := c.connect(ctx); err != nil {
			c.turn <- struct{}{}
			return nil, Connecting, err
		}
		p := c.link.pipe
		if before := p.add(f, await); before != nil {
			c.turn <- struct{}{}
			if err := c.take(ctx, before.done); err != nil {
				return nil, Connecting, err
			}
			continue
		}
		release := c.link.closeWhenDone(ctx)
		phase, err := c.write(c.link, f.msg)
		if release() && err == nil {
			err = ctx.Err()
		}
		c.turn <- struct{}{}
		switch {
		case err == nil:
		case await:
			p.fail(f, phase, err)
			<-f.done
			if f.err != nil { // else the reply was quicker than whoever interrupted
				return nil, f.phase, f.err
			}
		default:
			p.fail(nil, phase, err)
			return nil, phase, err
		}
		return p, phase, nil
	}
}

// usable reports whether the connection is open and, while nothing is in flight on it, young enough and silent.
func (p *pipe) usable(idle time.Duration) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.dead && (len(p.flights) > 0 || p.link.usable(idle))
}

// add notes that f is about to be written. It returns the flight with the same control id that has to land first, if
// there is one. What is posted isn't in flight: nothing is awaited for it.
func (p *pipe) add(f *flight, await bool) (before *flight) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if before := p.flights[f.id]; before != nil {
		return before
	}
	switch {
	case !await:
		p.link.answered.add(f.msg)
		p.link.idleSince = time.Now()
	case p.dead: // since connect has looked; nothing can be written any more
		f.land(nil, Connecting, errEndedBefore)
	default:
		p.flights[f.id] = f
		if !p.reading {
			p.reading = true
			_ = p.link.conn.SetReadDeadline(time.Time{}) // each flight has its own limit
			p.wg.Go(p.read)
		}
	}
	return nil
}

// land says what came of f. Its caller holds the mutex of the pipe, and f has not landed before.
func (f *flight) land(reply []byte, phase Phase, err error) {
	if err != nil {
		err = notFirst(!f.replied, err)
	}
	f.reply, f.phase, f.err = reply, phase, err
	close(f.done)
}

// fail ends the connection because of f, or of a message that was posted when f is nil. A flight that has landed already
// keeps what came of it.
func (p *pipe) fail(f *flight, phase Phase, err error) {
	p.mu.Lock()
	if f != nil && p.flights[f.id] == f {
		delete(p.flights, f.id)
		f.land(nil, phase, err)
	}
	p.endLocked(Awaiting, ErrWindow)
	p.mu.Unlock()
}

// endLocked closes the connection and ends every flight with err.
func (p *pipe) endLocked(phase Phase, err error) {
	p.dead = true
	p.link.abort()
	for id, f := range p.flights {
		delete(p.flights, id)
		f.land(nil, phase, err)
	}
}

// read gives replies to flights until there are none, or the connection ends.
func (p *pipe) read() {
	check := p.client.check()
	for {
		reply, err := p.link.reader.Next()
		if err != nil {
			p.mu.Lock()
			p.dead = true
			p.mu.Unlock()
			phase, err := p.link.noReply(err, 0)
			p.mu.Lock()
			p.endLocked(phase, err)
			p.mu.Unlock()
			return
		}
		if !p.deliver(check, reply) {
			return
		}
	}
}

// deliver gives reply to its flight. It reports whether there is more to read.
func (p *pipe) deliver(check func(sent, reply []byte) error, reply []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if CommitOf(reply) == CommitACK {
		return true // of a message that is nobody's guess; its acknowledgement follows
	}
	if CommitOf(reply) == CommitNAK {
		p.endLocked(Checking, ErrCommitNAK)
		return false
	}
	id, found := field(reply, "MSA", 2)
	f := p.flights[string(id)]
	switch {
	case !found:
		p.endLocked(Checking, ErrNoMSA)
		return false
	case f == nil && p.link.answered.has(reply):
		return true
	case f == nil:
		p.endLocked(Checking, ErrWrongID)
		return false
	}
	err := check(f.msg, reply)
	if errors.Is(err, ErrAwaitNext) {
		f.replied, p.link.spoken = true, true
		return true
	}
	delete(p.flights, f.id)
	if err != nil {
		f.land(nil, Checking, err)
		p.endLocked(Awaiting, ErrWindow)
		return false
	}
	p.link.answered.add(f.msg)
	p.link.spoken = true
	p.link.idleSince = time.Now()
	f.land(p.link.reader.Take(), Checking, nil)
	p.reading = len(p.flights) > 0
	return p.reading
}
