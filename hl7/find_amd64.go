//go:build !purego

package hl7

// findDelimiters finds each byte of text that is one of the six in patterns. There is at
// least one block in text, all of them are whole, and there are no more than masks.
//
//go:noescape
func findDelimiters(text []byte, patterns *[6][16]byte, found *masks)

// findLineEnds sets a bit in ends for each byte of text that is a carriage return or a line
// feed, the first byte in the lowest bit. Of text holds what findDelimiters says.
//
//go:noescape
func findLineEnds(text []byte, ends *[maskedBlocks]uint64)
