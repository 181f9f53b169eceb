package hl7

import "fmt"

// A ParseError says where a message can't be read and why. It holds no content of the
// message.
type ParseError struct {
	// Offset is where the fault is, in bytes from the beginning of what was parsed.
	Offset int
	// Segment is the name of the segment that the fault is in, or "" outside of any.
	Segment string
	// Reason says what is wrong and what was expected.
	Reason string
}

func (e *ParseError) Error() string {
	if e.Segment == "" {
		return fmt.Sprintf("hl7: at byte %d: %s", e.Offset, e.Reason)
	}
	return fmt.Sprintf("hl7: at byte %d, in %s: %s", e.Offset, e.Segment, e.Reason)
}
