package examples_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/ladlehq/ladle/activities"
	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/engine/hl7v2"
	"github.com/ladlehq/ladle/hl7"
	"github.com/ladlehq/ladle/receivers"
	"github.com/ladlehq/ladle/tlsconfig"
	"go.uber.org/zap"
)

// Our sender and our receiver understand each other in every mode, with TLS and without:
// each message arrives once, and what is refused is said to be.
func TestMLLPBothEnds(t *testing.T) {
	t.Parallel()
	server := newParty(t, "127.0.0.1")
	release2 := func(r *receivers.MLLP) { r.Release = 2 }
	release2Sender := func(s *activities.MLLPSender) { s.Release = 2 }
	for name, c := range map[string]struct {
		receiver func(*receivers.MLLP)
		sender   func(*activities.MLLPSender)
		mode     string // MSH-15 and MSH-16
		refused  error  // what is said of a message that failed; ErrPartnerError when nil
	}{
		"original":           {},
		"enhanced, both":     {mode: "AL|AL"},
		"enhanced, accept":   {mode: "AL|NE"},
		"enhanced, success":  {mode: "SU|AL"},
		"release 2":          {receiver: release2, sender: release2Sender, refused: engine.ErrPartnerStatus},
		"release 2, both":    {receiver: release2, sender: release2Sender, refused: engine.ErrPartnerStatus, mode: "AL|AL"},
		"a window":           {sender: func(s *activities.MLLPSender) { s.Window = 8 }},
		"a window, enhanced": {sender: func(s *activities.MLLPSender) { s.Window = 8 }, mode: "AL|AL"},
		"connections":        {sender: func(s *activities.MLLPSender) { s.Connections = 4; s.Window = 2 }},
		"set to accept":      {receiver: func(r *receivers.MLLP) { r.Acknowledgement = hl7v2.AcknowledgementAccept }, sender: func(s *activities.MLLPSender) { s.Acknowledgement = activities.AcknowledgementAccept }},
		"set to both":        {receiver: func(r *receivers.MLLP) { r.Acknowledgement = hl7v2.AcknowledgementBoth }},
		"close after each":   {sender: func(s *activities.MLLPSender) { s.CloseAfterEach = true }},
	} {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, TLS=%v", name, secure), func(t *testing.T) {
				t.Parallel()
				var mu sync.Mutex
				got := make(map[string]int)
				r, s := &receivers.MLLP{Address: "127.0.0.1:0"}, new(activities.MLLPSender)
				if c.receiver != nil {
					c.receiver(r)
				}
				if c.sender != nil {
					c.sender(s)
				}
				refused := engine.ErrPartnerError
				if c.refused != nil {
					refused = c.refused
				}
				if secure {
					r.TLS = &tlsconfig.Server{Certificates: server.certificate()}
					s.TLS = &tlsconfig.Client{Trust: server.pin()}
				}
				e := start(t, engine.Workflow{Name: "w", Receiver: r, Activities: []engine.Step{{Activity: engine.ActivityFunc(func(_ ctx, m *engine.Message) error {
					h, err := hl7.ParseHeader(m.Body())
					if err != nil {
						return err
					}
					mu.Lock()
					defer mu.Unlock()
					got[h.ControlID()]++
					if strings.HasSuffix(h.ControlID(), "9") {
						return errors.New("a fault")
					}
					return nil
				})}}})
				s.Address = e.Addr("w").String()
				if err := s.Prepare(engine.Env{Format: hl7v2.Format{}, Logger: zap.NewNop()}); err != nil {
					t.Fatal(err)
				}
				if err := s.Open(t.Context()); err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				const n = 40
				var wg sync.WaitGroup
				for i := range n {
					wg.Go(func() {
						id := fmt.Sprintf("M%03d", i)
						m := "MSH|^~\\&|H|W|L|C|20261126||ADT^A01|" + id + "|P|2.5|||" + c.mode + "\rPID|1||4711\r"
						_, err := s.Send(context.Background(), engine.NewMessage([]byte(m)))
						if strings.HasSuffix(id, "9") != errors.Is(err, refused) || err != nil && !errors.Is(err, refused) {
							t.Errorf("%s: %v", id, err)
						}
					})
				}
				wg.Wait()
				mu.Lock()
				defer mu.Unlock()
				for id, times := range got {
					if times != 1 {
						t.Errorf("%s arrived %d times", id, times)
					}
				}
				if len(got) != n {
					t.Errorf("%d of %d messages arrived", len(got), n)
				}
			})
		}
	}
}
