//go:build !amd64 || purego

package hl7

func findDelimiters(text []byte, patterns *[6][16]byte, found *masks) {
	findDelimitersSlowly(text, patterns, found)
}

func findLineEnds(text []byte, ends *[maskedBlocks]uint64) { findLineEndsSlowly(text, ends) }
