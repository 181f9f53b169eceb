package hl7_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/ladlehq/ladle/hl7"
)

// lab is a message as it comes from a laboratory.
const lab = "MSH|^~\\&|LAB|HOSP|HIS|WARD|20260305140709||ORU^R01|M1|P|2.5\r" +
	"PID|1||4711^^^HOSP~4712^^^NHS||EVERYWOMAN^EVE||\"\"\r" +
	"OBR|1|||718-7^Hemoglobin^LN\rOBX|1|NM|718-7^Hemoglobin^LN||13.5|g/dl\rNTE|1||Checked \\T\\ released\r"

func parsed(raw string) *hl7.Message {
	m, err := hl7.Parse([]byte(raw))
	if err != nil {
		panic(err)
	}
	return m
}

func show(b []byte) {
	fmt.Println(strings.ReplaceAll(strings.TrimRight(string(b), "\r"), "\r", "\n"))
}

func ExampleParse() {
	m, err := hl7.Parse([]byte(lab))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.Header().MessageCode(), m.Header().ControlID(), m.Len())

	_, err = hl7.Parse([]byte("MSH|^~^&|LAB"))
	if e, ok := errors.AsType[*hl7.ParseError](err); ok {
		fmt.Println(e.Offset, e.Segment)
	}
	fmt.Println(err)
	// Output:
	// ORU M1 5
	// 6 MSH
	// hl7: at byte 6, in MSH: field 2 names one character for two delimiters
}

func ExampleParsePath() {
	for _, s := range []string{"PID.5.1", "PID-5-1", "OBX(3)-5", "OBR[2]/OBX[last]-5", "PID5"} {
		p, err := hl7.ParsePath(s)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(p)
	}
	// Output:
	// PID-5.1
	// PID-5.1
	// OBX[3]-5
	// OBR[2]/OBX[last]-5
	// hl7: "PID5" is no path: a dash is missing behind the segment's name: write PID-5
}

func ExampleMessage_Get() {
	m := parsed(lab)
	fmt.Println(m.Get(hl7.MustPath("PID-5.1")), m.Get(hl7.MustPath("PID-3[2].4")), m.Get(hl7.MustPath("NTE-3")))
	// Output: EVERYWOMAN NHS Checked & released
}

func ExampleMessage_All() {
	for path, id := range parsed(lab).All(hl7.MustPath("PID-3[*].1")) {
		fmt.Println(path, id)
	}
	// Output:
	// PID-3[1].1 4711
	// PID-3[2].1 4712
}

func ExampleMessage_Values() {
	for path, value := range parsed("MSH|^~\\&|LAB\rPID|1||4711^^^HOSP&1.2~4712\r").Values() {
		fmt.Println(path, value.Text())
	}
	// Output:
	// MSH-1 |
	// MSH-2 ^~\&
	// MSH-3 LAB
	// PID-1 1
	// PID-3.1 4711
	// PID-3.4.1 HOSP
	// PID-3.4.2 1.2
	// PID-3[2] 4712
}

func ExampleMessage_Lookup() {
	m := parsed(lab)
	for _, s := range []string{"PID-5", "PID-6", "PID-7", "PID-8"} {
		v, ok := m.Lookup(hl7.MustPath(s))
		switch {
		case !ok:
			fmt.Println(s, "is absent")
		case v.IsNull():
			fmt.Println(s, "is the null")
		case v.IsEmpty():
			fmt.Println(s, "is empty")
		default:
			fmt.Println(s, "is", v.Text())
		}
	}
	// Output:
	// PID-5 is EVERYWOMAN^EVE
	// PID-6 is empty
	// PID-7 is the null
	// PID-8 is absent
}

func ExampleMessage_Set() {
	m := parsed(lab)
	if err := m.Set(hl7.MustPath("PID-5.3"), "A & B"); err != nil {
		fmt.Println(err)
		return
	}
	show(m.Segment(1).Bytes())
	// Output: PID|1||4711^^^HOSP~4712^^^NHS||EVERYWOMAN^EVE^A \T\ B||""
}

func ExampleMessage_Append() {
	m := parsed(lab)
	p, err := m.Append(hl7.MustPath("PID-3"), "4713")
	fmt.Println(p, err)
	fmt.Println(m.Delete(hl7.MustPath("PID-3[1]")))
	show(m.Segment(1).Bytes())
	// Output:
	// PID-3[3] <nil>
	// true
	// PID|1||4712^^^NHS~4713||EVERYWOMAN^EVE||""
}

