package hl7

// FindDelimiters finds the delimiters in a block both ways.
func FindDelimiters(d Delimiters, block *[blockSize]byte) (fast, slow [2]uint64) {
	p := d.patterns()
	findDelimiters(block, &p, &fast)
	findDelimitersSlowly(block, &p, &slow)
	return fast, slow
}
