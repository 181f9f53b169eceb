package hl7

// FindDelimiters finds the delimiters in blocks both ways.
func FindDelimiters(d Delimiters, blocks []byte) (fast, slow masks) {
	p := d.patterns()
	findDelimiters(blocks, &p, &fast)
	findDelimitersSlowly(blocks, &p, &slow)
	return fast, slow
}

// FindLineEnds finds the line ends in blocks both ways.
func FindLineEnds(blocks []byte) (fast, slow [maskedBlocks]uint64) {
	findLineEnds(blocks, &fast)
	findLineEndsSlowly(blocks, &slow)
	return fast, slow
}
