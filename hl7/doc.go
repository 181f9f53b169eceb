// Package hl7 reads, changes and acknowledges HL7 v2 messages. It needs nothing of the
// rest of Ladle.
//
// A [Message] keeps the bytes that it was parsed from, and cuts them where it is asked:
// what isn't changed comes back out byte for byte, odd line ends, trailing delimiters
// and unknown segments among it.
//
//	m, err := hl7.Parse(raw)
//	if err != nil {
//		return err // a *ParseError: where, in which segment, what was expected
//	}
//	family := m.Get(hl7.MustPath("PID-5.1"))
//	err = m.Set(hl7.MustPath("PV1-3.1"), "WARD 7")
//	raw = m.Bytes()
//
// # Paths
//
// A [Path] names a place as people write it: PID-5.1, PID-3[2].4.1, OBX[3]-5. PID.5.1,
// PID-5-1 and OBX(3)-5 are read, too. [*] stands for all, in [Message.All], and
// OBR[2]/OBX-5 for a segment that belongs to another.
//
// # Absent, empty, null
//
// [Message.Get] gives the text, or "". [Message.Lookup] tells a place that is absent
// from one that is there and empty, and [Value.IsNull] the HL7 null, "", by which a
// sender asks to delete what the receiver has.
//
// # Acknowledgements
//
// [ParseHeader] reads the MSH segment alone: what is needed to know a message and to
// acknowledge it with [Header.AppendAck]. [ParseAck] reads what a partner has answered.
// [*Header] of a message that can't be read still makes a well-formed acknowledgement.
//
// # Limits
//
// A message is at most 4 GiB. ASCII, UTF-8, the parts of ISO 8859 and the Windows code
// pages with one byte a character are read and written. Of values in other character
// sets only the ASCII letters can be read, a byte that is a part of a letter may be taken
// for a delimiter, and nothing can be set. Errors hold no content of a message.
package hl7
