package mllptest

import (
	"bytes"
	"slices"
)

// A Fault damages a frame on its way out. It gets the frame with its start and end block, and returns what is written in
// its place; it may change what it gets. Content is at frame[1:len(frame)-2] as long as no other Fault came before.
type Fault func(frame []byte) []byte

// NoStart leaves the start byte out.
func NoStart(frame []byte) []byte { return bytes.TrimPrefix(frame, []byte{0x0b}) }

// NoEnd leaves the end block out: the end byte and the CR behind it.
func NoEnd(frame []byte) []byte { return bytes.TrimSuffix(frame, []byte("\x1c\r")) }

// NoTrailer leaves out the CR of the end block.
func NoTrailer(frame []byte) []byte {
	if bytes.HasSuffix(frame, []byte("\x1c\r")) {
		frame = frame[:len(frame)-1]
	}
	return frame
}

// Unframed leaves out the whole frame: what remains is the message.
func Unframed(frame []byte) []byte { return NoEnd(NoStart(frame)) }

// Empty leaves out everything but the frame.
func Empty([]byte) []byte { return []byte("\x0b\x1c\r") }

// Half leaves out the second half of the bytes.
func Half(frame []byte) []byte { return frame[:len(frame)/2] }

// StartInside puts a start byte into the middle, which the protocol forbids.
func StartInside(frame []byte) []byte { return slices.Insert(frame, len(frame)/2, 0x0b) }

// EndInside puts an end byte into the middle, which the protocol forbids.
func EndInside(frame []byte) []byte { return slices.Insert(frame, len(frame)/2, 0x1c) }

// NULInside puts a NUL into the middle.
func NULInside(frame []byte) []byte { return slices.Insert(frame, len(frame)/2, 0) }

// LineFeeds ends segments with LF in place of CR.
func LineFeeds(frame []byte) []byte {
	content := bytes.ReplaceAll(Unframed(frame), []byte("\r"), []byte("\n"))
	return append(append([]byte{0x0b}, content...), "\x1c\r"...)
}

// Twice writes the whole frame two times.
func Twice(frame []byte) []byte { return append(frame, frame...) }

// Before puts bytes before the frame, such as NULs, line ends or junk.
func Before(raw ...byte) Fault {
	return func(frame []byte) []byte { return slices.Insert(frame, 0, raw...) }
}

// Behind puts bytes behind the frame.
func Behind(raw ...byte) Fault { return func(frame []byte) []byte { return append(frame, raw...) } }

// Padded adds a segment ZZZ that makes the frame longer by size bytes, at least 5.
func Padded(size int) Fault {
	return func(frame []byte) []byte {
		segment := append([]byte("ZZZ|"), bytes.Repeat([]byte{'x'}, max(size-5, 0))...)
		at := len(NoEnd(frame))
		return slices.Insert(frame, at, append(segment, '\r')...)
	}
}

// WithID makes the acknowledgement one of the message that is called id: it becomes MSA-2. "" leaves MSA-2 empty.
func WithID(id string) Fault {
	return func(frame []byte) []byte {
		return editMSA(frame, func(fields [][]byte) [][]byte {
			for len(fields) < 3 {
				fields = append(fields, nil)
			}
			fields[2] = []byte(id)
			return fields
		})
	}
}

// WithCode replaces MSA-1, by what may be no code at all.
func WithCode(code string) Fault {
	return func(frame []byte) []byte {
		return editMSA(frame, func(fields [][]byte) [][]byte {
			for len(fields) < 2 {
				fields = append(fields, nil)
			}
			fields[1] = []byte(code)
			return fields
		})
	}
}

// NoMSA leaves out the MSA segment, so that the acknowledgement is none.
func NoMSA(frame []byte) []byte { return editMSA(frame, func([][]byte) [][]byte { return nil }) }

// editMSA replaces the fields of the first MSA segment, the name among them, by what edit returns; nothing removes it.
func editMSA(frame []byte, edit func(fields [][]byte) [][]byte) []byte {
	segments := bytes.SplitAfter(frame, []byte("\r"))
	for i, s := range segments {
		if !bytes.HasPrefix(s, []byte("MSA")) || len(s) < 4 {
			continue
		}
		separator := s[3:4]
		fields := edit(bytes.Split(bytes.TrimSuffix(s, []byte("\r")), separator))
		if fields == nil {
			segments = slices.Delete(segments, i, i+1)
		} else {
			segments[i] = append(bytes.Join(fields, separator), '\r')
		}
		break
	}
	return bytes.Join(segments, nil)
}
