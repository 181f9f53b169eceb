package mllp_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ladlehq/ladle/hl7/mllp"
	"github.com/ladlehq/ladle/hl7/mllp/mllptest"
)

// awaitAA wants AA, and lets CA pass: what a sender in enhanced mode does.
func awaitAA(sent, reply []byte) error {
	if err := mllp.MatchControlID(sent, reply); err != nil {
		return err
	}
	if strings.Contains(string(reply), "MSA|CA") {
		return mllp.ErrAwaitNext
	}
	return nil
}

// Release 2: nothing is delivered without its commit block, whatever else comes.
func TestClientCommitBlocks(t *testing.T) {
	t.Parallel()
	ack, nak := mllptest.Commit(mllp.CommitACK), mllptest.Commit(mllp.CommitNAK)
	for name, c := range map[string]struct {
		step mllptest.Step
		post bool
		want error
	}{
		"commit and acknowledgement":   {mllptest.Sequence(mllptest.Receive(), ack, mllptest.Reply("AA")), false, nil},
		"in one packet":                {mllptest.Sequence(mllptest.Receive(), mllptest.Reply("AA", mllptest.Before(0x0b, 6, 0x1c, '\r'))), false, nil},
		"byte by byte":                 {mllptest.InPieces(1, mllptest.Sequence(mllptest.Receive(), ack, mllptest.Reply("AA"))), false, nil},
		"two commits":                  {mllptest.Sequence(mllptest.Receive(), ack, ack, mllptest.Reply("AA")), false, nil},
		"commit alone":                 {mllptest.Sequence(mllptest.Receive(), ack), true, nil},
		"commit without its trailer":   {mllptest.Sequence(mllptest.Receive(), mllptest.Commit(mllp.CommitACK, mllptest.NoTrailer)), true, nil},
		"acknowledgement alone":        {mllptest.Answer("AA"), false, mllp.ErrNoCommit},
		"acknowledgement, then commit": {mllptest.Sequence(mllptest.Answer("AA"), ack), false, mllp.ErrNoCommit},
		"not stored":                   {mllptest.Sequence(mllptest.Receive(), nak), true, mllp.ErrCommitNAK},
		"not stored, but AA":           {mllptest.Sequence(mllptest.Receive(), nak, mllptest.Reply("AA")), false, mllp.ErrCommitNAK},
		"another block":                {mllptest.Sequence(mllptest.Receive(), mllptest.Commit(7)), true, mllp.ErrNoCommit},
		"nothing, and hung up":         {mllptest.Sequence(mllptest.Receive(), mllptest.HangUp()), true, io.ErrUnexpectedEOF},
		"commit, and hung up":          {mllptest.Sequence(mllptest.Receive(), ack, mllptest.HangUp()), false, io.ErrUnexpectedEOF},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := mllptest.NewServer(t, c.step, mllptest.Repeat(mllptest.Sequence(mllptest.Receive(), ack, mllptest.Reply("AA"))))
			client := newClient(t, &mllp.Client{Address: s.Address, CommitBlocks: true})
			var err error
			if c.post {
				err = client.Post(t.Context(), message("M1"))
			} else {
				_, err = client.Send(t.Context(), message("M1"))
			}
			if !errors.Is(err, c.want) || c.want == nil && err != nil {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if _, err := client.Send(t.Context(), message("M2")); err != nil {
				t.Errorf("the next one: %v", err)
			}
		})
	}
	client := newClient(t, &mllp.Client{Address: "127.0.0.1:1", CommitBlocks: true, Window: 2})
	if _, err := client.Send(t.Context(), message("M1")); err == nil || !strings.Contains(err.Error(), "strictly synchronous") {
		t.Errorf("with a window: %v", err)
	}
}

