package receivers_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/ladlehq/ladle/engine"
	"github.com/ladlehq/ladle/receivers"
)

// A workflow that receives over HTTP and answers with an acknowledgement.
func ExampleHTTP() {
	eng, err := engine.New([]engine.Workflow{{
		Name:     "Receive HL7",
		Receiver: &receivers.HTTP{Address: "127.0.0.1:0", Path: "/hl7", BodyLimit: 2 * engine.MiB},
		Activities: []engine.Step{{Activity: engine.ActivityFunc(func(_ context.Context, m *engine.Message) error {
			fmt.Println("received", len(m.Body()), "bytes")
			return nil
		})}},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := eng.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	message := "MSH|^~\\&|HIS|WARD|LAB|CELLAR|20260305140709||ADT^A01|17|P|2.5\rPID|1||4711\r"
	resp, err := http.Post(eng.URL("Receive HL7"), "application/hl7-v2", strings.NewReader(message))
	if err != nil {
		fmt.Println(err)
		return
	}
	answer, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	segments := strings.Split(string(answer), "\r")
	fmt.Println(resp.StatusCode, segments[1], err)
	fmt.Println(eng.Shutdown(context.Background()))
	// Output:
	// received 74 bytes
	// 200 MSA|AA|17 <nil>
	// <nil>
}