func ExampleMessage_InsertSegment() {
	m := parsed(lab)
	at := m.Find(hl7.MustPath("OBX"))
	if err := m.InsertSegment(at, []byte("OBX|9|ST|COMMENT||fasting")); err != nil {
		fmt.Println(err)
		return
	}
	n, err := m.Renumber(hl7.MustPath("OBR[*]/OBX"))
	fmt.Println(n, err)
	show(m.Bytes()[strings.Index(string(m.Bytes()), "OBX"):])
	// Output:
	// 2 <nil>
	// OBX|1|ST|COMMENT||fasting
	// OBX|2|NM|718-7^Hemoglobin^LN||13.5|g/dl
	// NTE|1||Checked \T\ released
}

func ExampleMessage_SetValue() {
	other := parsed("MSH$%?!@$LAB\rPID$1$$$$EVERYMAN%ADAM & CO\r")
	name, _ := other.Lookup(hl7.MustPath("PID-5"))
	m := parsed(lab)
	if err := m.SetValue(hl7.MustPath("PID-9"), name); err != nil {
		fmt.Println(err)
		return
	}
	show(m.Segment(1).Bytes())
	// Output: PID|1||4711^^^HOSP~4712^^^NHS||EVERYWOMAN^EVE||""||EVERYMAN^ADAM \T\ CO
}

func ExampleMessage_Reencode() {
	m := parsed("MSH|^~\\&|LAB|||||||||||||||8859/1\rPID|1||||M\xfcller^J\xf6rg\r")
	if err := m.Reencode(hl7.Encoding{CharacterSet: "UNICODE UTF-8", Delimiters: hl7.Delimiters{Field: '|', Component: '$', Repetition: '~', Escape: '\\', Subcomponent: '&'}}); err != nil {
		fmt.Println(err)
		return
	}
	show(m.Bytes())
	// Output:
	// MSH|$~\&|LAB|||||||||||||||UNICODE UTF-8
	// PID|1||||Müller$Jörg
}

func ExampleValue_Formatted() {
	v, _ := parsed("MSH|^~\\&|LAB\rOBX|1|FT|||\\.in2\\Growth of \\H\\E. coli\\N\\.\\.br\\Sensitive to \\T\\ treated with X.\r").Lookup(hl7.MustPath("OBX-5"))
	fmt.Println(v.Formatted())
	// Output:
	//   Growth of E. coli.
	//   Sensitive to & treated with X.
}

func ExampleMessage_SetReplacement() {
	m := parsed("MSH|^~\\&|LAB|||||||||||||||8859/1\rPID|1\r")
	name := hl7.MustPath("PID-5.1")
	fmt.Println(m.Set(name, "Łukasz"))
	m.SetReplacement("?")
	fmt.Println(m.Set(name, "Łukasz"), m.Get(name))
	// Output:
	// hl7: the text has characters that are not in the message's character set
	// <nil> ?ukasz
}

// The second byte of the last letter looks like the field separator.
func ExampleMessage_SetCharacterSet() {
	m := parsed("MSH|^~\\&|LAB\rPID|1||||\xb3\x5c\xa5\x7c|19700101\r")
	fmt.Println(m.SetCharacterSet("Big5"), m.Get(hl7.MustPath("PID-5")), m.Get(hl7.MustPath("PID-6")))
	// Output: true 許四 19700101
}

func ExampleHeader_AppendAck() {
	h, err := hl7.ParseHeader([]byte(lab))
	if err != nil {
		fmt.Println(err)
		return
	}
	show(h.AppendAck(nil, hl7.Ack{
		Code: hl7.ApplicationError, Text: "Unknown patient", ControlID: "A1", Time: time.Date(2026, 3, 5, 14, 7, 10, 0, time.UTC),
		Errors: []hl7.AckError{{Location: hl7.MustPath("PID-3[2].1"), Code: "204", Text: "Unknown key identifier"}},
	}))
	// Output:
	// MSH|^~\&|HIS|WARD|LAB|HOSP|20260305140710+0000||ACK^R01^ACK|A1|P|2.5
	// MSA|AE|M1|Unknown patient
	// ERR||PID^1^3^2^1|204^Unknown key identifier^HL70357|E
}