// A second acknowledgement is never the next message's, whenever it comes; and it costs no connection.
func TestClientSecondAcknowledgements(t *testing.T) {
	t.Parallel()
	for name, steps := range map[string][]mllptest.Step{
		"at once":               {mllptest.Answer("AA", mllptest.Twice)},
		"when idle":             {mllptest.Sequence(mllptest.Answer("CA"), mllptest.Reply("AA"))},
		"behind the next one":   {mllptest.Answer("AA"), mllptest.Sequence(mllptest.Receive(), mllptest.Send(ack("M1")), mllptest.Reply("AA"))},
		"of the one before":     {mllptest.Answer("AA"), mllptest.Answer("AA"), mllptest.Sequence(mllptest.Receive(), mllptest.Send(ack("M1")), mllptest.Send(ack("M2")), mllptest.Reply("AA"))},
		"a bad one of the last": {mllptest.Answer("AA"), mllptest.Sequence(mllptest.Receive(), mllptest.Send([]byte("MSA|AE|M1\r")), mllptest.Reply("AA"))},
	} {
		for _, window := range []int{1, 3} {
			s := mllptest.NewServer(t, steps...)
			c := newClient(t, &mllp.Client{Address: s.Address, Window: window})
			for _, id := range []string{"M1", "M2", "M3"} {
				if reply, err := c.Send(t.Context(), message(id)); err != nil || !strings.Contains(string(reply), "|"+id+"\r") {
					t.Errorf("%s, window %d: %s: %q, %v", name, window, id, reply, err)
				}
			}
			if n := s.Connections(); n != 1 {
				t.Errorf("%s, window %d: %d connections", name, window, n)
			}
		}
	}
}

func TestClientAwaitsTheLastReply(t *testing.T) {
	t.Parallel()
	both := mllptest.Sequence(mllptest.Answer("CA"), mllptest.Reply("AA"))
	for _, window := range []int{1, 3} {
		s := mllptest.NewServer(t, both, mllptest.Sequence(mllptest.Answer("CA"), mllptest.HangUp()), both)
		c := newClient(t, &mllp.Client{Address: s.Address, Window: window, Check: awaitAA})
		for i, ok := range []bool{true, false, true} {
			reply, err := c.Send(t.Context(), message(fmt.Sprint("M", i)))
			if ok != (err == nil) || ok && !strings.Contains(string(reply), "MSA|AA") || !ok && (!errors.Is(err, io.ErrUnexpectedEOF) || !errors.Is(err, mllp.ErrAwaitNext)) {
				t.Errorf("window %d, %d: %q, %v", window, i, reply, err)
			}
		}
	}
}

func TestClientPosts(t *testing.T) {
	t.Parallel()
	for _, window := range []int{1, 3} {
		// One that acknowledges what nobody wants acknowledged, and one that doesn't.
		for _, step := range []mllptest.Step{mllptest.Repeat(mllptest.Receive()), mllptest.Repeat(mllptest.Answer("AA"))} {
			s := mllptest.NewServer(t, step)
			c := newClient(t, &mllp.Client{Address: s.Address, Window: window})
			for i := range 40 {
				if err := c.Post(t.Context(), message(fmt.Sprint("M", i))); err != nil {
					t.Error(err)
				}
			}
			if all := s.Await(40); len(all) != 40 {
				t.Errorf("%d arrived", len(all))
			}
		}
	}
}

// Replies in another order than the messages, several in one packet, in pieces: each is credited to its own message.
func TestClientWindow(t *testing.T) {
	t.Parallel()
	reversed := mllptest.Do(func(c *mllptest.Conn) error {
		for {
			var ids []string
			for range 4 {
				msg, err := c.Receive()
				if err != nil {
					return err
				}
				ids = append(ids, strings.Split(string(msg), "|")[9])
			}
			slices.Reverse(ids)
			var all []byte
			for _, id := range ids {
				all = mllp.Append(all, ack(id))
			}
			if _, err := c.Write(all); err != nil {
				return err
			}
		}
	})
	for name, step := range map[string]mllptest.Step{"whole": reversed, "in pieces": mllptest.InPieces(5, reversed)} {
		s := mllptest.NewServer(t, step)
		c := newClient(t, &mllp.Client{Address: s.Address, Window: 4})
		var wg sync.WaitGroup
		for i := range 40 {
			wg.Go(func() {
				id := fmt.Sprint("M", i)
				if reply, err := c.Send(t.Context(), message(id)); err != nil || string(reply) != string(ack(id)) {
					t.Errorf("%s: %s: %q, %v", name, id, reply, err)
				}
			})
		}
		wg.Wait()
		if n := s.Connections(); n != 1 {
			t.Errorf("%s: %d connections", name, n)
		}
	}
}

