package standard_test

import (
	"reflect"
	"strconv"
	"testing"

	"github.com/ladlehq/ladle/hl7"
	"github.com/ladlehq/ladle/hl7/standard"
)

// The structs of package hl7 have every component that version 2.9 has, of its type.
func TestStructsHaveAllComponents(t *testing.T) {
	t.Parallel()
	d, _ := standard.Version("2.9")
	for _, v := range []any{hl7.HD{}, hl7.EI{}, hl7.CWE{}, hl7.CX{}, hl7.FN{}, hl7.XPN{}, hl7.SAD{}, hl7.XAD{}, hl7.XTN{}, hl7.SN{}} {
		typ := reflect.TypeOf(v)
		described, ok := d.DataType(typ.Name())
		if !ok || described.Len() != typ.NumField() {
			t.Errorf("%s has %d components, and %d fields: %v", typ.Name(), described.Len(), typ.NumField(), ok)
			continue
		}
		for i := range typ.NumField() {
			f := typ.Field(i)
			c, _ := described.Component(i + 1)
			if f.Tag.Get("hl7") != strconv.Itoa(i+1) {
				t.Errorf("%s.%s: the tag is not %d", typ.Name(), f.Name, i+1)
			}
			if kind := f.Type.Name(); f.Type.Kind() == reflect.Struct && kind != "DTM" && kind != "DR" && kind != c.Type {
				t.Errorf("%s.%s is a %s, and %s in the standard", typ.Name(), f.Name, kind, c.Type)
			}
		}
	}
}
