package hl7

import "encoding/binary"

// findDelimitersSlowly is findDelimiters for processors that have nothing for it.
func findDelimitersSlowly(text []byte, patterns *[6][16]byte, found *masks) {
	var kinds [256]uint8
	for i, p := range patterns {
		kinds[p[0]] = 1
		if i >= 4 {
			kinds[p[0]] = 3
		}
	}
	for n := range len(text) / blockSize {
		all, lines := uint64(0), uint64(0)
		for i, c := range text[n*blockSize:][:blockSize] {
			kind := kinds[c]
			all |= uint64(kind&1) << (i % 64)
			lines |= uint64(kind>>1) << (i % 64)
		}
		found.all[n], found.lines[n] = all, lines
	}
}

// findLineEndsSlowly is findLineEnds for processors that have nothing for it.
func findLineEndsSlowly(text []byte, ends *[maskedBlocks]uint64) {
	for n := range len(text) / blockSize {
		block := text[n*blockSize:][:blockSize]
		ends[n] = 0
		for i := 0; i < blockSize; i += 16 {
			first, second := binary.LittleEndian.Uint64(block[i:]), binary.LittleEndian.Uint64(block[i+8:])
			if ((first-' '*lowBits)&^first|(second-' '*lowBits)&^second)&highBits == 0 {
				continue // no control characters
			}
			ends[n] |= (equal(first, '\r'*lowBits) | equal(first, '\n'*lowBits)) << i
			ends[n] |= (equal(second, '\r'*lowBits) | equal(second, '\n'*lowBits)) << (i + 8)
		}
	}
}

// Words that have a bit or a number in each of their eight bytes.
const (
	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
)

// equal returns eight bits that say which of the bytes of two words are the same, the
// lowest in the lowest bit.
func equal(word, other uint64) uint64 {
	word ^= other
	word = ^(word&^highBits + ^uint64(highBits) | word) & highBits
	return word >> 7 * 0x0102040810204080 >> 56
}

// patterns are the delimiters and, last, the line ends as findDelimiters wants them: each
// sixteen times. One that the message doesn't name stands as a line end, too.
func (d Delimiters) patterns() (all [6][16]byte) {
	for i, c := range [...]byte{d.Field, d.Component, d.Repetition, d.Subcomponent, '\r', '\n'} {
		if c == 0 {
			c = '\r'
		}
		for j := range all[i] {
			all[i][j] = c
		}
	}
	return all
}
