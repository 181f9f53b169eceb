package mllptest_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/ladlehq/ladle/hl7/mllp"
	"github.com/ladlehq/ladle/hl7/mllp/mllptest"
)

// A sender is tried with a partner that answers for another message, then byte by byte. In a test, NewServer does what
// Start does and closes with the test.
func Example() {
	partner, err := mllptest.Start(nil,
		mllptest.Answer("AA", mllptest.WithID("another")),
		mllptest.InPieces(1, mllptest.Answer("AA")),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer partner.Close()

	sender := &mllp.Client{Address: partner.Address}
	defer sender.Close()
	for _, id := range []string{"1", "2"} {
		_, err := sender.Send(context.Background(), []byte("MSH|^~\\&|||||||ADT^A01|"+id+"|P|2.5\r"))
		fmt.Println("delivered:", err == nil, "wrong id:", errors.Is(err, mllp.ErrWrongID))
	}
	fmt.Println("accepted:", partner.Accepted(), "connections:", partner.Connections())
	// Output:
	// delivered: false wrong id: true
	// delivered: true wrong id: false
	// accepted: [2] connections: 2
}

// A receiver is tried with frames as sloppy senders make them. Here the receiver is a Server of this package; put the
// address of yours in its place.
func ExampleDial() {
	receiver, err := mllptest.Start(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer receiver.Close()

	message := []byte("MSH|^~\\&|||||||ADT^A01|1|P|2.5\r")
	for _, fault := range []mllptest.Fault{mllptest.NoTrailer, mllptest.LineFeeds, mllptest.Before(0, 0, '\r')} {
		c, err := mllptest.Dial(context.Background(), receiver.Address, nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		err = c.Run(
			mllptest.InPieces(7, mllptest.Send(message, fault)),
			mllptest.Receive(),
			mllptest.HangUp(),
		)
		fmt.Printf("%v, answered: %q\n", err, c.Last()[:9])
	}
	// Output:
	// <nil>, answered: "MSH|^~\\&|"
	// <nil>, answered: "MSH|^~\\&|"
	// <nil>, answered: "MSH|^~\\&|"
}
