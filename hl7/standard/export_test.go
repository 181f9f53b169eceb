package standard

// Match gives the tests the matching of names alone, with what doesn't fit as texts.
func Match(s Structure, names []string) (*Group, []string) {
	g, misfits := match(s.s, names)
	var texts []string
	for _, m := range misfits {
		text := string(m.rule) + " " + m.name
		if m.group != "" {
			text += " in " + m.group
		}
		texts = append(texts, text)
	}
	return g, texts
}

// The formats of the primitive types.
func FormatOf(typ string) func(string) bool {
	check, _, _ := formatOf(typ)
	return check
}
