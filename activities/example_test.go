package activities_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/ladlehq/ladle/activities"
	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/hl7"
	"github.com/ladlehq/ladle/hl7/mllp/mllptest"
)

// once is a receiver that brings one message.
type once struct{ body string }

func (o *once) Open(context.Context) error { return nil }
func (o *once) Close() error               { return nil }

func (o *once) Serve(ctx context.Context, h engine.Handler) error {
	fmt.Println(h.Handle(ctx, engine.NewMessage([]byte(o.body))).Class)
	return nil
}

// Each message in a file of its own, by the message's own number.
func ExampleWriteToDisk() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	eng, err := engine.New([]engine.Workflow{{
		Name:     "Keep",
		Format:   env().Format,
		Receiver: &once{"MSH|^~\\&|HIS|WARD|LAB|CELLAR|20260305140709||ADT^A01|17/4|P|2.5\r"},
		Activities: []engine.Step{
			{Activity: &activities.WriteToDisk{Directory: dir, File: "${MSH-9.1}/${MSH-10}.hl7"}},
		},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(eng.Run(context.Background()))
	files, _ := filepath.Glob(filepath.Join(dir, "*", "*"))
	for _, f := range files {
		name, _ := filepath.Rel(dir, f)
		fmt.Println(filepath.ToSlash(name))
	}
	// Output:
	// accepted
	// <nil>
	// ADT/17_4.hl7
}

// A partner that accepts another message than the one that was sent has accepted
// nothing.
func ExampleForwardToSender() {
	partner := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "MSH|^~\\&|LAB|CELLAR|HIS|WARD|20260305140710||ACK|9|P|2.5\rMSA|AA|16\r")
	}))
	defer partner.Close()
	eng, err := engine.New([]engine.Workflow{{
		Name:     "Forward",
		Format:   env().Format,
		Receiver: &once{"MSH|^~\\&|HIS|WARD|LAB|CELLAR|20260305140709||ADT^A01|17|P|2.5\r"},
		Activities: []engine.Step{
			{Name: "Laboratory", Activity: &activities.ForwardToSender{Sender: &activities.HTTPSender{URL: partner.URL}}},
			{Activity: engine.ActivityFunc(func(context.Context, *engine.Message) error { return errors.New("not reached") })},
		},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(eng.Run(context.Background()))
	// Output:
	// unavailable
	// <nil>
}

// A partner that commits a message (CA) and answers for it later (AA): the message counts as
// delivered with the second, because it asks for both in MSH-15 and MSH-16.
func ExampleMLLPSender() {
	partner, err := mllptest.Start(nil, mllptest.Sequence(mllptest.Answer("CA"), mllptest.Reply("AA")))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer partner.Close()
	eng, err := engine.New([]engine.Workflow{{
		Name:     "Forward",
		Format:   env().Format,
		Receiver: &once{"MSH|^~\\&|HIS|WARD|LAB|CELLAR|20260305140709||ADT^A01|17|P|2.5|||AL|AL\r"},
		Activities: []engine.Step{
			{Name: "Laboratory", Activity: &activities.ForwardToSender{Sender: &activities.MLLPSender{Address: partner.Address}}},
			{Activity: engine.ActivityFunc(func(_ context.Context, m *engine.Message) error {
				reply, _ := m.Reply("Laboratory")
				ack, err := hl7.ParseAck(reply.Body)
				fmt.Println(ack.Code, ack.ControlID)
				return err
			})},
		},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(eng.Run(context.Background()))
	// Output:
	// AA 17
	// accepted
	// <nil>
}
