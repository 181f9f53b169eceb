package hl7

import "iter"

// A Value is what stands at a place of a message. It refers to the message and is valid
// until that is edited. The zero Value is empty.
type Value struct {
	m       *Message
	text    text
	literal bool // MSH-1 and MSH-2 have no escape sequences
}

// Raw returns the value's bytes as they stand. They must not be changed. In a message
// that came in UTF-16 or UTF-32 they are UTF-8.
func (v Value) Raw() []byte { return v.text.raw }

// IsEmpty reports whether nothing stands between the delimiters.
func (v Value) IsEmpty() bool { return len(v.text.raw) == 0 }

// IsNull reports whether the value is the HL7 null, "": the sender asks to delete what
// the receiver has (HL7 v2.9, chapter 2, 2.5.3).
func (v Value) IsNull() bool { return string(v.text.raw) == `""` }

// Text returns the value in UTF-8 with its escape sequences resolved: \F\ \S\ \T\ \R\ \E\
// \P\ become the delimiters, \Xdd\ the bytes, \.br\ a line feed, \Cxxyy\ and \Mxxyyzz\
// change the character set. The other formatting commands, highlighting (\H\ \N\), local
// sequences (\Zdd\) and what is no sequence are kept as they stand, as is the null. Of a
// value that has components inside, their delimiters are part of the text (HL7 v2.9,
// chapter 2, 2.7).
func (v Value) Text() string {
	if v.literal || v.m == nil {
		return string(v.text.raw)
	}
	return v.m.charset().text(v.text, v.m.header.delims)
}

// A Piece is a part of a text: plain text, or an escape sequence that stands for something
// else than text, such as formatting.
type Piece struct {
	Text     string // with its escape sequences resolved
	Sequence string // without its escape characters, such as ".br" or "H"; "" for text
}

// Pieces yields the parts of a text in order. The commands of formatted text, .br among
// them, highlighting (H, N) and local sequences (Z...) come as sequences, all else as text.
func (v Value) Pieces() iter.Seq[Piece] {
	return func(yield func(Piece) bool) {
		if v.literal || v.m == nil {
			yield(Piece{Text: string(v.text.raw)})
			return
		}
		d := v.m.header.delims
		stays := func(sequence []byte) bool {
			_, resolved := appendSequence(nil, sequence, d)
			return !resolved || sequence[0] == '.'
		}
		for text, sequence := range v.m.charset().pieces(v.text, d, stays) {
			if text != "" && !yield(Piece{Text: text}) || sequence != nil && !yield(Piece{Sequence: string(sequence)}) {
				return
			}
		}
	}
}

// Repetition returns repetition n of a field, from 1.
func (v Value) Repetition(n int) (Value, bool) { return v.part(n, 1) }

// Component returns component n of a repetition, from 1. A value without components is
// its own first one.
func (v Value) Component(n int) (Value, bool) { return v.part(n, 2) }

// Subcomponent returns subcomponent n of a component, from 1. A value without
// subcomponents is its own first one.
func (v Value) Subcomponent(n int) (Value, bool) { return v.part(n, 3) }

// Repetitions yields the repetitions of a field with their numbers, from 1: an empty
// field has one, which is empty.
func (v Value) Repetitions() iter.Seq2[int, Value] { return v.parts(1) }

// Components yields the components of a repetition with their numbers, from 1.
func (v Value) Components() iter.Seq2[int, Value] { return v.parts(2) }

// Subcomponents yields the subcomponents of a component with their numbers, from 1.
func (v Value) Subcomponents() iter.Seq2[int, Value] { return v.parts(3) }

// delimiter returns what divides the parts of a level: 1 repetitions, 2 components, 3
// subcomponents.
func (v Value) delimiter(level int) byte {
	if v.literal || v.m == nil {
		return 0
	}
	return v.m.header.delims.level(level)
}

func (v Value) part(n, level int) (Value, bool) {
	if n < 1 {
		return Value{}, false
	}
	t, ok := v.text.part(n, v.delimiter(level))
	return Value{v.m, t, v.literal}, ok
}

func (v Value) parts(level int) iter.Seq2[int, Value] {
	return func(yield func(int, Value) bool) {
		d, rest := v.delimiter(level), v.text
		for n, more := 1, true; more; n++ {
			var head text
			if head, rest, more = rest.next(d); !yield(n, Value{v.m, head, v.literal}) {
				return
			}
		}
	}
}
