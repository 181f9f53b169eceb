package hl7

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
