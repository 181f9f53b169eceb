package activities_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ladlehq/ladle/activities"
	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/hl7/mllp"
	"github.com/ladlehq/ladle/hl7/mllp/mllptest"
	"github.com/ladlehq/ladle/tlsconfig"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// mllpSender returns s prepared and opened.
func mllpSender(t testing.TB, s *activities.MLLPSender) *activities.MLLPSender {
	t.Helper()
	if err := errors.Join(s.Prepare(env()), s.Open(context.Background())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

const short = 150 * time.Millisecond // for partners that never answer

// Every way in which a partner can misbehave: no message counts as delivered that it hasn't
// accepted, and after a failure nothing is sent on the same connection.
func TestMLLPSenderHostilePartners(t *testing.T) {
	t.Parallel()
	held := make(chan struct{})
	t.Cleanup(func() { close(held) })
	silent := mllptest.Silence()
	for name, c := range map[string]struct {
		step mllptest.Step
		want error
	}{
		"missing":                  {silent, engine.ErrTimeout},
		"late":                     {mllptest.Late(held, "AA"), engine.ErrTimeout},
		"vanished":                 {mllptest.Sequence(mllptest.Receive(), mllptest.Vanish()), engine.ErrTimeout},
		"half-closed":              {mllptest.Sequence(mllptest.Receive(), mllptest.HalfClose(), mllptest.UntilClosed()), engine.ErrNoAcknowledgement},
		"hung up":                  {mllptest.Sequence(mllptest.Receive(), mllptest.HangUp()), engine.ErrNoAcknowledgement},
		"reset":                    {mllptest.Sequence(mllptest.Receive(), mllptest.Reset()), engine.ErrNoAcknowledgement},
		"another's id":             {mllptest.Answer("AA", mllptest.WithID("18")), engine.ErrWrongID},
		"a longer id":              {mllptest.Answer("AA", mllptest.WithID("M10")), engine.ErrWrongID},
		"no id":                    {mllptest.Answer("AA", mllptest.WithID("")), engine.ErrWrongID},
		"no MSA":                   {mllptest.Answer("AA", mllptest.NoMSA), engine.ErrNoAcknowledgement},
		"no code":                  {mllptest.Answer("AA", mllptest.WithCode("")), engine.ErrNoAcknowledgement},
		"no known code":            {mllptest.Answer("AA", mllptest.WithCode("OK")), engine.ErrNoAcknowledgement},
		"empty frame":              {mllptest.Answer("AA", mllptest.Empty), engine.ErrNoAcknowledgement},
		"unframed":                 {mllptest.Answer("AA", mllptest.Unframed), engine.ErrNoAcknowledgement},
		"no start byte":            {mllptest.Answer("AA", mllptest.NoStart), engine.ErrNoAcknowledgement},
		"no end block":             {mllptest.Answer("AA", mllptest.NoEnd), engine.ErrTimeout},
		"half":                     {mllptest.Answer("AA", mllptest.Half), engine.ErrTimeout},
		"half, and hung up":        {mllptest.Sequence(mllptest.Answer("AA", mllptest.Half), mllptest.HangUp()), engine.ErrNoAcknowledgement},
		"start byte inside":        {mllptest.Answer("AA", mllptest.StartInside), engine.ErrNoAcknowledgement},
		"end byte inside":          {mllptest.Answer("AA", mllptest.EndInside), engine.ErrNoAcknowledgement},
		"junk before":              {mllptest.Answer("AA", mllptest.Before([]byte("junk")...)), engine.ErrNoAcknowledgement},
		"HTTP":                     {mllptest.Sequence(mllptest.Receive(), mllptest.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")...)), engine.ErrNoAcknowledgement},
		"TLS":                      {mllptest.Sequence(mllptest.Receive(), mllptest.Write(0x15, 3, 3, 0, 2, 2, 70)), engine.ErrNoAcknowledgement},
		"too large":                {mllptest.Answer("AA", mllptest.Padded(5000)), engine.ErrNoAcknowledgement},
		"huge":                     {mllptest.Sequence(mllptest.Receive(), mllptest.Huge(1<<30)), engine.ErrNoAcknowledgement},
		"a flood of junk":          {mllptest.Sequence(mllptest.Receive(), mllptest.Flood([]byte("x")...)), engine.ErrNoAcknowledgement},
		"a flood of foreign":       {mllptest.Sequence(mllptest.Receive(), mllptest.Flood([]byte("\x0bMSA|AA|X\r\x1c\r")...)), engine.ErrWrongID},
		"a flood of NULs":          {mllptest.Sequence(mllptest.Receive(), mllptest.Flood(make([]byte, 1000)...)), engine.ErrTimeout},
		"a flood in one frame":     {mllptest.Sequence(mllptest.Receive(), mllptest.Write(0x0b), mllptest.Flood([]byte("x")...)), engine.ErrNoAcknowledgement},
		"a slow drip":              {mllptest.Paced(make(chan struct{}), 1, mllptest.Answer("AA")), engine.ErrTimeout},
		"its own message":          {mllptest.Sequence(mllptest.Receive(), mllptest.Send(message("M1").Body())), engine.ErrNoAcknowledgement},
		"error":                    {mllptest.Answer("AE"), engine.ErrPartnerError},
		"reject":                   {mllptest.Answer("AR"), engine.ErrPartnerRejected},
		"commit error":             {mllptest.Answer("CE"), engine.ErrPartnerError},
		"commit reject":            {mllptest.Answer("CR"), engine.ErrPartnerRejected},
		"negative commit block":    {mllptest.Sequence(mllptest.Receive(), mllptest.Commit(mllp.CommitNAK)), engine.ErrPartnerStatus},
		"commit block alone":       {mllptest.Sequence(mllptest.Receive(), mllptest.Commit(mllp.CommitACK)), engine.ErrTimeout},
		"CA alone":                 {mllptest.Answer("CA"), engine.ErrTimeout},
		"CA, then AE":              {mllptest.Sequence(mllptest.Answer("CA"), mllptest.Reply("AE")), engine.ErrPartnerError},
		"CA, then hung up":         {mllptest.Sequence(mllptest.Answer("CA"), mllptest.HangUp()), engine.ErrNoAcknowledgement},
		"AE, then AA":              {mllptest.Sequence(mllptest.Answer("AE"), mllptest.Reply("AA")), engine.ErrPartnerError},
		"AA":                       {mllptest.Answer("AA"), nil},
		"AA twice":                 {mllptest.Sequence(mllptest.Answer("AA"), mllptest.Reply("AA")), nil},
		"CA, then AA":              {mllptest.Sequence(mllptest.Receive(), mllptest.Reply("CA"), mllptest.Reply("AA")), nil},
		"AA byte by byte":          {mllptest.InPieces(1, mllptest.Answer("AA")), nil},
		"AA after NULs":            {mllptest.Sequence(mllptest.Receive(), mllptest.Write(0, 0, '\r', '\n'), mllptest.Reply("AA")), nil},
		"AA, then junk":            {mllptest.Sequence(mllptest.Answer("AA"), mllptest.Write([]byte("junk")...)), nil},
		"AA, then hung up":         {mllptest.Sequence(mllptest.Answer("AA"), mllptest.HangUp()), nil},
		"AA, then another's AA":    {mllptest.Sequence(mllptest.Answer("AA"), mllptest.Reply("AA", mllptest.WithID("M2"))), nil},
		"AA, then an AE of it":     {mllptest.Sequence(mllptest.Answer("AA"), mllptest.Reply("AE")), nil},
		"a greeting, and hung up":  {mllptest.Sequence(mllptest.Write([]byte("220 ready\r\n")...), mllptest.Receive(), mllptest.HangUp()), engine.ErrNoAcknowledgement},
		"AA before it was sent":    {mllptest.Sequence(mllptest.Write([]byte("\x0bMSA|AA|X\r\x1c\r")...), mllptest.UntilClosed()), engine.ErrWrongID},
		"two AA of others, and AA": {mllptest.Sequence(mllptest.Receive(), mllptest.Reply("AA", mllptest.WithID("A"), mllptest.Twice), mllptest.UntilClosed()), engine.ErrWrongID},
	} {
		for _, window := range []int{1, 4} {
			t.Run(fmt.Sprintf("%s, window %d", name, window), func(t *testing.T) {
				t.Parallel()
				done := make(chan struct{})
				p := mllptest.NewServer(t, mllptest.Do(func(conn *mllptest.Conn) error {
					defer close(done)
					return conn.Run(c.step)
				}))
				settings := &activities.MLLPSender{Address: p.Address, Window: window, ReplyLimit: 4000}
				if errors.Is(c.want, engine.ErrTimeout) {
					settings.AcknowledgementTimeout = short
				}
				s := mllpSender(t, settings)
				reply, err := s.Send(t.Context(), message("M1"))
				if !errors.Is(err, c.want) || c.want == nil && (err != nil || reply.Class != engine.Accepted || reply.Unconfirmed) {
					t.Fatalf("got %v, %v, want %v", reply.Class, err, c.want)
				}
				if err != nil && (strings.Contains(err.Error(), "4711") || reply.Class.Positive()) {
					t.Errorf("class %v, or content in an error: %v", reply.Class, err)
				}
				if err == nil && !slices.Contains(p.Accepted(), "M1") {
					t.Error("delivered, but not accepted")
				}
				// A partner that has said yes or no may go on on the same connection, once all that it does is done.
				// Any other failure ends it.
				said := err == nil || errors.Is(err, engine.ErrPartnerError) || errors.Is(err, engine.ErrPartnerRejected)
				if said {
					<-done
				}
				if _, err := s.Send(t.Context(), message("M2")); err != nil || !slices.Contains(p.Accepted(), "M2") {
					t.Errorf("the next one: %v, accepted: %q", err, p.Accepted())
				}
				for _, m := range p.Messages() {
					if !said && m.Connection == 1 && strings.Contains(string(m.Content), "|M2|") {
						t.Errorf("after %v the next message came on the same connection", err)
					}
				}
			})
		}
	}
}

// What each message asks for, and what the setting makes of it.
func TestMLLPSenderAcknowledgementModes(t *testing.T) {
	t.Parallel()
	asked, app, acc, none := activities.AcknowledgementHL7, activities.AcknowledgementApplication, activities.AcknowledgementAccept, activities.AcknowledgementNone
	ca, aa := mllptest.Answer("CA"), mllptest.Answer("AA")
	caAA := mllptest.Sequence(mllptest.Answer("CA"), mllptest.Reply("AA"))
	for name, c := range map[string]struct {
		mode                activities.Acknowledgement
		accept, application string
		step                mllptest.Step
		want                error
		body                string // MSA-1 of the reply
		unconfirmed         bool
	}{
		"both asked for, both come":         {asked, "AL", "AL", caAA, nil, "AA", false},
		"both asked for, CA comes":          {asked, "AL", "AL", ca, engine.ErrTimeout, "", false},
		"both asked for, AA comes":          {asked, "AL", "AL", aa, nil, "AA", false},
		"both asked for, CE comes":          {asked, "AL", "AL", mllptest.Answer("CE"), engine.ErrPartnerError, "CE", false},
		"both asked for, CR comes":          {asked, "AL", "AL", mllptest.Answer("CR"), engine.ErrPartnerRejected, "CR", false},
		"both asked for, CA and AR come":    {asked, "AL", "AL", mllptest.Sequence(ca, mllptest.Reply("AR")), engine.ErrPartnerRejected, "AR", false},
		"accept asked for, CA comes":        {asked, "AL", "NE", ca, nil, "CA", false},
		"accept asked for, AA comes":        {asked, "AL", "NE", aa, nil, "AA", false},
		"accept asked for, nothing comes":   {asked, "AL", "NE", mllptest.Silence(), engine.ErrTimeout, "", false},
		"success asked for, CA comes":       {asked, "SU", "NE", ca, nil, "CA", false},
		"accept, and errors asked for":      {asked, "AL", "ER", ca, nil, "CA", false},
		"application asked for, AA comes":   {asked, "NE", "AL", aa, nil, "AA", false},
		"application asked for, CA, AA":     {asked, "NE", "AL", caAA, nil, "AA", false},
		"errors of commit, and application": {asked, "ER", "AL", aa, nil, "AA", false},
		"none asked for":                    {asked, "NE", "NE", mllptest.Receive(), nil, "", true},
		"original, AA comes":                {asked, "", "", aa, nil, "AA", false},
		"original, CA and AA come":          {asked, "", "", caAA, nil, "AA", false},
		"forced: application":               {app, "AL", "NE", caAA, nil, "AA", false},
		"forced: application, CA comes":     {app, "AL", "NE", ca, engine.ErrTimeout, "", false},
		"forced: accept":                    {acc, "", "", ca, nil, "CA", false},
		"forced: accept, error":             {acc, "", "", mllptest.Answer("AE"), engine.ErrPartnerError, "AE", false},
		"forced: none":                      {none, "AL", "AL", mllptest.Receive(), nil, "", true},
		"forced: none, AE comes":            {none, "", "", mllptest.Answer("AE"), nil, "", true},
	} {
		for _, window := range []int{1, 4} {
			t.Run(fmt.Sprintf("%s, window %d", name, window), func(t *testing.T) {
				t.Parallel()
				p := mllptest.NewServer(t, c.step, mllptest.Repeat(caAA))
				settings := &activities.MLLPSender{Address: p.Address, Window: window, Acknowledgement: c.mode}
				if errors.Is(c.want, engine.ErrTimeout) {
					settings.AcknowledgementTimeout = short
				}
				s := mllpSender(t, settings)
				reply, err := s.Send(t.Context(), asking("M1", c.accept, c.application))
				if !errors.Is(err, c.want) || c.want == nil && err != nil {
					t.Fatalf("got %v, want %v", err, c.want)
				}
				if (c.want == nil) != reply.Class.Positive() || reply.Unconfirmed != c.unconfirmed {
					t.Errorf("got %+v", reply)
				}
				if c.body != "" && !strings.Contains(string(reply.Body), "MSA|"+c.body+"|M1\r") || c.body == "" && len(reply.Body) > 0 {
					t.Errorf("got %q, want %s", reply.Body, c.body)
				}
				if errors.Is(err, engine.ErrTimeout) && strings.HasSuffix(name, "CA comes") && !strings.Contains(err.Error(), "set acknowledgement to accept") {
					t.Errorf("no advice: %v", err)
				}
				// Whatever comes of the first one later, the next ones get their own.
				for _, id := range []string{"M2", "M3"} {
					reply, err := s.Send(t.Context(), asking(id, "AL", "AL"))
					if err != nil || len(reply.Body) > 0 && !strings.Contains(string(reply.Body), "|"+id+"\r") {
						t.Errorf("%s: %q, %v", id, reply.Body, err)
					}
				}
			})
		}
	}
	p := mllptest.NewServer(t)
	s := mllpSender(t, &activities.MLLPSender{Address: p.Address})
	for _, m := range []*engine.Message{asking("M1", "ER", "NE"), asking("M1", "NE", "ER"), asking("M1", "ER", "ER")} {
		if _, err := s.Send(t.Context(), m); err == nil || !strings.Contains(err.Error(), "set acknowledgement to none") {
			t.Errorf("got %v", err)
		}
	}
	if n := p.Connections(); n != 0 {
		t.Errorf("%d connections", n)
	}
}

func TestMLLPSenderRelease2(t *testing.T) {
	t.Parallel()
	commit := mllptest.Commit(mllp.CommitACK)
	for name, c := range map[string]struct {
		mode activities.Acknowledgement
		step mllptest.Step
		want error
	}{
		"commit, AA":        {activities.AcknowledgementHL7, mllptest.Sequence(mllptest.Receive(), commit, mllptest.Reply("AA")), nil},
		"commit, CA, AA":    {activities.AcknowledgementHL7, mllptest.Sequence(mllptest.Receive(), commit, mllptest.Reply("CA"), mllptest.Reply("AA")), nil},
		"commit, AE":        {activities.AcknowledgementHL7, mllptest.Sequence(mllptest.Receive(), commit, mllptest.Reply("AE")), engine.ErrPartnerError},
		"commit, hung up":   {activities.AcknowledgementHL7, mllptest.Sequence(mllptest.Receive(), commit, mllptest.HangUp()), engine.ErrNoAcknowledgement},
		"AA alone":          {activities.AcknowledgementHL7, mllptest.Answer("AA"), engine.ErrNoAcknowledgement},
		"not stored":        {activities.AcknowledgementNone, mllptest.Sequence(mllptest.Receive(), mllptest.Commit(mllp.CommitNAK)), engine.ErrPartnerStatus},
		"commit alone":      {activities.AcknowledgementNone, mllptest.Sequence(mllptest.Receive(), commit), nil},
		"nothing, hung up":  {activities.AcknowledgementNone, mllptest.Sequence(mllptest.Receive(), mllptest.HangUp()), engine.ErrNoAcknowledgement},
		"AA in its place":   {activities.AcknowledgementNone, mllptest.Answer("AA"), engine.ErrNoAcknowledgement},
		"nothing, for ever": {activities.AcknowledgementNone, mllptest.Silence(), engine.ErrTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := mllptest.NewServer(t, c.step, mllptest.Repeat(mllptest.Sequence(mllptest.Receive(), commit, mllptest.Reply("AA"))))
			settings := &activities.MLLPSender{Address: p.Address, Release: 2, Acknowledgement: c.mode}
			if errors.Is(c.want, engine.ErrTimeout) {
				settings.AcknowledgementTimeout = short
			}
			s := mllpSender(t, settings)
			reply, err := s.Send(t.Context(), message("M1"))
			if !errors.Is(err, c.want) || c.want == nil && (err != nil || !reply.Class.Positive() || reply.Unconfirmed) {
				t.Errorf("got %+v, %v, want %v", reply, err, c.want)
			}
			if _, err := s.Send(t.Context(), message("M2")); err != nil {
				t.Errorf("the next one: %v", err)
			}
		})
	}
}

// A pool has as many connections as are needed and no more than are allowed, and each is
// used again.
func TestMLLPSenderConnections(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	p := mllptest.NewServer(t, mllptest.Late(release, "AA"), mllptest.Late(release, "AA"), mllptest.Late(release, "AA"))
	s := mllpSender(t, &activities.MLLPSender{Address: p.Address, Connections: 3})
	var wg sync.WaitGroup
	send := func(id string) {
		if _, err := s.Send(t.Context(), message(id)); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	for i := range 7 {
		wg.Go(func() { send(fmt.Sprint("M", i)) })
	}
	if all := p.Await(3); len(all) != 3 || p.Connections() != 3 {
		t.Errorf("%d messages on %d connections", len(all), p.Connections())
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(engine.ErrTimeout)
	if _, err := s.Send(ctx, message("N")); !errors.Is(err, engine.ErrTimeout) {
		t.Errorf("without a free one: %v", err)
	}
	close(release)
	wg.Wait()
	for i := range 5 {
		send(fmt.Sprint("N", i))
	}
	if n := p.Connections(); n != 3 {
		t.Errorf("%d connections", n)
	}
	if all := p.Messages(); all[len(all)-1].Connection != all[len(all)-2].Connection {
		t.Error("messages one behind the other went over different connections")
	}
	each := mllptest.NewServer(t)
	s = mllpSender(t, &activities.MLLPSender{Address: each.Address, CloseAfterEach: true})
	for i := range 3 {
		send(fmt.Sprint("M", i))
	}
	if n := each.Connections(); n != 3 {
		t.Errorf("close after each: %d connections", n)
	}
}

// A partner that is away is called less and less often.
func TestMLLPSenderBacksOff(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	clock := time.Now()
	s := &activities.MLLPSender{Address: address, ReconnectPause: 300 * time.Millisecond}
	activities.SetClock(s, func() time.Time { return clock })
	mllpSender(t, s)
	away := func(called bool) {
		t.Helper()
		_, err := s.Send(t.Context(), message("M1"))
		if !errors.Is(err, engine.ErrUnreachable) || strings.Contains(err.Error(), "was away a moment ago") == called {
			t.Errorf("called %v: %v", called, err)
		}
	}
	for _, pause := range []time.Duration{100, 200, 300, 300} {
		away(true)
		away(false)
		clock = clock.Add(pause*time.Millisecond - 1)
		away(false)
		clock = clock.Add(1)
	}
}

// A partner that is back is called as if it had never been away.
func TestMLLPSenderForgetsPauses(t *testing.T) {
	t.Parallel()
	pair, err := tlsconfig.SelfSigned{FriendlyName: "partner", Names: []string{"127.0.0.1"}}.Create()
	if err != nil {
		t.Fatal(err)
	}
	var away atomic.Bool
	p := mllptest.NewTLSServer(t, &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		if away.Load() {
			return nil, errors.New("away")
		}
		return &tls.Certificate{Certificate: [][]byte{pair.Certificate.Raw}, PrivateKey: pair.Key}, nil
	}})
	clock := time.Now()
	s := &activities.MLLPSender{Address: p.Address, CloseAfterEach: true, TLS: &tlsconfig.Client{MaxVersion: tls.VersionTLS12, Trust: tlsconfig.Trust{Insecure: true}}}
	activities.SetClock(s, func() time.Time { return clock })
	mllpSender(t, s)
	for range 2 {
		away.Store(true)
		for _, pause := range []time.Duration{100, 200} {
			if _, err := s.Send(t.Context(), message("M1")); !errors.Is(err, engine.ErrUnreachable) || strings.Contains(err.Error(), "was away a moment ago") {
				t.Errorf("got %v", err)
			}
			clock = clock.Add(pause * time.Millisecond)
		}
		away.Store(false)
		if _, err := s.Send(t.Context(), message("M1")); err != nil {
			t.Error(err)
		}
	}
}

// A partner's certificate is pinned; and where one side speaks TLS and the other doesn't,
// the error says so.
func TestMLLPSenderTLS(t *testing.T) {
	t.Parallel()
	pair, err := tlsconfig.SelfSigned{FriendlyName: "partner", Names: []string{"127.0.0.1"}}.Create()
	if err != nil {
		t.Fatal(err)
	}
	certificate := tls.Certificate{Certificate: [][]byte{pair.Certificate.Raw}, PrivateKey: pair.Key}
	pin := tlsconfig.SHA256(pair.Certificate)
	hungUp := make(chan struct{})
	p := mllptest.NewTLSServer(t, &tls.Config{Certificates: []tls.Certificate{certificate}}, mllptest.Answer("AA"), mllptest.Answer("AA"), mllptest.Do(func(c *mllptest.Conn) error {
		defer close(hungUp)
		return c.Run(mllptest.HangUp())
	}))
	s := mllpSender(t, &activities.MLLPSender{Address: p.Address, TLS: &tlsconfig.Client{Trust: tlsconfig.Trust{Thumbprints: []tlsconfig.Thumbprint{pin}}}})
	for _, id := range []string{"M1", "M2", "M3"} {
		if id == "M3" {
			<-hungUp
		}
		if _, err := s.Send(t.Context(), message(id)); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	plain := mllptest.NewServer(t)
	for name, c := range map[string]struct {
		s    *activities.MLLPSender
		want string
	}{
		"not trusted":      {&activities.MLLPSender{Address: p.Address, TLS: &tlsconfig.Client{}}, "certificate"},
		"plain over there": {&activities.MLLPSender{Address: plain.Address, TLS: &tlsconfig.Client{}}, "it may speak plain MLLP on this port"},
		"TLS over there":   {&activities.MLLPSender{Address: p.Address}, "it may speak TLS on this port"},
	} {
		if _, err := mllpSender(t, c.s).Send(t.Context(), message("M1")); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	core, logs := observer.New(zap.WarnLevel)
	e := env()
	e.Logger = zap.New(core)
	trusting := &activities.MLLPSender{Address: p.Address, TLS: &tlsconfig.Client{Trust: tlsconfig.Trust{Insecure: true}}}
	if err := errors.Join(trusting.Prepare(e), trusting.Open(t.Context()), trusting.Close()); err != nil || logs.FilterMessageSnippet("INSECURE").Len() != 1 {
		t.Errorf("%v, %v", err, logs.All())
	}
}

// A stop ends what is under way, and what comes after it.
func TestMLLPSenderStops(t *testing.T) {
	t.Parallel()
	p := mllptest.NewServer(t, mllptest.Silence())
	s := mllpSender(t, &activities.MLLPSender{Address: p.Address})
	sent := make(chan error, 1)
	go func() { _, err := s.Send(context.Background(), message("M1")); sent <- err }()
	p.Await(1)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-sent; !errors.Is(err, engine.ErrStopped) {
		t.Errorf("under way: %v", err)
	}
	if _, err := s.Send(context.Background(), message("M2")); !errors.Is(err, engine.ErrStopped) {
		t.Errorf("afterwards: %v", err)
	}
	q := mllptest.NewServer(t, mllptest.Silence())
	s = mllpSender(t, &activities.MLLPSender{Address: q.Address})
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() { _, err := s.Send(ctx, message("M1")); sent <- err }()
	q.Await(1)
	cancel(engine.ErrStopped)
	if err := <-sent; !errors.Is(err, engine.ErrStopped) {
		t.Errorf("the context's end: %v", err)
	}
}

// What can't go out over MLLP, and what no window can hold, is the message's own fault:
// sending it again won't help.
func TestMLLPSenderUnsendable(t *testing.T) {
	t.Parallel()
	p := mllptest.NewServer(t)
	s := mllpSender(t, &activities.MLLPSender{Address: p.Address, Window: 2})
	for name, body := range map[string]string{"end byte": "MSH|^~\\&|||||||ADT|1|P|2.5\rNTE|\x1c", "no id": "MSH|^~\\&|||||||ADT||P|2.5\r"} {
		_, err := s.Send(t.Context(), engine.NewMessage([]byte(body)))
		if err == nil || errors.Is(err, engine.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(p.Messages()); n != 0 {
		t.Errorf("%d were sent", n)
	}
}

func TestMLLPSenderFraming(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	framing := mllp.Framing{Start: 2, End: 3}
	served := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			defer c.Close()
			_, err = framing.NewReader(c, 0).Next()
			if err == nil {
				err = framing.NewWriter(c).WriteMessage([]byte(ack("AA", "M1")))
			}
		}
		served <- err
	}()
	s := mllpSender(t, &activities.MLLPSender{Address: l.Addr().String(), Framing: framing})
	if _, err := s.Send(t.Context(), message("M1")); err != nil {
		t.Error(err)
	}
	if err := errors.Join(<-served, l.Close()); err != nil {
		t.Error(err)
	}
}

func TestMLLPSenderMistakes(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]*activities.MLLPSender{
		"address: missing":                       {},
		"address: \"lab\" is no address":         {Address: "lab"},
		"address: \":2575\" is no address":       {Address: ":2575"},
		"address: \"lab:x\" is no address":       {Address: "lab:x"},
		"is a URL: write the host and the port":  {Address: "mllp://lab:2575"},
		"acknowledgement: MLLP has no status":    {Address: "a:1", Acknowledgement: activities.AcknowledgementStatus},
		"release: there is no release 3":         {Address: "a:1", Release: 3},
		"connections: write a number":            {Address: "a:1", Connections: -1},
		"window: write a number":                 {Address: "a:1", Window: 10_001},
		"window: release 2 is strictly":          {Address: "a:1", Window: 2, Release: 2},
		"window: with close-after-each":          {Address: "a:1", Window: 2, CloseAfterEach: true},
		"acknowledgement-timeout: a limit can't": {Address: "a:1", AcknowledgementTimeout: -1},
		"reply-limit: a limit can't":             {Address: "a:1", ReplyLimit: -1},
		"framing: mllp: start byte and end byte": {Address: "a:1", Framing: mllp.Framing{Start: 2, End: 2}},
	} {
		if err := s.Prepare(env()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// A partner that does at random whatever a partner can do wrong, under load: what counts as
// delivered was accepted, every reply is its message's own, and in the end all of it goes
// through.
func TestMLLPSenderRandomPartner(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	good := []mllptest.Step{
		mllptest.Answer("AA"), mllptest.Answer("AA"), mllptest.InPieces(3, mllptest.Answer("AA")),
		mllptest.Sequence(mllptest.Answer("CA"), mllptest.Reply("AA")), mllptest.Sequence(mllptest.Answer("AA"), mllptest.Reply("AA")),
	}
	bad := []mllptest.Step{
		mllptest.Answer("AE"), mllptest.Answer("AA", mllptest.WithID("X")), mllptest.Answer("AA", mllptest.NoMSA), mllptest.Answer("AA", mllptest.StartInside),
		mllptest.Answer("AA", mllptest.Unframed), mllptest.Sequence(mllptest.Receive(), mllptest.HangUp()), mllptest.Sequence(mllptest.Receive(), mllptest.Reset()),
		mllptest.Sequence(mllptest.Answer("AA"), mllptest.HangUp()), mllptest.Sequence(mllptest.Answer("AA"), mllptest.Write('x')), mllptest.Answer("CR"),
		mllptest.Sequence(mllptest.Receive(), mllptest.Receive(), mllptest.Reply("AA")), // with a window the first one is never answered
	}
	for _, settings := range []*activities.MLLPSender{{}, {Connections: 3}, {Window: 4}, {Connections: 2, Window: 3}, {CloseAfterEach: true}} {
		var script []mllptest.Step
		for range 300 {
			from := good
			if random.IntN(3) == 0 {
				from = bad
			}
			script = append(script, from[random.IntN(len(from))])
		}
		p := mllptest.NewServer(t, script...)
		settings.Address, settings.AcknowledgementTimeout = p.Address, 20*time.Millisecond
		s := mllpSender(t, settings)
		next := make(chan string)
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				for id := range next {
					for { // until it is delivered
						reply, err := s.Send(t.Context(), message(id))
						if err != nil {
							if reply.Class.Positive() {
								t.Errorf("%s: %v with %v", id, reply.Class, err)
							}
							continue
						}
						if !strings.Contains(string(reply.Body), "MSA|AA|"+id+"\r") {
							t.Errorf("%s: got %q", id, reply.Body)
						}
						if !slices.Contains(p.Accepted(), id) {
							t.Errorf("%s: delivered, but not accepted", id)
						}
						break
					}
				}
			})
		}
		for i := range 150 {
			next <- fmt.Sprint("M", i)
		}
		close(next)
		wg.Wait()
	}
	if t.Failed() {
		t.Logf("seed %d", seed)
	}
}
