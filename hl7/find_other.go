//go:build !amd64 || purego

package hl7

func findDelimiters(block *[blockSize]byte, patterns *[6][16]byte, masks *[2]uint64) {
	findDelimitersSlowly(block, patterns, masks)
}