func ExampleHeader_WantsAccept() {
	h, err := hl7.ParseHeader([]byte("MSH|^~\\&|LAB|HOSP|HIS|WARD|20260305140709||ORU^R01|M1|P|2.5|||AL|ER"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("enhanced mode:", h.Enhanced())
	fmt.Println("accept acknowledgement:", h.WantsAccept(true))
	fmt.Println("application acknowledgement when all is well:", h.WantsApplication(true))
	fmt.Println("application acknowledgement after an error:", h.WantsApplication(false))
	// Output:
	// enhanced mode: true
	// accept acknowledgement: true
	// application acknowledgement when all is well: false
	// application acknowledgement after an error: true
}

func ExampleParseAck() {
	ack, err := hl7.ParseAck([]byte("MSH|^~\\&|HIS|WARD|LAB|HOSP|20260305140710||ACK^R01^ACK|A1|P|2.5\rMSA|AE|M1|Unknown patient\rERR||PID^1^3|204^Unknown key identifier^HL70357|E\r"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ack.Code, ack.ControlID, ack.Text, ack.Positive())
	for _, e := range ack.Errors {
		fmt.Println(e.Location, e.Code, e.Text)
	}
	// Output:
	// AE M1 Unknown patient false
	// PID[1]-3 204 Unknown key identifier
}

func ExampleMessage_Unmarshal() {
	var order struct {
		Patient      hl7.XPN   `hl7:"PID-5"`
		IDs          []hl7.CX  `hl7:"PID-3"`
		Sent         time.Time `hl7:"MSH-7"`
		Observations []struct {
			Code  hl7.CWE `hl7:"3"`
			Value hl7.NM  `hl7:"5"`
			Notes string  `hl7:"NTE-3"`
		} `hl7:"OBX"`
	}
	if err := parsed(lab).Unmarshal(&order); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(order.Patient.FamilyName.Surname, len(order.IDs), order.IDs[1].AssigningAuthority.NamespaceID, order.Sent.Year())
	for _, o := range order.Observations {
		fmt.Println(o.Code.Text, o.Value, o.Notes)
	}
	// Output:
	// EVERYWOMAN 2 NHS 2026
	// Hemoglobin 13.5 Checked & released
}

func ExampleMessage_Marshal() {
	m, err := hl7.New(hl7.DefaultDelimiters())
	if err != nil {
		fmt.Println(err)
		return
	}
	err = m.Marshal(struct {
		Type    string   `hl7:"MSH-9.1"`
		ID      hl7.CX   `hl7:"PID-3"`
		Results []hl7.NM `hl7:"OBX[*]-5"`
	}{"ORU", hl7.CX{IDNumber: "4711", AssigningAuthority: hl7.HD{NamespaceID: "HOSP"}}, []hl7.NM{"13.5", "4.2"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	show(m.Bytes())
	// Output:
	// MSH|^~\&|||||||ORU
	// PID|||4711^^^HOSP
	// OBX|||||13.5
	// OBX|||||4.2
}

func ExampleParseDTM() {
	for _, s := range []string{"1970", "20260305140709.12+0100", "20260230"} {
		d, err := hl7.ParseDTM(s)
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(d, d.Precision, d.Zone, d.Time.Format(time.RFC3339Nano))
	}
	// Output:
	// 1970 year false 1970-01-01T00:00:00Z
	// 20260305140709.12+0100 second true 2026-03-05T14:07:09.12+01:00
	// hl7: this is no date and time: the day at character 7 is not in its month
}

func ExampleMessage_MarshalJSON() {
	b, err := json.Marshal(parsed("MSH|^~\\&|LAB\rPID|1||4711^^^HOSP~4712||\"\"\r"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(b))
	var back hl7.Message
	if err := json.Unmarshal(b, &back); err != nil {
		fmt.Println(err)
		return
	}
	show(back.Segment(1).Bytes())
	// Output:
	// {"segments":[{"name":"MSH","fields":["|","^~\\\u0026","LAB"]},{"name":"PID","fields":["1","",[["4711","","","HOSP"],"4712"],"",null]}]}
	// PID|1||4711^^^HOSP~4712||""
}

func ExampleMessage_WriteTree() {
	if err := parsed("MSH|^~\\&|LAB\rPID|1||4711^^^HOSP\r").WriteTree(os.Stdout, nil); err != nil {
		fmt.Println(err)
	}
	// Output:
	// MSH
	//   MSH-1  |
	//   MSH-2  ^~\&
	//   MSH-3  LAB
	// PID
	//   PID-1  1
	//   PID-3.1  4711
	//   PID-3.4  HOSP
}

func ExampleDiff() {
	a, b := parsed(lab), parsed(lab)
	if err := b.Set(hl7.MustPath("MSH-10"), "M2"); err != nil {
		fmt.Println(err)
	}
	if err := b.Set(hl7.MustPath("PID-5.2"), "ADA"); err != nil {
		fmt.Println(err)
	}
	b.Delete(hl7.MustPath("NTE"))
	for d := range hl7.Diff(a, b, hl7.MustPath("MSH-10")) {
		fmt.Println(d)
	}
	// Output:
	// PID-5.2: "EVE" is now "ADA"
	// NTE went: "NTE|1||Checked \\T\\ released"
}
