package mllptest_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/ladlehq/ladle/hl7"
	"github.com/ladlehq/ladle/hl7/mllp"
	"github.com/ladlehq/ladle/hl7/mllp/mllptest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func message(id string) []byte {
	return []byte("MSH|^~\\&|A|B|C|D|1||ADT^A01|" + id + "|P|2.5\rPID|1\r")
}

// frame is what Append makes, for faults to damage.
func frame(content string) []byte { return mllp.Append(nil, []byte(content)) }

func TestFaults(t *testing.T) {
	t.Parallel()
	const ack = "MSH|^~\\&|\rMSA|AA|1|text\r"
	for name, c := range map[string]struct {
		fault mllptest.Fault
		want  string
	}{
		"no start":      {mllptest.NoStart, ack + "\x1c\r"},
		"no end":        {mllptest.NoEnd, "\x0b" + ack},
		"no trailer":    {mllptest.NoTrailer, "\x0b" + ack + "\x1c"},
		"unframed":      {mllptest.Unframed, ack},
		"empty":         {mllptest.Empty, "\x0b\x1c\r"},
		"half":          {mllptest.Half, "\x0bMSH|^~\\&|\rMS"},
		"start inside":  {mllptest.StartInside, "\x0bMSH|^~\\&|\rMS\x0bA|AA|1|text\r\x1c\r"},
		"end inside":    {mllptest.EndInside, "\x0bMSH|^~\\&|\rMS\x1cA|AA|1|text\r\x1c\r"},
		"NUL inside":    {mllptest.NULInside, "\x0bMSH|^~\\&|\rMS\x00A|AA|1|text\r\x1c\r"},
		"line feeds":    {mllptest.LineFeeds, "\x0bMSH|^~\\&|\nMSA|AA|1|text\n\x1c\r"},
		"twice":         {mllptest.Twice, "\x0b" + ack + "\x1c\r\x0b" + ack + "\x1c\r"},
		"before":        {mllptest.Before(0, 0), "\x00\x00\x0b" + ack + "\x1c\r"},
		"behind":        {mllptest.Behind('x'), "\x0b" + ack + "\x1c\rx"},
		"padded":        {mllptest.Padded(8), "\x0b" + ack + "ZZZ|xxx\r\x1c\r"},
		"with id":       {mllptest.WithID("22"), "\x0bMSH|^~\\&|\rMSA|AA|22|text\r\x1c\r"},
		"with code":     {mllptest.WithCode("CR"), "\x0bMSH|^~\\&|\rMSA|CR|1|text\r\x1c\r"},
		"no MSA":        {mllptest.NoMSA, "\x0bMSH|^~\\&|\r\x1c\r"},
		"padded by few": {mllptest.Padded(1), "\x0b" + ack + "ZZZ|\r\x1c\r"},
	} {
		if got := c.fault(frame(ack)); string(got) != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	short := mllptest.WithID("2")(frame("MSA|"))
	if string(short) != "\x0bMSA|\x1c\r" { // no segment begins behind the start byte: nothing to edit
		t.Errorf("got %q", short)
	}
}

// A script goes on with the next connection where one was hung up, and a step that had nobody to do it with is done again.
func TestServerScript(t *testing.T) {
	t.Parallel()
	s := mllptest.NewServer(t,
		mllptest.Answer("AE"),
		mllptest.Sequence(mllptest.Receive(), mllptest.HangUp()),
		mllptest.Write([]byte("hello")...),
		mllptest.Sequence(mllptest.Answer("CA"), mllptest.Reply("AA")),
	)
	first := mllptest.NewClient(t, s.Address)
	if err := first.Run(mllptest.Send(message("1")), mllptest.Receive()); err != nil {
		t.Fatal(err)
	}
	if a, err := hl7.ParseAck(first.Last()); err != nil || a.Code != "AE" || a.ControlID != "1" {
		t.Errorf("%+v, %v", a, err)
	}
	if err := first.Run(mllptest.HangUp()); err != nil {
		t.Error(err)
	}
	second := mllptest.NewClient(t, s.Address)
	if err := second.Run(mllptest.Send(message("2")), mllptest.Receive()); !errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
	third := mllptest.NewClient(t, s.Address)
	if _, err := third.Receive(); mllp.ReasonOf(err) != mllp.NoStart {
		t.Errorf("got %v", err)
	}
	fourth := mllptest.NewClient(t, s.Address)
	if err := fourth.Run(mllptest.Send(message("4"))); err != nil {
		t.Fatal(err)
	}
	for _, code := range []hl7.AckCode{"CA", "AA"} {
		raw, err := fourth.Receive()
		if a, _ := hl7.ParseAck(raw); err != nil || a.Code != code || a.ControlID != "4" {
			t.Errorf("%s: %+v, %v", code, a, err)
		}
	}
	if got := s.Accepted(); !slices.Equal(got, []string{"4", "4"}) {
		t.Errorf("accepted %q", got)
	}
	all := s.Await(3)
	if len(all) != 3 || all[0].Connection != 1 || all[2].Connection != 4 || !bytes.Equal(all[2].Content, message("4")) || s.Connections() != 4 {
		t.Errorf("received %v on %d connections", all, s.Connections())
	}
}

// What is late comes when it is told to, and a flood ends when the peer has had enough.
func TestServerSignals(t *testing.T) {
	t.Parallel()
	release, begun, pace := make(chan struct{}), make(chan struct{}), make(chan struct{})
	s := mllptest.NewServer(t,
		mllptest.Late(release, "AA"),
		mllptest.Sequence(mllptest.Receive(), mllptest.Signal(begun), mllptest.Paced(pace, 1, mllptest.Commit(mllp.CommitACK))),
		mllptest.Flood(frame("MSA|AA|0")...),
		mllptest.Sequence(mllptest.Receive(), mllptest.Reset()),
		mllptest.Sequence(mllptest.Receive(), mllptest.HalfClose(), mllptest.Receive()),
		mllptest.Silence(),
		mllptest.Vanish(),
	)
	c := mllptest.NewClient(t, s.Address)
	if err := c.Run(mllptest.Send(message("1"))); err != nil {
		t.Fatal(err)
	}
	s.Await(1)
	c.Limit = time.Millisecond
	if _, err := c.Receive(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("early: %v", err)
	}
	c.Limit = mllptest.DefaultLimit
	close(release)
	if err := c.Run(mllptest.Receive(), mllptest.Send(message("2"))); err != nil {
		t.Error(err)
	}
	<-begun
	for range 4 {
		pace <- struct{}{}
	}
	if b, err := c.Receive(); err != nil || mllp.CommitOf(b) != mllp.CommitACK {
		t.Errorf("%q, %v", b, err)
	}
	for range 100 {
		if _, err := c.Receive(); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Run(mllptest.Reset()); err != nil {
		t.Error(err)
	}
	c = mllptest.NewClient(t, s.Address)
	if err := c.Run(mllptest.Send(message("3")), mllptest.Receive()); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("reset: %v", err)
	}
	c = mllptest.NewClient(t, s.Address)
	if err := c.Run(mllptest.Send(message("4")), mllptest.Receive()); !errors.Is(err, io.EOF) {
		t.Errorf("half closed: %v", err)
	}
	if err := c.Run(mllptest.Send(message("5")), mllptest.Send(message("6"))); err != nil {
		t.Errorf("half closed: %v", err)
	}
	s.Await(6)
	if err := c.Run(mllptest.HalfClose(), mllptest.Receive()); !errors.Is(err, io.EOF) {
		t.Errorf("silence: %v", err)
	}
	c = mllptest.NewClient(t, s.Address)
	c.Limit = time.Millisecond
	if err := c.Run(mllptest.Send(message("7")), mllptest.Receive()); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("vanished: %v", err)
	}
	if got := s.Accepted(); !slices.Equal(got, []string{"1"}) {
		t.Errorf("accepted %q", got)
	}
}

