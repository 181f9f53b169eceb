// Package hl7 reads, changes, writes and acknowledges HL7 v2 messages. It needs nothing of
// the rest of Ladle.
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
// PID-5-1 and OBX(3)-5 are read, too. [*] stands for all, in [Message.All], [last] for the
// last, and OBR[2]/OBX-5 for a segment that belongs to another. [Message.Values] and the
// faster [Message.Walk] go through all there is; [Segment.Fields], [Value.Repetitions] and
// their like go down level by level.
//
// # Absent, empty, null
//
// [Message.Get] gives the text, or "". [Message.Lookup] tells a place that is absent
// from one that is there and empty, and [Value.IsNull] the HL7 null, "", by which a
// sender asks to delete what the receiver has.
//
// # Editing
//
// [Message.Set] puts a text in its place, escaped, and adds what is missing on the way;
// nothing else changes. [Message.SetRaw] takes structure, [Message.SetNull] the null, and
// [Message.SetValue] copies from a message with other delimiters. [Message.Insert],
// [Message.Append], [Message.Delete] and [Message.Remove] work on fields, repetitions,
// components and subcomponents, [Message.InsertSegment] and [Message.AppendSegment] on
// segments; [Message.Renumber] puts set ids in order, and [Message.Reencode] writes all in
// other delimiters or another character set. [New] begins a message.
//
// # Escape sequences
//
// [Value.Text] resolves what stands for a character and keeps the rest. [Value.Formatted]
// lays formatted text out as it is meant to be read, and [Value.Pieces] tells text from
// sequences.
//
// # Character sets
//
// MSH-18 says in which character set the values are, and all texts here are UTF-8. Every
// set of HL7 table 0211 but CNS 11643 is read and written, with repetitions of MSH-18 and
// ISO 2022 escape sequences, and so are the Windows code pages and the internet's names.
// In Big5, GB 18030, Shift-JIS and ISO 2022 the bytes of a letter may look like delimiters;
// they are never taken for some. Without MSH-18, and where it says ASCII, UTF-8 is read,
// and what is no UTF-8 as ISO 8859-1. A transport that knows better says so to
// [Message.SetCharacterSet]. What a set doesn't hold is an error, or a replacement:
// see [Message.SetReplacement].
//
// # Acknowledgements
//
// [ParseHeader] reads the MSH segment alone: what is needed to know a message and to
// acknowledge it with [Header.AppendAck], in original mode or, as [Header.WantsAccept] and
// [Header.WantsApplication] say, in enhanced mode. [ParseAck] reads what a partner has
// answered, with its ERR segments. The [Header] of a message that can't be read still
// makes a well-formed acknowledgement.
//
// # Batches and streams
//
// A [Reader] takes messages out of a file or connection of any size, with or without batch
// headers and MLLP frames, in constant memory. [ParseFile] does so in memory, and a
// [BatchWriter] writes batches with their counts. Package mllp is for conversations.
//
// # Types
//
// [Message.Unmarshal] and [Message.Marshal] read and write Go structs by tags such as
// `hl7:"PID-5.1"`. [XPN], [CX], [CWE], [XAD], [XTN] and [HD] are such structs, [DTM], [NM]
// and [SN] times and numbers that keep their precision.
//
// # Other forms
//
// [Message.MarshalJSON] gives a lossless form in JSON, [Message.WriteTree] one for people,
// and [Diff] says what changes from one message to another. Package standard knows what the
// fields are called and how a message has to be; standard/v2xml writes and reads XML.
//
// # Limits
//
// A message is at most 4 GiB. Nothing in a message makes anything here panic, or take more
// than a small multiple of its size. Errors hold no content of a message.
package hl7
