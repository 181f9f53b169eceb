package mllp_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ladlehq/ladle/hl7/mllp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func message(id string) []byte {
	return []byte("MSH|^~\\&|A|B|C|D|1||ADT^A01|" + id + "|P|2.5\rPID|1||SECRET\r")
}

func ack(id string) []byte { return []byte("MSH|^~\\&|C|D|A|B|1||ACK|R|P|2.5\rMSA|AA|" + id + "\r") }

// A partner behaves on each connection as its script says. It ends with the test.
func partner(t testing.TB, script func(n int, c net.Conn, r *mllp.Reader)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, l, script)
	return l.Addr().String()
}

func serve(t testing.TB, l net.Listener, script func(n int, c net.Conn, r *mllp.Reader)) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	wg.Go(func() {
		for n := 1; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, c)
			mu.Unlock()
			wg.Go(func() {
				defer c.Close()
				script(n, c, mllp.NewReader(c, 0))
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
}

// answering answers every message with what reply makes of its control id.
func answering(reply func(id string) []byte) func(int, net.Conn, *mllp.Reader) {
	return func(_ int, c net.Conn, r *mllp.Reader) {
		for {
			msg, err := r.Next()
			if err != nil {
				return
			}
			if _, err := c.Write(reply(strings.Split(string(msg), "|")[9])); err != nil {
				return
			}
		}
	}
}

func framed(b []byte) []byte { return mllp.Append(nil, b) }

func newClient(t testing.TB, c *mllp.Client) *mllp.Client {
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestClientKeepsItsConnection(t *testing.T) {
	t.Parallel()
	for _, closeAfter := range []bool{false, true} {
		var mu sync.Mutex
		connections := 0
		address := partner(t, func(n int, c net.Conn, r *mllp.Reader) {
			mu.Lock()
			connections = n
			mu.Unlock()
			answering(func(id string) []byte { return framed(ack(id)) })(n, c, r)
		})
		c := newClient(t, &mllp.Client{Address: address, CloseAfter: closeAfter})
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				id := fmt.Sprint("M", i)
				reply, err := c.Send(context.Background(), message(id))
				if err != nil || string(reply) != string(ack(id)) {
					t.Errorf("%s: %q, %v", id, reply, err)
				}
			})
		}
		wg.Wait()
		mu.Lock()
		if want := map[bool]int{false: 1, true: 10}[closeAfter]; connections != want {
			t.Errorf("close after %v: %d connections", closeAfter, connections)
		}
		mu.Unlock()
	}
}