// A huge frame has its size and its ends, and is cut off by a peer with a limit.
func TestHuge(t *testing.T) {
	t.Parallel()
	const size = 200_000
	s := mllptest.NewServer(t)
	c := mllptest.NewClient(t, s.Address)
	if err := c.Run(mllptest.Huge(size), mllptest.Receive()); err != nil {
		t.Fatal(err)
	}
	if got := len(s.Messages()[0].Content); got != size {
		t.Errorf("%d bytes", got)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	refused := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err == nil {
			_, err = mllp.NewReader(conn, 1<<20).Next()
			conn.Close()
		}
		refused <- err
	}()
	if err := mllptest.NewClient(t, l.Addr().String()).Run(mllptest.Huge(1 << 30)); err == nil {
		t.Error("1 GiB went through")
	}
	if err := <-refused; mllp.ReasonOf(err) != mllp.TooLarge {
		t.Errorf("got %v", err)
	}
}

// Nothing of a closed server goes on, whatever its script was doing.
func TestServerClose(t *testing.T) {
	t.Parallel()
	s, err := mllptest.Start(nil, mllptest.Vanish(), mllptest.WaitFor(nil), mllptest.Flood('x'), mllptest.Repeat(mllptest.Receive()))
	if err != nil {
		t.Fatal(err)
	}
	for range 4 {
		mllptest.NewClient(t, s.Address)
	}
	s.Close()
	s.Close()
	if got := s.Await(1); len(got) != 0 {
		t.Errorf("received %v", got)
	}
}