// What goes wrong with one message in a window ends all that are in flight, and nothing is sent on that connection again.
func TestClientWindowBreaks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   mllptest.Step
		want []error // of the first message, and of the others
	}{
		"another's id":    {mllptest.Send(ack("X")), []error{mllp.ErrWrongID, mllp.ErrWrongID}},
		"no MSA":          {mllptest.Reply("AA", mllptest.NoMSA), []error{mllp.ErrNoMSA, mllp.ErrNoMSA}},
		"negative commit": {mllptest.Commit(mllp.CommitNAK), []error{mllp.ErrCommitNAK, mllp.ErrCommitNAK}},
		"unframed":        {mllptest.Reply("AA", mllptest.Unframed), []error{&mllp.FrameError{}, &mllp.FrameError{}}},
		"hung up":         {mllptest.HangUp(), []error{io.ErrUnexpectedEOF, io.ErrUnexpectedEOF}},
		"start inside":    {mllptest.Reply("AA", mllptest.StartInside), []error{&mllp.FrameError{}, &mllp.FrameError{}}},
		"too large":       {mllptest.Reply("AA", mllptest.Padded(2000)), []error{&mllp.FrameError{}, &mllp.FrameError{}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := mllptest.NewServer(t, mllptest.Sequence(mllptest.Receive(), mllptest.Receive(), mllptest.Receive(), c.do, mllptest.UntilClosed()))
			client := newClient(t, &mllp.Client{Address: s.Address, Window: 3, MaxReply: 1000})
			errs := make(chan error, 3)
			for i := range 3 {
				go func() {
					_, err := client.Send(t.Context(), message(fmt.Sprint("M", i)))
					errs <- err
				}()
			}
			for range 3 {
				err := <-errs
				se, ok := errors.AsType[*mllp.SendError](err)
				if !ok || !se.MayHaveArrived() {
					t.Fatalf("got %v", err)
				}
				want := c.want[0]
				if _, frame := want.(*mllp.FrameError); frame && mllp.ReasonOf(err) == 0 || !frame && !errors.Is(err, want) {
					t.Errorf("got %v, want %v", err, want)
				}
			}
			if _, err := client.Send(t.Context(), message("M9")); err != nil {
				t.Errorf("the next one: %v", err)
			}
			if all := s.Await(4); all[3].Connection != 2 {
				t.Errorf("the next one came on connection %d", all[3].Connection)
			}
		})
	}
}

// A timeout, or a context that ends, closes the connection under the others; each of them says so.
func TestClientWindowTimesOut(t *testing.T) {
	t.Parallel()
	s := mllptest.NewServer(t, mllptest.Sequence(mllptest.Receive(), mllptest.Receive(), mllptest.UntilClosed()))
	c := newClient(t, &mllp.Client{Address: s.Address, Window: 2})
	ctx, cancel := context.WithCancel(t.Context())
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { _, err := c.Send(ctx, message("M1")); first <- err }()
	go func() { _, err := c.Send(t.Context(), message("M2")); second <- err }()
	s.Await(2)
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := <-second; !errors.Is(err, mllp.ErrWindow) {
		t.Errorf("got %v", err)
	}
	s = mllptest.NewServer(t, mllptest.Silence())
	c = newClient(t, &mllp.Client{Address: s.Address, Window: 2, ReplyTimeout: 20 * time.Millisecond})
	if _, err := c.Send(t.Context(), message("M1")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if _, err := c.Send(t.Context(), message("M2")); err != nil {
		t.Errorf("got %v", err)
	}
	if all := s.Await(2); all[0].Connection != 1 || all[1].Connection != 2 {
		t.Errorf("got %v", all)
	}
}

// Of two messages with one control id the second waits; one without can't go out in a window.
func TestClientWindowIDs(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	s := mllptest.NewServer(t, mllptest.Late(release, "AA"), mllptest.Answer("AE"))
	c := newClient(t, &mllp.Client{Address: s.Address, Window: 4})
	replies := make(chan string, 2)
	send := func() {
		reply, err := c.Send(t.Context(), message("M1"))
		if err != nil {
			t.Error(err)
		}
		replies <- strings.Split(string(reply), "MSA|")[1]
	}
	go send()
	s.Await(1)
	go send()
	close(release)
	if a, b := <-replies, <-replies; a != "AA|M1\r" || b != "AE|M1\r" {
		t.Errorf("got %q and %q", a, b)
	}
	if _, err := c.Send(t.Context(), message("")); !errors.Is(err, mllp.ErrNoID) {
		t.Errorf("got %v", err)
	}
}

func TestClientWindowCloses(t *testing.T) {
	t.Parallel()
	s := mllptest.NewServer(t, mllptest.Sequence(mllptest.Receive(), mllptest.Receive(), mllptest.UntilClosed()))
	c := &mllp.Client{Address: s.Address, Window: 2}
	errs := make(chan error, 3)
	for i := range 3 { // one of them waits for its place
		go func() { _, err := c.Send(context.Background(), message(fmt.Sprint("M", i))); errs <- err }()
	}
	s.Await(2)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for range 3 {
		if err := <-errs; !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v", err)
		}
	}
}

