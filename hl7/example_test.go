package hl7_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/ladlehq/ladle/hl7"
)

const message = "MSH|^~\\&|LAB|HOSP|HIS|WARD|20260305140709||ORU^R01|M1|P|2.5\rPID|1||4711^^^HOSP~4712^^^NHS||EVERYWOMAN^EVE\r"

func show(b []byte) {
	fmt.Println(strings.ReplaceAll(strings.TrimRight(string(b), "\r"), "\r", "\n"))
}

func ExampleMessage_Get() {
	m, err := hl7.Parse([]byte(message))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.Get(hl7.MustPath("PID-5.1")), m.Get(hl7.MustPath("PID-3[2].4")))
	// Output: EVERYWOMAN NHS
}

func ExampleMessage_All() {
	m, err := hl7.Parse([]byte(message))
	if err != nil {
		fmt.Println(err)
		return
	}
	for path, id := range m.All(hl7.MustPath("PID-3[*].1")) {
		fmt.Println(path, id)
	}
	// Output:
	// PID-3[1].1 4711
	// PID-3[2].1 4712
}

func ExampleMessage_Set() {
	m, err := hl7.Parse([]byte(message))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := m.Set(hl7.MustPath("PID-5.3"), "A & B"); err != nil {
		fmt.Println(err)
		return
	}
	show(m.Bytes())
	// Output:
	// MSH|^~\&|LAB|HOSP|HIS|WARD|20260305140709||ORU^R01|M1|P|2.5
	// PID|1||4711^^^HOSP~4712^^^NHS||EVERYWOMAN^EVE^A \T\ B
}

func ExampleHeader_AppendAck() {
	h, err := hl7.ParseHeader([]byte(message))
	if err != nil {
		fmt.Println(err)
		return
	}
	show(h.AppendAck(nil, hl7.Ack{Code: hl7.ApplicationAccept, ControlID: "A1", Time: time.Date(2026, 3, 5, 14, 7, 10, 0, time.UTC)}))
	// Output:
	// MSH|^~\&|HIS|WARD|LAB|HOSP|20260305140710+0000||ACK^R01^ACK|A1|P|2.5
	// MSA|AA|M1
}

func ExampleParseAck() {
	ack, err := hl7.ParseAck([]byte("MSH|^~\\&|HIS|WARD|LAB|HOSP|20260305140710||ACK^R01^ACK|A1|P|2.5\rMSA|AE|M1|Unknown patient\r"))
	fmt.Println(ack.Code, ack.ControlID, ack.Text, ack.Positive(), err)
	// Output: AE M1 Unknown patient false <nil>
}
