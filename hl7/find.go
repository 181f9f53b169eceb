package hl7

// findDelimitersSlowly is findDelimiters for processors that have nothing for it.
func findDelimitersSlowly(block *[blockSize]byte, patterns *[6][16]byte, masks *[2]uint64) {
	var divides [256]uint8
	for _, p := range patterns {
		divides[p[0]] = 1
	}
	*masks = [2]uint64{}
	for i, c := range block {
		masks[i/64] |= uint64(divides[c]) << (i % 64)
	}
}

// patterns are the delimiters and line ends as findDelimiters wants them: each sixteen
// times. One that the message doesn't name stands as another one again.
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