// Each fault of a partner: no reply that isn't the message's own is ever returned, and
// the next message gets its own.
func TestClientHostilePartners(t *testing.T) {
	t.Parallel()
	held := make(chan struct{})
	t.Cleanup(func() { close(held) })
	for name, c := range map[string]struct {
		reply func(id string) []byte
		want  error
		phase mllp.Phase
	}{
		"another's id":      {func(string) []byte { return framed(ack("X")) }, mllp.ErrWrongID, mllp.Checking},
		"a longer id":       {func(id string) []byte { return framed(ack(id + "1")) }, mllp.ErrWrongID, mllp.Checking},
		"no MSA":            {func(string) []byte { return framed([]byte("MSH|^~\\&|")) }, mllp.ErrNoMSA, mllp.Checking},
		"empty":             {func(string) []byte { return framed(nil) }, mllp.ErrNoMSA, mllp.Checking},
		"unframed":          {ack, &mllp.FrameError{}, mllp.Checking},
		"HTTP":              {func(string) []byte { return []byte("HTTP/1.1 400 Bad Request\r\n\r\n") }, &mllp.FrameError{}, mllp.Checking},
		"start byte inside": {func(id string) []byte { return framed([]byte("MSH\x0b" + id)) }, &mllp.FrameError{}, mllp.Checking},
		"negative commit":   {func(string) []byte { return framed([]byte{0x15}) }, mllp.ErrCommitNAK, mllp.Checking},
		"only a commit":     {func(string) []byte { return framed([]byte{0x06}) }, os.ErrDeadlineExceeded, mllp.Awaiting},
		"nothing":           {func(string) []byte { return nil }, os.ErrDeadlineExceeded, mllp.Awaiting},
		"half":              {func(id string) []byte { return framed(ack(id))[:20] }, os.ErrDeadlineExceeded, mllp.Awaiting},
		"too large":         {func(id string) []byte { return framed(append(ack(id), make([]byte, 2000)...)) }, &mllp.FrameError{}, mllp.Checking},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := partner(t, func(n int, conn net.Conn, r *mllp.Reader) {
				if n > 1 {
					answering(func(id string) []byte { return framed(ack(id)) })(n, conn, r)
					return
				}
				msg, err := r.Next()
				if err != nil {
					return
				}
				conn.Write(c.reply(strings.Split(string(msg), "|")[9]))
				io.Copy(io.Discard, conn) // until the client closes it
			})
			client := newClient(t, &mllp.Client{Address: address, ReplyTimeout: 100 * time.Millisecond, MaxReply: 1000})
			reply, err := client.Send(context.Background(), message("M1"))
			se, ok := errors.AsType[*mllp.SendError](err)
			if !ok || reply != nil || se.Phase != c.phase || !se.MayHaveArrived() {
				t.Fatalf("%q, %v", reply, err)
			}
			if _, frame := c.want.(*mllp.FrameError); frame && mllp.ReasonOf(err) == 0 || !frame && !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if strings.Contains(err.Error(), "SECRET") {
				t.Errorf("content in an error: %v", err)
			}
			client.ReplyTimeout = 0
			if reply, err := client.Send(context.Background(), message("M2")); err != nil || string(reply) != string(ack("M2")) {
				t.Errorf("the next one: %q, %v", reply, err)
			}
		})
	}
}