// A kept connection that the partner has closed, or on which something lies, is replaced, with a window, too.
func TestClientWindowStaleConnections(t *testing.T) {
	t.Parallel()
	for name, step := range map[string]mllptest.Step{
		"closed":     mllptest.HangUp(),
		"reset":      mllptest.Reset(),
		"late reply": mllptest.Send(ack("M2")),
		"junk":       mllptest.Write('j', 'u', 'n', 'k'),
	} {
		done := make(chan struct{})
		after := mllptest.Sequence(mllptest.Answer("AA"), mllptest.Do(func(c *mllptest.Conn) error {
			defer close(done)
			return c.Run(step)
		}), mllptest.UntilClosed())
		s := mllptest.NewServer(t, after)
		c := newClient(t, &mllp.Client{Address: s.Address, Window: 2})
		if _, err := c.Send(t.Context(), message("M1")); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		<-done
		if reply, err := c.Send(t.Context(), message("M2")); err != nil || !strings.Contains(string(reply), "MSA|AA|M2") {
			t.Errorf("%s: %q, %v", name, reply, err)
		}
		if got := s.Accepted(); !slices.Equal(got, []string{"M1", "M2"}) {
			t.Errorf("%s: accepted %q", name, got)
		}
	}
}

// Who speaks TLS and who doesn't is said where they don't agree.
func TestClientTLSMismatch(t *testing.T) {
	t.Parallel()
	alert := mllptest.Sequence(mllptest.Receive(), mllptest.Write(0x15, 3, 3, 0, 2, 2, 70), mllptest.HangUp())
	curt := mllptest.NewTLSServer(t, &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errors.New("none") }})
	for _, window := range []int{1, 2} {
		for address, want := range map[string]string{
			mllptest.NewServer(t, alert).Address: "the partner sends TLS on this port, where plain MLLP was spoken",
			curt.Address:                         "it may speak TLS on this port",
		} {
			c := newClient(t, &mllp.Client{Address: address, Window: window})
			if _, err := c.Send(t.Context(), message("M1")); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("window %d: got %v, want %s", window, err, want)
			}
		}
	}
	plain := mllptest.NewServer(t) // it ends the connection at what is no frame
	c := newClient(t, &mllp.Client{Address: plain.Address, TLS: &tls.Config{InsecureSkipVerify: true}})
	if _, err := c.Send(t.Context(), message("M1")); err == nil || !strings.Contains(err.Error(), "it may speak plain MLLP on this port") {
		t.Errorf("plain: %v", err)
	}
	silent := mllptest.NewServer(t, mllptest.UntilClosed())
	c = newClient(t, &mllp.Client{Address: silent.Address, TLS: &tls.Config{InsecureSkipVerify: true}, DialTimeout: 20 * time.Millisecond})
	if _, err := c.Send(t.Context(), message("M1")); err == nil || !strings.Contains(err.Error(), "it may speak plain MLLP on this port") || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("silent: %v", err)
	}
}
