//go:build !purego

package hl7

// findDelimiters sets a bit in masks for each byte of block that is one of the six in
// patterns, the first in the lowest bit.
//
//go:noescape
func findDelimiters(block *[blockSize]byte, patterns *[6][16]byte, masks *[2]uint64)