// Whatever way a good reply arrives, it is read.
func TestClientSloppyReplies(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]func(id string) []byte{
		"no trailer":        func(id string) []byte { f := framed(ack(id)); return f[:len(f)-1] },
		"NULs before":       func(id string) []byte { return append([]byte("\x00\x00\r\n"), framed(ack(id))...) },
		"commit, then ack":  func(id string) []byte { return append(framed([]byte{6}), framed(ack(id))...) },
		"LF for segments":   func(id string) []byte { return framed([]byte(strings.ReplaceAll(string(ack(id)), "\r", "\n"))) },
		"MSA alone":         func(id string) []byte { return framed([]byte("MSA|AE|" + id + "|no")) },
		"spaces around ids": func(id string) []byte { return framed([]byte("MSH|^~\\&|\rMSA|AA| " + id + " \r")) },
	} {
		c := newClient(t, &mllp.Client{Address: partner(t, answering(reply))})
		for _, id := range []string{"M1", "M2"} {
			if got, err := c.Send(t.Context(), message(id)); err != nil || !strings.Contains(string(got), id) {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
	}
}

// A kept connection that the partner has closed, or on which a late reply lies, is
// replaced before anything is sent on it.
func TestClientStaleConnections(t *testing.T) {
	t.Parallel()
	for name, afterwards := range map[string]func(net.Conn){
		"closed":     func(c net.Conn) { c.Close() },
		"late reply": func(c net.Conn) { c.Write(framed(ack("M2"))) },
		"junk":       func(c net.Conn) { c.Write([]byte("junk")) },
	} {
		did := make(chan struct{}, 1)
		address := partner(t, func(n int, c net.Conn, r *mllp.Reader) {
			if n > 1 {
				answering(func(id string) []byte { return framed(ack(id + "")) })(n, c, r)
				return
			}
			if _, err := r.Next(); err != nil {
				return
			}
			c.Write(framed(ack("M1")))
			afterwards(c)
			did <- struct{}{}
			if msg, err := r.Next(); err == nil {
				t.Errorf("%s: %d bytes were sent on the old connection", name, len(msg))
			}
		})
		c := newClient(t, &mllp.Client{Address: address})
		if _, err := c.Send(t.Context(), message("M1")); err != nil {
			t.Fatal(err)
		}
		<-did
		// What was sent over loopback is there when the write has returned.
		if reply, err := c.Send(t.Context(), message("M2")); err != nil || string(reply) != string(ack("M2")) {
			t.Errorf("%s: %q, %v", name, reply, err)
		}
	}
}

func TestClientEndsWithItsContext(t *testing.T) {
	t.Parallel()
	got := make(chan struct{}, 10)
	address := partner(t, func(_ int, c net.Conn, r *mllp.Reader) {
		for {
			if _, err := r.Next(); err != nil {
				return
			}
			got <- struct{}{} // and never answers
		}
	})
	c := newClient(t, &mllp.Client{Address: address})
	ctx, cancel := context.WithCancel(t.Context())
	sent := make(chan error, 1)
	go func() {
		_, err := c.Send(ctx, message("M1"))
		sent <- err
	}()
	<-got
	waiting, give := context.WithCancel(t.Context())
	second := make(chan error, 1)
	go func() {
		_, err := c.Send(waiting, message("M2"))
		second <- err
	}()
	give()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Errorf("while waiting for its turn: %v", err)
	}
	cancel()
	if err := <-sent; !errors.Is(err, context.Canceled) {
		t.Errorf("while awaiting: %v", err)
	}
	go func() {
		_, err := c.Send(context.Background(), message("M3"))
		sent <- err
	}()
	<-got
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := <-sent; !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if _, err := c.Send(context.Background(), message("M4")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestClientCantConnect(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	c := newClient(t, &mllp.Client{Address: l.Addr().String()})
	_, err = c.Send(t.Context(), message("M1"))
	if se, ok := errors.AsType[*mllp.SendError](err); !ok || se.Phase != mllp.Connecting || se.MayHaveArrived() {
		t.Errorf("%v", err)
	}
	_, err = c.Send(t.Context(), []byte("a\x1cb"))
	if mllp.ReasonOf(err) != mllp.EndInside {
		t.Errorf("a message that can't be framed: %v", err)
	}
	slow := newClient(t, &mllp.Client{Address: "192.0.2.1:1", DialTimeout: time.Millisecond, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}})
	if _, err := slow.Send(t.Context(), message("M1")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("slow: %v", err)
	}
}

func TestClientTLS(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}})
	if err != nil {
		t.Fatal(err)
	}
	serve(t, l, answering(func(id string) []byte { return framed(ack(id)) }))
	c := newClient(t, &mllp.Client{Address: l.Addr().String(), TLS: &tls.Config{RootCAs: roots}})
	for _, id := range []string{"M1", "M2"} {
		if reply, err := c.Send(t.Context(), message(id)); err != nil || string(reply) != string(ack(id)) {
			t.Errorf("%q, %v", reply, err)
		}
	}
	// Settings that check the certificate by themselves are told which host was called.
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	called := ""
	own := newClient(t, &mllp.Client{Address: "localhost:" + port, TLS: &tls.Config{InsecureSkipVerify: true, VerifyConnection: func(cs tls.ConnectionState) error {
		called = cs.ServerName
		return nil
	}}})
	if _, err := own.Send(t.Context(), message("M3")); err != nil || called != "localhost" {
		t.Errorf("called %q, %v", called, err)
	}
	// A partner that speaks plain MLLP where TLS was expected is named.
	plain := partner(t, func(_ int, c net.Conn, _ *mllp.Reader) {
		c.Write(framed(ack("M1")))
		io.Copy(io.Discard, c)
	})
	wrong := newClient(t, &mllp.Client{Address: plain, TLS: &tls.Config{RootCAs: roots}})
	if _, err := wrong.Send(t.Context(), message("M1")); err == nil || !strings.Contains(err.Error(), "the partner sends plain MLLP on this port") {
		t.Errorf("plain: %v", err)
	}
}
